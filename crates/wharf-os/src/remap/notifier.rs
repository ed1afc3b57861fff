//! The queue of stopped calls, and the ways to answer one.

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use super::call::{Call, Kind, lower};

/// The queue of a filter. Dropping it lets every call that is stopped, and all later ones, fail with
/// `ENOSYS`.
#[derive(Debug)]
pub struct Notifier {
    fd: OwnedFd,
}

/// Why [`Notifier::wait`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Woken {
    /// A call waits.
    pub call: bool,
    /// The bell was rung.
    pub bell: bool,
    /// A held listener has ceased to listen.
    pub held: bool,
    /// No process with the filter is left.
    pub over: bool,
}

/// A bell that other threads ring to end a wait.
#[derive(Debug)]
pub struct Doorbell {
    fd: OwnedFd,
}

impl Doorbell {
    /// A bell that has not rung.
    ///
    /// # Errors
    /// Descriptors are used up.
    pub fn new() -> io::Result<Doorbell> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        Ok(Doorbell { fd: rustix::event::eventfd(0, flags)? })
    }

    /// Rings. A bell that rings already goes on ringing.
    pub fn ring(&self) {
        let _ = rustix::io::write(&self.fd, &1u64.to_ne_bytes());
    }

    fn silence(&self) {
        let _ = rustix::io::read(&self.fd, &mut [0u8; 8]);
    }
}

/// The flag by which the kernel runs the caller at once, on this processor, when it is answered.
const SYNC_WAKE_UP: u64 = 1;

/// Room for `struct seccomp_notif` of kernels to come; today's has 80 bytes.
#[repr(C, align(8))]
struct Room {
    notification: MaybeUninit<libc::seccomp_notif>,
    more: [u8; 256],
}

impl Notifier {
    /// The queue of a filter that was just installed.
    pub(crate) fn new(fd: OwnedFd) -> Notifier {
        // Linux 6.6; before, an answer takes a little longer.
        // SAFETY: takes a number only.
        unsafe { libc::ioctl(fd.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS, SYNC_WAKE_UP) };
        Notifier { fd }
    }

    /// Waits for a call, the bell, the end of a held listener or of the last process with the filter,
    /// at most this long.
    ///
    /// # Errors
    /// Those of `poll(2)`.
    pub fn wait(
        &self,
        bell: &Doorbell,
        held: &[BorrowedFd<'_>],
        timeout: Option<Duration>,
    ) -> io::Result<Woken> {
        let timeout = timeout.map(Timespec::try_from).transpose().unwrap_or_default();
        let mut fds =
            vec![PollFd::new(&self.fd, PollFlags::IN), PollFd::new(&bell.fd, PollFlags::IN)];
        // Connections that wait there are the servers' business; its end is told without being asked.
        fds.extend(held.iter().map(|held| PollFd::from_borrowed_fd(*held, PollFlags::empty())));
        match rustix::event::poll(&mut fds, timeout.as_ref()) {
            Ok(_) => {}
            Err(Errno::INTR) => {
                return Ok(Woken { call: false, bell: false, held: false, over: false });
            }
            Err(error) => return Err(error.into()),
        }
        let held = fds[2..].iter().any(|fd| !fd.revents().is_empty());
        let of_queue = fds[0].revents();
        let call = of_queue.contains(PollFlags::IN);
        let rung = !fds[1].revents().is_empty();
        if rung {
            bell.silence();
        }
        let gone = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
        Ok(Woken { call, bell: rung, held, over: !call && of_queue.intersects(gone) })
    }

    /// The next stopped call, after [`Notifier::wait`] told of one. `None` when it was taken back, by a
    /// signal or the end of its process, or is none that the filter asks for.
    ///
    /// # Errors
    /// The kernel refuses the queue, as some containers do.
    pub fn receive(&self) -> io::Result<Option<Call>> {
        let mut room = Room { notification: MaybeUninit::zeroed(), more: [0; 256] };
        // SAFETY: the kernel writes at most its own `struct seccomp_notif`, for which there is room; it
        // wants it zeroed.
        let got = unsafe {
            let to = (&raw mut room).cast::<libc::seccomp_notif>();
            libc::ioctl(self.fd.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, to)
        };
        if got != 0 {
            let error = io::Error::last_os_error();
            return match error.raw_os_error() {
                Some(libc::ENOENT | libc::EINTR | libc::EAGAIN) => Ok(None),
                _ => Err(error),
            };
        }
        // SAFETY: zeroed and then filled: a valid value of this plain C struct.
        let notification = unsafe { room.notification.assume_init() };
        let call = decode(&notification);
        if call.is_none() {
            self.go_on(notification.id);
        }
        Ok(call)
    }

    /// Whether the call still waits: then what was read of its caller was the caller's.
    pub fn is_valid(&self, call: &Call) -> bool {
        // SAFETY: reads the number alone.
        let valid = unsafe {
            libc::ioctl(self.fd.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &raw const call.id)
        };
        valid == 0
    }

    /// Lets the kernel do the call as if there were no filter. `false` when nobody waits any more.
    pub fn proceed(&self, call: &Call) -> bool {
        self.go_on(call.id)
    }

    /// Lets the call return 0, or fail with an `errno`. `false` when nobody waits any more.
    pub fn answer(&self, call: &Call, result: Result<(), i32>) -> bool {
        let error = result.err().map_or(0, |errno| -errno.abs());
        self.respond(&libc::seccomp_notif_resp { id: call.id, val: 0, error, flags: 0 })
    }

    /// Puts a duplicate of `fd` in the place of the caller's socket. The call still waits.
    ///
    /// # Errors
    /// The call does not wait any more, or the kernel (before 5.9) cannot do it.
    pub fn install(&self, call: &Call, fd: BorrowedFd<'_>, close_on_exec: bool) -> io::Result<()> {
        let flags = libc::SECCOMP_ADDFD_FLAG_SETFD;
        let request = libc::seccomp_notif_addfd {
            id: call.id,
            flags: u32::try_from(flags).unwrap_or_default(),
            srcfd: fd.as_raw_fd().cast_unsigned(),
            newfd: call.fd.cast_unsigned(),
            newfd_flags: if close_on_exec { libc::O_CLOEXEC.cast_unsigned() } else { 0 },
        };
        // SAFETY: reads the request alone.
        let done = unsafe {
            let request = &raw const request;
            libc::ioctl(self.fd.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ADDFD, request)
        };
        if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    fn go_on(&self, id: u64) -> bool {
        let flags = u32::try_from(libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE).unwrap_or(1);
        self.respond(&libc::seccomp_notif_resp { id, val: 0, error: 0, flags })
    }

    fn respond(&self, response: &libc::seccomp_notif_resp) -> bool {
        // SAFETY: reads the response alone.
        let sent = unsafe {
            let response = std::ptr::from_ref(response);
            libc::ioctl(self.fd.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, response)
        };
        sent == 0
    }
}

impl AsFd for Notifier {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// `None` for a call that the filter does not ask for, and for a caller without a number here: one in a
/// process namespace that is not below ours.
fn decode(notification: &libc::seccomp_notif) -> Option<Call> {
    let arguments = notification.data.args;
    let kind = match libc::c_long::from(notification.data.nr) {
        libc::SYS_bind => Kind::Bind,
        libc::SYS_listen => Kind::Listen { backlog: lower(arguments[1]) },
        libc::SYS_connect => Kind::Connect,
        libc::SYS_getsockname => Kind::Name,
        libc::SYS_shutdown => Kind::Shutdown,
        _ => return None,
    };
    (notification.pid != 0).then_some(Call {
        id: notification.id,
        thread: notification.pid,
        kind,
        fd: lower(arguments[0]),
        address: arguments[1],
        length: if kind == Kind::Name { arguments[2] } else { arguments[2] & 0xffff_ffff },
    })
}

/// The kernel's structures are those of the C library's headers: more room is kept for newer ones.
const _: () = assert!(size_of::<libc::seccomp_notif>() <= 128);

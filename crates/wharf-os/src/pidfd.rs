//! A handle on one process that cannot come to mean another, whatever becomes of its number.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal};

use crate::process::{self, Identity};

/// A process descriptor, closed on exec. Readable (by `poll`) once the process has ended.
#[derive(Debug)]
pub struct Pidfd {
    fd: OwnedFd,
}

impl Pidfd {
    /// Opens the process, or `None` when it has ended: also when another has its number now.
    ///
    /// # Errors
    /// Descriptors are used up, or the kernel has no `pidfd_open(2)` (before 5.3).
    pub fn open(identity: &Identity) -> io::Result<Option<Pidfd>> {
        let Some(pid) = i32::try_from(identity.pid).ok().and_then(Pid::from_raw) else {
            return Ok(None);
        };
        let fd = match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
            Ok(fd) => fd,
            Err(Errno::SRCH) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // The number may have passed on before the call. Once the descriptor is there it cannot.
        Ok(process::is_alive(identity).then_some(Pidfd { fd }))
    }

    /// Sends a signal, by its number.
    ///
    /// # Errors
    /// `ESRCH` when the process has ended, `PermissionDenied` for another user's, `InvalidInput`
    /// for a number that names no signal.
    pub fn signal(&self, signal: i32) -> io::Result<()> {
        if let Some(signal) = Signal::from_named_raw(signal) {
            return Ok(rustix::process::pidfd_send_signal(&self.fd, signal)?);
        }
        if !(libc::SIGRTMIN()..=libc::SIGRTMAX()).contains(&signal) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        // SAFETY: takes numbers only; without further information, as `kill` sends it.
        let sent = unsafe {
            let none = std::ptr::null::<libc::siginfo_t>();
            libc::syscall(libc::SYS_pidfd_send_signal, self.fd.as_raw_fd(), signal, none, 0)
        };
        if sent == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Waits until the process has ended: whether it has within the time.
    ///
    /// A child is not reaped by this.
    ///
    /// # Errors
    /// Those of `poll(2)`.
    pub fn wait(&self, timeout: Duration) -> io::Result<bool> {
        let deadline = Instant::now().checked_add(timeout);
        loop {
            let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
            let left = left.map(Timespec::try_from).transpose().unwrap_or_default();
            let mut fds = [PollFd::new(&self.fd, PollFlags::IN)];
            match rustix::event::poll(&mut fds, left.as_ref()) {
                Ok(ready) => return Ok(ready > 0),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl AsFd for Pidfd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

//! One call that is stopped and waits for its answer.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use rustix::fs::OFlags;

use super::memory;
use super::sockaddr::{self, LONGEST};
use super::socket::{self, Protocol, Socket};

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `bind(2)`
    Bind,
    /// `listen(2)`
    Listen {
        /// How many connections may wait.
        backlog: i32,
    },
    /// `connect(2)`
    Connect,
    /// `getsockname(2)`
    Name,
    /// `shutdown(2)` that ends reading, and with it a listener for all who have it.
    Shutdown,
}

/// A call that is stopped. What is read of the caller counts only if [`super::Notifier::is_valid`]
/// says afterwards that the call still waits: else the caller has gone, and another process may have
/// its number.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    pub(super) id: u64,
    /// The thread that calls.
    pub thread: u32,
    /// What it calls.
    pub kind: Kind,
    /// The caller's number for the socket.
    pub fd: i32,
    /// Where the caller's address lies, and how long it is said to be.
    pub(super) address: u64,
    pub(super) length: u64,
}

impl Call {
    /// The address that is named; `None` where it is of no family with ports.
    ///
    /// # Errors
    /// The caller's memory may not be read, or has nothing there.
    pub fn address(&self) -> io::Result<Option<SocketAddr>> {
        let length = usize::try_from(self.length).unwrap_or(LONGEST + 1);
        if length > LONGEST {
            // The kernel refuses it.
            return Ok(None);
        }
        let mut bytes = [0u8; LONGEST];
        memory::read(self.thread, self.address, &mut bytes[..length])?;
        Ok(match self.kind {
            Kind::Bind => sockaddr::parse_bind(&bytes[..length]),
            _ => sockaddr::parse(&bytes[..length]),
        })
    }

    /// Writes another address over the one that is named, of the same family. The caller will see it.
    ///
    /// # Errors
    /// The caller's memory may not be written, or the family is another.
    pub fn rewrite(&self, address: SocketAddr) -> io::Result<()> {
        let bytes = sockaddr::encode(address);
        let length = bytes.len().min(usize::try_from(self.length).unwrap_or_default());
        memory::write(self.thread, self.address, &bytes[..length])
    }

    /// Answers `getsockname`: writes the address and its length where the caller wants them.
    ///
    /// # Errors
    /// The caller's memory may not be read or written.
    pub fn name(&self, address: SocketAddr) -> io::Result<()> {
        let mut room = [0u8; 4];
        memory::read(self.thread, self.length, &mut room)?;
        let bytes = sockaddr::encode(address);
        let room = usize::try_from(u32::from_ne_bytes(room)).unwrap_or_default();
        memory::write(self.thread, self.address, &bytes[..bytes.len().min(room)])?;
        let length = u32::try_from(bytes.len()).unwrap_or_default();
        memory::write(self.thread, self.length, &length.to_ne_bytes())
    }

    /// A duplicate of the caller's socket: what is done to it happens to the caller's.
    ///
    /// # Errors
    /// `EPERM` or `EACCES` where duplicating is refused (a container, a process that may not be
    /// inspected), `EBADF` where the caller's descriptor is none.
    pub fn socket(&self) -> io::Result<Socket> {
        Ok(Socket::new(duplicate_of(&self.pidfd()?, self.fd)?))
    }

    /// What the socket is, without duplicating it.
    ///
    /// # Errors
    /// As [`Call::socket`].
    pub fn protocol(&self) -> io::Result<Protocol> {
        socket::protocol_of(self.thread, self.fd)
    }

    /// The kernel's number for the socket, where it may be seen.
    pub fn inode(&self) -> Option<u64> {
        let link = std::fs::read_link(format!("/proc/{}/fd/{}", self.thread, self.fd)).ok()?;
        link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    }

    /// Whether another thread of the caller's process waits in `accept` on the same socket.
    pub fn is_accepted_from(&self) -> bool {
        let Ok(threads) = std::fs::read_dir(format!("/proc/{}/task", self.thread)) else {
            return false;
        };
        threads.flatten().any(|thread| {
            // "43 0x5 …": the number of the call, and its arguments.
            let text = std::fs::read_to_string(thread.path().join("syscall")).unwrap_or_default();
            let mut words = text.split_whitespace();
            let number = words.next().and_then(|word| word.parse::<libc::c_long>().ok());
            let accepts = matches!(number, Some(libc::SYS_accept | libc::SYS_accept4));
            let fd = words.next().and_then(|word| word.strip_prefix("0x"));
            let fd = fd.and_then(|digits| u64::from_str_radix(digits, 16).ok());
            accepts && fd.is_some_and(|fd| lower(fd) == self.fd)
        })
    }

    /// The flags of the caller's descriptor, close-on-exec included.
    pub(super) fn flags(&self) -> Option<OFlags> {
        let path = format!("/proc/{}/fdinfo/{}", self.thread, self.fd);
        let text = std::fs::read_to_string(path).ok()?;
        let octal = text.lines().find_map(|line| line.strip_prefix("flags:"))?;
        Some(OFlags::from_bits_retain(u32::from_str_radix(octal.trim(), 8).ok()?))
    }

    /// A handle on the calling thread, or on its process where the kernel (before 6.9) knows none of
    /// threads.
    fn pidfd(&self) -> io::Result<OwnedFd> {
        /// `PIDFD_THREAD`, which is `O_EXCL`.
        const OF_A_THREAD: i32 = libc::O_EXCL;
        open(self.thread, OF_A_THREAD).or_else(|_| open(self.process()?, 0))
    }

    /// The process to which the thread belongs.
    ///
    /// # Errors
    /// It has gone.
    pub fn process(&self) -> io::Result<u32> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.thread))?;
        let group = status.lines().find_map(|line| line.strip_prefix("Tgid:"));
        group
            .and_then(|number| number.trim().parse().ok())
            .ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}

/// The lower half of an argument, which is all that the kernel takes where it wants an `int`.
pub(super) fn lower(argument: u64) -> i32 {
    u32::try_from(argument & 0xffff_ffff).unwrap_or_default().cast_signed()
}

/// A duplicate of a process's descriptor, closed on exec.
pub(super) fn duplicate(pid: u32, fd: i32) -> io::Result<OwnedFd> {
    duplicate_of(&open(pid, 0)?, fd)
}

fn duplicate_of(process: &OwnedFd, fd: i32) -> io::Result<OwnedFd> {
    // SAFETY: takes numbers only; gives a new descriptor or an error.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), fd, 0) };
    match i32::try_from(fd) {
        // SAFETY: the call has just given this descriptor, and nobody else has it.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::last_os_error()),
    }
}

fn open(pid: u32, flags: i32) -> io::Result<OwnedFd> {
    // SAFETY: takes numbers only; gives a new descriptor or an error.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.cast_signed(), flags) };
    match i32::try_from(fd) {
        // SAFETY: the call has just given this descriptor, and nobody else has it.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::last_os_error()),
    }
}

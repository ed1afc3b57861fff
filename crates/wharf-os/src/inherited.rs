//! Descriptors that the caller opened for us (`3>file`).

use std::fs::File;
use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};

use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{OFlags, fcntl_getfl};

/// Whether a line can be written to our standard error now or within a time: a pipe that nobody reads is
/// full at some point, and a terminal can be stopped.
pub fn stderr_takes_a_line(within: Duration) -> bool {
    let stderr = std::io::stderr();
    let mut ready = [PollFd::new(&stderr, PollFlags::OUT)];
    let within = Timespec::try_from(within).ok();
    // Whatever poll cannot tell, the write does.
    !matches!(rustix::event::poll(&mut ready, within.as_ref()), Ok(0))
}

/// A writable copy of an inherited descriptor, closed on exec. The number itself stays open and is
/// marked closed on exec as well, so that no child keeps a reader waiting for its end.
///
/// # Errors
/// Nothing is open under the number, or it cannot be written.
pub fn writable(number: RawFd) -> io::Result<File> {
    if number < 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: fcntl on any number is harmless; it says EBADF for one that is not open.
    let copy = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) };
    if copy < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has just given this descriptor, and nobody else has it.
    let copy = unsafe { OwnedFd::from_raw_fd(copy) };
    if fcntl_getfl(&copy)? & OFlags::ACCMODE == OFlags::RDONLY {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is open for reading only"));
    }
    if number > 2 {
        // SAFETY: the number is open, as the copy has shown, and is only borrowed for this call.
        let original = unsafe { BorrowedFd::borrow_raw(number) };
        rustix::io::fcntl_setfd(original, rustix::io::FdFlags::CLOEXEC)?;
    }
    Ok(File::from(copy))
}

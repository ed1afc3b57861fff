//! Exchanging the standard streams of this process, for a process that speaks to nobody's terminal.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::fcntl_dupfd_cloexec;
use rustix::pipe::{PipeFlags, pipe_with};

/// The first number that is no standard stream's.
const FIRST_OTHER: i32 = 3;

/// What standard input was, under another number that no program inherits. Until it is replaced, the
/// standard input stays what it was.
///
/// # Errors
/// Standard input is closed, or there are too many descriptors.
pub fn take_input() -> io::Result<OwnedFd> {
    Ok(fcntl_dupfd_cloexec(std::io::stdin().as_fd(), FIRST_OTHER)?)
}

/// Gives this process, and whatever it starts, an input that never says a word and never ends, and one pipe
/// as output and error. The end of the input would end some servers (`react-scripts start`).
///
/// The first descriptor keeps the input open: it is to be kept as long as anything may read. The second is
/// where the output is read.
///
/// # Errors
/// There are too many descriptors.
pub fn detach() -> io::Result<(OwnedFd, OwnedFd)> {
    let (silent, keeper) = pipe_with(PipeFlags::CLOEXEC)?;
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    rustix::stdio::dup2_stdin(&silent)?;
    rustix::stdio::dup2_stdout(&write)?;
    rustix::stdio::dup2_stderr(&write)?;
    Ok((keeper, read))
}

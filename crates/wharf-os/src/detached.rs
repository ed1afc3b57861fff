//! Starting a process that has nothing more to do with us: the daemon, from a command that ends.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};

use crate::signals;

/// The most that the new process can say before it is heard.
const LONGEST_WORD: usize = 4096;
/// Descriptors that are looked at one by one where the kernel has no `close_range`.
const MOST_DESCRIPTORS: RawFd = 65_536;

/// The reading end of the new process's standard output.
#[derive(Debug)]
pub struct ReadyPipe {
    pipe: OwnedFd,
}

/// Starts a program that is nobody's child: own session, no terminal, folder `/`, standard input
/// and error `/dev/null`, no descriptor of ours, default signal mask and actions, resource limits
/// as ours. Its standard output is the pipe that is returned; it says there that it is ready, and
/// puts something else in its place.
///
/// It is the child of the first process, or of the nearest subreaper above us (ourselves, if we are
/// one). `args` follow the program's name; `env_remove` are variables that it shall not inherit.
///
/// # Errors
/// `InvalidInput` for a program without absolute path, since the folder changes; else what `fork`
/// or `execve` refused: it is known on return that the program was executed.
pub fn spawn(program: &Path, args: &[OsString], env_remove: &[&str]) -> io::Result<ReadyPipe> {
    let (pipe, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
    start(Command::new(program), args, env_remove, [Stdio::null(), theirs.into()])?;
    Ok(ReadyPipe { pipe })
}

/// As [`spawn`], with one end of a channel as its standard input, nothing as its standard output, and this
/// environment where it is not to have ours.
///
/// # Errors
/// As [`spawn`].
pub fn spawn_on_channel(
    program: &Path,
    args: &[OsString],
    env: Option<&[(OsString, OsString)]>,
    env_remove: &[&str],
    channel: OwnedFd,
) -> io::Result<()> {
    let mut command = Command::new(program);
    if let Some(env) = env {
        command.env_clear().envs(env.iter().map(|(name, value)| (name, value)));
    }
    start(command, args, env_remove, [channel.into(), Stdio::null()])
}

fn start(
    mut command: Command,
    args: &[OsString],
    env_remove: &[&str],
    [input, output]: [Stdio; 2],
) -> io::Result<()> {
    if !Path::new(command.get_program()).is_absolute() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    command.args(args).current_dir("/").stdin(input).stderr(Stdio::null()).stdout(output);
    for name in env_remove {
        command.env_remove(name);
    }
    // SAFETY: the closure only makes system calls: it neither allocates nor takes a lock.
    unsafe { command.pre_exec(leave) };
    // The process that `spawn` knows is the one in between. It has ended once `leave` has run, and
    // std learns by its own pipe, which the grandchild inherits, whether that could be executed.
    let mut between = command.spawn()?;
    match between.wait() {
        Ok(_) => Ok(()),
        // Somebody here reaps every child, or ignores SIGCHLD: no zombie stays either way.
        Err(error) if error.raw_os_error() == Some(libc::ECHILD) => Ok(()),
        Err(error) => Err(error),
    }
    // With the command goes our copy of what the new process has.
}

/// Between fork and exec: a new session, and a child that does not lead it, so that it can never
/// get a terminal again. Returns in that child.
fn leave() -> io::Result<()> {
    rustix::process::setsid()?;
    signals::reset();
    // SAFETY: the child only returns from this function to std's exec; see `spawn`.
    match unsafe { libc::fork() } {
        -1 => return Err(io::Error::last_os_error()),
        0 => {}
        // SAFETY: ends this process without running anything of the caller's.
        _ => unsafe { libc::_exit(0) },
    }
    close_all_on_exec();
    Ok(())
}

/// Not closed at once: std still needs one to tell how `exec` went.
fn close_all_on_exec() {
    // SAFETY: marks descriptors of this process, which is about to become another program.
    let status = unsafe {
        libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC)
    };
    if status == 0 {
        return;
    }
    for fd in 3..MOST_DESCRIPTORS {
        // SAFETY: as above; a number that is not open is refused.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}

impl ReadyPipe {
    /// What the new process says until it closes its standard output or ends, 4 KiB at most.
    /// Nothing at all if it ends without a word.
    ///
    /// # Errors
    /// `TimedOut` when it has neither closed it nor said that much; what it said is lost.
    pub fn wait(&self, timeout: Duration) -> io::Result<Vec<u8>> {
        let deadline = Instant::now().checked_add(timeout);
        let mut word = vec![0u8; LONGEST_WORD];
        let mut length = 0;
        while length < word.len() {
            self.wait_readable(deadline)?;
            match rustix::io::read(&self.pipe, &mut word[length..]) {
                Ok(0) => break,
                Ok(more) => length += more,
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(error) => return Err(error.into()),
            }
        }
        word.truncate(length);
        Ok(word)
    }

    fn wait_readable(&self, deadline: Option<Instant>) -> io::Result<()> {
        loop {
            let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
            let left = left.map(Timespec::try_from).transpose().unwrap_or_default();
            match rustix::event::poll(&mut [PollFd::new(&self.pipe, PollFlags::IN)], left.as_ref())
            {
                Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl AsFd for ReadyPipe {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

//! The guard: a small process between us and a command, so that nothing of the command's tree is left
//! whatever dies.
//!
//! ```text
//! caller ──channel──► guard (own session, subreaper) ──► the command and its descendants
//! ```
//! - The caller dies, even by SIGKILL: the channel closes and the guard ends the whole tree.
//! - The guard dies: the command gets SIGKILL (PDEATHSIG), and what is left of the tree becomes the
//!   caller's, who is a subreaper too.
//! - The command stays in the *caller's* process group and session: the terminal's keys, job control
//!   and colours work as if the caller were not there. The guard itself leaves both, so that neither
//!   Ctrl-C nor `kill -9 %1` reaches it.
//!
//! What is absent: any policy. When to end the tree and how long to wait is the caller's to say.

use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::guard_process;
use crate::limits::CallerLimits;
use crate::passing;
use crate::program::{self, ProgramError};
use crate::remap::{Calls, Held, Notifier, Program};
use crate::signals::CallerSignals;

/// How often the guard tries again to end processes that do not end, when nobody is left to decide.
pub(crate) const SWEEP_INTERVAL: Duration = Duration::from_millis(20);

/// A command, complete: nothing is inherited but standard input, output, error and the terminal.
#[derive(Debug)]
pub struct Command {
    /// The words, the program's name first.
    pub argv: Vec<OsString>,
    /// The whole environment.
    pub env: Vec<(OsString, OsString)>,
    /// The folder to run in.
    pub dir: PathBuf,
    /// The signal mask that the command shall find.
    pub signals: CallerSignals,
    /// Signals that the command shall find ignored, since our own caller had ignored them.
    pub ignored: Vec<i32>,
    /// The resource limits that the command shall find.
    pub limits: CallerLimits,
    /// How long the tree has between SIGTERM and SIGKILL when the caller has died.
    pub orphan_grace: Duration,
    /// Which of the tree's calls the caller answers, if any: see [`crate::remap`].
    pub filter: Option<Calls>,
    /// The file by which it enters a control group, if it shall be in one: see [`crate::cgroup`].
    pub cgroup: Option<PathBuf>,
    /// A listening socket for it to have as its descriptor 3, by systemd's protocol (`sd_listen_fds(3)`):
    /// `LISTEN_PID` is set to its own process, the other variables are the caller's to set.
    pub listener: Option<Arc<Held>>,
}

/// Why a command did not start.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// There is nothing to execute.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The folder cannot be entered.
    #[error("cannot enter the folder `{}`", dir.display())]
    Folder {
        /// The folder.
        dir: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The system refused a process.
    #[error("cannot start a process")]
    Fork(#[source] io::Error),
    /// The file was found and could not be executed.
    #[error("cannot execute `{}`", path.display())]
    Exec {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
}

/// What the guard has to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// The command runs, as this process.
    Started {
        /// Its number.
        pid: u32,
    },
    /// The command was stopped by this signal, alone or with its process group.
    Stopped {
        /// The signal.
        signal: i32,
    },
    /// The command has ended. Processes that it left behind may still be there.
    Exited(Exit),
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// With this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl Exit {
    /// The code that a shell would report: 128 + signal for a command that a signal ended.
    pub fn shell_code(self) -> i32 {
        match self {
            Exit::Code(code) => code,
            Exit::Signal(signal) => 128 + signal,
        }
    }
}

/// A command under guard. Dropping it ends the whole tree.
#[derive(Debug)]
pub struct Guard {
    pid: u32,
    channel: OwnedFd,
}

impl Guard {
    /// Starts the command. Makes this process a subreaper, for the case that the guard is killed.
    ///
    /// Both the guard and the command are made by `fork` without `exec` in between, so this is meant
    /// for a process with one thread; with more, locks that another thread held stay locked in the
    /// guard (the allocator's are safe: glibc repairs them).
    ///
    /// # Errors
    /// The command cannot be found, entered or executed, or the system refuses a process.
    pub fn spawn(command: &Command) -> Result<Guard, SpawnError> {
        let path = command.env.iter().rev().find(|(name, _)| name == "PATH").map(|(_, v)| &**v);
        let name = command.argv.first().ok_or(ProgramError::Empty)?;
        let file = program::find(name, path, &command.dir)?;
        let image = Image::new(command, file)?;
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
            .map_err(|error| SpawnError::Fork(error.into()))?;
        let (ours, theirs) = channel().map_err(SpawnError::Fork)?;
        // SAFETY: the child only runs `guard_process::main`, which never returns; see there for what
        // it may touch.
        match unsafe { libc::fork() } {
            -1 => Err(SpawnError::Fork(io::Error::last_os_error())),
            0 => guard_process::main(&image, theirs.as_raw_fd()),
            pid => {
                drop(theirs);
                Ok(Guard { pid: u32::try_from(pid).unwrap_or_default(), channel: ours })
            }
        }
    }

    /// The guard's own process number: the root of the command's tree, not part of it.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The next message, or `None` when there is none now.
    ///
    /// # Errors
    /// `UnexpectedEof` when the guard has gone: the tree has ended, or the guard was killed.
    pub fn next(&self) -> io::Result<Option<Packet>> {
        let mut buffer = [0u8; Word::SIZE];
        let received = passing::receive(self.channel.as_fd(), &mut buffer)?;
        Ok(received
            .and_then(|(length, fd)| Some(Packet::new(Word::decode(&buffer[..length])?, fd))))
    }

    /// Takes the guard off the process table once it has gone; harmless before and after.
    pub fn reap(&self) {
        if let Some(pid) = rustix::process::Pid::from_raw(self.pid.cast_signed()) {
            let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::NOHANG);
        }
    }
}

impl AsFd for Guard {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.channel.as_fd()
    }
}

impl AsRawFd for Guard {
    fn as_raw_fd(&self) -> RawFd {
        self.channel.as_raw_fd()
    }
}

/// One packet of the channel.
#[derive(Debug)]
pub enum Packet {
    /// News of the command.
    Message(Message),
    /// The command could not be entered or executed: the step, and the system's number.
    Refused {
        /// Whether the folder was at fault, else the file.
        folder: bool,
        /// The `errno`.
        errno: i32,
    },
    /// The filter is installed: by this its calls are answered, and until then they wait.
    Filtered(Notifier),
    /// The filter was refused; the command runs without it.
    NotFiltered {
        /// The `errno`.
        errno: i32,
    },
    /// The control group could not be entered; the command runs outside of it.
    NotGrouped {
        /// The `errno`.
        errno: i32,
    },
}

impl Packet {
    /// A filter without its descriptor was lost on the way (descriptors used up): its calls fail.
    fn new(word: Word, fd: Option<OwnedFd>) -> Packet {
        match word {
            Word::Message(message) => Packet::Message(message),
            Word::Refused { folder, errno } => Packet::Refused { folder, errno },
            Word::Filtered => match fd {
                Some(fd) => Packet::Filtered(Notifier::new(fd)),
                None => Packet::NotFiltered { errno: libc::EMFILE },
            },
            Word::NotFiltered { errno } => Packet::NotFiltered { errno },
            Word::NotGrouped { errno } => Packet::NotGrouped { errno },
        }
    }
}

/// What a packet says, beside the descriptor that it may carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Message(Message),
    Refused { folder: bool, errno: i32 },
    Filtered,
    NotFiltered { errno: i32 },
    NotGrouped { errno: i32 },
}

impl Word {
    pub(crate) const SIZE: usize = 8;

    pub(crate) fn encode(self) -> [u8; Word::SIZE] {
        let (tag, value): (u8, i32) = match self {
            Word::Message(Message::Started { pid }) => (1, pid.cast_signed()),
            Word::Message(Message::Stopped { signal }) => (2, signal),
            Word::Message(Message::Exited(Exit::Code(code))) => (3, code),
            Word::Message(Message::Exited(Exit::Signal(signal))) => (4, signal),
            Word::Refused { folder: true, errno } => (5, errno),
            Word::Refused { folder: false, errno } => (6, errno),
            Word::Filtered => (7, 0),
            Word::NotFiltered { errno } => (8, errno),
            Word::NotGrouped { errno } => (9, errno),
        };
        let mut bytes = [0u8; Word::SIZE];
        bytes[0] = tag;
        bytes[4..].copy_from_slice(&value.to_ne_bytes());
        bytes
    }

    /// Bytes of the wrong length or tag say nothing: `None`, as if nothing had come.
    fn decode(bytes: &[u8]) -> Option<Word> {
        let value = i32::from_ne_bytes(bytes.get(4..8)?.try_into().ok()?);
        Some(match bytes[0] {
            1 => Word::Message(Message::Started { pid: value.cast_unsigned() }),
            2 => Word::Message(Message::Stopped { signal: value }),
            3 => Word::Message(Message::Exited(Exit::Code(value))),
            4 => Word::Message(Message::Exited(Exit::Signal(value))),
            5 => Word::Refused { folder: true, errno: value },
            6 => Word::Refused { folder: false, errno: value },
            7 => Word::Filtered,
            8 => Word::NotFiltered { errno: value },
            9 => Word::NotGrouped { errno: value },
            _ => return None,
        })
    }
}

/// Everything that the forked processes need, made before the fork.
pub(crate) struct Image {
    pub(crate) file: CString,
    pub(crate) argv: Vec<CString>,
    /// `/bin/sh FILE ARGS…`: what execvp(3) does with a script that has no `#!` line.
    pub(crate) script_argv: Vec<CString>,
    pub(crate) env: Vec<CString>,
    pub(crate) dir: CString,
    pub(crate) signals: CallerSignals,
    pub(crate) ignored: Vec<i32>,
    pub(crate) limits: CallerLimits,
    pub(crate) orphan_grace: Duration,
    pub(crate) filter: Option<Program>,
    pub(crate) cgroup: Option<CString>,
    pub(crate) listener: Option<Arc<Held>>,
}

impl Image {
    fn new(command: &Command, file: PathBuf) -> Result<Image, ProgramError> {
        let file = program::c_word(file.as_os_str())?;
        let words = |words: &[OsString]| -> Result<Vec<CString>, ProgramError> {
            words.iter().map(|word| program::c_word(word)).collect()
        };
        let argv = words(&command.argv)?;
        let mut script_argv = vec![c"/bin/sh".to_owned(), file.clone()];
        script_argv.extend(argv.iter().skip(1).cloned());
        let variable = |(name, value): &(OsString, OsString)| program::c_variable(name, value);
        Ok(Image {
            file,
            argv,
            script_argv,
            env: command.env.iter().map(variable).collect::<Result<_, _>>()?,
            dir: program::c_word(command.dir.as_os_str())?,
            signals: command.signals,
            ignored: command.ignored.clone(),
            limits: command.limits,
            orphan_grace: command.orphan_grace,
            filter: command.filter.map(Program::new),
            cgroup: match &command.cgroup {
                Some(file) => Some(program::c_word(file.as_os_str())?),
                None => None,
            },
            listener: command.listener.clone(),
        })
    }
}

/// Two ends of a line of packets, closed on exec.
pub(crate) fn channel() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends: [RawFd; 2] = [-1, -1];
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    // SAFETY: `ends` has room for the two descriptors.
    if unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, ends.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has just given both descriptors, and nobody else has them.
    Ok(unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_whose_descriptor_was_lost_is_told_as_refused() {
        let packet = Packet::new(Word::Filtered, None);
        assert!(matches!(packet, Packet::NotFiltered { errno: libc::EMFILE }), "{packet:?}");
    }
}

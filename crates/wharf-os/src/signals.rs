//! Signals as a descriptor, so that a loop can wait for them beside everything else.

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

// By their numbers on this system, for those who may not ask libc.
pub use libc::{SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGTERM, SIGTSTP, SIGTTOU};
pub use libc::{SIGUSR1, SIGUSR2, SIGWINCH};

/// The kernel's `_NSIG`, and the size of its signal set in bytes.
const LAST_SIGNAL: i32 = 64;
const SIGNAL_SET: usize = 8;

/// What people may name to ask a server to end.
const NAMES: [(&str, i32); 7] = [
    ("TERM", SIGTERM),
    ("INT", SIGINT),
    ("QUIT", SIGQUIT),
    ("HUP", SIGHUP),
    ("USR1", SIGUSR1),
    ("USR2", SIGUSR2),
    ("KILL", SIGKILL),
];

/// The number of a signal by its name, with or without `SIG`.
pub fn number(name: &str) -> Option<i32> {
    let short = name.strip_prefix("SIG").unwrap_or(name);
    NAMES.iter().find(|(known, _)| *known == short).map(|(_, number)| *number)
}

/// A signal that was sent to this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// The signal's number.
    pub signal: i32,
    /// Whether the kernel sent it, as the terminal's keys do: then the whole foreground process group
    /// has it already, and passing it on would deliver it twice.
    pub from_kernel: bool,
}

/// A set of signals, taken from the process's ordinary delivery and read here instead.
///
/// Dropping it does not unblock them: a signal that came in between would then kill the process in
/// the middle of its own ending.
#[derive(Debug)]
pub struct SignalFd {
    fd: OwnedFd,
}

/// The signal mask and ignored signals of the caller, for a child that shall find them as they were.
#[derive(Clone, Copy)]
pub struct CallerSignals {
    mask: libc::sigset_t,
}

impl CallerSignals {
    /// The state of the calling thread, read before anything is changed.
    pub fn current() -> CallerSignals {
        CallerSignals { mask: blocked(libc::SIG_BLOCK, &empty_set()) }
    }

    /// Restores the mask, for use between fork and exec.
    pub(crate) fn restore(&self) {
        blocked(libc::SIG_SETMASK, &self.mask);
    }
}

impl std::fmt::Debug for CallerSignals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CallerSignals")
    }
}

impl SignalFd {
    /// Blocks the signals for this thread (and threads made later) and opens a descriptor for them,
    /// non-blocking and closed on exec.
    ///
    /// # Errors
    /// Those of `signalfd(2)`: descriptors or memory are used up.
    pub fn new(signals: &[i32]) -> io::Result<SignalFd> {
        let mut set = empty_set();
        for signal in signals {
            // SAFETY: `set` is an initialised signal set and lives through the call.
            unsafe { libc::sigaddset(&mut set, *signal) };
        }
        blocked(libc::SIG_BLOCK, &set);
        // SAFETY: -1 asks for a new descriptor; `set` is an initialised signal set.
        let fd = unsafe { libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call has just given this descriptor, and nobody else has it.
        Ok(SignalFd { fd: unsafe { OwnedFd::from_raw_fd(fd) } })
    }

    /// The next signal that has come, or `None` when there is none now.
    ///
    /// # Errors
    /// Those of `read(2)`.
    pub fn next(&self) -> io::Result<Option<Received>> {
        let mut info = MaybeUninit::<libc::signalfd_siginfo>::zeroed();
        let size = size_of::<libc::signalfd_siginfo>();
        // SAFETY: the buffer is `size` bytes long and lives through the call.
        let got = unsafe { libc::read(self.fd.as_raw_fd(), info.as_mut_ptr().cast(), size) };
        if got < 0 {
            let error = io::Error::last_os_error();
            return match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(None),
                _ => Err(error),
            };
        }
        // SAFETY: all bytes were zeroed, which is a valid value of this plain C struct, and the
        // kernel fills whole records only.
        let info = unsafe { info.assume_init() };
        Ok(i32::try_from(info.ssi_signo)
            .ok()
            .filter(|signal| *signal != 0)
            .map(|signal| Received { signal, from_kernel: info.ssi_code == libc::SI_KERNEL }))
    }
}

impl AsFd for SignalFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for SignalFd {
    fn as_raw_fd(&self) -> i32 {
        self.fd.as_raw_fd()
    }
}

/// Stops this process as Ctrl-Z would, until somebody continues it.
pub fn stop_self() {
    // SAFETY: raising a signal for oneself has no memory effects.
    unsafe { libc::raise(libc::SIGSTOP) };
}

/// Lets a signal be ignored by this process. A child inherits that, so whoever forks afterwards
/// restores the default.
pub fn ignore(signal: i32) {
    disposition(signal, libc::SIG_IGN);
}

/// Gives every signal its default action, except those that the caller of wharf had ignored when wharf
/// began (as `nohup` does with SIGHUP): those a child is meant to inherit.
pub(crate) fn default_dispositions(except: &[i32]) {
    // A zeroed `struct sigaction` of the kernel's is the default action; none is as long as this.
    let default = [0u64; 8];
    for signal in (1..=LAST_SIGNAL).filter(|signal| !except.contains(signal)) {
        // SAFETY: the structure outlives the call and installs no handler. By system call, since
        // libc refuses the numbers that it uses itself, which may have been inherited as ignored;
        // the kernel refuses SIGKILL and SIGSTOP.
        unsafe {
            let old = std::ptr::null_mut::<u8>();
            libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), old, SIGNAL_SET);
        }
    }
}

/// Default actions and an empty mask: `exec` resets handlers but keeps what is ignored or blocked.
pub(crate) fn reset() {
    default_dispositions(&[]);
    blocked(libc::SIG_SETMASK, &empty_set());
}

/// Lets a command begin with default actions and an empty mask, in a process group of its own: as if we had
/// neither blocked nor ignored anything.
pub fn afresh(command: &mut Command) -> &mut Command {
    let begin = || {
        reset();
        Ok(())
    };
    // SAFETY: between fork and exec it only makes system calls, which neither allocate nor lock.
    unsafe { command.process_group(0).pre_exec(begin) }
}

/// The same in our own process group: it gets what a terminal or a supervisor sends to all of it.
pub fn unblocked(command: &mut Command) -> &mut Command {
    let begin = || {
        reset();
        Ok(())
    };
    // SAFETY: between fork and exec it only makes system calls, which neither allocate nor lock.
    unsafe { command.pre_exec(begin) }
}

/// Whether the signal is ignored now.
pub fn is_ignored(signal: i32) -> bool {
    let mut old = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a null new action only queries; `old` is large enough and zeroed.
    let ok = unsafe { libc::sigaction(signal, std::ptr::null(), old.as_mut_ptr()) } == 0;
    // SAFETY: zeroed or filled, both valid values of this plain C struct.
    ok && unsafe { old.assume_init() }.sa_sigaction == libc::SIG_IGN
}

fn disposition(signal: i32, action: libc::sighandler_t) {
    // SAFETY: only SIG_IGN and SIG_DFL are passed, so no handler of ours ever runs. The numbers that
    // libc keeps for itself are refused with EINVAL, which is as good.
    unsafe { libc::signal(signal, action) };
}

fn empty_set() -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: the pointer is valid; sigemptyset initialises the whole set.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        set.assume_init()
    }
}

/// Changes the thread's mask and returns what it was.
fn blocked(how: i32, set: &libc::sigset_t) -> libc::sigset_t {
    let mut old = empty_set();
    // SAFETY: both sets are initialised and live through the call.
    unsafe { libc::pthread_sigmask(how, set, &mut old) };
    old
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn a_signal_sent_by_a_process_is_told_from_the_kernels() {
        let signals = SignalFd::new(&[libc::SIGUSR2]).unwrap();
        // SAFETY: sends a blocked signal to this thread only.
        unsafe { libc::pthread_kill(libc::pthread_self(), libc::SIGUSR2) };
        let deadline = Instant::now() + Duration::from_secs(5);
        let received = loop {
            if let Some(received) = signals.next().unwrap() {
                break received;
            }
            assert!(Instant::now() < deadline, "the signal never came");
        };
        assert_eq!(received, Received { signal: libc::SIGUSR2, from_kernel: false });
        assert_eq!(signals.next().unwrap(), None);
    }
}

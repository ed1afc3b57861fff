//! What runs in the guard process, and in the command between fork and exec.
//!
//! Both are forks of a process that may hold an event loop, so nothing here touches standard
//! streams, environment or anything of the caller's but the [`Image`]. `/proc` is read and memory is
//! allocated: with glibc both are safe after a fork.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};

use crate::descendants;
use crate::guard::{Exit, Image, Message, SWEEP_INTERVAL, Word};
use crate::passing;
use crate::remap::{Held, Program};
use crate::signals::{self, SignalFd};

/// How often SIGKILL is tried before the guard gives up on what the kernel does not let it end (a
/// process in uninterruptible sleep, one that changed its user).
const KILL_SWEEPS: u32 = 500;

/// The number of a passed listener (`SD_LISTEN_FDS_START`).
const LISTENER: RawFd = 3;

/// The guard: starts the command, tells what becomes of it, and leaves when no process of the tree is
/// left. Never returns.
pub(crate) fn main(image: &Image, channel: RawFd) -> ! {
    let code = match guard(image, channel) {
        Ok(()) => 0,
        Err(_) => 1,
    };
    // SAFETY: `_exit` ends the process without running destructors or `atexit` of the caller.
    unsafe { libc::_exit(code) }
}

fn guard(image: &Image, channel: RawFd) -> std::io::Result<()> {
    // SAFETY: the descriptor was made for this process; the caller's copy is in another process.
    let channel = unsafe { OwnedFd::from_raw_fd(channel) };
    // What `ps` shows: it is not the caller a second time.
    let _ = rustix::thread::set_name(c"wharf-guard");
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let signals = SignalFd::new(&[libc::SIGCHLD])?;
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT, libc::SIGTSTP] {
        signals::ignore(signal);
    }
    let guard_pid = rustix::process::getpid();
    // SAFETY: the child only runs `command`, which never returns.
    let child = match unsafe { libc::fork() } {
        -1 => {
            let errno = std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EAGAIN);
            tell(&channel, Word::Refused { folder: false, errno });
            return Ok(());
        }
        0 => command(image, guard_pid, &channel),
        pid => pid,
    };
    // Only now: the command inherits what our caller's caller opened for it, such as `<(…)`.
    keep_only(channel.as_raw_fd(), signals.as_raw_fd());
    leave_the_terminal();
    tell(&channel, Word::Message(Message::Started { pid: child.cast_unsigned() }));
    watch(&channel, &signals, child, image.orphan_grace)
}

/// Until no process of the tree is left, or the caller has gone.
fn watch(
    channel: &OwnedFd,
    signals: &SignalFd,
    child: i32,
    orphan_grace: Duration,
) -> std::io::Result<()> {
    loop {
        if reap(channel, child) == Tree::Empty {
            return Ok(());
        }
        let mut ready = [PollFd::new(signals, PollFlags::IN), PollFd::new(channel, PollFlags::IN)];
        match rustix::event::poll(&mut ready, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        // The caller never writes: whatever comes from there is its end.
        if !ready[1].revents().is_empty() {
            end_orphans(orphan_grace);
            return Ok(());
        }
        while signals.next()?.is_some() {}
    }
}

#[derive(PartialEq, Eq)]
enum Tree {
    Empty,
    Alive,
}

/// Collects every process that has ended or stopped, and tells about the command itself.
fn reap(channel: &OwnedFd, child: i32) -> Tree {
    loop {
        let options = WaitOptions::NOHANG | WaitOptions::UNTRACED;
        match rustix::process::wait(options) {
            Ok(Some((pid, status))) if pid.as_raw_nonzero().get() == child => {
                if let Some(message) = news(status) {
                    tell(channel, Word::Message(message));
                }
            }
            Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
            Ok(None) => return Tree::Alive,
            Err(_) => return Tree::Empty,
        }
    }
}

fn news(status: WaitStatus) -> Option<Message> {
    if let Some(code) = status.exit_status() {
        return Some(Message::Exited(Exit::Code(code)));
    }
    if let Some(signal) = status.terminating_signal() {
        return Some(Message::Exited(Exit::Signal(signal)));
    }
    status.stopping_signal().map(|signal| Message::Stopped { signal })
}

/// The caller has gone: SIGTERM to all, then SIGKILL until nothing is left.
fn end_orphans(grace: Duration) {
    let own = rustix::process::getpid().as_raw_nonzero().get().cast_unsigned();
    let deadline = Instant::now() + grace;
    descendants::signal(own, libc::SIGTERM);
    // A stopped process acts on SIGTERM only once it is continued.
    descendants::signal(own, libc::SIGCONT);
    while Instant::now() < deadline {
        if collect() == Tree::Empty {
            return;
        }
        std::thread::sleep(SWEEP_INTERVAL);
    }
    for _ in 0..KILL_SWEEPS {
        descendants::signal(own, libc::SIGKILL);
        if collect() == Tree::Empty {
            return;
        }
        std::thread::sleep(SWEEP_INTERVAL);
    }
}

fn collect() -> Tree {
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
            Ok(None) => return Tree::Alive,
            Err(_) => return Tree::Empty,
        }
    }
}

fn tell(channel: &OwnedFd, word: Word) {
    // A caller that has gone is noticed by `watch`; until then there is nobody to tell. NOSIGNAL,
    // since SIGPIPE would end the guard and with it the tree.
    let _ = passing::send(channel.as_fd(), &word.encode(), None);
}

/// The guard must not keep the caller's sockets, reservations or pipes open.
fn keep_only(one: RawFd, other: RawFd) {
    let (low, high) = (one.min(other).cast_unsigned(), one.max(other).cast_unsigned());
    let close = |first: u32, last: u32| {
        if first <= last {
            // SAFETY: closes descriptors of this process only, which owns none of them but by
            // inheritance.
            unsafe { libc::close_range(first, last, 0) };
        }
    };
    close(3, low - 1);
    close(low + 1, high - 1);
    close(high + 1, u32::MAX);
}

/// A session of its own and no terminal: job control's signals pass the guard by, and a closed
/// terminal or pipe is free of it.
fn leave_the_terminal() {
    let _ = rustix::process::setsid();
    let flags = rustix::fs::OFlags::RDWR;
    if let Ok(null) = rustix::fs::open("/dev/null", flags, rustix::fs::Mode::empty()) {
        let _ = rustix::stdio::dup2_stdin(&null);
        let _ = rustix::stdio::dup2_stdout(&null);
        let _ = rustix::stdio::dup2_stderr(&null);
    }
}

/// The command, between fork and exec. Never returns.
fn command(image: &Image, guard: Pid, channel: &OwnedFd) -> ! {
    let refused = become_the_command(image, guard, channel);
    tell(channel, refused);
    // SAFETY: as in `main`.
    unsafe { libc::_exit(127) }
}

fn become_the_command(image: &Image, guard: Pid, channel: &OwnedFd) -> Word {
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    // The guard may have died before the line above took effect.
    if rustix::process::getppid() != Some(guard) {
        // SAFETY: as in `main`.
        unsafe { libc::_exit(127) }
    }
    // Before anything of its own: no memory of its is outside.
    if let Some(entrance) = &image.cgroup
        && let Err(errno) = enter(entrance)
    {
        tell(channel, Word::NotGrouped { errno: errno.raw_os_error() });
    }
    if let Err(error) = rustix::process::chdir(image.dir.as_c_str()) {
        return Word::Refused { folder: true, errno: error.raw_os_error() };
    }
    image.limits.restore();
    signals::default_dispositions(&image.ignored);
    image.signals.restore();
    let mut moved = None;
    let mut named = None;
    if let Some(listener) = &image.listener {
        match hand_over(listener, channel) {
            Ok(other) => moved = other,
            Err(errno) => return Word::Refused { folder: false, errno: errno.raw_os_error() },
        }
        named = Some(with_own_pid(&image.env));
    }
    let channel = moved.as_ref().unwrap_or(channel);
    let env = named.as_ref().unwrap_or(&image.env);
    if let Some(filter) = &image.filter {
        install(filter, channel);
    }
    let mut error = execute(&image.file, &image.argv, env);
    if error == libc::ENOEXEC {
        error = execute(c"/bin/sh", &image.script_argv, env);
    }
    let refused = Word::Refused { folder: false, errno: error };
    if moved.is_some() {
        tell(channel, refused);
        // SAFETY: as in `main`.
        unsafe { libc::_exit(127) }
    }
    refused
}

/// Puts the listener where `sd_listen_fds(3)` says, and gives the channel another number where it was in the
/// way.
fn hand_over(listener: &Held, channel: &OwnedFd) -> rustix::io::Result<Option<OwnedFd>> {
    let moved = match channel.as_raw_fd() {
        LISTENER => Some(rustix::io::fcntl_dupfd_cloexec(channel, LISTENER + 1)?),
        _ => None,
    };
    // systemd passes listeners that block; what a server of an earlier launch made of it is not this one's.
    rustix::io::ioctl_fionbio(listener, false)?;
    if listener.as_raw_fd() == LISTENER {
        rustix::io::fcntl_setfd(listener, rustix::io::FdFlags::empty())?;
        return Ok(moved);
    }
    // SAFETY: this process is about to become the command, and uses no descriptor with this number but the
    // channel, which has just got another.
    match unsafe { libc::dup2(listener.as_raw_fd(), LISTENER) } {
        LISTENER => Ok(moved),
        _ => Err(rustix::io::Errno::from_io_error(&std::io::Error::last_os_error())
            .unwrap_or(rustix::io::Errno::BADF)),
    }
}

/// The variables, with this process as the one that the listener is for.
fn with_own_pid(env: &[CString]) -> Vec<CString> {
    let mut env = env.to_vec();
    let pid = rustix::process::getpid().as_raw_nonzero();
    env.extend(CString::new(format!("LISTEN_PID={pid}")).ok());
    env
}

/// Makes this process one of a control group's, and with it all that come from it.
fn enter(entrance: &std::ffi::CStr) -> rustix::io::Result<()> {
    let flags = rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::CLOEXEC;
    let file = rustix::fs::open(entrance, flags, rustix::fs::Mode::empty())?;
    rustix::io::write(&file, b"0").map(drop)
}

/// Last of all before exec: what comes before is never stopped by the filter. A command whose filter is
/// refused runs all the same.
fn install(filter: &Program, channel: &OwnedFd) {
    let (word, notifier) = match filter.install() {
        Ok(notifier) => (Word::Filtered, Some(notifier)),
        Err(error) => (Word::NotFiltered { errno: error.raw_os_error().unwrap_or_default() }, None),
    };
    let _ = passing::send(channel.as_fd(), &word.encode(), notifier.as_ref().map(AsFd::as_fd));
}

/// Returns only when the system refused, with its number.
fn execute(file: &std::ffi::CStr, argv: &[CString], env: &[CString]) -> i32 {
    let pointers = |words: &[CString]| -> Vec<*const libc::c_char> {
        words.iter().map(|word| word.as_ptr()).chain([std::ptr::null()]).collect()
    };
    let (argv, env) = (pointers(argv), pointers(env));
    // SAFETY: both arrays end with a null pointer, and all strings outlive the call. Every
    // descriptor that the caller opened is closed on exec.
    unsafe { libc::execve(file.as_ptr(), argv.as_ptr(), env.as_ptr()) };
    std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::ENOENT)
}

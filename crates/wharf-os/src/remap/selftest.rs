//! Whether a mode works here, found out by doing all of it once. The version of a kernel says little:
//! containers, security modules and sandboxes refuse single steps, and some only at the very last.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use rustix::process::{Pid, Signal, WaitOptions};

use super::call::{Call, Kind};
use super::filter::{Calls, Program};
use super::mode::Mode;
use super::notifier::{Doorbell, Notifier};
use super::socket::Protocol;
use crate::guard::channel;
use crate::passing;

/// The whole test may take this long; it takes about a millisecond.
const LIMIT: Duration = Duration::from_secs(1);

/// The port that the test names: `tcpmux`, which nobody uses and which no user may bind.
const NAMED: u16 = 1;

/// Why a mode does not work here: the step, and the system's reason.
#[derive(Debug)]
pub struct Refusal {
    /// What was attempted, such as `duplicating a socket`.
    pub step: &'static str,
    /// What the system said of it.
    pub error: io::Error,
}

impl Refusal {
    /// Whether it may be another answer the next time: something was used up.
    pub fn may_pass(&self) -> bool {
        let used_up = [
            libc::EAGAIN,
            libc::ENOMEM,
            libc::EMFILE,
            libc::ENFILE,
            libc::ENOBUFS,
            libc::EADDRINUSE,
        ];
        self.error.raw_os_error().is_some_and(|errno| used_up.contains(&errno))
    }

    fn at(step: &'static str) -> impl FnOnce(io::Error) -> Refusal {
        move |error| Refusal { step, error }
    }
}

/// Tries a mode: a child under the very filter binds, listens and connects on a port that it cannot
/// have, and all of it must happen on another.
///
/// Forks: for a process with one thread, as [`crate::guard::Guard::spawn`].
///
/// # Errors
/// The first step that is refused.
pub fn attempt(mode: Mode) -> Result<(), Refusal> {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    // Of the other modes the child itself is to listen there.
    let held = match mode {
        Mode::Inject => TcpListener::bind(any),
        Mode::Duplicate | Mode::Rewrite => reserve(any),
    };
    let held = held.map_err(Refusal::at("a socket"))?;
    let target = held.local_addr().map_err(Refusal::at("a socket"))?;
    let program = Program::new(Calls { connect: true, names: false });
    let (ours, theirs) = channel().map_err(Refusal::at("a channel"))?;
    // SAFETY: the child only runs `child`, which never returns and allocates nothing.
    match unsafe { libc::fork() } {
        -1 => Err(Refusal { step: "a process", error: io::Error::last_os_error() }),
        0 => child(&program, &theirs, target.port()),
        pid => {
            drop(theirs);
            let child = Child(pid);
            let result = serve(mode, &ours, target, &held);
            // Before the child is reaped: nothing of it is needed any more.
            drop(child);
            result
        }
    }
}

/// A port that is bound and does not listen, as a [`crate::reserve::Reservation`] is.
fn reserve(at: SocketAddr) -> io::Result<TcpListener> {
    let cloexec = SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, cloexec, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    rustix::net::bind(&socket, &at)?;
    Ok(TcpListener::from(socket))
}

/// Ends the child, whatever it is doing.
struct Child(i32);

impl Drop for Child {
    fn drop(&mut self) {
        if let Some(pid) = Pid::from_raw(self.0) {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
            let _ = rustix::process::waitpid(Some(pid), WaitOptions::empty());
        }
    }
}

/// Answers the child's calls until it has told how it went.
fn serve(
    mode: Mode,
    channel: &OwnedFd,
    target: SocketAddr,
    held: &TcpListener,
) -> Result<(), Refusal> {
    let deadline = Instant::now() + LIMIT;
    let first = told(channel, deadline)?;
    let notifier = match first {
        (Report::FILTERED, Some(fd)) => Notifier::new(fd),
        (report, _) => return Err(report.refusal()),
    };
    let bell = Doorbell::new().map_err(Refusal::at("an event"))?;
    loop {
        if let Some((report, _)) = heard(channel)? {
            return if report == Report::DONE { Ok(()) } else { Err(report.refusal()) };
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(late());
        }
        let left = left.min(Duration::from_millis(1));
        let woken = notifier.wait(&bell, &[], Some(left)).map_err(Refusal::at("waiting"))?;
        if woken.call {
            let call = notifier.receive().map_err(Refusal::at("receiving a call"))?;
            let Some(call) = call else { continue };
            if let Err(refusal) = answer(mode, &notifier, &call, target, held) {
                notifier.proceed(&call);
                return Err(refusal);
            }
            if notifier.is_valid(&call) {
                let error = io::ErrorKind::PermissionDenied.into();
                return Err(Refusal { step: "sending an answer", error });
            }
        }
    }
}

fn answer(
    mode: Mode,
    notifier: &Notifier,
    call: &Call,
    target: SocketAddr,
    held: &TcpListener,
) -> Result<(), Refusal> {
    let look = match mode {
        Mode::Duplicate => "duplicating a socket (pidfd_getfd)",
        Mode::Rewrite | Mode::Inject => "telling what a socket is (/proc/PID/fd)",
    };
    let sight = mode.look(call).map_err(Refusal::at(look))?;
    if sight.protocol != Protocol::Tcp {
        return Err(Refusal { step: look, error: io::ErrorKind::InvalidData.into() });
    }
    if !matches!(call.kind, Kind::Listen { .. }) {
        let address = call.address().map_err(Refusal::at("reading a process's memory"))?;
        let named = SocketAddr::from((Ipv4Addr::LOCALHOST, NAMED));
        if address != Some(named) || !notifier.is_valid(call) {
            let error = io::ErrorKind::InvalidData.into();
            return Err(Refusal { step: "reading a process's memory", error });
        }
    }
    let held = (mode == Mode::Inject).then_some(held.as_fd());
    match call.kind {
        Kind::Bind => mode
            .bind((notifier, call), &sight, target, held)
            .map(|_| ())
            .map_err(Refusal::at("answering a bind")),
        Kind::Listen { .. } => {
            mode.listen((notifier, call), &sight, || {});
            Ok(())
        }
        Kind::Connect => mode
            .connect((notifier, call), &sight, target)
            .map_err(Refusal::at("answering a connect")),
        Kind::Name | Kind::Shutdown => Ok(()),
    }
}

/// One word of the child.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Report {
    step: i32,
    errno: i32,
}

impl Report {
    const FILTERED: Report = Report { step: 0, errno: 0 };
    const DONE: Report = Report { step: 100, errno: 0 };
    const STEPS: [(i32, &'static str); 6] = [
        (1, "installing the filter (seccomp)"),
        (2, "a socket"),
        (3, "a bind under the filter"),
        (4, "a listen under the filter"),
        (5, "a connect under the filter"),
        (6, "a bind on the other port"),
    ];

    fn refusal(self) -> Refusal {
        let step = Report::STEPS.iter().find(|(step, _)| *step == self.step);
        Refusal {
            step: step.map_or("the test's child", |(_, name)| name),
            error: io::Error::from_raw_os_error(self.errno),
        }
    }

    fn encode(self) -> [u8; 8] {
        let mut bytes = [0u8; 8];
        bytes[..4].copy_from_slice(&self.step.to_ne_bytes());
        bytes[4..].copy_from_slice(&self.errno.to_ne_bytes());
        bytes
    }

    fn decode(bytes: [u8; 8]) -> Report {
        let number = |at: usize| {
            i32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        Report { step: number(0), errno: number(4) }
    }
}

type Told = (Report, Option<OwnedFd>);

fn told(channel: &OwnedFd, deadline: Instant) -> Result<Told, Refusal> {
    let left = deadline.saturating_duration_since(Instant::now());
    let left = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
    let mut ready = [PollFd::new(channel, PollFlags::IN)];
    let _ = rustix::event::poll(&mut ready, Some(&left));
    heard(channel)?.ok_or_else(late)
}

fn heard(channel: &OwnedFd) -> Result<Option<Told>, Refusal> {
    let mut bytes = [0u8; 8];
    match passing::receive(channel.as_fd(), &mut bytes) {
        Ok(Some((8, fd))) => Ok(Some((Report::decode(bytes), fd))),
        Ok(Some(_)) => {
            Err(Refusal { step: "the test's child", error: io::ErrorKind::UnexpectedEof.into() })
        }
        Ok(None) => Ok(None),
        Err(error) => Err(Refusal { step: "the test's child", error }),
    }
}

fn late() -> Refusal {
    Refusal { step: "an answer in time", error: io::ErrorKind::TimedOut.into() }
}

/// The child: what a server and its client do. Never returns.
fn child(program: &Program, channel: &OwnedFd, port: u16) -> ! {
    let report = match program.install() {
        Err(error) => Report { step: 1, errno: error.raw_os_error().unwrap_or_default() },
        Ok(fd) => {
            let sent = passing::send(channel.as_fd(), &Report::FILTERED.encode(), Some(fd.as_fd()));
            drop(fd);
            match sent {
                Ok(()) => calls(port),
                Err(error) => Report { step: 1, errno: error.raw_os_error().unwrap_or_default() },
            }
        }
    };
    let _ = passing::send(channel.as_fd(), &report.encode(), None);
    // SAFETY: ends the process without running destructors or `atexit` of its parent.
    unsafe { libc::_exit(0) }
}

fn calls(port: u16) -> Report {
    match try_calls(port) {
        Ok(()) => Report::DONE,
        Err(report) => report,
    }
}

fn try_calls(port: u16) -> Result<(), Report> {
    let at = |step: i32| move |e: rustix::io::Errno| Report { step, errno: e.raw_os_error() };
    let named = SocketAddr::from((Ipv4Addr::LOCALHOST, NAMED));
    let socket = || rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None);
    let server = socket().map_err(at(2))?;
    sockopt::set_socket_reuseaddr(&server, true).map_err(at(2))?;
    rustix::net::bind(&server, &named).map_err(at(3))?;
    rustix::net::listen(&server, 8).map_err(at(4))?;
    let bound = rustix::net::getsockname(&server).map_err(at(6))?;
    let bound = SocketAddr::try_from(bound).map_err(at(6))?;
    if bound.port() != port {
        return Err(Report { step: 6, errno: libc::EADDRNOTAVAIL });
    }
    let client = socket().map_err(at(2))?;
    rustix::net::connect(&client, &named).map_err(at(5))?;
    // What `as_raw_fd` names stays open until here.
    let _ = (server.as_raw_fd(), client.as_raw_fd());
    Ok(())
}

/// What a test's result holds for: another boot, kernel, user, set of rights, container or security
/// label may refuse what this one allows.
pub fn surroundings() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let status = read("/proc/self/status");
    let wanted = ["Uid:", "CapEff:", "NoNewPrivs:", "Seccomp:", "Seccomp_filters:"];
    let rights: Vec<&str> =
        status.lines().filter(|line| wanted.iter().any(|name| line.starts_with(name))).collect();
    [
        read("/proc/sys/kernel/random/boot_id"),
        read("/proc/sys/kernel/osrelease"),
        read("/proc/sys/kernel/yama/ptrace_scope"),
        read("/proc/self/cgroup"),
        read("/proc/self/attr/current"),
        rights.join("\n"),
    ]
    .iter()
    .map(|text| text.trim_matches(['\n', '\0']))
    .collect::<Vec<_>>()
    .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_up_may_be_there_the_next_time() {
        let of = |errno| Refusal { step: "", error: io::Error::from_raw_os_error(errno) };
        for errno in [libc::EMFILE, libc::EAGAIN, libc::EADDRINUSE] {
            assert!(of(errno).may_pass());
        }
        for errno in [libc::EPERM, libc::EACCES, libc::ENOSYS, libc::EINVAL, libc::EBUSY] {
            assert!(!of(errno).may_pass());
        }
    }
}

//! Is a port free, and keeping it so: one plain bind that sees every occupant, and the bound socket
//! as the mutex between processes.
//!
//! Measured on Linux 6.18 (`tests/kernel/truth_table.rs` repeats it): a bind of `[::]` with
//! `IPV6_V6ONLY` off and neither `SO_REUSEADDR` nor `SO_REUSEPORT` is refused for every occupant of
//! any address of either family. What it cannot see is a redirection by NAT, so a connect follows.
//! While connections linger in TIME_WAIT it is refused although nobody is there, so the kernel's
//! socket list decides.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use crate::diag;

/// How long a connect to our own loopback may take before it counts as unanswered.
const CONNECT_BOUND: Duration = Duration::from_millis(50);
/// The pause between two looks at a port that shall become free, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_micros(200);
const LONGEST_PAUSE: Duration = Duration::from_millis(10);

/// Who has a port, as far as this network namespace can tell.
#[derive(Debug)]
pub enum Occupancy {
    /// Nobody.
    Free,
    /// A plain bind is refused, yet nobody listens or is bound: connections, live ones without
    /// their listener or in TIME_WAIT, still have it. A bind with `SO_REUSEADDR` usually succeeds.
    TimeWait,
    /// These sockets. Empty when the kernel refuses the bind and shows nobody: before Linux 6.8 and
    /// without netlink, bound sockets that do not listen are invisible.
    Taken(Vec<diag::Socket>),
    /// Nobody here, yet a connect to 127.0.0.1 or ::1 was answered: the port is redirected (DNAT).
    Redirected,
    /// The bind was refused for another reason: `EACCES` or `EPERM` for a privileged port or in a
    /// sandbox; anything else (descriptors used up) comes as it is.
    Denied(io::Error),
}

/// Finds out who has the port. The port is bound for some microseconds while it is asked about, so
/// two that ask at the same moment may each see the other.
pub fn probe(port: u16) -> Occupancy {
    match bind_plain(port) {
        Ok(_bound) if answers(port) => Occupancy::Redirected,
        Ok(_bound) => Occupancy::Free,
        Err(refusal) => refusal.into_occupancy(port),
    }
}

/// A port that is kept: bound on every address and not listening. Nobody can bind it plainly, the
/// kernel gives it to no one, and a connect is refused at once. Dropping it gives the port up.
///
/// Closed on exec: a process that another thread is just starting holds it until then, too.
#[derive(Debug)]
pub struct Reservation {
    socket: OwnedFd,
    port: u16,
}

impl Reservation {
    /// Takes the port and lets a server bind over it with `SO_REUSEADDR`, as nearly all do.
    ///
    /// From then on it keeps others out only as far as they do not use `SO_REUSEADDR` themselves:
    /// see [`Reservation::take_exclusive`]. Port 0 takes one that the kernel chooses.
    ///
    /// # Errors
    /// Who has it. Two that take the same port at once never both succeed; while it lingers in
    /// TIME_WAIT both may fail.
    pub fn take(port: u16) -> Result<Reservation, Occupancy> {
        let reservation = Reservation::take_exclusive(port)?;
        reservation.share(true).map_err(Occupancy::Denied)?;
        Ok(reservation)
    }

    /// Takes the port for us alone: nobody can bind it, with whatever option, until
    /// [`Reservation::share`]. Only a port in TIME_WAIT cannot be had like this, and is shared from
    /// the start.
    ///
    /// # Errors
    /// As [`Reservation::take`].
    pub fn take_exclusive(port: u16) -> Result<Reservation, Occupancy> {
        let socket = match bind_plain(port) {
            Ok(socket) => socket,
            Err(refusal) => match refusal.into_occupancy(port) {
                Occupancy::TimeWait => bind_lingering(port)?,
                // Whoever was there has gone between the two looks.
                Occupancy::Free => bind_plain(port).map_err(|_| Occupancy::Taken(Vec::new()))?,
                occupancy => return Err(occupancy),
            },
        };
        let port = local_port(&socket).map_err(Occupancy::Denied)?;
        if answers(port) {
            return Err(who_answers(port));
        }
        Ok(Reservation { socket, port })
    }

    /// Whether a server, ours or another's, can bind over the reservation with `SO_REUSEADDR`.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`, none of which is to be expected.
    pub fn share(&self, with_servers: bool) -> io::Result<()> {
        Ok(sockopt::set_socket_reuseaddr(&self.socket, with_servers)?)
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl AsFd for Reservation {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The first and last port that the kernel gives to those who name none. A lease keeps outside.
pub fn ephemeral_range() -> (u16, u16) {
    let parse = |text: String| {
        let mut words = text.split_ascii_whitespace();
        Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
    };
    std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(parse)
        .unwrap_or((32_768, 60_999))
}

/// The first port that needs no privilege.
pub fn unprivileged_start() -> u16 {
    std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(1024)
}

/// Waits until nobody listens on the port or is bound to it: whether that came within the time.
/// TIME_WAIT counts as free. Where the kernel's lists cannot be read, a bind decides.
pub fn wait_free(port: u16, deadline: Duration) -> bool {
    let end = Instant::now().checked_add(deadline);
    let mut watch = diag::Watch::open().ok();
    let mut pause = FIRST_PAUSE;
    loop {
        let free = watch
            .as_mut()
            .and_then(|watch| is_unheld(watch, port).ok())
            .unwrap_or_else(|| matches!(probe(port), Occupancy::Free | Occupancy::TimeWait));
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        if free || left.is_some_and(|left| left.is_zero()) {
            return free;
        }
        std::thread::sleep(left.map_or(pause, |left| left.min(pause)));
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Listeners first: to look for bound sockets costs ten times as much.
fn is_unheld(watch: &mut diag::Watch, port: u16) -> io::Result<bool> {
    Ok(watch.listening(port)?.is_empty() && watch.holding(port)?.is_empty())
}

/// Why a bind failed.
enum Refusal {
    InUse,
    Other(io::Error),
}

impl Refusal {
    /// Asks the kernel's lists about a port that could not be bound plainly.
    fn into_occupancy(self, port: u16) -> Occupancy {
        if let Refusal::Other(error) = self {
            return Occupancy::Denied(error);
        }
        let holding = diag::holding(port).unwrap_or_default();
        if !holding.is_empty() {
            return Occupancy::Taken(holding);
        }
        if diag::lingering(port).unwrap_or(false) {
            return Occupancy::TimeWait;
        }
        // Nobody is to be seen: gone in between, or invisible to us.
        match bind_plain(port) {
            Ok(_bound) if answers(port) => Occupancy::Redirected,
            Ok(_bound) => Occupancy::Free,
            Err(Refusal::InUse) => Occupancy::Taken(diag::holding(port).unwrap_or_default()),
            Err(Refusal::Other(error)) => Occupancy::Denied(error),
        }
    }
}

/// The probe that sees every occupant.
fn bind_plain(port: u16) -> Result<OwnedFd, Refusal> {
    bind(port, false)
}

/// Takes a port that only connections still have. The option is needed before the bind, so another
/// may do the same at the same moment: whoever sees another socket afterwards steps back.
fn bind_lingering(port: u16) -> Result<OwnedFd, Occupancy> {
    let socket = match bind(port, true) {
        Ok(socket) => socket,
        // Connections whose listener had no SO_REUSEADDR refuse this too, until they are over.
        Err(Refusal::InUse) => {
            let holding = diag::holding(port).unwrap_or_default();
            let lingers = holding.is_empty();
            return Err(if lingers { Occupancy::TimeWait } else { Occupancy::Taken(holding) });
        }
        Err(Refusal::Other(error)) => return Err(Occupancy::Denied(error)),
    };
    let own = rustix::fs::fstat(&socket).map_err(|errno| Occupancy::Denied(errno.into()))?.st_ino;
    let mut others = diag::holding(port).unwrap_or_default();
    others.retain(|other| other.inode != own);
    if others.is_empty() { Ok(socket) } else { Err(Occupancy::Taken(others)) }
}

/// Over a lingering port, which is shared from the start, a server may have come in the meantime.
fn who_answers(port: u16) -> Occupancy {
    let mut listeners = diag::holding(port).unwrap_or_default();
    listeners.retain(|socket| socket.state == diag::SocketState::Listen);
    if listeners.is_empty() { Occupancy::Redirected } else { Occupancy::Taken(listeners) }
}

/// Binds every address of both families; of IPv4 alone where there is no IPv6.
fn bind(port: u16, reuse: bool) -> Result<OwnedFd, Refusal> {
    match bind_address(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port, reuse) {
        Err(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL | Errno::PROTONOSUPPORT) => {
            bind_address(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port, reuse)
        }
        result => result,
    }
    .map_err(|errno| match errno {
        Errno::ADDRINUSE => Refusal::InUse,
        other => Refusal::Other(other.into()),
    })
}

fn bind_address(address: IpAddr, port: u16, reuse: bool) -> Result<OwnedFd, Errno> {
    let socket = stream(address, SocketFlags::CLOEXEC)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, false)?;
    }
    if reuse {
        sockopt::set_socket_reuseaddr(&socket, true)?;
    }
    rustix::net::bind(&socket, &SocketAddr::new(address, port))?;
    Ok(socket)
}

fn stream(address: IpAddr, flags: SocketFlags) -> Result<OwnedFd, Errno> {
    let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    rustix::net::socket_with(family, SocketType::STREAM, flags, None)
}

fn local_port(socket: &OwnedFd) -> io::Result<u16> {
    let address = SocketAddr::try_from(rustix::net::getsockname(socket)?)?;
    Ok(address.port())
}

/// Whether anything accepts a connection on the loopback addresses. Called while we hold the port,
/// so nobody does but by redirection.
fn answers(port: u16) -> bool {
    let mut pending = Vec::new();
    for address in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
        let Ok(socket) = stream(address, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) else {
            continue;
        };
        // Leave no TIME_WAIT behind on a port that we may be about to give to a server.
        let _ = sockopt::set_socket_linger(&socket, Some(Duration::ZERO));
        match rustix::net::connect(&socket, &SocketAddr::new(address, port)) {
            Ok(()) => return true,
            Err(Errno::INPROGRESS | Errno::INTR) => pending.push(socket),
            Err(_) => {}
        }
    }
    any_connects(&mut pending)
}

fn any_connects(pending: &mut Vec<OwnedFd>) -> bool {
    let deadline = Instant::now() + CONNECT_BOUND;
    while !pending.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: 0, tv_nsec: 0 });
        let mut fds: Vec<_> =
            pending.iter().map(|socket| PollFd::new(socket, PollFlags::OUT)).collect();
        match rustix::event::poll(&mut fds, Some(&left)) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(_) => return false,
        }
        let decided: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        let mut decided = decided.into_iter();
        let ended: Vec<OwnedFd> =
            pending.extract_if(.., |_| decided.next().unwrap_or(false)).collect();
        if ended.iter().any(|socket| matches!(sockopt::socket_error(socket), Ok(Ok(())))) {
            return true;
        }
    }
    false
}

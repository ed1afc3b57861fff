//! The ways to do a stopped call on another port than the one that it names.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::OFlags;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use super::call::{Call, Kind};
use super::notifier::Notifier;
use super::socket::{Protocol, Socket};

/// How a call is done on another port. Each is refused somewhere; see [`super::selftest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// On a duplicate of the caller's socket. Nothing of the caller's memory changes.
    Duplicate,
    /// By the caller itself, after the address in its memory was changed.
    Rewrite,
    /// On a socket of ours, which takes the place of the caller's.
    Inject,
}

/// What can be seen of the socket of a stopped call.
#[derive(Debug)]
pub struct Sight {
    /// What it speaks.
    pub protocol: Protocol,
    /// The kernel's number for it.
    pub inode: Option<u64>,
    /// The duplicate; of [`Mode::Duplicate`] only.
    pub socket: Option<Socket>,
}

impl Mode {
    /// Every mode, the best first.
    pub const ALL: [Mode; 3] = [Mode::Duplicate, Mode::Rewrite, Mode::Inject];

    /// Looks at the socket of a call.
    ///
    /// # Errors
    /// `PermissionDenied` where it may not be seen (a process that may not be inspected, a sandbox around
    /// us), another where there is none to be seen.
    pub fn look(self, call: &Call) -> io::Result<Sight> {
        if self == Mode::Duplicate {
            let socket = call.socket()?;
            let (protocol, inode) = (socket.protocol(), socket.inode());
            return Ok(Sight { protocol, inode, socket: Some(socket) });
        }
        Ok(Sight { protocol: call.protocol()?, inode: call.inode(), socket: None })
    }

    /// Does a `bind` at `target` and answers the call. Where there is a `held` listener, that takes the
    /// socket's place instead, in every mode.
    ///
    /// # Errors
    /// The call was not answered: it can still be let go on. What the kernel said of the bind itself
    /// is the caller's answer, and returned as `Ok(Err(errno))`.
    pub fn bind(
        self,
        (notifier, call): (&Notifier, &Call),
        sight: &Sight,
        target: SocketAddr,
        held: Option<BorrowedFd<'_>>,
    ) -> io::Result<Result<(), i32>> {
        if let Some(held) = held {
            replace((notifier, call), held)?;
            return Ok(Ok(()));
        }
        match &sight.socket {
            Some(socket) => {
                let result = bind_duplicate(socket, target);
                notifier.answer(call, result);
                Ok(result)
            }
            None if self == Mode::Rewrite => {
                call.rewrite(target)?;
                notifier.proceed(call);
                Ok(Ok(()))
            }
            None => match bound(target) {
                Ok(socket) => {
                    replace((notifier, call), socket.as_fd())?;
                    Ok(Ok(()))
                }
                Err(error) => {
                    let error = errno(error);
                    notifier.answer(call, Err(error));
                    Ok(Err(error))
                }
            },
        }
    }

    /// Does a `listen` and answers the call. `told` is called in between, when the socket listens: the
    /// answer lets the kernel run the caller first, in our place. Where the caller does it itself, `told`
    /// is called once it has been let go, and nothing is known of the outcome.
    pub fn listen(self, (notifier, call): (&Notifier, &Call), sight: &Sight, told: impl FnOnce()) {
        let (Some(socket), Kind::Listen { backlog }) = (&sight.socket, call.kind) else {
            notifier.proceed(call);
            return told();
        };
        // The kernel looks at the port once more. What listens keeps everybody out, whatever it shares.
        let _ = socket.share_address(true);
        let result = socket.listen(backlog).map_err(errno);
        if result.is_ok() {
            told();
        }
        notifier.answer(call, result);
    }

    /// Begins a `connect` to `target` and answers the call; it never waits for the connection. Where the
    /// caller does, the kernel finds the connection begun and lets the caller wait for it: with its own
    /// limits, and until a signal, as without us.
    ///
    /// # Errors
    /// The call was not answered: it can still be let go on.
    pub fn connect(
        self,
        (notifier, call): (&Notifier, &Call),
        sight: &Sight,
        target: SocketAddr,
    ) -> io::Result<()> {
        match (&sight.socket, self) {
            (Some(socket), _) => {
                let waits = !socket.is_nonblocking();
                settle(notifier, call, socket.begin_connect(target), waits);
            }
            (None, Mode::Inject) => {
                let flags = call.flags().unwrap_or(OFlags::CLOEXEC);
                let socket = stream(target)?;
                let result = socket.begin_connect(target);
                let waits = !flags.contains(OFlags::NONBLOCK);
                rustix::fs::fcntl_setfl(&socket, flags & OFlags::NONBLOCK)?;
                notifier.install(call, socket.as_fd(), flags.contains(OFlags::CLOEXEC))?;
                settle(notifier, call, result, waits);
            }
            (None, _) => {
                call.rewrite(target)?;
                notifier.proceed(call);
            }
        }
        Ok(())
    }
}

/// Answers a connect that was begun. What differs: a caller whose own limit (`SO_SNDTIMEO`) is over is told
/// `EALREADY` instead of `EINPROGRESS`.
fn settle(notifier: &Notifier, call: &Call, begun: io::Result<()>, waits: bool) {
    match begun.map_err(errno) {
        Err(libc::EINPROGRESS | libc::EALREADY) if waits => notifier.proceed(call),
        result => notifier.answer(call, result),
    };
}

/// A call that a signal took back comes again and finds its socket bound: that is its success.
fn bind_duplicate(socket: &Socket, target: SocketAddr) -> Result<(), i32> {
    // Over the reservation of the port, and over connections of the server before. Only now: two
    // sockets of the program keep each other out as they would without us.
    let shares = socket.shares_address();
    let _ = socket.share_address(true);
    let result = match socket.bind(target).map_err(errno) {
        Err(libc::EINVAL) if socket.local().is_ok_and(|at| at.port() == target.port()) => Ok(()),
        result => result,
    };
    let _ = socket.share_address(shares);
    result
}

/// A socket of ours that is bound and does not listen yet. Whether the caller's took IPv4 as well cannot
/// be seen: it does, unless IPv4 has its own socket there.
fn bound(target: SocketAddr) -> io::Result<OwnedFd> {
    let attempt = |v6_only: bool| -> io::Result<OwnedFd> {
        let family = if target.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
        let cloexec = SocketFlags::CLOEXEC;
        let socket = rustix::net::socket_with(family, SocketType::STREAM, cloexec, None)?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        if target.is_ipv6() {
            sockopt::set_ipv6_v6only(&socket, v6_only)?;
        }
        rustix::net::bind(&socket, &target)?;
        Ok(socket)
    };
    match attempt(false) {
        Err(error) if target.is_ipv6() && error.kind() == io::ErrorKind::AddrInUse => attempt(true),
        result => result,
    }
}

/// Puts a socket of ours in the place of the caller's, with the flags that the caller's had.
fn replace((notifier, call): (&Notifier, &Call), socket: BorrowedFd<'_>) -> io::Result<()> {
    let flags = call.flags().unwrap_or(OFlags::CLOEXEC);
    rustix::fs::fcntl_setfl(socket, flags & OFlags::NONBLOCK)?;
    notifier.install(call, socket, flags.contains(OFlags::CLOEXEC))?;
    notifier.answer(call, Ok(()));
    Ok(())
}

/// A socket of ours, of the family that the address has.
fn stream(target: SocketAddr) -> io::Result<Socket> {
    let family = if target.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    let cloexec = SocketFlags::CLOEXEC;
    Ok(Socket::new(rustix::net::socket_with(family, SocketType::STREAM, cloexec, None)?))
}

/// The number of an error of the system's.
fn errno(error: io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}

/// The address on which a bind that is to reach this machine alone is done: loopback for a wildcard,
/// and else the address itself.
///
/// `v6_only` is of the socket: a dual-stack one gets IPv4's loopback, since most clients ask for that.
pub fn on_loopback(address: SocketAddr, v6_only: bool) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() && v6_only => std::net::Ipv6Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.to_ipv6_mapped().into(),
        IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some_and(|v4| v4.is_unspecified()) => {
            Ipv4Addr::LOCALHOST.to_ipv6_mapped().into()
        }
        ip => ip,
    };
    with_ip(address, ip)
}

fn with_ip(mut address: SocketAddr, ip: IpAddr) -> SocketAddr {
    address.set_ip(ip);
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_become_loopback_and_nothing_else_changes() {
        let on = |text: &str, v6_only| on_loopback(text.parse().unwrap(), v6_only).to_string();
        assert_eq!(on("0.0.0.0:8000", false), "127.0.0.1:8000");
        assert_eq!(on("[::]:8000", false), "[::ffff:127.0.0.1]:8000");
        assert_eq!(on("[::ffff:0.0.0.0]:8000", false), "[::ffff:127.0.0.1]:8000");
        assert_eq!(on("[::]:8000", true), "[::1]:8000");
        for same in ["127.0.0.1:1", "[::1]:1", "192.168.1.5:1", "127.0.0.2:1", "[fe80::1]:1"] {
            assert_eq!(on(same, false), same);
            assert_eq!(on(same, true), same);
        }
    }
}

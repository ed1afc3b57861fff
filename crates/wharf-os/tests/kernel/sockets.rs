//! Sockets with exactly the options that a test names.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, Protocol, SocketFlags, SocketType, sockopt};

pub(crate) const LO: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub(crate) const LO6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
pub(crate) const ANY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
pub(crate) const ANY6: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// The options of a socket; all off is a plain one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) reuseaddr: bool,
    pub(crate) reuseport: bool,
    pub(crate) v6only: bool,
    pub(crate) mptcp: bool,
}

pub(crate) const PLAIN: Options =
    Options { reuseaddr: false, reuseport: false, v6only: false, mptcp: false };
/// What Node, Python's http.server and nearly every other server set.
pub(crate) const SERVER: Options = Options { reuseaddr: true, ..PLAIN };

pub(crate) fn bound(address: IpAddr, port: u16, options: Options) -> io::Result<OwnedFd> {
    let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    let protocol = options.mptcp.then(|| Protocol::from_raw(262.try_into().unwrap()));
    let flags = SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, protocol)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, options.v6only)?;
    }
    if options.reuseaddr {
        sockopt::set_socket_reuseaddr(&socket, true)?;
    }
    if options.reuseport {
        sockopt::set_socket_reuseport(&socket, true)?;
    }
    rustix::net::bind(&socket, &SocketAddr::new(address, port))?;
    Ok(socket)
}

pub(crate) fn listening(address: IpAddr, port: u16, options: Options) -> io::Result<OwnedFd> {
    let socket = bound(address, port, options)?;
    rustix::net::listen(&socket, 16)?;
    Ok(socket)
}

pub(crate) fn port_of(socket: &OwnedFd) -> u16 {
    let name = rustix::net::getsockname(socket).unwrap();
    SocketAddr::try_from(name).unwrap().port()
}

pub(crate) fn inode_of(socket: &OwnedFd) -> u64 {
    rustix::fs::fstat(socket).unwrap().st_ino
}

/// Leaves a connection in TIME_WAIT on the port that `listener` has, and closes the listener.
pub(crate) fn leave_in_time_wait(listener: OwnedFd) {
    let address = SocketAddr::new(LO, port_of(&listener));
    let listener = TcpListener::from(listener);
    let mut client = TcpStream::connect(address).unwrap();
    let (server, _) = listener.accept().unwrap();
    drop(listener);
    // The side that closes first is the one that lingers.
    drop(server);
    let end = io::Read::read(&mut client, &mut [0u8; 1]).unwrap();
    assert_eq!(end, 0);
    drop(client);
}

//! Listening sockets for a server that is to be reached by names that resolve to loopback.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketFlags, SocketType, bind, ipproto, listen, socket_with, sockopt,
};

/// How many connections may wait to be accepted: the kernel cuts it to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// Listens on 127.0.0.1 and on ::1, on the same port: with only one of them taken another user could
/// have the other, and `localhost` may mean either. Where there is no IPv6, the first is enough.
///
/// # Errors
/// Either is refused: taken (`AddrInUse`), or not allowed (`PermissionDenied`).
pub fn loopback_pair(port: u16) -> io::Result<Vec<TcpListener>> {
    let mut pair = vec![on(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?];
    match on(SocketAddr::from((Ipv6Addr::LOCALHOST, port))) {
        Ok(listener) => pair.push(listener),
        Err(error) if has_no_ipv6(&error) => {}
        Err(error) => return Err(error),
    }
    Ok(pair)
}

/// Listens on one address.
///
/// # Errors
/// The system refuses.
pub fn on(address: SocketAddr) -> io::Result<TcpListener> {
    let family = match address.ip() {
        IpAddr::V4(_) => AddressFamily::INET,
        IpAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, Some(ipproto::TCP))?;
    // Connections of the last process on this port may linger for a minute.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    bind(&socket, &address)?;
    listen(&socket, BACKLOG)?;
    Ok(TcpListener::from(socket))
}

fn has_no_ipv6(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(errno, Some(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_had_on_both_loopbacks_or_not_at_all() {
        let pair = loopback_pair(0).unwrap();
        assert!(pair.iter().all(|listener| listener.local_addr().unwrap().ip().is_loopback()));
        let six = TcpListener::bind("[::1]:0").unwrap();
        let port = six.local_addr().unwrap().port();
        let error = loopback_pair(port).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}

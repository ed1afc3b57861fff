//! The socket lists, against sockets that we made.

use std::net::IpAddr;

use wharf_os::diag::{self, Socket, SocketState, Transport, Watch};

use crate::apart;
use crate::sandbox;
use crate::sockets::{
    ANY, ANY6, LO, LO6, Options, PLAIN, SERVER, bound, inode_of, leave_in_time_wait, listening,
    port_of,
};

fn expected(address: IpAddr, socket: &std::os::fd::OwnedFd, v6only: Option<bool>) -> Socket {
    Socket {
        address,
        port: port_of(socket),
        v6only,
        uid: wharf_os::user::current_uid(),
        inode: inode_of(socket),
        state: SocketState::Listen,
    }
}

fn only(sockets: Vec<Socket>) -> Socket {
    assert_eq!(sockets.len(), 1, "{sockets:?}");
    sockets.into_iter().next().unwrap()
}

/// The kernel sets the option by itself where an IPv6 address that is not the wildcard is bound.
fn v6only_of(address: IpAddr, options: Options) -> Option<bool> {
    address.is_ipv6().then_some(options.v6only || address == LO6)
}

#[test]
fn each_kind_of_listener_is_listed_as_it_is() {
    if !apart::process("diag::each_kind_of_listener_is_listed_as_it_is") {
        return;
    }
    let v6only = Options { v6only: true, ..PLAIN };
    for (address, options) in
        [(LO, PLAIN), (ANY, SERVER), (LO6, SERVER), (ANY6, PLAIN), (ANY6, v6only)]
    {
        let socket = listening(address, 0, options).unwrap();
        let wanted = expected(address, &socket, v6only_of(address, options));
        assert!(diag::listeners().unwrap().contains(&wanted), "{wanted:?}");
        assert_eq!(only(diag::holding(wanted.port).unwrap()), wanted);
        let mut watch = Watch::open().unwrap();
        assert_eq!(only(watch.listening(wanted.port).unwrap()), wanted);
        drop(socket);
        assert_eq!(watch.listening(wanted.port).unwrap(), []);
    }
}

#[test]
fn an_mptcp_listener_has_the_inode_of_its_descriptor() {
    if !apart::process("diag::an_mptcp_listener_has_the_inode_of_its_descriptor") {
        return;
    }
    let options = Options { mptcp: true, ..SERVER };
    let Ok(socket) = listening(ANY6, 0, options) else {
        eprintln!("skipped: no MPTCP here");
        return;
    };
    let wanted = expected(ANY6, &socket, Some(false));
    assert_eq!(only(diag::holding(wanted.port).unwrap()), wanted);
    let holders = wharf_os::holders::of_inodes(&[wanted.inode]).unwrap();
    assert_eq!(holders.by_inode[&wanted.inode], [std::process::id()]);
}

#[test]
fn a_bound_socket_holds_its_port_and_does_not_listen() {
    if !apart::process("diag::a_bound_socket_holds_its_port_and_does_not_listen") {
        return;
    }
    for (address, options) in [(LO, PLAIN), (ANY6, SERVER)] {
        let socket = bound(address, 0, options).unwrap();
        let port = port_of(&socket);
        let wanted = Socket {
            state: SocketState::Bound,
            ..expected(address, &socket, v6only_of(address, options))
        };
        let holding = diag::holding(port).unwrap();
        if holding.is_empty() {
            eprintln!("skipped: this kernel does not show bound sockets (before 6.8)");
            return;
        }
        assert_eq!(only(holding), wanted);
        assert_eq!(Watch::open().unwrap().listening(port).unwrap(), []);
        assert!(!diag::listeners().unwrap().contains(&wanted));
        rustix::net::listen(&socket, 1).unwrap();
        assert_eq!(diag::holding(port).unwrap()[0].state, SocketState::Listen);
    }
}

#[test]
fn only_connections_linger() {
    if !apart::process("diag::only_connections_linger") {
        return;
    }
    let server = listening(LO, 0, SERVER).unwrap();
    let port = port_of(&server);
    assert!(!diag::lingering(port).unwrap());
    leave_in_time_wait(server);
    assert!(diag::lingering(port).unwrap());
    assert_eq!(diag::holding(port).unwrap(), []);
}

#[test]
fn a_long_list_of_several_parts_is_complete() {
    // Apart, since so many ports of one address could meet another test's on another address.
    if !apart::network("diag::a_long_list_of_several_parts_is_complete") {
        return;
    }
    let sockets: Vec<_> = (0..600).map(|_| listening(LO6, 0, PLAIN).unwrap()).collect();
    let mut inodes: Vec<u64> = diag::listeners().unwrap().iter().map(|row| row.inode).collect();
    inodes.sort_unstable();
    for socket in &sockets {
        assert!(inodes.binary_search(&inode_of(socket)).is_ok());
    }
}

#[test]
fn proc_serves_where_netlink_is_refused() {
    let listener = listening(LO, 0, PLAIN).unwrap();
    let other = listening(ANY6, 0, SERVER).unwrap();
    let held = bound(LO, 0, PLAIN).unwrap();
    let refused = std::thread::spawn(move || {
        let mut before = Watch::open().unwrap();
        sandbox::refuse(libc::SYS_socket, Some(libc::AF_NETLINK), libc::EPERM);
        let error = rustix::net::socket(
            rustix::net::AddressFamily::NETLINK,
            rustix::net::SocketType::RAW,
            None,
        );
        assert_eq!(error.unwrap_err(), rustix::io::Errno::PERM);
        assert_eq!(diag::holding(port_of(&held)).unwrap(), []);
        assert!(!diag::lingering(port_of(&listener)).unwrap());
        for (address, socket) in [(LO, &listener), (ANY6, &other)] {
            let wanted = expected(address, socket, None);
            assert!(diag::listeners().unwrap().contains(&wanted));
            assert_eq!(only(diag::holding(wanted.port).unwrap()), wanted);
            assert_eq!(only(Watch::open().unwrap().listening(wanted.port).unwrap()), wanted);
            // What was opened before goes on as it was.
            assert_eq!(before.listening(wanted.port).unwrap().len(), 1);
        }
    });
    refused.join().unwrap();
}

#[test]
fn udp_sockets_without_a_peer_are_listed_and_those_with_one_are_not() {
    if !apart::process("diag::udp_sockets_without_a_peer_are_listed_and_those_with_one_are_not") {
        return;
    }
    for address in [LO, ANY, LO6, ANY6] {
        let socket = std::net::UdpSocket::bind((address, 0)).unwrap();
        let port = socket.local_addr().unwrap().port();
        let socket = std::os::fd::OwnedFd::from(socket);
        let wanted = expected(address, &socket, v6only_of(address, PLAIN));
        assert!(diag::sockets(Transport::Udp).unwrap().contains(&wanted), "{wanted:?}");
        assert!(!diag::sockets(Transport::Tcp).unwrap().contains(&wanted));
        let table = diag::sockets_of(std::process::id(), Transport::Udp).unwrap();
        assert!(table.contains(&Socket { v6only: None, ..wanted.clone() }));
        let peer = std::net::SocketAddr::new(if address.is_ipv6() { LO6 } else { LO }, port);
        rustix::net::connect(&socket, &peer).unwrap();
        let left = diag::sockets(Transport::Udp).unwrap();
        assert!(left.iter().all(|socket| socket.inode != wanted.inode), "{left:?}");
    }
}

#[test]
fn all_that_hold_a_port_are_listed_at_once() {
    if !apart::process("diag::all_that_hold_a_port_are_listed_at_once") {
        return;
    }
    let (held, open) = (bound(LO, 0, PLAIN).unwrap(), listening(ANY6, 0, SERVER).unwrap());
    let all = diag::sockets(Transport::Tcp).unwrap();
    let find = |socket| all.iter().find(|one| one.inode == inode_of(socket)).unwrap();
    assert_eq!(find(&held).state, SocketState::Bound);
    assert_eq!(*find(&open), expected(ANY6, &open, Some(false)));
}

//! The port map of the machine: every listener, and every process that shares it.
//!
//! One question to the kernel for each protocol and one pass over all processes, whatever the number of
//! sockets. What may not be seen is counted, never guessed. What the daemon, the catalog and the
//! project's files know of a port is no part of it.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use wharf_model::{Exposure, Families, Transport};
use wharf_os::diag::{self, Socket, SocketState};
use wharf_os::namespace::{self, Namespace};
use wharf_os::{holders, process};

mod look;
mod process_facts;

pub use process_facts::{Ancestor, Container, Process};

use process_facts::Sight;

/// What is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Only this port.
    pub port: Option<u16>,
    /// UDP as well.
    pub udp: bool,
    /// TCP sockets that are only bound as well: reservations, and servers that are about to listen.
    pub bound: bool,
    /// The other network namespaces that may be looked into.
    pub elsewhere: bool,
}

/// The listeners of a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortMap {
    /// Those of this network namespace: by port, protocol and address.
    pub listeners: Vec<Listening>,
    /// The processes that hold them, here and elsewhere, by number.
    pub processes: BTreeMap<u32, Process>,
    /// Those of other network namespaces; namespaces without any are left out.
    pub elsewhere: Vec<Elsewhere>,
    /// How many processes do not let this user see their sockets: a holder may be among them.
    pub unreadable: usize,
    /// How many other network namespaces could not be looked into.
    pub closed_namespaces: usize,
}

/// One socket that holds a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listening {
    /// TCP or UDP.
    pub transport: Transport,
    /// The address that it is bound to, as the socket has it.
    pub address: IpAddr,
    /// The port, never 0.
    pub port: u16,
    /// Whether an IPv6 socket refuses IPv4; `None` of IPv4 sockets and where that is not known.
    pub v6only: Option<bool>,
    /// False of a socket that only keeps the port.
    pub listening: bool,
    /// The user who made the socket.
    pub uid: u32,
    /// The socket's number in `/proc/PID/fd`.
    pub inode: u64,
    /// The processes that share it, in ascending order; empty where none may be seen.
    pub pids: Vec<u32>,
}

/// The listeners of another network namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// The number that `ls -l /proc/PID/ns/net` shows.
    pub inode: u64,
    /// The file by which it is kept, such as `/run/netns/blue`.
    pub file: Option<PathBuf>,
    /// Ordered as those of this one.
    pub listeners: Vec<Listening>,
}

impl Listening {
    /// From where it can be reached.
    pub fn exposure(&self) -> Exposure {
        Exposure::of(self.address)
    }

    /// Which versions of IP it answers.
    pub fn families(&self) -> Families {
        Families::of(self.address, self.v6only)
    }

    /// The user's name, or the number where it has none.
    pub fn user(&self) -> String {
        crate::user_name(self.uid)
    }
}

impl PortMap {
    /// What may be seen of those that share a listener.
    pub fn processes_of<'a>(
        &'a self,
        listener: &'a Listening,
    ) -> impl Iterator<Item = &'a Process> + 'a {
        listener.pids.iter().filter_map(|pid| self.processes.get(pid))
    }
}

/// Those from which a process descends, nearest first; none where it has gone.
pub fn ancestry(pid: u32) -> Vec<Ancestor> {
    let Ok(stat) = process::stat(pid) else { return Vec::new() };
    Sight::new(process::since_boot()).ancestry(&stat)
}

/// Looks.
///
/// # Errors
/// The kernel does not tell who listens, or `/proc` is not to be read.
pub fn map(query: Query) -> io::Result<PortMap> {
    let since = process::since_boot();
    let mut here = look::here(query)?;
    let (mut there, closed_namespaces) =
        if query.elsewhere { look::elsewhere(query) } else { (Vec::new(), 0) };
    let inodes: Vec<u64> = look::inodes(&here, &there);
    let found = holders::of_inodes(&inodes)?;
    let mut sight = Sight::new(since);
    let groups = std::iter::once(&mut here).chain(there.iter_mut().map(|one| &mut one.listeners));
    for listener in groups.flatten() {
        let pids = found.by_inode.get(&listener.inode).map(Vec::as_slice).unwrap_or_default();
        let holds = |pid: &&u32| sight.is_holder(**pid, listener.inode);
        listener.pids = pids.iter().filter(holds).copied().collect();
    }
    Ok(PortMap {
        listeners: here,
        processes: sight.into_processes(),
        elsewhere: there,
        unreadable: found.unreadable.len(),
        closed_namespaces,
    })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::net::{TcpListener, UdpSocket};

    use super::*;

    /// The one listener of a port and protocol.
    fn only(map: &PortMap, transport: Transport, port: u16) -> &Listening {
        let of = |one: &&Listening| (one.transport, one.port) == (transport, port);
        let found: Vec<&Listening> = map.listeners.iter().filter(of).collect();
        assert_eq!(found.len(), 1, "{found:?}");
        found[0]
    }

    #[test]
    fn own_listeners_are_in_the_map_with_this_process() {
        let v4 = TcpListener::bind("127.0.0.1:0").unwrap();
        let v6 = TcpListener::bind("[::1]:0").unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = |socket: std::io::Result<std::net::SocketAddr>| socket.unwrap().port();
        let map = map(Query { udp: true, ..Query::default() }).unwrap();
        for (transport, port, families) in [
            (Transport::Tcp, port(v4.local_addr()), Families::V4),
            (Transport::Tcp, port(v6.local_addr()), Families::V6),
            (Transport::Udp, port(udp.local_addr()), Families::V4),
        ] {
            let listener = only(&map, transport, port);
            assert!(listener.listening);
            assert_eq!(listener.families(), families);
            assert_eq!(listener.exposure(), Exposure::Loopback);
            let own = |process: &&Process| process.id == crate::own_process();
            let process = map.processes_of(listener).find(own).unwrap();
            assert_eq!(process.exe, std::env::current_exe().ok());
            assert_eq!(process.folder, std::env::current_dir().ok());
            let words: Vec<OsString> = std::env::args_os().collect();
            assert_eq!(process.argv, words);
            assert_eq!(process.uid, Some(listener.uid));
            assert!(!process.ancestry.is_empty());
        }
    }

    #[test]
    fn only_what_is_asked_for_is_told() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (tcp, udp) = (tcp.local_addr().unwrap().port(), udp.local_addr().unwrap().port());
        let named = map(Query { port: Some(tcp), ..Query::default() }).unwrap();
        assert!(named.listeners.iter().all(|one| one.port == tcp));
        let all = map(Query::default()).unwrap();
        assert!(all.listeners.iter().all(|one| one.transport == Transport::Tcp && one.listening));
        let of_udp = map(Query { port: Some(udp), udp: true, ..Query::default() }).unwrap();
        assert_eq!(only(&of_udp, Transport::Udp, udp).port, udp);
    }

    /// In the order that people look for.
    #[test]
    fn the_map_is_in_the_order_of_ports() {
        let _open: Vec<TcpListener> =
            (0..5).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ports: Vec<u16> =
            map(Query::default()).unwrap().listeners.iter().map(|one| one.port).collect();
        assert!(ports.len() >= 5 && ports.is_sorted());
    }
}

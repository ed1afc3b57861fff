//! The kernel's sockets, as listeners that nobody holds yet.

use super::*;

/// Those of this network namespace.
pub(super) fn here(query: Query) -> io::Result<Vec<Listening>> {
    let mut found = listeners(query, diag::sockets(diag::Transport::Tcp)?);
    if query.udp {
        found.extend(datagrams(query, diag::sockets(diag::Transport::Udp)?));
    }
    Ok(sorted(found))
}

/// Those of the other namespaces, and how many of these are closed to us.
pub(super) fn elsewhere(query: Query) -> (Vec<Elsewhere>, usize) {
    let mut closed = 0;
    let mut found = Vec::new();
    for other in namespace::others() {
        match inside(query, &other) {
            Ok(listeners) if listeners.is_empty() => {}
            Ok(listeners) => {
                let Namespace { inode, file, .. } = other;
                found.push(Elsewhere { inode, file, listeners });
            }
            Err(_) => closed += 1,
        }
    }
    (found, closed)
}

/// The sockets whose holders are sought. 0 is that of a socket which no process has open.
pub(super) fn inodes(here: &[Listening], there: &[Elsewhere]) -> Vec<u64> {
    let there = there.iter().flat_map(|one| &one.listeners);
    here.iter().chain(there).map(|listener| listener.inode).filter(|inode| *inode != 0).collect()
}

fn inside(query: Query, other: &Namespace) -> io::Result<Vec<Listening>> {
    let mut found = listeners(query, namespace::sockets(other, diag::Transport::Tcp)?);
    if query.udp {
        found.extend(datagrams(query, namespace::sockets(other, diag::Transport::Udp)?));
    }
    Ok(sorted(found))
}

fn listeners(query: Query, sockets: Vec<Socket>) -> Vec<Listening> {
    let wanted = |socket: &Socket| query.bound || socket.state == SocketState::Listen;
    of(Transport::Tcp, query, sockets.into_iter().filter(wanted))
}

fn datagrams(query: Query, sockets: Vec<Socket>) -> Vec<Listening> {
    of(Transport::Udp, query, sockets.into_iter())
}

fn of(transport: Transport, query: Query, sockets: impl Iterator<Item = Socket>) -> Vec<Listening> {
    let named = sockets.filter(|socket| query.port.is_none_or(|port| port == socket.port));
    named
        .map(|socket| Listening {
            transport,
            address: socket.address,
            port: socket.port,
            v6only: socket.v6only,
            listening: socket.state == SocketState::Listen,
            uid: socket.uid,
            inode: socket.inode,
            pids: Vec::new(),
        })
        .collect()
}

fn sorted(mut listeners: Vec<Listening>) -> Vec<Listening> {
    listeners.sort_by_key(|one| (one.port, one.transport, one.address, one.inode));
    listeners
}

//! Which TCP and UDP sockets hold a port: asked of the kernel by `NETLINK_SOCK_DIAG`, with the tables
//! of `/proc/net` as the second source where netlink is refused (gVisor, seccomp).
//!
//! All answers are of the network namespace of the calling thread. An MPTCP listener (Go 1.24 and
//! later listens with it) appears as the TCP listener of its first subflow, with the inode that the
//! process's descriptor has.
//!
//! Sources: `sock_diag(7)`, `linux/inet_diag.h`, `net/ipv4/inet_diag.c`.

use std::io;
use std::net::IpAddr;

mod connection;
mod table;
mod wire;

use connection::Connection;

/// The protocol of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// TCP, and MPTCP as what it begins as.
    Tcp,
    /// UDP; UDP-Lite is not asked for.
    Udp,
}

/// A socket that holds a port without being a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    /// The local address as the socket has it: an IPv4 address that was bound through an IPv6
    /// socket appears as `::ffff:a.b.c.d`.
    pub address: IpAddr,
    /// The local port.
    pub port: u16,
    /// Whether an IPv6 socket refuses IPv4, by option or because its address is no wildcard; `None`
    /// for IPv4 sockets, and where `/proc` was the source.
    pub v6only: Option<bool>,
    /// The user who made the socket, as the caller's user namespace names it.
    pub uid: u32,
    /// The socket's inode, as in `/proc/PID/fd`. 0 when no process has it open any more.
    pub inode: u64,
    /// Whether it listens.
    pub state: SocketState,
}

/// One end of a connection that is established, that of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connected {
    /// Its local address.
    pub address: IpAddr,
    /// Its local port.
    pub port: u16,
}

/// How a socket holds its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SocketState {
    /// It accepts connections; of UDP, it takes datagrams from anybody.
    Listen,
    /// It is bound and neither listens nor is connected. Seen on Linux 6.8 and later, and never by
    /// way of `/proc`.
    Bound,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
struct Query {
    transport: Transport,
    /// One bit per TCP state, as in `idiag_states`.
    states: u32,
    /// Only sockets with this local port.
    port: Option<u16>,
}

/// One socket of an answer, in any state.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    transport: Transport,
    address: IpAddr,
    port: u16,
    v6only: Option<bool>,
    uid: u32,
    inode: u64,
    state: u8,
}

/// `TCP_LISTEN` of `net/tcp_states.h`.
const LISTEN: u8 = 10;
/// `TCP_CLOSE`: what the kernel calls a bound socket in its answer.
const CLOSE: u8 = 7;
/// `TCP_BOUND_INACTIVE`: what a bound socket is called in a question.
const BOUND_INACTIVE: u8 = 13;
/// `TCP_NEW_SYN_RECV`: half-open requests, which hold no port of their own.
const NEW_SYN_RECV: u8 = 12;
/// All states of a connection that lives or lingers: TIME_WAIT, ESTABLISHED, FIN_WAIT and the like.
const CONNECTED: u32 =
    0x1ffe & !(1 << LISTEN) & !(1 << CLOSE) & !(1 << BOUND_INACTIVE) & !(1 << NEW_SYN_RECV);

/// `TCP_ESTABLISHED`.
const ESTABLISHED: u8 = 1;

/// The states of a connection over which something may still come: ESTABLISHED, SYN_RECV, CLOSE_WAIT.
const LIVE: u32 = 1 << 1 | 1 << 3 | 1 << 8;

impl Row {
    fn into_socket(self) -> Option<Socket> {
        let state = match (self.transport, self.state) {
            (Transport::Tcp, LISTEN) | (Transport::Udp, CLOSE) => SocketState::Listen,
            (Transport::Tcp, CLOSE | BOUND_INACTIVE) => SocketState::Bound,
            _ => return None,
        };
        let Row { address, port, v6only, uid, inode, .. } = self;
        Some(Socket { address, port, v6only, uid, inode, state })
    }
}

/// Every TCP listener, IPv4 and IPv6, in no order.
///
/// # Errors
/// Neither netlink nor `/proc/net` could be read: the netlink error.
pub fn listeners() -> io::Result<Vec<Socket>> {
    Watch::open()?.sockets(Query { transport: Transport::Tcp, states: 1 << LISTEN, port: None })
}

/// Every socket that holds a port without being a connection, of both families: TCP sockets that listen
/// or are only bound, UDP sockets that have no peer. In no order.
///
/// # Errors
/// As [`listeners`].
pub fn sockets(transport: Transport) -> io::Result<Vec<Socket>> {
    Watch::open()?.sockets(unconnected(transport))
}

/// As [`sockets`], in the network namespace that a process is in: by its tables in `/proc`, which show no
/// TCP socket that is only bound, and not who refuses IPv4.
///
/// # Errors
/// `NotFound` when the process has gone, `PermissionDenied` when it may not be looked into.
pub fn sockets_of(pid: u32, transport: Transport) -> io::Result<Vec<Socket>> {
    Ok(table::read_of(pid, unconnected(transport))?
        .into_iter()
        .filter_map(Row::into_socket)
        .collect())
}

fn unconnected(transport: Transport) -> Query {
    let states = match transport {
        Transport::Tcp => 1 << LISTEN | 1 << BOUND_INACTIVE,
        Transport::Udp => 1 << CLOSE,
    };
    Query { transport, states, port: None }
}

/// Every established connection, IPv4 and IPv6, in no order.
///
/// # Errors
/// As [`listeners`].
pub fn connected() -> io::Result<Vec<Connected>> {
    let rows = Watch::open()?.rows(Query {
        transport: Transport::Tcp,
        states: 1 << ESTABLISHED,
        port: None,
    })?;
    Ok(rows.into_iter().map(|row| Connected { address: row.address, port: row.port }).collect())
}

/// Every socket that listens on the port or is bound to it, on any address of either family.
///
/// # Errors
/// As [`listeners`].
pub fn holding(port: u16) -> io::Result<Vec<Socket>> {
    Watch::open()?.holding(port)
}

/// Whether a connection, live or in TIME_WAIT, has the port as its local one. Such a port refuses a
/// plain bind although nobody listens.
///
/// # Errors
/// As [`listeners`].
pub fn lingering(port: u16) -> io::Result<bool> {
    let rows = Watch::open()?.rows(Query {
        transport: Transport::Tcp,
        states: CONNECTED,
        port: Some(port),
    })?;
    Ok(!rows.is_empty())
}

/// An open question channel to the kernel, for asking often. It keeps to the network namespace in
/// which it was opened.
#[derive(Debug)]
pub struct Watch {
    /// `None` where netlink is refused: then each question reads `/proc/net`.
    connection: Option<Connection>,
}

impl Watch {
    /// Opens the channel. A refusal of netlink is not an error: `/proc/net` serves instead.
    ///
    /// # Errors
    /// Descriptors or memory are used up.
    pub fn open() -> io::Result<Watch> {
        match Connection::open() {
            Ok(connection) => Ok(Watch { connection: Some(connection) }),
            Err(error) if is_exhaustion(&error) => Err(error),
            Err(_) => Ok(Watch { connection: None }),
        }
    }

    /// The listeners on the port, on any address of either family. Tens of microseconds where
    /// netlink answers, whatever the number of sockets.
    ///
    /// # Errors
    /// As [`listeners`].
    pub fn listening(&mut self, port: u16) -> io::Result<Vec<Socket>> {
        self.sockets(Query { transport: Transport::Tcp, states: 1 << LISTEN, port: Some(port) })
    }

    /// As [`holding`].
    ///
    /// # Errors
    /// As [`listeners`].
    pub fn holding(&mut self, port: u16) -> io::Result<Vec<Socket>> {
        self.sockets(Query {
            transport: Transport::Tcp,
            states: 1 << LISTEN | 1 << BOUND_INACTIVE,
            port: Some(port),
        })
    }

    /// Whether anybody is connected to the port.
    ///
    /// # Errors
    /// As [`listeners`].
    pub fn is_connected(&mut self, port: u16) -> io::Result<bool> {
        Ok(!self
            .rows(Query { transport: Transport::Tcp, states: LIVE, port: Some(port) })?
            .is_empty())
    }

    fn sockets(&mut self, query: Query) -> io::Result<Vec<Socket>> {
        Ok(self.rows(query)?.into_iter().filter_map(Row::into_socket).collect())
    }

    fn rows(&mut self, query: Query) -> io::Result<Vec<Row>> {
        let Some(connection) = &mut self.connection else {
            return table::read(query);
        };
        match connection.ask(query) {
            Ok(rows) => Ok(rows),
            // The channel stays: what was refused for good costs a few microseconds to be refused
            // again, and what failed in passing may answer next time.
            Err(refusal) => table::read(query).map_err(|_| refusal),
        }
    }
}

/// Whether the process, not the kernel's policy, is at fault: then `/proc` would fail as well.
fn is_exhaustion(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::ENOBUFS))
}

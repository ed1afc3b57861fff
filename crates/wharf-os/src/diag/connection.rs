//! One netlink socket to the kernel's `sock_diag`, and the conversation on it.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::{Errno, retry_on_intr};
use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use super::wire::{self, Family, Progress};
use super::{Query, Row, Transport};

/// How often one question is asked when the tables change meanwhile or the kernel runs out of
/// buffer.
const ATTEMPTS: u32 = 5;
/// The kernel fills its answers by 32 KiB at most; a longer one grows the buffer.
const FIRST_BUFFER: usize = 32 * 1024;
const LARGEST_BUFFER: usize = 1024 * 1024;
/// The kernel answers within the system call; only an emulation of it could let us wait.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Connection {
    socket: OwnedFd,
    buffer: Vec<u8>,
    sequence: u32,
}

/// Why one attempt brought no complete answer.
enum Setback {
    /// Asking again may help.
    Again(io::Error),
    /// It will not.
    Final(io::Error),
}

impl Connection {
    pub(super) fn open() -> io::Result<Connection> {
        Ok(Connection { socket: socket()?, buffer: vec![0; FIRST_BUFFER], sequence: 0 })
    }

    /// The sockets of both IP versions that match.
    pub(super) fn ask(&mut self, query: Query) -> io::Result<Vec<Row>> {
        // Where the older form of the question is refused, the newer one has the last word.
        if query.transport == Transport::Tcp
            && let Ok(rows) = self.ask_family(query, Family::Both)
        {
            return Ok(rows);
        }
        let mut rows = self.ask_family(query, Family::V4)?;
        match self.ask_family(query, Family::V6) {
            Ok(more) => rows.extend(more),
            // A kernel without IPv6 has nobody to ask, and no sockets of that kind.
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {}
            Err(error) => return Err(error),
        }
        Ok(rows)
    }

    fn ask_family(&mut self, query: Query, family: Family) -> io::Result<Vec<Row>> {
        let mut attempt = 1;
        loop {
            match self.attempt(query, family) {
                Ok(rows) => return Ok(rows),
                Err(Setback::Final(error)) => return Err(error),
                Err(Setback::Again(error)) if attempt == ATTEMPTS => return Err(error),
                // What is left of the broken answer goes with the old socket.
                Err(Setback::Again(_)) => self.socket = socket()?,
            }
            attempt += 1;
        }
    }

    fn attempt(&mut self, query: Query, family: Family) -> Result<Vec<Row>, Setback> {
        self.sequence = self.sequence.wrapping_add(1);
        let question = wire::question(query, family, self.sequence);
        retry_on_intr(|| rustix::net::send(&self.socket, &question, SendFlags::empty()))
            .map_err(setback)?;
        let mut rows = Vec::new();
        loop {
            let length = self.receive()?;
            let answer = self.buffer.get(..length).unwrap_or_default();
            match wire::read(answer, query.transport, self.sequence, &mut rows) {
                Progress::More => {}
                Progress::Done => break,
                Progress::Restart => return Err(again(io::ErrorKind::Interrupted)),
                Progress::Malformed => return Err(again(io::ErrorKind::InvalidData)),
                Progress::Refused(errno) => return Err(setback(Errno::from_raw_os_error(errno))),
            }
        }
        // The kernel has filtered; an emulation may have ignored the filter.
        rows.retain(|row| query.port.is_none_or(|port| port == row.port));
        Ok(rows)
    }

    /// One whole datagram into the buffer: its length, which is never 0.
    fn receive(&mut self) -> Result<usize, Setback> {
        let flags = RecvFlags::TRUNC;
        let socket = &self.socket;
        let buffer = &mut self.buffer;
        let (_, length) =
            retry_on_intr(|| rustix::net::recv(socket, &mut buffer[..], flags)).map_err(setback)?;
        if length == 0 {
            return Err(again(io::ErrorKind::UnexpectedEof));
        }
        if length > buffer.len() {
            let size = length.next_power_of_two().min(LARGEST_BUFFER);
            buffer.resize(size.max(buffer.len()), 0);
            return Err(again(io::ErrorKind::InvalidData));
        }
        Ok(length)
    }
}

/// Connected to the kernel, so that no process can send us an answer.
fn socket() -> io::Result<OwnedFd> {
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        Some(SOCK_DIAG),
    )?;
    rustix::net::connect(&socket, &SocketAddrNetlink::new(0, 0))?;
    set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
    Ok(socket)
}

fn again(kind: io::ErrorKind) -> Setback {
    Setback::Again(kind.into())
}

fn setback(errno: Errno) -> Setback {
    match errno {
        Errno::NOBUFS | Errno::NOMEM | Errno::BUSY | Errno::INTR => Setback::Again(errno.into()),
        other => Setback::Final(other.into()),
    }
}

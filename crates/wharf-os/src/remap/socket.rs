//! A socket of another process, duplicated.

use std::ffi::CString;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, sockopt};

/// The protocols whose ports are told apart here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// TCP and Multipath TCP, over either family.
    Tcp,
    /// UDP, over either family.
    Udp,
    /// All else.
    Other,
}

/// `IPPROTO_MPTCP`: what Go's `net.Listen` asks for since 1.24.
const MULTIPATH_TCP: u32 = 262;

/// A duplicate: it shares everything with the other process's socket, its flags included.
#[derive(Debug)]
pub struct Socket {
    fd: OwnedFd,
}

impl Socket {
    pub(super) fn new(fd: OwnedFd) -> Socket {
        Socket { fd }
    }

    /// What it speaks.
    pub fn protocol(&self) -> Protocol {
        let family = sockopt::socket_domain(&self.fd);
        if !matches!(family, Ok(AddressFamily::INET | AddressFamily::INET6)) {
            return Protocol::Other;
        }
        let number = sockopt::socket_protocol(&self.fd).ok().flatten().map(|p| p.as_raw().get());
        match sockopt::socket_type(&self.fd) {
            Ok(SocketType::STREAM) => match number {
                Some(number) if i64::from(number) == i64::from(libc::IPPROTO_TCP) => Protocol::Tcp,
                Some(MULTIPATH_TCP) => Protocol::Tcp,
                _ => Protocol::Other,
            },
            Ok(SocketType::DGRAM) => Protocol::Udp,
            _ => Protocol::Other,
        }
    }

    /// Whether an IPv6 socket takes no IPv4.
    pub fn is_v6_only(&self) -> bool {
        sockopt::ipv6_v6only(&self.fd).unwrap_or(false)
    }

    /// Lets an IPv6 socket take IPv4, or not.
    ///
    /// # Errors
    /// It is bound already.
    pub fn set_v6_only(&self, only: bool) -> io::Result<()> {
        Ok(sockopt::set_ipv6_v6only(&self.fd, only)?)
    }

    /// Whether its calls return at once. A shared flag: it is the other process's as well.
    pub fn is_nonblocking(&self) -> bool {
        rustix::fs::fcntl_getfl(&self.fd).is_ok_and(|flags| flags.contains(OFlags::NONBLOCK))
    }

    /// Where it is bound; port 0 when it is not.
    ///
    /// # Errors
    /// It is no socket of a family with ports.
    pub fn local(&self) -> io::Result<SocketAddr> {
        Ok(SocketAddr::try_from(rustix::net::getsockname(&self.fd)?)?)
    }

    /// The kernel's number for the socket, by which socket lists name it.
    pub fn inode(&self) -> Option<u64> {
        rustix::fs::fstat(&self.fd).ok().map(|stat| stat.st_ino)
    }

    /// Whether it binds where a reservation or connections of an earlier server are.
    pub fn shares_address(&self) -> bool {
        sockopt::socket_reuseaddr(&self.fd).unwrap_or(false)
    }

    /// Lets it do so, or not.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`, none of which is to be expected.
    pub fn share_address(&self, shares: bool) -> io::Result<()> {
        Ok(sockopt::set_socket_reuseaddr(&self.fd, shares)?)
    }

    /// `bind(2)`
    ///
    /// # Errors
    /// As the call's.
    pub fn bind(&self, address: SocketAddr) -> io::Result<()> {
        Ok(rustix::net::bind(&self.fd, &address)?)
    }

    /// `listen(2)`
    ///
    /// # Errors
    /// As the call's.
    pub fn listen(&self, backlog: i32) -> io::Result<()> {
        Ok(rustix::net::listen(&self.fd, backlog)?)
    }

    /// `connect(2)`, which returns at once whatever the socket is: the flag that says so is shared with
    /// the other process, which is stopped, and is put back.
    ///
    /// # Errors
    /// As the call's: `EINPROGRESS` when the connection is begun.
    pub fn begin_connect(&self, address: SocketAddr) -> io::Result<()> {
        let flags = rustix::fs::fcntl_getfl(&self.fd)?;
        rustix::fs::fcntl_setfl(&self.fd, flags | OFlags::NONBLOCK)?;
        let result = rustix::net::connect(&self.fd, &address);
        rustix::fs::fcntl_setfl(&self.fd, flags)?;
        Ok(result?)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// What a descriptor of another process speaks, by the name that the kernel gives of every socket.
/// Nothing is duplicated, so it works where that is refused.
///
/// # Errors
/// `EACCES` for a process that may not be inspected, `EBADF` where the descriptor is none.
pub(super) fn protocol_of(pid: u32, fd: i32) -> io::Result<Protocol> {
    let path = CString::new(format!("/proc/{pid}/fd/{fd}"))?;
    let mut name = [0u8; 32];
    let length = match rustix::fs::getxattr(path, c"system.sockprotoname", &mut name[..]) {
        Ok(length) => length,
        Err(Errno::NOENT) => return Err(Errno::BADF.into()),
        // No socket has no such name.
        Err(Errno::OPNOTSUPP | Errno::NODATA) => return Ok(Protocol::Other),
        Err(error) => return Err(error.into()),
    };
    // The name ends with a zero byte.
    let name = name.get(..length).and_then(|name| std::str::from_utf8(name).ok());
    Ok(protocol_by_name(name.unwrap_or_default().trim_end_matches('\0')))
}

/// What the kernel's name of a protocol (`/proc/net/protocols`) means.
pub fn protocol_by_name(name: &str) -> Protocol {
    match name {
        "TCP" | "TCPv6" | "MPTCP" | "MPTCPv6" => Protocol::Tcp,
        "UDP" | "UDPv6" | "UDP-Lite" | "UDPLITE" | "UDPLITEv6" => Protocol::Udp,
        _ => Protocol::Other,
    }
}

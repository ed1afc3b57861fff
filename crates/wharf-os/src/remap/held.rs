//! A listening socket that outlives the servers that accept from it.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use super::call::duplicate;

/// How many connections may wait while no server accepts; the kernel cuts it to `somaxconn`.
const BACKLOG: i32 = 4096;

/// A listener of ours, or a duplicate of a server's. While it is open, connections wait in its queue
/// and none is refused, whether a server accepts or not.
#[derive(Debug)]
pub struct Held {
    fd: OwnedFd,
}

impl Held {
    /// Begins to listen, over a shared reservation of the port.
    ///
    /// # Errors
    /// Another listens there, or the address is none of this machine's.
    pub fn open(address: SocketAddr) -> io::Result<Held> {
        let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let fd = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
        sockopt::set_socket_reuseaddr(&fd, true)?;
        rustix::net::bind(&fd, &address)?;
        let held = Held { fd };
        held.listen_again()?;
        Ok(held)
    }

    /// A duplicate of the listener that one of these processes has under this number of the kernel's.
    ///
    /// # Errors
    /// None of them has it, or they may not be looked into.
    pub fn of_processes(pids: &[u32], inode: u64) -> io::Result<Held> {
        let name = format!("socket:[{inode}]");
        let mut refusal: io::Error = io::ErrorKind::NotFound.into();
        for pid in pids {
            let Ok(entries) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { continue };
            for entry in entries.flatten() {
                let is_it = std::fs::read_link(entry.path())
                    .is_ok_and(|link| link.as_os_str() == name.as_str());
                let number = entry.file_name().to_str().and_then(|text| text.parse().ok());
                let Some(number) = number.filter(|_| is_it) else { continue };
                match duplicate(*pid, number) {
                    // Another may have got the process's number in between.
                    Ok(fd) if inode_of(&fd) == Some(inode) => return Ok(Held { fd }),
                    Ok(_) => {}
                    Err(error) => refusal = error,
                }
            }
        }
        Err(refusal)
    }

    /// Where it listens.
    ///
    /// # Errors
    /// Those of `getsockname(2)`, none of which is to be expected.
    pub fn address(&self) -> io::Result<SocketAddr> {
        Ok(SocketAddr::try_from(rustix::net::getsockname(&self.fd)?)?)
    }

    /// The kernel's number for it.
    pub fn inode(&self) -> Option<u64> {
        inode_of(&self.fd)
    }

    /// Whether it listens: a server that calls `shutdown` on its listener ends that for all who have it.
    pub fn is_listening(&self) -> bool {
        sockopt::socket_acceptconn(&self.fd).unwrap_or(false)
    }

    /// Ends it for all who have it: whoever waits in `accept` is told so.
    pub fn end(&self) {
        let _ = rustix::net::shutdown(&self.fd, rustix::net::Shutdown::Both);
    }

    /// Listens, where a server has ended that.
    ///
    /// # Errors
    /// Another listens there by now.
    pub fn listen_again(&self) -> io::Result<()> {
        Ok(rustix::net::listen(&self.fd, BACKLOG)?)
    }

    /// Whether a connection waits to be accepted.
    pub fn has_waiting(&self) -> bool {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let mut fds = [PollFd::new(&self.fd, PollFlags::IN)];
        rustix::event::poll(&mut fds, Some(&now)).is_ok()
            && fds[0].revents().contains(PollFlags::IN)
    }
}

fn inode_of(fd: &OwnedFd) -> Option<u64> {
    rustix::fs::fstat(fd).ok().map(|stat| stat.st_ino)
}

impl AsFd for Held {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Held {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

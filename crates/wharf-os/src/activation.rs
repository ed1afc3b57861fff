//! Listening sockets that systemd opened for this process (`sd_listen_fds(3)`): ports that this user may
//! not bind.

use std::net::TcpListener;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};
use rustix::net::{AddressFamily, SocketType, sockopt};

/// The first passed descriptor (`SD_LISTEN_FDS_START`).
const FIRST: RawFd = 3;
/// How many are taken at most.
const MOST: RawFd = 32;

/// The TCP listeners that were passed, each with the name that its unit gives it (`FileDescriptorName=`),
/// else the unit's own. Descriptors of other kinds are left alone. To be called once, before anything else
/// opens a descriptor: what was not passed must not be taken for it.
pub fn listeners() -> Vec<(String, TcpListener)> {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u32>().ok();
    if number("LISTEN_PID") != Some(std::process::id()) {
        return Vec::new();
    }
    let count = number("LISTEN_FDS").and_then(|count| RawFd::try_from(count).ok()).unwrap_or(0);
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    let fds = FIRST..FIRST.saturating_add(count.clamp(0, MOST));
    fds.filter_map(|fd| Some((names.next().unwrap_or_default().to_owned(), listener(fd)?)))
        .collect()
}

/// The descriptor as a listener, if it is one.
fn listener(fd: RawFd) -> Option<TcpListener> {
    // SAFETY: the caller's contract and LISTEN_PID say that the descriptor was passed to this process, open,
    // for it to own; nothing here has it yet.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    let flags = fcntl_getfd(&fd);
    let tcp = sockopt::socket_type(&fd) == Ok(SocketType::STREAM)
        && matches!(sockopt::socket_domain(&fd), Ok(AddressFamily::INET | AddressFamily::INET6))
        && sockopt::socket_acceptconn(&fd) == Ok(true);
    match (tcp, flags) {
        (true, Ok(flags)) => {
            fcntl_setfd(&fd, flags | FdFlags::CLOEXEC).ok()?;
            Some(TcpListener::from(fd))
        }
        // Not open, or for whoever knows what it is: it is not ours to close.
        _ => {
            std::mem::forget(fd);
            None
        }
    }
}

//! Who is at the other end of a Unix socket, as the kernel recorded it when they connected.

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsFd, AsRawFd};

/// The process that connected, or that made the pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its number then; `None` when it lies outside our pid namespace. It may have ended since.
    pub pid: Option<u32>,
    /// Its effective user then.
    pub uid: u32,
    /// Its effective group then.
    pub gid: u32,
}

/// Asks `SO_PEERCRED`.
///
/// # Errors
/// `NotConnected` when the socket has no peer or is not a Unix socket, else those of
/// `getsockopt(2)`.
pub fn credentials(socket: &impl AsFd) -> io::Result<Peer> {
    let mut answer = MaybeUninit::<libc::ucred>::zeroed();
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // `rustix` has this call, but its pid cannot be 0, which the kernel does answer.
    // SAFETY: the answer has `length` bytes, and both outlive the call.
    let status = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            answer.as_mut_ptr().cast(),
            &mut length,
        )
    };
    if status != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: all bytes were zeroed, which is a valid value of this plain C struct.
    let answer = unsafe { answer.assume_init() };
    // Without a peer the kernel answers with the user -1 and no error.
    if answer.uid == u32::MAX {
        return Err(io::ErrorKind::NotConnected.into());
    }
    let pid = u32::try_from(answer.pid).ok().filter(|pid| *pid != 0);
    Ok(Peer { pid, uid: answer.uid, gid: answer.gid })
}

/// The effective user of the peer.
///
/// # Errors
/// As [`credentials`].
pub fn uid(socket: &impl AsFd) -> io::Result<u32> {
    Ok(credentials(socket)?.uid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::{UnixDatagram, UnixStream};

    #[test]
    fn the_peer_of_a_pair_is_ourselves() {
        let (one, _other) = UnixStream::pair().unwrap();
        let peer = credentials(&one).unwrap();
        assert_eq!(peer.pid, Some(std::process::id()));
        assert_eq!(peer.uid, crate::user::current_uid());
        assert_eq!(uid(&one).unwrap(), peer.uid);
    }

    #[test]
    fn a_socket_without_peer_is_an_error_and_not_root() {
        let lonely = UnixDatagram::unbound().unwrap();
        assert_eq!(uid(&lonely).unwrap_err().kind(), io::ErrorKind::NotConnected);
        let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(uid(&tcp).is_err());
        assert!(uid(&std::fs::File::open("/dev/null").unwrap()).is_err());
    }
}

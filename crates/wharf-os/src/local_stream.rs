//! Connections to a Unix socket with an end to every wait.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::net::sockopt::{self, Timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

/// Connects. Neither this, for which the listener's queue must have room, nor one read or write
/// afterwards takes longer than the limit: it then fails with `EAGAIN`.
///
/// # Errors
/// Those of `connect(2)`; `ENOENT` and `ECONNREFUSED` where nobody listens.
pub fn connect(path: &Path, limit: Duration) -> io::Result<UnixStream> {
    let socket = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    // The kernel bounds `connect` by the limit for sending.
    sockopt::set_socket_timeout(&socket, Timeout::Send, Some(limit))?;
    sockopt::set_socket_timeout(&socket, Timeout::Recv, Some(limit))?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(UnixStream::from(socket))
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::UnixListener;

    use super::*;

    /// Short, since it is waited for in full.
    const LIMIT: Duration = Duration::from_millis(20);

    #[test]
    fn nobody_there_is_told_at_once_and_silence_ends() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        assert_eq!(connect(&path, LIMIT).unwrap_err().kind(), io::ErrorKind::NotFound);
        let _listener = UnixListener::bind(&path).unwrap();
        let mut stream = connect(&path, LIMIT).unwrap();
        let error = stream.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn a_full_queue_ends_the_wait() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let mut waiting = Vec::new();
        let refused = loop {
            match connect(&path, LIMIT) {
                Ok(stream) => waiting.push(stream),
                Err(error) => break error,
            }
        };
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
    }
}

//! Listening sockets from one process to the next, so that no connection is refused in between.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::{passing, peer, user};

/// How long a successor waits for one listener, and a predecessor for its being taken.
const PATIENCE: Duration = Duration::from_secs(1);
/// The length of each packet, in bytes: a name, filled up with zeros.
const NAME: usize = 16;
/// How many listeners are taken over at most.
const MOST: usize = 256;

/// A place where a successor can fetch listeners. Removed when dropped.
#[derive(Debug)]
pub struct Offer {
    listener: UnixListener,
    path: PathBuf,
}

impl Offer {
    /// Opens the place; a socket that lies there is a dead predecessor's. The caller sees to it that the
    /// folder is private.
    ///
    /// # Errors
    /// The system refuses.
    pub fn open(path: &Path) -> io::Result<Offer> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        Ok(Offer { listener, path: path.to_owned() })
    }

    /// Waits for a successor of the same user and gives it the listeners, each with its name of 16 bytes
    /// at most. Whether one has come in time.
    ///
    /// # Errors
    /// It came and went away again.
    pub fn give(self, listeners: &[(String, TcpListener)], patience: Duration) -> io::Result<bool> {
        let deadline = Instant::now() + patience;
        while wait(self.listener.as_fd(), deadline)? {
            let (stream, _) = self.listener.accept()?;
            if peer::uid(&stream)? != user::current_uid() {
                continue;
            }
            for (name, listener) in listeners {
                let mut packet = [0; NAME];
                let length = name.len().min(NAME);
                packet[..length].copy_from_slice(&name.as_bytes()[..length]);
                passing::send(stream.as_fd(), &packet, Some(listener.as_fd()))?;
            }
            return Ok(true);
        }
        Ok(false)
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        // What stays behind leads nowhere and is removed by the next offer.
        let _ = fs::remove_file(&self.path);
    }
}

/// Fetches the listeners that a predecessor offers; none where there is no offer.
pub fn take(path: &Path) -> Vec<(String, TcpListener)> {
    let Ok(stream) = UnixStream::connect(path) else { return Vec::new() };
    let ours = peer::uid(&stream).is_ok_and(|uid| uid == user::current_uid());
    let mut taken = Vec::new();
    while ours && taken.len() < MOST {
        match wait(stream.as_fd(), Instant::now() + PATIENCE) {
            Ok(true) => {}
            _ => break,
        }
        let mut packet = [0; NAME];
        match passing::receive(stream.as_fd(), &mut packet) {
            Ok(Some((NAME, Some(fd)))) => {
                let name = String::from_utf8_lossy(&packet);
                taken.push((name.trim_end_matches('\0').to_owned(), TcpListener::from(fd)));
            }
            _ => break,
        }
    }
    taken
}

/// Whether there is something to read before the deadline.
fn wait(fd: BorrowedFd<'_>, deadline: Instant) -> io::Result<bool> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
        match poll(&mut fds, Some(&left)) {
            Ok(ready) => return Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn a_connection_that_came_before_the_successor_is_accepted_by_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("handover.sock");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut early = TcpStream::connect(address).unwrap();
        early.write_all(b"hello").unwrap();
        let offer = Offer::open(&path).unwrap();
        let giver = std::thread::spawn(move || {
            offer.give(&[("http".into(), listener)], Duration::from_secs(30))
        });
        let taken = take(&path);
        assert!(giver.join().unwrap().unwrap());
        assert_eq!((taken.len(), taken[0].0.as_str()), (1, "http"));
        let (mut stream, _) = taken[0].1.accept().unwrap();
        let mut bytes = [0; 5];
        stream.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"hello");
        assert!(!path.exists());
    }

    #[test]
    fn without_an_offer_or_a_successor_nothing_happens() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("handover.sock");
        assert!(take(&path).is_empty());
        assert!(!Offer::open(&path).unwrap().give(&[], Duration::ZERO).unwrap());
    }
}

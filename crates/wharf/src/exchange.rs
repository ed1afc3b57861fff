//! One question over TCP to a server of this machine, bounded in time and bytes.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How much is read at a time, in bytes.
const PIECE: usize = 16 * 1024;

/// How long an exchange may take, and how much of the answer is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// From the first byte of the connection to the last of the answer.
    pub(crate) within: Duration,
    /// Bytes of the answer.
    pub(crate) bytes: usize,
}

/// A connection with a deadline.
pub(crate) struct Exchange {
    stream: TcpStream,
    deadline: Instant,
    bytes: usize,
}

impl Exchange {
    /// Connects. No byte is sent.
    ///
    /// # Errors
    /// Nobody listens, or not in time.
    pub(crate) fn open(to: SocketAddr, bounds: Bounds) -> io::Result<Exchange> {
        let deadline = Instant::now() + bounds.within;
        let stream = TcpStream::connect_timeout(&to, left(deadline)?)?;
        Ok(Exchange { stream, deadline, bytes: bounds.bytes })
    }

    /// Sends, and reads until the answer is enough, as long as is allowed, or has come to its end. What has come when
    /// the time is over is the answer; nothing at all is an error.
    ///
    /// # Errors
    /// The connection broke, or nothing came in time.
    pub(crate) fn ask(
        &mut self,
        question: &[u8],
        is_enough: impl Fn(&[u8]) -> bool,
    ) -> io::Result<Vec<u8>> {
        self.stream.set_write_timeout(Some(left(self.deadline)?))?;
        self.stream.write_all(question)?;
        let mut answer = Vec::new();
        let mut piece = vec![0; PIECE];
        while answer.len() < self.bytes && !is_enough(&answer) {
            match self.read(&mut piece) {
                Ok(0) => break,
                Ok(length) => answer.extend_from_slice(&piece[..length]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if answer.is_empty() => return Err(error),
                Err(_) => break,
            }
        }
        answer.truncate(self.bytes);
        Ok(answer)
    }

    fn read(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(left(self.deadline)?))?;
        // A blocking socket says that it would block when its time is over.
        self.stream.read(piece).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock => ErrorKind::TimedOut.into(),
            _ => error,
        })
    }
}

fn left(deadline: Instant) -> io::Result<Duration> {
    match deadline.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(ErrorKind::TimedOut.into()),
        left => Ok(left),
    }
}

/// Whether the head of an answer over HTTP has come.
pub(crate) fn has_head(answer: &[u8]) -> bool {
    answer.windows(4).any(|bytes| bytes == b"\r\n\r\n")
}

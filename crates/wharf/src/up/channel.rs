//! The line between `wharf up` and a pilot.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

/// The longest document, in bytes.
const LONGEST: u64 = 4 * 1024 * 1024;

/// One end of the line.
#[derive(Debug)]
pub(crate) struct Channel {
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
}

impl Channel {
    /// Two ends: one for here, one for a process that is about to be started.
    ///
    /// # Errors
    /// There are too many descriptors.
    pub(crate) fn pair() -> io::Result<(Channel, OwnedFd)> {
        let (ours, theirs) = StdStream::pair()?;
        Ok((Channel::new(ours.into())?, theirs.into()))
    }

    /// The end that a process was started with.
    ///
    /// # Errors
    /// It is no socket.
    pub(crate) fn new(fd: OwnedFd) -> io::Result<Channel> {
        let stream = StdStream::from(fd);
        stream.local_addr()?;
        stream.set_nonblocking(true)?;
        let (read, write) = UnixStream::from_std(stream)?.into_split();
        Ok(Channel { read: BufReader::new(read), write })
    }

    /// Says one document.
    ///
    /// # Errors
    /// The other side has gone.
    pub(crate) async fn say(&mut self, document: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec(document)?;
        text.push(b'\n');
        self.write.write_all(&text).await
    }

    /// The next document; `None` when the other side has gone.
    ///
    /// # Errors
    /// It is none that is understood here.
    pub(crate) async fn hear<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        let mut line = Vec::new();
        let read = (&mut self.read).take(LONGEST).read_until(b'\n', &mut line).await;
        match read {
            Ok(0) => Ok(None),
            Ok(_) => Ok(Some(serde_json::from_slice(&line)?)),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(None),
            Err(error) => Err(error),
        }
    }
}

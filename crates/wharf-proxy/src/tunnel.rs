//! Bytes both ways until both sides have said their last word; no limit on silence.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::shared::Shared;

/// One direction.
struct Half {
    /// What could not be sent yet. Nothing is held of a connection that is silent.
    out: BytesMut,
    state: State,
    moved: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// The source has said its last word, which is to be told.
    Ending,
    Done,
}

impl Half {
    fn new(out: BytesMut) -> Half {
        Half { out, state: State::Open, moved: 0 }
    }

    fn poll<S: AsyncRead + Unpin, D: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut S,
        sink: &mut D,
        scratch: &mut [u8],
    ) -> Poll<io::Result<()>> {
        loop {
            while !self.out.is_empty() {
                match ready!(Pin::new(&mut *sink).poll_write(cx, &self.out))? {
                    0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    sent => self.out.advance(sent),
                }
            }
            // Empty: what it grew to is given back.
            self.out = BytesMut::new();
            match self.state {
                State::Done => return Poll::Ready(Ok(())),
                State::Ending => {
                    // A peer that is gone has heard the last word in its own way.
                    let _ = ready!(Pin::new(&mut *sink).poll_shutdown(cx));
                    self.state = State::Done;
                    continue;
                }
                State::Open => {}
            }
            let mut buffer = ReadBuf::new(scratch);
            match Pin::new(&mut *source).poll_read(cx, &mut buffer)? {
                Poll::Pending => {
                    let _ = Pin::new(&mut *sink).poll_flush(cx)?;
                    return Poll::Pending;
                }
                Poll::Ready(()) if buffer.filled().is_empty() => self.state = State::Ending,
                Poll::Ready(()) => {
                    let data = buffer.filled();
                    self.moved += data.len() as u64;
                    let sent = match Pin::new(&mut *sink).poll_write(cx, data)? {
                        Poll::Ready(sent) => sent,
                        Poll::Pending => 0,
                    };
                    self.out.extend_from_slice(&data[sent..]);
                }
            }
        }
    }
}

/// Moves bytes between two streams, each with what has already been read of it, until both directions
/// have ended. Gives how many bytes went to the first, and whether something broke.
pub(crate) async fn run<A, B>(
    (one, read_of_one): (&mut A, BytesMut),
    (two, read_of_two): (&mut B, BytesMut),
    shared: &Shared,
) -> (u64, io::Result<()>)
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let mut up = Half::new(read_of_one);
    let mut down = Half::new(read_of_two);
    let ended = poll_fn(|cx| {
        let mut scratch = shared.scratch();
        let upward = up.poll(cx, one, two, &mut scratch)?;
        let downward = down.poll(cx, two, one, &mut scratch)?;
        match (upward, downward) {
            (Poll::Ready(()), Poll::Ready(())) => Poll::Ready(Ok::<(), io::Error>(())),
            _ => Poll::Pending,
        }
    })
    .await;
    (down.moved, ended)
}

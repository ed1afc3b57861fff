//! One body on its way: from whoever sends it to whoever gets it, in the framing of each.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::chunked::Step;
use super::decode::Decoder;
use super::parse::Framing;
use super::write;

/// Less than this is copied behind what waits in front of it: that takes less time than a second part.
const COPIED: usize = 2048;

/// Why a body did not arrive.
#[derive(Debug)]
pub(crate) enum Broken {
    /// Whoever sends it is gone, or stopped in the middle.
    Source(io::Error),
    /// Whoever gets it is gone.
    Sink(io::Error),
    /// It is not what its framing says.
    Framing(&'static str),
}

/// A body under way.
#[derive(Debug)]
pub(crate) struct Pipe {
    incoming: Decoder,
    /// Whether it goes out in chunks; else as it is.
    chunked: bool,
    /// Written, and not yet sent: the head in front of the body, and what did not fit.
    pub(crate) out: BytesMut,
    done: bool,
    /// Whether any of it, or of the head, has been sent.
    pub(crate) begun: bool,
    /// How many bytes of body have passed.
    pub(crate) moved: u64,
}

impl Pipe {
    /// A body with a head in front of it.
    pub(crate) fn new(framing: Framing, chunked: bool, head: BytesMut) -> Pipe {
        let incoming = Decoder::new(framing);
        let done = incoming.is_over();
        Pipe { incoming, chunked, out: head, done, begun: false, moved: 0 }
    }

    /// Whether everything has been read and written.
    pub(crate) fn is_done(&self) -> bool {
        self.done && self.out.is_empty()
    }

    /// Moves what can be moved. `input` is what has been read of the source already, and gets what
    /// lies behind the body.
    pub(crate) fn poll<S: AsyncRead + Unpin, D: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        (source, input): (&mut S, &mut BytesMut),
        sink: &mut D,
        scratch: &mut [u8],
    ) -> Poll<Result<(), Broken>> {
        loop {
            if !self.done && !input.is_empty() {
                let used = self.feed(cx, input, sink)?;
                input.advance(used);
                if input.is_empty() {
                    // A stream may go on for hours with what it began with.
                    *input = BytesMut::new();
                }
            }
            ready!(self.send(cx, sink))?;
            if self.done {
                return Pin::new(&mut *sink).poll_flush(cx).map_err(Broken::Sink);
            }
            if !input.is_empty() {
                continue;
            }
            let mut buffer = ReadBuf::new(scratch);
            match Pin::new(&mut *source).poll_read(cx, &mut buffer) {
                Poll::Pending => {
                    // What was written shall arrive although nothing follows yet.
                    let _ = Pin::new(&mut *sink).poll_flush(cx).map_err(Broken::Sink)?;
                    return Poll::Pending;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Broken::Source(error))),
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => self.end_of_source()?,
                Poll::Ready(Ok(())) => {
                    let data = buffer.filled();
                    let used = self.feed(cx, data, sink)?;
                    input.extend_from_slice(&data[used..]);
                }
            }
        }
    }

    fn send<D: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        sink: &mut D,
    ) -> Poll<Result<(), Broken>> {
        while !self.out.is_empty() {
            let sent = ready!(Pin::new(&mut *sink).poll_write(cx, &self.out));
            match sent.map_err(Broken::Sink)? {
                0 => return Poll::Ready(Err(Broken::Sink(io::ErrorKind::WriteZero.into()))),
                sent => {
                    self.begun = true;
                    self.out.advance(sent);
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn end_of_source(&mut self) -> Result<(), Broken> {
        match self.incoming.may_end() {
            true => self.end(),
            false => Err(Broken::Source(io::ErrorKind::UnexpectedEof.into())),
        }
    }

    /// Takes data that has arrived; gives how much of it belongs to the body.
    fn feed<D: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        data: &[u8],
        sink: &mut D,
    ) -> Result<usize, Broken> {
        let mut used = 0;
        while used < data.len() && !self.done {
            match self.incoming.step(&data[used..]).map_err(Broken::Framing)? {
                Step::Framing(length) => used += length,
                Step::Data(length) => {
                    self.pass(cx, &data[used..used + length], sink)?;
                    used += length;
                }
                Step::End(length) => {
                    used += length;
                    self.end()?;
                }
            }
            if self.incoming.is_over() && !self.done {
                self.end()?;
            }
        }
        Ok(used)
    }

    /// Sends data of the body, or keeps it until it can be sent.
    fn pass<D: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        data: &[u8],
        sink: &mut D,
    ) -> Result<(), Broken> {
        self.moved += data.len() as u64;
        if self.chunked {
            write::chunk(&mut self.out, data);
            return Ok(());
        }
        // A head that waits goes out with the beginning of its body, in one write.
        let waits = self.out.len();
        let sent = match waits {
            0 => Pin::new(sink).poll_write(cx, data),
            _ if data.len() < COPIED => Poll::Pending,
            _ => {
                let both = [IoSlice::new(&self.out), IoSlice::new(data)];
                Pin::new(sink).poll_write_vectored(cx, &both)
            }
        };
        let mut rest = data;
        if let Poll::Ready(sent) = sent {
            let sent = sent.map_err(Broken::Sink)?;
            self.begun |= sent > 0;
            self.out.advance(sent.min(waits));
            rest = &data[sent.saturating_sub(waits)..];
        }
        self.out.extend_from_slice(rest);
        Ok(())
    }

    fn end(&mut self) -> Result<(), Broken> {
        self.done = true;
        if self.chunked {
            let out = &mut self.out;
            out.extend_from_slice(b"0\r\n");
            let trailers =
                self.incoming.trailers(&mut |name, value| write::field(out, name, value));
            trailers.map_err(Broken::Framing)?;
            self.out.extend_from_slice(b"\r\n");
        }
        Ok(())
    }
}

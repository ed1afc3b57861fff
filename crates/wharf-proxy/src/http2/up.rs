//! Bodies of requests to servers that speak HTTP/2.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::http::HeaderMap;
use tokio::sync::mpsc;

use crate::http1::chunked::may_trail;

/// Pieces that have been read of a body and not yet been sent.
const PIECES_MAX: usize = 2;

/// The body of a request.
pub(crate) enum Up {
    /// A client's that speaks HTTP/2.
    Http2(Incoming),
    /// A client's that speaks HTTP/1; nothing where there is none.
    Http1(Option<Pieces>),
}

/// What has come of a body, in order.
pub(crate) struct Pieces {
    pieces: mpsc::Receiver<Piece>,
    length: Option<u64>,
}

/// A part of a body.
pub(crate) enum Piece {
    Data(Bytes),
    /// The end, with what follows it. A body without one has been broken off.
    End(HeaderMap),
}

/// The body, and where its pieces go. `length` is how long it says to be.
pub(crate) fn pieces(length: Option<u64>) -> (mpsc::Sender<Piece>, Up) {
    let (sender, pieces) = mpsc::channel(PIECES_MAX);
    (sender, Up::Http1(Some(Pieces { pieces, length })))
}

/// Takes away what no trailer may say.
pub(super) fn filtered(frame: Frame<Bytes>) -> Frame<Bytes> {
    match frame.into_trailers() {
        Ok(trailers) => {
            let mut left = HeaderMap::new();
            for (name, value) in trailers.iter().filter(|(name, _)| may_trail(name.as_str())) {
                left.append(name, value.clone());
            }
            Frame::trailers(left)
        }
        Err(frame) => frame,
    }
}

impl Body for Up {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let body = match self.get_mut() {
            Up::Http2(body) => {
                let frame = ready!(Pin::new(body).poll_frame(cx));
                return Poll::Ready(frame.map(|frame| Ok(filtered(frame?))));
            }
            Up::Http1(body) => body,
        };
        let Some(Pieces { pieces, .. }) = body else { return Poll::Ready(None) };
        match ready!(pieces.poll_recv(cx)) {
            Some(Piece::Data(data)) => Poll::Ready(Some(Ok(Frame::data(data)))),
            Some(Piece::End(trailers)) => {
                *body = None;
                Poll::Ready((!trailers.is_empty()).then(|| Ok(Frame::trailers(trailers))))
            }
            // The server must not take it for complete.
            None => Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Up::Http2(body) => body.is_end_stream(),
            Up::Http1(body) => body.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Up::Http2(body) => body.size_hint(),
            Up::Http1(None) => SizeHint::with_exact(0),
            Up::Http1(Some(body)) => body.length.map(SizeHint::with_exact).unwrap_or_default(),
        }
    }
}

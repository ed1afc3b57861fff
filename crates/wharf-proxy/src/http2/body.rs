//! Bodies of answers, whoever gives them.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::http::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncRead, ReadBuf, WriteHalf};
use tokio::task::JoinHandle;

use super::up::filtered;
use crate::http1::chunked::Step;
use crate::http1::decode::Decoder;
use crate::http1::parse::Framing;
use crate::shared::Shared;
use crate::upstream::{Connection, Reading, Stream};

/// The task that sends a request's body; gives its half of the connection back when all is sent. It
/// ends with whoever waits for the answer: a server that reads nothing would keep it for ever.
pub(super) struct Pump(JoinHandle<Option<WriteHalf<Stream>>>);

impl Pump {
    pub(super) fn start(
        sending: impl Future<Output = Option<WriteHalf<Stream>>> + 'static,
    ) -> Pump {
        Pump(tokio::task::spawn_local(sending))
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The body of an answer.
pub(super) enum Out {
    /// The proxy's own.
    Own(Full<Bytes>),
    /// An upstream's that speaks HTTP/1.
    Http1(Box<FromHttp1>),
    /// An upstream's that speaks HTTP/2.
    Http2(Incoming),
}

/// What is read from.
pub(super) enum Source {
    /// Nobody else has it.
    Whole(Connection),
    /// A request's body may still be on its way.
    Half(Reading, Pump),
}

impl Source {
    fn parts(&mut self) -> (&mut (dyn AsyncRead + Unpin), &mut BytesMut) {
        match self {
            Source::Whole(connection) => (&mut connection.stream, &mut connection.input),
            Source::Half(reading, _) => (&mut reading.stream, &mut reading.input),
        }
    }

    pub(super) fn input(&mut self) -> &mut BytesMut {
        self.parts().1
    }

    /// Reads more into the input; 0 at the end.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        shared: &Shared,
    ) -> Poll<io::Result<usize>> {
        let mut scratch = shared.scratch();
        let mut buffer = ReadBuf::new(&mut scratch);
        let (stream, input) = self.parts();
        ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
        input.extend_from_slice(buffer.filled());
        Poll::Ready(Ok(buffer.filled().len()))
    }

    pub(super) fn answered(&mut self) {
        match self {
            Source::Whole(connection) => connection.answered(),
            Source::Half(reading, _) => reading.answered(),
        }
    }
}

/// A body that is read from a connection of HTTP/1.
pub(super) struct FromHttp1 {
    /// Taken when the body is at its end.
    source: Option<Source>,
    decoder: Decoder,
    length: Option<u64>,
    reusable: bool,
    shared: Rc<Shared>,
}

impl FromHttp1 {
    pub(super) fn new(
        source: Source,
        framing: Framing,
        reusable: bool,
        shared: Rc<Shared>,
    ) -> Self {
        let length = match framing {
            Framing::Empty => Some(0),
            Framing::Length(length) => Some(length),
            Framing::Chunked | Framing::Close => None,
        };
        let decoder = Decoder::new(framing);
        let mut body = FromHttp1 { source: Some(source), decoder, length, reusable, shared };
        if body.decoder.is_over() {
            body.finish();
        }
        body
    }

    /// The connection goes to the next request, once this one's body has been sent as well.
    fn finish(&mut self) {
        let Some(source) = self.source.take().filter(|_| self.reusable) else { return };
        match source {
            Source::Whole(connection) => self.shared.upstreams.put(connection),
            Source::Half(reading, mut pump) if pump.0.is_finished() => {
                let shared = self.shared.clone();
                tokio::task::spawn_local(async move {
                    if let Ok(Some(write)) = (&mut pump.0).await {
                        shared.upstreams.put(reading.join(write));
                    }
                });
            }
            // The answer is complete, and the body is of no more use.
            Source::Half(..) => {}
        }
    }

    fn trailers(&self) -> io::Result<Option<HeaderMap>> {
        let mut trailers = HeaderMap::new();
        self.decoder
            .trailers(&mut |name, value| {
                let name = HeaderName::from_bytes(name.as_bytes());
                if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
                    trailers.append(name, value);
                }
            })
            .map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))?;
        Ok((!trailers.is_empty()).then_some(trailers))
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        loop {
            let Some(source) = &mut self.source else { return Poll::Ready(None) };
            if source.input().is_empty() {
                match ready!(source.poll_read(cx, &self.shared)) {
                    Ok(1..) => {}
                    Ok(0) if self.decoder.may_end() => {
                        self.source = None;
                        return Poll::Ready(None);
                    }
                    Ok(_) => {
                        self.source = None;
                        return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
                    }
                    Err(error) => return Poll::Ready(Some(Err(error))),
                }
            }
            let input = source.input();
            let step = self.decoder.step(input);
            let step = step.map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why));
            match step {
                Err(error) => {
                    self.source = None;
                    return Poll::Ready(Some(Err(error)));
                }
                Ok(Step::Framing(length)) => drop(input.split_to(length)),
                Ok(Step::Data(length)) => {
                    let data = input.split_to(length).freeze();
                    if self.decoder.is_over() {
                        self.finish();
                    }
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Ok(Step::End(length)) => {
                    drop(input.split_to(length));
                    self.finish();
                    let trailers = self.trailers();
                    return Poll::Ready(trailers.map(|all| all.map(Frame::trailers)).transpose());
                }
            }
        }
    }
}

impl Body for Out {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.get_mut() {
            Out::Own(body) => {
                let Ok(frame) = ready!(Pin::new(body).poll_frame(cx)).transpose();
                Poll::Ready(frame.map(Ok))
            }
            Out::Http1(body) => {
                body.poll_next(cx).map(|frame| frame.map(|f| f.map_err(Into::into)))
            }
            Out::Http2(body) => {
                let frame = ready!(Pin::new(body).poll_frame(cx));
                Poll::Ready(frame.map(|frame| Ok(filtered(frame?))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Out::Own(body) => body.is_end_stream(),
            Out::Http1(body) => body.source.is_none(),
            Out::Http2(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Out::Own(body) => body.size_hint(),
            Out::Http1(body) => body.length.map(SizeHint::with_exact).unwrap_or_default(),
            Out::Http2(body) => body.size_hint(),
        }
    }
}

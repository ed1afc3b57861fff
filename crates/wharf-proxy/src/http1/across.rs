//! A request of HTTP/1 and its answer by a server that speaks HTTP/2.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use bytes::{Buf, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::http::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, Response};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::sync::mpsc::Sender;
use tokio::time::timeout;
use wharf_model::{Protocol, Route};

use super::asked::Asked;
use super::chunked::{Step, may_trail};
use super::decode::Decoder;
use super::exchange::{After, is_of_events, record, refuse};
use super::parse::Framing;
use super::serve::{Client, Io};
use super::write;
use crate::forward::{self, Rules};
use crate::head::{Field, all};
use crate::http2::{Piece, Up, onward, pieces};
use crate::limits::{LINGER, MAX_HEAD, READ_HEAD};
use crate::reach::Visit;
use crate::record::Record;
use crate::refusal::Refusal;
use crate::shared::Shared;

/// Whether a request goes to a server that speaks HTTP/2 alone.
pub(super) fn is_meant(visit: &Visit<'_>) -> bool {
    let table = visit.shared.table();
    let route = table.find(&visit.authority.host, visit.head.target);
    route.is_some_and(|route| route.upstream.protocol == Protocol::H2c)
}

/// Answers one request.
pub(super) async fn exchange<C: Io>(
    client: &mut Client<C>,
    asked: &Asked<'_>,
    begun: Instant,
) -> io::Result<After> {
    let (pieces, body) = body(asked.framing);
    let (route, sender, request) = match prepare(client, asked, body).await {
        Ok(prepared) => prepared,
        Err(refusal) => {
            let (head, then) = (Some(&asked.head), asked.then());
            return refuse(client, &refusal, head, then, begun).await;
        }
    };
    if asked.expects {
        client.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        client.stream.flush().await?;
    }
    let https = client.door.arrival.https;
    let (told, moved, events) = (Cell::new(None), Cell::new(0), Cell::new(false));
    let across = Across { asked, route, begun, https, told, moved, events };
    match across.both(client, pieces, onward::send(sender, request)).await {
        Outcome::Answered(after) => Ok(after),
        Outcome::Bad(why, then) => {
            let refusal = Refusal::BadAnswer { name: across.route.upstream.name.clone(), why };
            refuse(client, &refusal, Some(&asked.head), then, begun).await
        }
        Outcome::Malformed(what) => {
            let refusal = Refusal::Malformed(what);
            refuse(client, &refusal, Some(&asked.head), After::Linger, begun).await
        }
        Outcome::Broken(error) => {
            // To HTTP/1.0 it would look like the end.
            if asked.old {
                client.stream.abort();
            }
            Err(error)
        }
    }
}

/// The body as it goes up, and where its pieces go.
fn body(framing: Framing) -> (Sender<Piece>, Up) {
    match framing {
        Framing::Empty => (pieces(None).0, Up::Http1(None)),
        Framing::Length(length) => pieces(Some(length)),
        Framing::Chunked | Framing::Close => pieces(None),
    }
}

/// Where the request goes, and in which form.
async fn prepare<C: Io>(
    client: &Client<C>,
    asked: &Asked<'_>,
    body: Up,
) -> Result<(Arc<Route>, onward::Sender, Request<Up>), Refusal> {
    let visit = Visit {
        shared: &client.shared,
        door: &client.door,
        authority: &asked.authority,
        head: &asked.head,
        upgrade: asked.upgrade,
    };
    let route = visit.route()?;
    if asked.upgrade {
        let why = "a WebSocket over HTTP/2 is not spoken to servers";
        return Err(Refusal::BadAnswer { name: route.upstream.name.clone(), why });
    }
    let (route, sender) = onward::connect(&visit).await?;
    let rules = Rules {
        arrival: client.door.arrival,
        authority: asked.named,
        origin_form: route.origin_form,
        // Whoever waits for a word is told to go on by us.
        expect: false,
    };
    let request = onward::request(&asked.head, &rules, body)?;
    Ok((route, sender, request))
}

/// A request on its way up and its answer on its way down, at the same time.
struct Across<'a> {
    asked: &'a Asked<'a>,
    route: Arc<Route>,
    begun: Instant,
    https: bool,
    /// The status of the answer, once the client has heard anything of it.
    told: Cell<Option<u16>>,
    /// Bytes of body sent back so far.
    moved: Cell<u64>,
    /// Whether the answer is a stream of events.
    events: Cell<bool>,
}

/// How it ended; the client's connection is whole again.
enum Outcome {
    Answered(After),
    /// The server has said nothing that can be passed on.
    Bad(&'static str, After),
    /// The body of the request is not what its framing says.
    Malformed(&'static str),
    /// The answer stops in the middle, or nobody hears it.
    Broken(io::Error),
}

/// What became of the body.
enum Sent {
    /// All of it has been read, or the server wants no more.
    All,
    Malformed(&'static str),
    /// The client has left.
    Gone,
}

/// What became of the answer.
enum Told {
    All { keep: bool },
    Nothing,
    Broken(io::Error),
}

impl Across<'_> {
    /// Until both have ended, or one of them has nothing more to wait for.
    async fn both<C: Io>(
        &self,
        client: &mut Client<C>,
        pieces: Sender<Piece>,
        answer: impl Future<Output = Result<Response<Incoming>, ()>>,
    ) -> Outcome {
        let keep = self.asked.keep && !client.has_finished() && !client.shared.is_draining();
        let shared = client.shared.clone();
        let (reading, mut writing) = tokio::io::split(&mut client.stream);
        let ended = Cell::new(client.ended);
        let read = Cell::new(false);
        let source = Source { stream: reading, input: &mut client.input, shared: &shared };
        let mut up = pin!(self.up(source, pieces, (&ended, &read)));
        let mut sent = None;
        let told = {
            let mut down = pin!(self.down(&mut writing, answer, keep));
            poll_fn(|cx| {
                if sent.is_none()
                    && let Poll::Ready(outcome) = up.as_mut().poll(cx)
                {
                    sent = Some(outcome);
                }
                if matches!(sent, Some(Sent::Gone | Sent::Malformed(_))) {
                    return Poll::Ready(None);
                }
                match down.as_mut().poll(cx) {
                    // Events have no end to wait for: who says no more has left.
                    Poll::Pending if ended.get() && self.events.get() => Poll::Ready(None),
                    polled => polled.map(Some),
                }
            })
            .await
        };
        self.record(&shared);
        if told.is_some() && !read.get() {
            // The server did not need all of the request to answer.
            let rest = poll_fn(|cx| match up.as_mut().poll(cx) {
                Poll::Pending if !read.get() => Poll::Pending,
                _ => Poll::Ready(()),
            });
            let _ = timeout(LINGER, rest).await;
        }
        client.ended = ended.get();
        let after = |keep| if read.get() { After::of(keep) } else { After::Linger };
        match (told, sent) {
            (Some(Told::All { keep }), _) => Outcome::Answered(after(keep)),
            (Some(Told::Nothing), _) => Outcome::Bad("it broke off", after(keep)),
            (Some(Told::Broken(error)), _) => Outcome::Broken(error),
            (None, Some(Sent::Malformed(what))) if self.told.get().is_none() => {
                Outcome::Malformed(what)
            }
            (None, _) => Outcome::Broken(io::ErrorKind::ConnectionAborted.into()),
        }
    }

    /// Reads the body and hands it on; then looks whether the client is still there.
    async fn up<S: AsyncRead + Unpin>(
        &self,
        mut source: Source<'_, S>,
        pieces: Sender<Piece>,
        (ended, read): (&Cell<bool>, &Cell<bool>),
    ) -> Sent {
        let mut decoder = Decoder::new(self.asked.framing);
        while !decoder.is_over() {
            if source.input.is_empty() && !matches!(source.more().await, Ok(1..)) {
                return Sent::Gone;
            }
            match decoder.step(source.input) {
                Err(what) => return Sent::Malformed(what),
                Ok(Step::Framing(length)) => source.input.advance(length),
                Ok(Step::Data(length)) => {
                    // Whether anybody wants it does not matter to what follows it.
                    let data = source.input.split_to(length).freeze();
                    let _ = pieces.send(Piece::Data(data)).await;
                }
                Ok(Step::End(length)) => {
                    source.input.advance(length);
                    break;
                }
            }
        }
        let trailers = match trailers(&decoder) {
            Ok(trailers) => trailers,
            Err(what) => return Sent::Malformed(what),
        };
        let _ = pieces.send(Piece::End(trailers)).await;
        drop(pieces);
        read.set(true);
        while !ended.get() && source.input.len() < MAX_HEAD {
            match source.more().await {
                Ok(1..) => {}
                Ok(0) => ended.set(true),
                Err(_) => return Sent::Gone,
            }
        }
        Sent::All
    }

    /// Waits for the answer and passes it on.
    async fn down<W: AsyncWrite + Unpin>(
        &self,
        to: &mut W,
        answer: impl Future<Output = Result<Response<Incoming>, ()>>,
        keep: bool,
    ) -> Told {
        let Ok(answer) = answer.await else { return Told::Nothing };
        let (parts, mut body) = answer.into_parts();
        let fields: Vec<Field<'_>> = parts
            .headers
            .iter()
            .map(|(name, value)| Field { name: name.as_str(), value: value.as_bytes() })
            .collect();
        self.events.set(is_of_events(&fields));
        let status = parts.status.as_u16();
        let bare = self.asked.head.method == "HEAD" || matches!(status, 204 | 304);
        let length = body.size_hint().exact().filter(|_| !bare);
        let chunked = !bare && length.is_none() && !self.asked.old;
        let keep = keep && (bare || chunked || length.is_some());
        let mut out = BytesMut::new();
        write::status_line(&mut out, status, parts.status.canonical_reason().unwrap_or_default());
        forward::answer_fields(&fields, &mut |name, value| write::field(&mut out, name, value));
        match length {
            Some(length) => write::length(&mut out, length),
            None if chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
            // The length that the body would have had.
            None if bare && status != 204 => {
                let length = all(&fields, "content-length").next();
                length.iter().for_each(|length| write::field(&mut out, "content-length", length));
            }
            None => {}
        }
        if let Some(id) = &self.route.upstream.instance {
            write::field(&mut out, "x-wharf-instance", id.as_bytes());
        }
        match (keep, self.asked.old) {
            (false, _) => out.extend_from_slice(b"connection: close\r\n"),
            (true, true) => out.extend_from_slice(b"connection: keep-alive\r\n"),
            (true, false) => {}
        }
        out.extend_from_slice(b"\r\n");
        self.told.set(Some(status));
        if let Err(error) = self.pass(&mut body, to, out, chunked).await {
            return Told::Broken(error);
        }
        Told::All { keep }
    }

    /// Sends the head and the body of an answer.
    async fn pass<W: AsyncWrite + Unpin>(
        &self,
        body: &mut Incoming,
        to: &mut W,
        mut out: BytesMut,
        chunked: bool,
    ) -> io::Result<()> {
        let mut trailers = HeaderMap::new();
        loop {
            to.write_all(&out).await?;
            to.flush().await?;
            out.clear();
            let Some(frame) = body.frame().await else { break };
            match frame.map_err(io::Error::other)?.into_data() {
                Ok(data) => {
                    self.moved.set(self.moved.get() + data.len() as u64);
                    match chunked {
                        true => write::chunk(&mut out, &data),
                        false => out.extend_from_slice(&data),
                    }
                }
                Err(frame) => trailers.extend(frame.into_trailers().unwrap_or_default()),
            }
        }
        if chunked {
            out.extend_from_slice(b"0\r\n");
            for (name, value) in trailers.iter().filter(|(name, _)| may_trail(name.as_str())) {
                write::field(&mut out, name.as_str(), value.as_bytes());
            }
            out.extend_from_slice(b"\r\n");
            to.write_all(&out).await?;
            to.flush().await?;
        }
        Ok(())
    }

    /// Tells of what was answered, even if not to the end.
    fn record(&self, shared: &Shared) {
        let Some(status) = self.told.get() else { return };
        shared.log.write(|| Record {
            bytes: self.moved.get(),
            ..record(self.asked, &self.route, self.https, (status, self.begun))
        });
    }
}

/// Where a client's bytes come from.
struct Source<'c, S> {
    stream: S,
    input: &'c mut BytesMut,
    shared: &'c Shared,
}

impl<S: AsyncRead + Unpin> Source<'_, S> {
    /// Reads more into the input; 0 at the end.
    async fn more(&mut self) -> io::Result<usize> {
        poll_fn(|cx| {
            let mut scratch = self.shared.scratch();
            let mut buffer = ReadBuf::new(&mut scratch[..READ_HEAD]);
            std::task::ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
            self.input.extend_from_slice(buffer.filled());
            Poll::Ready(Ok(buffer.filled().len()))
        })
        .await
    }
}

fn trailers(decoder: &Decoder) -> Result<HeaderMap, &'static str> {
    let mut trailers = HeaderMap::new();
    decoder.trailers(&mut |name, value| {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
            trailers.append(name, value);
        }
    })?;
    Ok(trailers)
}

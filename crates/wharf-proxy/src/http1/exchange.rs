//! One request and its answer, between a client that speaks HTTP/1 and an upstream that does.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;
use wharf_model::Route;

use super::across;
use super::asked::Asked;
use super::parse::{self, Finder, Found, Framing};
use super::pipe::{Broken, Pipe};
use super::serve::{Client, Io};
use super::write;
use crate::forward;
use crate::head::{Field, Head, all, tokens};
use crate::limits::{LINGER, MAX_HEAD, READ_HEAD};
use crate::page;
use crate::reach::{Door, Visit, may_ask_again};
use crate::record::{Record, masked, now_ms};
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::tunnel;
use crate::upstream::Connection;

/// What becomes of the client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// It may carry another request.
    Next,
    /// It ends; everything has been said.
    Close,
    /// It ends, and the client may still be sending.
    Linger,
}

impl After {
    /// What follows once everything has been read and said.
    pub(super) fn of(keep: bool) -> After {
        if keep { After::Next } else { After::Close }
    }
}

impl Asked<'_> {
    /// What becomes of the connection when nothing of the body has been read.
    pub(super) fn then(&self) -> After {
        match self.framing {
            Framing::Empty => After::of(self.keep),
            _ => After::Linger,
        }
    }
}

/// Answers one request.
pub(crate) async fn exchange<C: Io>(client: &mut Client<C>, head: BytesMut) -> io::Result<After> {
    let begun = Instant::now();
    let mut store = parse::store();
    let request = match parse::request(&head, &mut store) {
        Ok(request) => request,
        Err(refusal) => return refuse(client, &refusal, None, After::Linger, begun).await,
    };
    let asked = match Asked::read(&request) {
        Ok(asked) => asked,
        Err(refusal) => {
            let head =
                Head { method: request.method, target: request.target, fields: request.fields };
            return refuse(client, &refusal, Some(&head), After::Linger, begun).await;
        }
    };
    let mut tries = 0;
    loop {
        let shared = client.shared.clone();
        let visit = Visit {
            shared: &shared,
            door: &client.door,
            authority: &asked.authority,
            head: &asked.head,
            upgrade: asked.upgrade,
        };
        if across::is_meant(&visit) {
            return across::exchange(client, &asked, begun).await;
        }
        let (route, connection) = match visit.connect(tries > 0).await {
            Ok(reached) => reached,
            Err(refusal) => {
                let (head, then) = (Some(&asked.head), asked.then());
                return refuse(client, &refusal, head, then, begun).await;
            }
        };
        let again = asked.head.is_safe()
            && asked.framing == Framing::Empty
            && may_ask_again(&route, connection.reused, tries);
        match Exchange::new(client, &asked, route, connection, begun).run().await {
            Ok(after) => return after,
            Err(Lost) if again => tries += 1,
            Err(Lost) => {
                let name = Arc::from(asked.authority.host.as_str());
                let why = "it closed the connection without an answer";
                let refusal = Refusal::BadAnswer { name, why };
                return refuse(client, &refusal, Some(&asked.head), asked.then(), begun).await;
            }
        }
    }
}

/// The upstream went away before it had said a word.
struct Lost;

/// The URL by which a request in the clear should have come, if its name has a route.
pub(crate) fn https_url(head: &[u8], door: &Door, shared: &Shared) -> Option<String> {
    let mut store = parse::store();
    let request = parse::request(head, &mut store).ok()?;
    let Asked { authority, named, head, .. } = Asked::read(&request).ok()?;
    let table = shared.table();
    // Whoever comes from beyond this machine learns of no host that is not for them.
    let route = table.find(&authority.host, head.target).filter(|route| route.lan || !door.lan);
    route.map(|_| format!("https://{named}{}", head.target))
}

/// Answers in the proxy's own name. `then` is what is to become of the client's connection.
pub(super) async fn refuse<C: Io>(
    client: &mut Client<C>,
    refusal: &Refusal,
    head: Option<&Head<'_>>,
    then: After,
    begun: Instant,
) -> io::Result<After> {
    let page = match head {
        Some(head) => page::answer(refusal, head),
        None => page::bare(refusal),
    };
    let body = head.is_none_or(|head| head.method != "HEAD");
    let bytes = if body { page.body.len() as u64 } else { 0 };
    client.shared.log.write(|| own_record(client, head, (page.status, bytes), begun));
    // What was not read of a body would be taken for the next request.
    if then == After::Linger {
        client.last_word(&page, body).await?;
        return Ok(After::Close);
    }
    let mut out = BytesMut::new();
    write::page(&mut out, &page, body, then == After::Close);
    client.stream.write_all(&out).await?;
    client.stream.flush().await?;
    Ok(then)
}

fn own_record<C>(
    client: &Client<C>,
    head: Option<&Head<'_>>,
    (status, bytes): (u16, u64),
    begun: Instant,
) -> Record {
    let text = |part: fn(&Head<'_>) -> String| head.map(part).unwrap_or_default();
    Record {
        time_ms: now_ms(),
        host: text(|head| {
            let host = head.all("host").next().unwrap_or_default();
            String::from_utf8_lossy(host).into_owned()
        }),
        method: text(|head| head.method.to_owned()),
        path: text(|head| masked(head.target)),
        status,
        micros: u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
        bytes,
        upstream: None,
        instance: None,
        https: client.door.arrival.https,
        upgraded: false,
    }
}

/// A request on its way up and its answer on its way down, at the same time.
struct Exchange<'c, 'a, C> {
    client: &'c mut Client<C>,
    asked: &'a Asked<'a>,
    route: Arc<Route>,
    upstream: Connection,
    up: Pipe,
    /// Why nothing more goes up, where something should.
    up_broken: bool,
    /// Whether the server has told the client to go on.
    continued: bool,
    begun: Instant,
}

/// What an answer's head means for what follows.
struct Answered {
    status: u16,
    pipe: Pipe,
    /// Whether the client can go on with its connection.
    keep: bool,
    /// Whether the upstream's connection can be used again.
    reusable: bool,
    /// Whether the client was told not to send its body, or may have been.
    unwanted: bool,
    /// Whether it is a stream of events.
    events: bool,
}

/// What an answer's head leads to.
enum Step {
    /// The protocol changes: what the client is told of it.
    Switch(BytesMut),
    /// Another answer follows this one.
    Interim(BytesMut),
    Answer(Answered),
    Bad(&'static str),
}

impl<'c, 'a, C: Io> Exchange<'c, 'a, C> {
    fn new(
        client: &'c mut Client<C>,
        asked: &'a Asked<'a>,
        route: Arc<Route>,
        upstream: Connection,
        begun: Instant,
    ) -> Self {
        let head = asked.written(client.door.arrival, route.origin_form);
        let up = Pipe::new(asked.framing, asked.framing == Framing::Chunked, head);
        Exchange { client, asked, route, upstream, up, up_broken: false, continued: false, begun }
    }

    async fn run(mut self) -> Result<io::Result<After>, Lost> {
        let mut finder = Finder::default();
        loop {
            let length = match self.answer_head(&mut finder).await {
                Ok(Some(length)) => length,
                Ok(None) if self.upstream.input.is_empty() => return Err(Lost),
                Ok(None) => return Ok(self.bad("its head ends in the middle").await),
                Err(HeadError::TooLong) => return Ok(self.bad("its head is too long").await),
                Err(HeadError::Client(error)) => return Ok(Err(error)),
                Err(HeadError::Malformed(what)) => return Ok(self.malformed(what).await),
            };
            self.upstream.answered();
            finder = Finder::default();
            match self.judge(length) {
                Step::Switch(out) => return Ok(self.switch(out).await),
                Step::Interim(out) => {
                    if let Err(error) = self.interim(out).await {
                        return Ok(Err(error));
                    }
                }
                Step::Answer(answered) => return Ok(self.pass(answered).await),
                Step::Bad(why) => return Ok(self.bad(why).await),
            }
        }
    }

    /// Reads an answer's head. Nothing waits meanwhile: what its fields take is not held by connections.
    fn judge(&mut self, length: usize) -> Step {
        let out = self.spare();
        let mut store = parse::store();
        let answer = match parse::answer(&self.upstream.input[..length], &mut store) {
            Ok(answer) => answer,
            Err(why) => return Step::Bad(why),
        };
        let status = answer.status;
        let step = match status {
            101 if self.asked.upgrade && is_websocket(&answer) => Step::Switch(other(&answer, out)),
            101 => Step::Bad("it changes the protocol, which nobody asked for"),
            100..=199 => Step::Interim(other(&answer, out)),
            _ => match self.answered(&answer, out) {
                Ok(answered) => Step::Answer(answered),
                Err(why) => Step::Bad(why),
            },
        };
        self.continued |= status == 100;
        self.upstream.input.advance(length);
        step
    }

    /// A buffer for a head: the one in which the request has gone up, once it has.
    fn spare(&mut self) -> BytesMut {
        let mut out = match self.up.is_done() {
            true => std::mem::take(&mut self.up.out),
            false => BytesMut::new(),
        };
        out.clear();
        out.reserve(512);
        out
    }

    /// Waits for the end of an answer's head while the body goes up. `None`: the upstream has closed.
    async fn answer_head(&mut self, finder: &mut Finder) -> Result<Option<usize>, HeadError> {
        poll_fn(|cx| {
            self.poll_up(cx)?;
            loop {
                match finder.look(&self.upstream.input, false) {
                    Found::Head(length) if length <= MAX_HEAD => {
                        return Poll::Ready(Ok(Some(length)));
                    }
                    Found::More if self.upstream.input.len() <= MAX_HEAD => {}
                    _ => return Poll::Ready(Err(HeadError::TooLong)),
                }
                match self.poll_upstream(cx) {
                    Poll::Ready(Ok(1..)) => {}
                    Poll::Ready(_) => return Poll::Ready(Ok(None)),
                    Poll::Pending => break,
                }
            }
            self.poll_client(cx).map_err(HeadError::Client)?;
            Poll::Pending
        })
        .await
    }

    /// Moves the request. An upstream that takes no more may have answered early.
    fn poll_up(&mut self, cx: &mut Context<'_>) -> Result<(), HeadError> {
        if self.up.is_done() || self.up_broken {
            return Ok(());
        }
        let mut scratch = self.client.shared.scratch();
        let source = (&mut self.client.stream, &mut self.client.input);
        match self.up.poll(cx, source, &mut self.upstream.stream, &mut scratch) {
            Poll::Pending | Poll::Ready(Ok(())) => Ok(()),
            Poll::Ready(Err(Broken::Sink(_))) => {
                self.up_broken = true;
                Ok(())
            }
            Poll::Ready(Err(Broken::Source(error))) => Err(HeadError::Client(error)),
            Poll::Ready(Err(Broken::Framing(what))) => Err(HeadError::Malformed(what)),
        }
    }

    fn poll_upstream(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut scratch = self.client.shared.scratch();
        let mut buffer = ReadBuf::new(&mut scratch[..READ_HEAD]);
        std::task::ready!(Pin::new(&mut self.upstream.stream).poll_read(cx, &mut buffer))?;
        self.upstream.input.extend_from_slice(buffer.filled());
        Poll::Ready(Ok(buffer.filled().len()))
    }

    /// Notices a client that is gone. One that has only said its last word waits for its answer.
    fn poll_client(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let idle = self.up.is_done() && !self.client.ended;
        while idle && self.client.input.len() < MAX_HEAD {
            match self.client.poll_read(cx) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(0)) | Poll::Pending => break,
                Poll::Ready(Err(error)) => return Err(error),
            }
        }
        Ok(())
    }

    /// An answer before the answer: 100 Continue, 103 Early Hints.
    async fn interim(&mut self, mut out: BytesMut) -> io::Result<()> {
        if self.asked.old {
            return Ok(());
        }
        out.extend_from_slice(b"\r\n");
        self.client.stream.write_all(&out).await?;
        self.client.stream.flush().await
    }

    fn answered(
        &self,
        answer: &parse::Answer<'_, '_>,
        mut out: BytesMut,
    ) -> Result<Answered, &'static str> {
        let to_head = self.asked.head.method == "HEAD";
        let framing = parse::answer_framing(answer, to_head)?;
        let head = Head { method: "", target: "", fields: answer.fields };
        let reusable = match answer.old {
            true => head.lists("connection", "keep-alive"),
            false => !head.lists("connection", "close"),
        };
        // Whether a body follows now, or another request, is for the client to know (RFC 9110, 10.1.1).
        let unwanted = self.asked.expects && !self.continued && !self.up.is_done();
        let unframed = matches!(framing, Framing::Chunked | Framing::Close);
        let chunked = unframed && !self.asked.old;
        let keep = self.asked.keep
            && (chunked || !unframed)
            && !unwanted
            && !self.client.has_finished()
            && !self.client.shared.is_draining();
        write::status_line(&mut out, answer.status, answer.reason);
        forward::answer_fields(answer.fields, &mut |name, value| {
            write::field(&mut out, name, value)
        });
        self.frame(&mut out, answer, framing, chunked);
        self.sign(&mut out);
        match (keep, self.asked.old) {
            (false, _) => out.extend_from_slice(b"connection: close\r\n"),
            (true, true) => out.extend_from_slice(b"connection: keep-alive\r\n"),
            (true, false) => {}
        }
        out.extend_from_slice(b"\r\n");
        let reusable = reusable && framing != Framing::Close && !unwanted && !has_stray(answer);
        Ok(Answered {
            status: answer.status,
            pipe: Pipe::new(framing, chunked, out),
            keep,
            reusable,
            unwanted,
            events: is_of_events(answer.fields),
        })
    }

    fn frame(
        &self,
        out: &mut BytesMut,
        answer: &parse::Answer<'_, '_>,
        framing: Framing,
        chunked: bool,
    ) {
        match framing {
            _ if chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
            Framing::Length(length) => write::length(out, length),
            // The length that the body would have had.
            Framing::Empty if answer.status != 204 => {
                if let Some(length) = all(answer.fields, "content-length").next() {
                    write::field(out, "content-length", length);
                }
            }
            _ => {}
        }
    }

    /// Which instance has answered, so that a test can tell it from another checkout's.
    fn sign(&self, out: &mut BytesMut) {
        if let Some(id) = &self.route.upstream.instance {
            write::field(out, "x-wharf-instance", id.as_bytes());
        }
    }

    /// Passes the answer on, and what is left of the request.
    async fn pass(mut self, mut answered: Answered) -> io::Result<After> {
        match poll_fn(|cx| self.poll_down(cx, &mut answered)).await {
            Ok(()) => {}
            // A client that hears nothing at all might ask again.
            Err(Broken::Framing(why)) if !answered.pipe.begun => return self.bad(why).await,
            Err(broken) => {
                self.record(answered.status, answered.pipe.moved, false);
                return self.broken(broken);
            }
        }
        self.record(answered.status, answered.pipe.moved, false);
        if answered.unwanted {
            return Ok(After::Linger);
        }
        if !self.up.is_done() && !self.up_broken {
            // The server did not need all of the request to answer.
            let rest = poll_fn(|cx| match self.poll_up(cx) {
                Ok(()) if !self.up.is_done() && !self.up_broken => Poll::Pending,
                outcome => Poll::Ready(outcome),
            });
            let _ = timeout(LINGER, rest).await;
        }
        if !self.up.is_done() {
            return Ok(After::Linger);
        }
        if answered.reusable {
            self.client.shared.upstreams.put(self.upstream);
        }
        Ok(After::of(answered.keep))
    }

    fn poll_down(
        &mut self,
        cx: &mut Context<'_>,
        answered: &mut Answered,
    ) -> Poll<Result<(), Broken>> {
        self.poll_up(cx).map_err(|error| Broken::Sink(error.into_io()))?;
        let polled = {
            let mut scratch = self.client.shared.scratch();
            let source = (&mut self.upstream.stream, &mut self.upstream.input);
            answered.pipe.poll(cx, source, &mut self.client.stream, &mut scratch)
        };
        if polled.is_pending() {
            self.poll_client(cx).map_err(Broken::Sink)?;
            // Events have no end to wait for, and may be long in coming: who says no more has left.
            if answered.events && self.client.has_finished() {
                return Poll::Ready(Err(Broken::Sink(io::ErrorKind::ConnectionAborted.into())));
            }
        }
        polled
    }

    /// The answer stops in the middle, which must not look like its end: to HTTP/1.0 it would.
    fn broken(&mut self, broken: Broken) -> io::Result<After> {
        if self.asked.old && !matches!(broken, Broken::Sink(_)) {
            self.client.stream.abort();
        }
        match broken {
            Broken::Source(error) | Broken::Sink(error) => Err(error),
            Broken::Framing(_) => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// The protocol changes: from here on it is bytes.
    async fn switch(mut self, mut out: BytesMut) -> io::Result<After> {
        self.sign(&mut out);
        out.extend_from_slice(b"connection: upgrade\r\nupgrade: websocket\r\n\r\n");
        self.client.stream.write_all(&out).await?;
        let client = (&mut self.client.stream, std::mem::take(&mut self.client.input));
        let Connection { stream, input, .. } = &mut self.upstream;
        let upstream = (stream, std::mem::take(input));
        let (moved, _) = tunnel::run(client, upstream, &self.client.shared).await;
        self.record(101, moved, true);
        Ok(After::Close)
    }

    /// The upstream's answer is no HTTP: its connection goes, and the client is told.
    async fn bad(self, why: &'static str) -> io::Result<After> {
        let refusal = Refusal::BadAnswer { name: self.route.upstream.name.clone(), why };
        let then = match self.up.is_done() {
            true => After::of(self.asked.keep),
            false => After::Linger,
        };
        refuse(self.client, &refusal, Some(&self.asked.head), then, self.begun).await
    }

    /// The upstream's connection goes with what it has heard of the request.
    async fn malformed(self, what: &'static str) -> io::Result<After> {
        let refusal = Refusal::Malformed(what);
        refuse(self.client, &refusal, Some(&self.asked.head), After::Linger, self.begun).await
    }

    fn record(&self, status: u16, bytes: u64, upgraded: bool) {
        let https = self.client.door.arrival.https;
        let record = || record(self.asked, &self.route, https, (status, self.begun));
        self.client.shared.log.write(|| Record { bytes, upgraded, ..record() });
    }
}

/// What was asked and answered, but for how much it was.
pub(super) fn record(
    asked: &Asked<'_>,
    route: &Route,
    https: bool,
    (status, begun): (u16, Instant),
) -> Record {
    Record {
        time_ms: now_ms(),
        host: asked.authority.host.clone(),
        method: asked.head.method.to_owned(),
        path: masked(asked.head.target),
        status,
        micros: u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
        bytes: 0,
        upstream: Some(route.upstream.name.clone()),
        instance: route.upstream.instance.clone(),
        https,
        upgraded: false,
    }
}

enum HeadError {
    TooLong,
    Client(io::Error),
    /// The body of the request is not what its framing says.
    Malformed(&'static str),
}

impl HeadError {
    /// For the time when an answer is under way already and nothing else can be said.
    fn into_io(self) -> io::Error {
        match self {
            HeadError::Client(error) => error,
            HeadError::TooLong | HeadError::Malformed(_) => io::ErrorKind::InvalidData.into(),
        }
    }
}

/// Whether it changes to what was asked for (RFC 9110, section 15.2.2).
fn is_websocket(answer: &parse::Answer<'_, '_>) -> bool {
    all(answer.fields, "upgrade").flat_map(tokens).any(|to| to.eq_ignore_ascii_case("websocket"))
}

/// The head of an answer without a body, but for its empty line.
fn other(answer: &parse::Answer<'_, '_>, mut out: BytesMut) -> BytesMut {
    write::status_line(&mut out, answer.status, answer.reason);
    forward::answer_fields(answer.fields, &mut |name, value| write::field(&mut out, name, value));
    out
}

/// Whether it is a stream of events, which ends when nobody listens any more.
pub(super) fn is_of_events(fields: &[Field<'_>]) -> bool {
    let name = b"text/event-stream";
    all(fields, "content-type")
        .any(|value| value.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)))
}

/// Whether a body was announced where none can be: it may still come, and is no answer to anything.
fn has_stray(answer: &parse::Answer<'_, '_>) -> bool {
    let has = |name| all(answer.fields, name).any(|value| value != b"0");
    answer.status == 204 && (has("content-length") || has("transfer-encoding"))
}

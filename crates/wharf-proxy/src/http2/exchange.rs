//! One request of HTTP/2 and its answer.

use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, HeaderName, HeaderValue};
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, StatusCode};
use tokio::io::{AsyncWriteExt, WriteHalf};
use wharf_model::{Protocol, Route};

use super::body::{FromHttp1, Out, Pump, Source};
use super::key::Key;
use super::request::{Asked, Origin};
use super::spawner::Begun;
use super::streams::{Last, Open};
use super::told::Told;
use super::up::Up;
use super::{key, onward, socket};
use crate::forward::{self, Rules};
use crate::head::{Head, all};
use crate::http1::chunked::may_trail;
use crate::http1::parse::{self, Finder, Found, Framing};
use crate::http1::write;
use crate::limits::MAX_HEAD;
use crate::page;
use crate::reach::{Door, Visit, may_ask_again};
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::upstream::{Connection, Stream};

/// Answers one request.
pub(super) async fn answer(
    request: Request<Incoming>,
    door: &Door,
    shared: &Rc<Shared>,
    (open, carrying): (Rc<Open>, Begun),
) -> Response<Last> {
    let begun = Instant::now();
    let (mut origin, body) = Origin::new(request);
    // What a connection becomes after the answer; only for what changes its protocol.
    let upgrade = origin.parts.extensions.remove::<OnUpgrade>();
    let (outcome, host, method) = match origin.read(&body) {
        Ok(asked) => {
            let outcome = Ask { asked: &asked, door, shared }.answer(body).await;
            (outcome, asked.authority.host, asked.upgrade.then_some(Method::GET))
        }
        Err(refusal) => {
            (Err(refusal), origin.parts.uri.host().unwrap_or_default().to_owned(), None)
        }
    };
    let Answered { answer, route, socket } = outcome.unwrap_or_else(|refusal| {
        let fields = origin.fields();
        let method = origin.parts.method.as_str();
        let head = Head { method, target: origin.target(), fields: &fields };
        Answered { answer: refused(&refusal, &head), route: None, socket: None }
    });
    let told = Told {
        log: shared.log.clone(),
        host,
        method: method.unwrap_or(origin.parts.method),
        uri: origin.parts.uri,
        status: answer.status().as_u16(),
        route,
        https: door.arrival.https,
        upgraded: socket.is_some(),
        begun,
        bytes: 0,
    };
    let told = match (socket, upgrade) {
        (Some(connection), Some(upgrade)) => {
            socket::open(upgrade, connection, told, (shared.clone(), open.clone()), carrying);
            None
        }
        _ => Some(told),
    };
    answer.map(|body| Last { body, told, _open: open })
}

/// An answer, and what else there is to know.
struct Answered {
    answer: Response<Out>,
    /// Whose it is; the proxy's own without one.
    route: Option<Arc<Route>>,
    /// What the stream is joined with from now on.
    socket: Option<Connection>,
}

/// One request on its way.
struct Ask<'a> {
    asked: &'a Asked<'a>,
    door: &'a Door,
    shared: &'a Rc<Shared>,
}

impl Ask<'_> {
    async fn answer(&self, body: Incoming) -> Result<Answered, Refusal> {
        let head = self.asked.head();
        let visit = Visit {
            shared: self.shared,
            door: self.door,
            authority: &self.asked.authority,
            head: &head,
            upgrade: self.asked.upgrade,
        };
        let wanted = visit.route()?;
        if wants_http2(&wanted, &head) {
            if self.asked.upgrade {
                let name = wanted.upstream.name.clone();
                let why = "a WebSocket over HTTP/2 is not spoken to servers";
                return Err(Refusal::BadAnswer { name, why });
            }
            let (route, sender) = onward::connect(&visit).await?;
            return self.onward(route, sender, body).await;
        }
        let mut body = Some(body);
        let mut tries = 0;
        loop {
            let (route, connection) = visit.connect(tries > 0).await?;
            let again = head.is_safe()
                && self.asked.framing == Framing::Empty
                && may_ask_again(&route, connection.reused, tries);
            match self.through_http1(&route, connection, &mut body).await {
                Err(Trouble::Lost) if again => tries += 1,
                Err(Trouble::Lost) => {
                    let name = route.upstream.name.clone();
                    let why = "it closed the connection without an answer";
                    return Err(Refusal::BadAnswer { name, why });
                }
                Err(Trouble::Bad(why)) => {
                    return Err(Refusal::BadAnswer { name: route.upstream.name.clone(), why });
                }
                Ok(answer) => return Ok(answer),
            }
        }
    }

    fn rules<'r>(&'r self, route: &Route) -> Rules<'r> {
        Rules {
            arrival: self.door.arrival,
            authority: self.asked.named,
            origin_form: route.origin_form,
            expect: true,
        }
    }

    async fn onward(
        &self,
        route: Arc<Route>,
        sender: onward::Sender,
        body: Incoming,
    ) -> Result<Answered, Refusal> {
        let name = route.upstream.name.clone();
        let request = onward::request(&self.asked.head(), &self.rules(&route), Up::Http2(body))?;
        let answer = onward::send(sender, request).await;
        let answer = answer.map_err(|()| Refusal::BadAnswer { name, why: "it broke off" })?;
        let (parts, body) = answer.into_parts();
        let fields: Vec<_> = parts
            .headers
            .iter()
            .map(|(name, value)| httparse::Header { name: name.as_str(), value: value.as_bytes() })
            .collect();
        let mut answer = Response::new(Out::Http2(body));
        *answer.status_mut() = parts.status;
        copy_fields(&fields, &mut answer);
        if let Some(length) = parts.headers.get(CONTENT_LENGTH) {
            answer.headers_mut().insert(CONTENT_LENGTH, length.clone());
        }
        Ok(signed(answer, route))
    }

    async fn through_http1(
        &self,
        route: &Arc<Route>,
        mut connection: Connection,
        body: &mut Option<Incoming>,
    ) -> Result<Answered, Trouble> {
        let key = self.asked.upgrade.then(Key::new);
        let head = self.request_head(route, key.as_ref());
        let mut source = match self.asked.framing {
            Framing::Empty => {
                let sent = connection.stream.write_all(&head).await;
                sent.map_err(|_| Trouble::Lost)?;
                connection.stream.flush().await.map_err(|_| Trouble::Lost)?;
                Source::Whole(connection)
            }
            framing => {
                let body = body.take().ok_or(Trouble::Lost)?;
                let (reading, writing) = connection.split();
                let pump = pump(body, writing, head, framing == Framing::Chunked);
                Source::Half(reading, Pump::start(pump))
            }
        };
        loop {
            let head = answer_head(&mut source, self.shared).await?;
            source.answered();
            let mut store = parse::store();
            let answer = parse::answer(&head, &mut store).map_err(Trouble::Bad)?;
            match (answer.status, &key) {
                (101, Some(key)) => return switched(route, &answer, source, key),
                (101, None) => {
                    return Err(Trouble::Bad("it changes the protocol, which nobody asked for"));
                }
                (100..=199, _) => {}
                // For the client it would be one that is open (RFC 8441, section 5).
                (200..=299, Some(_)) => {
                    return Err(Trouble::Bad("it answers a WebSocket with something else"));
                }
                _ => return self.answered(route, &answer, source),
            }
        }
    }

    fn answered(
        &self,
        route: &Arc<Route>,
        answer: &parse::Answer<'_, '_>,
        source: Source,
    ) -> Result<Answered, Trouble> {
        let to_head = self.asked.method == "HEAD";
        let framing = parse::answer_framing(answer, to_head).map_err(Trouble::Bad)?;
        let head = Head { method: "", target: "", fields: answer.fields };
        let reusable = framing != Framing::Close
            && match answer.old {
                true => head.lists("connection", "keep-alive"),
                false => !head.lists("connection", "close"),
            };
        let body = FromHttp1::new(source, framing, reusable, self.shared.clone());
        let mut back = Response::new(Out::Http1(Box::new(body)));
        let status = StatusCode::from_u16(answer.status);
        *back.status_mut() = status.map_err(|_| Trouble::Bad("its status is none"))?;
        copy_fields(answer.fields, &mut back);
        let length = all(answer.fields, "content-length").next();
        if let Some(length) = length.filter(|_| answer.status != 204)
            && let Ok(length) = HeaderValue::from_bytes(length)
        {
            back.headers_mut().insert(CONTENT_LENGTH, length);
        }
        Ok(signed(back, route.clone()))
    }

    fn request_head(&self, route: &Route, key: Option<&Key>) -> BytesMut {
        let mut out = BytesMut::with_capacity(1024);
        write::request_line(&mut out, self.asked.method, self.asked.target);
        write::field(&mut out, "host", self.asked.named.as_bytes());
        match self.asked.framing {
            Framing::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
            Framing::Length(length) => write::length(&mut out, length),
            _ if all(&self.asked.fields, "content-length").next().is_some() => {
                write::length(&mut out, 0);
            }
            _ => {}
        }
        forward::request_fields(&self.asked.fields, &self.rules(route), &mut |name, value| {
            // There is to be one, and the client of HTTP/2 has none (RFC 8441, section 5).
            if !(key.is_some() && name == "sec-websocket-key") {
                write::field(&mut out, name, value);
            }
        });
        if let Some(key) = key {
            write::field(&mut out, "sec-websocket-key", key.as_bytes());
            out.extend_from_slice(b"connection: upgrade\r\nupgrade: websocket\r\n");
        }
        out.extend_from_slice(b"\r\n");
        out
    }
}

/// Why an upstream gave no answer.
enum Trouble {
    /// It went away before it had said a word.
    Lost,
    /// What it said is no HTTP.
    Bad(&'static str),
}

/// The stream is a WebSocket from now on, if the server has agreed to that and knows what it is: nobody
/// beyond us could tell.
fn switched(
    route: &Arc<Route>,
    answer: &parse::Answer<'_, '_>,
    source: Source,
    key: &Key,
) -> Result<Answered, Trouble> {
    key.judge(answer.fields).map_err(Trouble::Bad)?;
    let Source::Whole(connection) = source else { return Err(Trouble::Lost) };
    let mut back = Response::new(Out::Own(Full::default()));
    copy_fields(answer.fields, &mut back);
    back.headers_mut().remove(key::ACCEPT);
    Ok(Answered { answer: back, route: Some(route.clone()), socket: Some(connection) })
}

/// Says which instance has answered.
fn signed(mut answer: Response<Out>, route: Arc<Route>) -> Answered {
    let id = route.upstream.instance.as_ref();
    if let Some(id) = id.and_then(|id| HeaderValue::from_str(id).ok()) {
        answer.headers_mut().insert("x-wharf-instance", id);
    }
    Answered { answer, route: Some(route), socket: None }
}

/// gRPC needs HTTP/2 all the way: its status stands in the trailers.
fn wants_http2(route: &Route, head: &Head<'_>) -> bool {
    let grpc = head.all("content-type").any(|kind| kind.starts_with(b"application/grpc"));
    route.upstream.protocol == Protocol::H2c || grpc
}

async fn answer_head(source: &mut Source, shared: &Shared) -> Result<BytesMut, Trouble> {
    let mut finder = Finder::default();
    poll_fn(|cx| {
        loop {
            let input = source.input();
            match finder.look(input, false) {
                Found::Head(length) if length <= MAX_HEAD => {
                    return Poll::Ready(Ok(input.split_to(length)));
                }
                Found::More if input.len() <= MAX_HEAD => {}
                _ => return Poll::Ready(Err(Trouble::Bad("its head is too long"))),
            }
            let nothing = input.is_empty();
            match source.poll_read(cx, shared) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(_) if nothing => return Poll::Ready(Err(Trouble::Lost)),
                Poll::Ready(_) => {
                    return Poll::Ready(Err(Trouble::Bad("its head ends in the middle")));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await
}

/// Sends a request's head and body; gives the connection's half back when all of it has been sent.
async fn pump(
    mut body: Incoming,
    mut to: WriteHalf<Stream>,
    head: BytesMut,
    chunked: bool,
) -> Option<WriteHalf<Stream>> {
    let mut out = head;
    loop {
        to.write_all(&out).await.ok()?;
        to.flush().await.ok()?;
        out.clear();
        match body.frame().await {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) if chunked => write::chunk(&mut out, &data),
                Ok(data) => out.extend_from_slice(&data),
                Err(frame) => {
                    let trailers = frame.into_trailers().ok()?;
                    if chunked {
                        out.extend_from_slice(b"0\r\n");
                        let may = |(name, _): &(&HeaderName, _)| may_trail(name.as_str());
                        for (name, value) in trailers.iter().filter(may) {
                            write::field(&mut out, name.as_str(), value.as_bytes());
                        }
                        out.extend_from_slice(b"\r\n");
                        to.write_all(&out).await.ok()?;
                        to.flush().await.ok()?;
                    }
                    return Some(to);
                }
            },
            // The client has reset the stream: the server must not take the body for complete.
            Some(Err(_)) => return None,
            None => {
                if chunked {
                    to.write_all(b"0\r\n\r\n").await.ok()?;
                    to.flush().await.ok()?;
                }
                return Some(to);
            }
        }
    }
}

fn copy_fields(fields: &[httparse::Header<'_>], answer: &mut Response<Out>) {
    forward::answer_fields(fields, &mut |name, value| {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
            answer.headers_mut().append(name, value);
        }
    });
}

fn refused(refusal: &Refusal, head: &Head<'_>) -> Response<Out> {
    let page = page::answer(refusal, head);
    let body = if head.method == "HEAD" { Bytes::new() } else { page.body.clone() };
    let mut answer = Response::new(Out::Own(Full::new(body)));
    *answer.status_mut() = StatusCode::from_u16(page.status).unwrap_or(StatusCode::BAD_GATEWAY);
    for (name, value) in &page.fields {
        if let Ok(value) = HeaderValue::from_str(value) {
            answer.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    answer
}

//! HTTP/2 all the way: gRPC, and routes whose servers speak HTTP/2 alone.

use std::future::poll_fn;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, mpsc};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use hyper::http::{HeaderMap, HeaderValue, Request, Response, request::Parts};
use wharf_model::{Protocol, Route};

use crate::peer::{Peer, piece, rest, whole};
use crate::stage::{HOST, LIMIT, Line, Upstream, route};
use crate::way::{Door, WAYS, Way};

/// A server of HTTP/2 in the clear. It echoes, and does something else where a path says so.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// The heads of all requests, and the codes of streams that were reset.
    asked: Arc<Mutex<Vec<Parts>>>,
    pub(crate) reset: mpsc::Receiver<Reason>,
    pub(crate) connections: Arc<Mutex<usize>>,
}

impl Server {
    pub(crate) fn new() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let (asked, connections) = (Arc::default(), Arc::default());
        let (told, reset) = mpsc::channel();
        let heard = Heard { asked: Arc::clone(&asked), told };
        let count = Arc::clone(&connections);
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(serve(listener, heard, count));
        });
        Server { address, asked, reset, connections }
    }

    pub(crate) fn last(&self) -> Parts {
        self.asked.lock().unwrap().last().unwrap().clone()
    }
}

#[derive(Clone)]
struct Heard {
    asked: Arc<Mutex<Vec<Parts>>>,
    told: mpsc::Sender<Reason>,
}

async fn serve(listener: TcpListener, heard: Heard, count: Arc<Mutex<usize>>) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        *count.lock().unwrap() += 1;
        let heard = heard.clone();
        tokio::spawn(async move {
            let Ok(mut connection) = h2::server::handshake(stream).await else { return };
            while let Some(Ok((request, answer))) = connection.accept().await {
                tokio::spawn(answer_to(request, answer, heard.clone()));
            }
        });
    }
}

async fn answer_to(request: Request<RecvStream>, mut to: SendResponse<Bytes>, heard: Heard) {
    let (parts, mut body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    heard.asked.lock().unwrap().push(parts);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    trailers.insert("set-cookie", HeaderValue::from_static("a=b"));
    let head = Response::builder().header("content-type", "application/grpc");
    if path == "/at-once" {
        // No more than a head, which is the trailers as well.
        let head = head.header("grpc-status", "5").body(()).unwrap();
        let _ = to.send_response(head, true);
        return;
    }
    if path == "/refuse" {
        return to.send_reset(Reason::REFUSED_STREAM);
    }
    let Ok(mut sending) = to.send_response(head.body(()).unwrap(), false) else { return };
    if path == "/break" {
        let _ = sending.send_data(Bytes::from_static(b"some"), false);
        return sending.send_reset(Reason::INTERNAL_ERROR);
    }
    while let Ok(Some(piece)) = piece(&mut body).await {
        let _ = sending.send_data(piece, false);
    }
    match body.trailers().await {
        Ok(sent) => {
            trailers.extend(sent.unwrap_or_default());
            let _ = sending.send_trailers(trailers);
        }
        Err(_) => {
            let reason = poll_fn(|cx| sending.poll_reset(cx)).await;
            let _ = heard.told.send(reason.unwrap_or(Reason::NO_ERROR));
        }
    }
}

pub(crate) fn door(way: Way, address: SocketAddr, protocol: Protocol) -> Door {
    let mut to = route(HOST, address);
    to.upstream.protocol = protocol;
    Door::new(way, [Route { guarded: false, ..to }])
}

fn call(peer: &Peer, path: &str) -> Request<()> {
    let request = peer.request("POST", path).header("content-type", "application/grpc+proto");
    request.header("te", "trailers").header("x-own", "1").body(()).unwrap()
}

#[test]
fn streams_go_both_ways_and_end_with_trailers() {
    for way in WAYS {
        for protocol in [Protocol::Http1, Protocol::H2c] {
            let server = Server::new();
            let door = door(way, server.address, protocol);
            let mut peer = Peer::new(&door);
            let (answer, mut sending) = peer.send(call(&peer, "/echo"), false);
            let mut answer = peer.wait(answer).unwrap();
            assert_eq!(answer.headers()["content-type"], "application/grpc");
            for word in ["one", "two", "three"] {
                sending.send_data(Bytes::from(word), false).unwrap();
                let back = peer.wait(piece(answer.body_mut())).unwrap().unwrap();
                assert_eq!(back, word, "before the next is sent");
            }
            let trailer = |name: &str, value| (name.parse().unwrap(), HeaderValue::from(value));
            let trailers = HeaderMap::from_iter([trailer("x-sum", 7), trailer("via", 8)]);
            sending.send_trailers(trailers).unwrap();
            let ended = peer.wait(rest(answer)).unwrap();
            assert_eq!(ended.trailers["grpc-status"], "0");
            assert_eq!(ended.trailers["x-sum"], "7");
            assert_eq!(ended.trailers.len(), 2, "no other may follow a body: {:?}", ended.trailers);
            let asked = server.last();
            assert_eq!(asked.headers["te"], "trailers");
            assert_eq!(asked.headers["x-own"], "1");
            assert_eq!(asked.headers["x-forwarded-for"], "127.0.0.1");
            assert_eq!(asked.headers["x-forwarded-proto"], way.scheme());
            assert_eq!(asked.uri.authority().unwrap(), HOST);
        }
    }
}

#[test]
fn an_answer_without_a_body_and_one_that_breaks() {
    for way in WAYS {
        let server = Server::new();
        let door = door(way, server.address, Protocol::Http1);
        let mut peer = Peer::new(&door);
        let answer = peer.post(call(&peer, "/at-once"), b"x").unwrap();
        assert_eq!((answer.status, &answer.fields["grpc-status"]), (200, &"5".parse().unwrap()));
        let (answer, _sending) = peer.send(call(&peer, "/refuse"), false);
        assert_eq!(peer.wait(whole(answer)).unwrap().status, 502);
        let (answer, _sending) = peer.send(call(&peer, "/break"), false);
        let ended = peer.wait(whole(answer));
        // A reset may overtake the head.
        let broken = ended.as_ref().map_or(true, |answer| answer.status == 502);
        assert!(broken, "{way:?}: {ended:?}");
        assert_eq!(*server.connections.lock().unwrap(), 1, "one connection is enough");
    }
}

#[test]
fn a_call_that_is_given_up_is_given_up_at_the_server() {
    for way in WAYS {
        let server = Server::new();
        let door = door(way, server.address, Protocol::Http1);
        let mut peer = Peer::new(&door);
        let (answer, mut sending) = peer.send(call(&peer, "/echo"), false);
        let answer = peer.wait(answer).unwrap();
        sending.send_reset(Reason::CANCEL);
        drop(answer);
        assert!(server.reset.recv_timeout(LIMIT).is_ok());
    }
}

#[test]
fn a_route_of_http2_takes_everything_else_too() {
    for way in WAYS {
        let server = Server::new();
        let door = door(way, server.address, Protocol::H2c);
        let mut peer = Peer::new(&door);
        let request = peer.request("GET", "/a?b").header("cookie", "a=1").header("cookie", "b=2");
        let answer = peer.ask(request.body(()).unwrap()).unwrap();
        assert_eq!(answer.status, 200);
        assert_eq!(server.last().headers["cookie"], "a=1; b=2");
        let answer = peer.post(peer.request("PUT", "/a").body(()).unwrap(), b"hello").unwrap();
        assert_eq!(answer.text(), "hello");
        let calls: Vec<_> = (0..50)
            .map(|number| {
                let (answer, mut sending) = peer.send(call(&peer, "/echo"), false);
                sending.send_data(Bytes::from(number.to_string()), true).unwrap();
                answer
            })
            .collect();
        for (number, answer) in calls.into_iter().enumerate() {
            assert_eq!(peer.wait(whole(answer)).unwrap().text(), number.to_string());
        }
    }
}

#[test]
fn a_server_that_speaks_no_http2_is_a_bad_one() {
    for way in WAYS {
        let upstream = Upstream::new(Arc::new(|line: &mut Line| {
            line.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        }));
        let door = door(way, upstream.address, Protocol::Http1);
        let mut peer = Peer::new(&door);
        let answer = peer.post(call(&peer, "/echo"), b"x").unwrap();
        assert_eq!(answer.status, 502, "{way:?}");
        drop(door);
        upstream.end();
    }
}

//! WebSockets over HTTP/2 (RFC 8441), which are ones over HTTP/1.1 for their server.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use h2::Reason;
use h2::ext::Protocol as Spoken;
use hyper::http::Request;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use wharf_model::{Protocol, Route};

use crate::peer::{Peer, piece, rest, whole};
use crate::stage::{HOST, Line, Message, Upstream, route};
use crate::way::{Door, Set, WAYS, Way};

/// RFC 6455, section 1.3.
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// What agrees to a handshake.
fn agreed(asked: &Message) -> String {
    let key = asked.one("sec-websocket-key").unwrap();
    let accept = digest(&SHA1_FOR_LEGACY_USE_ONLY, format!("{key}{GUID}").as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: chat\r\nSet-Cookie: a=b\r\n\r\n",
        STANDARD.encode(accept)
    )
}

fn connect(peer: &Peer, fields: &[(&str, &str)]) -> Request<()> {
    let mut request = peer.request("CONNECT", "/ws?a");
    for (name, value) in [("sec-websocket-version", "13")].iter().chain(fields) {
        request = request.header(*name, *value);
    }
    request.extension(Spoken::from_static("websocket")).body(()).unwrap()
}

/// Agrees to a handshake, and then does this.
pub(crate) fn agreeing(way: Way, then: impl Fn(&mut Line) + Send + Sync + 'static) -> Set {
    Set::new(way, move |line| {
        if let Some(asked) = line.request() {
            line.send(agreed(&asked));
            then(line);
        }
    })
}

/// Sends back whatever comes, until nothing does.
pub(crate) fn echo(line: &mut Line) {
    while let Ok(byte) = line.reader.bytes(1) {
        line.send(byte);
    }
}

#[test]
fn bytes_go_both_ways_until_both_sides_have_ended() {
    for way in WAYS {
        let set = agreeing(way, |line| {
            assert_eq!(line.reader.bytes(5).unwrap(), b"hello");
            line.send("hi");
            // The client has ended; the server has not yet.
            assert_eq!(line.reader.rest().unwrap(), b"bye");
            line.send("last");
        });
        let mut peer = Peer::new(&set.door);
        let own = format!("{}://{HOST}:{}", way.scheme(), set.door.port);
        let fields = [("origin", own.as_str()), ("sec-websocket-protocol", "chat")];
        let (answer, mut sending) = peer.send(connect(&peer, &fields), false);
        let answer = peer.wait(answer).unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["sec-websocket-protocol"], "chat");
        assert_eq!(answer.headers()["set-cookie"], "a=b");
        for name in ["sec-websocket-accept", "upgrade", "connection"] {
            assert!(!answer.headers().contains_key(name), "{name}");
        }
        sending.send_data(Bytes::from_static(b"hello"), false).unwrap();
        let mut answer = answer;
        assert_eq!(peer.wait(piece(answer.body_mut())).unwrap().unwrap(), "hi");
        sending.send_data(Bytes::from_static(b"bye"), true).unwrap();
        assert_eq!(peer.wait(rest(answer)).unwrap().text(), "last");
        let log = set.end();
        let request = &log.requests[0];
        assert_eq!(request.start, "GET /ws?a HTTP/1.1");
        assert_eq!(request.all("upgrade"), ["websocket"]);
        assert_eq!(request.all("connection"), ["upgrade"]);
        assert_eq!(request.all("sec-websocket-version"), ["13"]);
        assert_eq!(request.all("sec-websocket-key").len(), 1);
        assert_eq!(request.all("host"), [HOST]);
    }
}

#[test]
fn only_its_own_pages_and_programs_open_one() {
    for way in WAYS {
        let set = agreeing(way, echo);
        let mut peer = Peer::new(&set.door);
        let port = set.door.port;
        let near = format!("http://shop.localhost.evil.example:{port}");
        let user = format!("http://shop.localhost:{port}@evil.example");
        let foreign =
            ["null", "", "http://evil.example", "http://127.0.0.1", "http://[::1]", &near, &user];
        for origin in foreign {
            let (answer, _sending) = peer.send(connect(&peer, &[("origin", origin)]), false);
            let status = peer.wait(answer).unwrap().status();
            assert_eq!(status, 403, "{way:?} {origin}");
        }
        // Fetch metadata does not let in what Origin keeps out.
        let fields = [("origin", "http://evil.example"), ("sec-fetch-site", "same-origin")];
        let (answer, _sending) = peer.send(connect(&peer, &fields), false);
        assert_eq!(peer.wait(answer).unwrap().status(), 403);
        assert_eq!(set.upstream.log().connections, 0, "nothing of it arrives");
        let (answer, mut sending) = peer.send(connect(&peer, &[]), false);
        assert_eq!(peer.wait(answer).unwrap().status(), 200, "a program");
        sending.send_data(Bytes::new(), true).unwrap();
        set.end();
    }
}

#[test]
fn what_the_server_does_not_open_is_not_open() {
    let rows = [
        ("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno", 403),
        ("HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 404),
        ("HTTP/1.1 301 Moved\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", 301),
        ("HTTP/1.1 426 No\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n", 426),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 502),
        ("HTTP/1.1 204 No Content\r\n\r\n", 502),
        ("nonsense\r\n\r\n", 502),
        ("", 502),
    ];
    for way in WAYS {
        for (sent, status) in rows {
            let set = Set::new(way, move |line| {
                if line.request().is_some() {
                    line.send(sent);
                }
            });
            let mut peer = Peer::new(&set.door);
            let (answer, _sending) = peer.send(connect(&peer, &[]), false);
            assert_eq!(peer.wait(whole(answer)).unwrap().status, status, "{way:?} {sent}");
            set.end();
        }
    }
}

/// What is wrong, and how an answer comes to be so.
type Spoilt = (&'static str, fn(String) -> String);

/// A browser has no key over HTTP/2, so that nobody but us can see whether the server means it.
#[test]
fn a_handshake_that_is_wrong_is_not_open() {
    let rows: &[Spoilt] = &[
        ("another key", |line| line.replace("Accept: ", "Accept: A")),
        ("the standard's own key", |line| {
            let start = line.find("Accept: ").unwrap() + "Accept: ".len();
            format!("{}s3pPLMBiTxaQ9kYGzzhZRbK+xOo={}", &line[..start], &line[start + 28..])
        }),
        ("another case", |line| {
            let start = line.find("Accept: ").unwrap() + "Accept: ".len();
            let value = line[start..start + 28].chars();
            let turned: String = value.map(turned).collect();
            format!("{}{turned}{}", &line[..start], &line[start + 28..])
        }),
        ("none", |line| line.replace("Sec-WebSocket-Accept", "X-Other")),
        ("an empty one", |line| line.replace("Accept: ", "Accept: \r\nX-Other: ")),
        ("two", |line| line.replace("Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Accept: x")),
        ("another protocol", |line| line.replace("websocket\r\n", "h2c\r\n")),
        ("no protocol", |line| line.replace("Upgrade: websocket", "X-Other: x")),
        ("no Connection", |line| line.replace("Connection: Upgrade", "X-Other: x")),
    ];
    for way in WAYS {
        for &(name, wrong) in rows {
            let set = Set::new(way, move |line| {
                if let Some(asked) = line.request() {
                    line.send(wrong(agreed(&asked)));
                    line.reader.drain();
                }
            });
            let mut peer = Peer::new(&set.door);
            let (answer, _sending) = peer.send(connect(&peer, &[]), false);
            let answer = peer.wait(whole(answer)).unwrap();
            assert_eq!(answer.status, 502, "{way:?} {name}");
            assert!(answer.text().contains("WebSocket"), "{name}: {}", answer.text());
            set.end();
        }
    }
}

/// The same letter in the other case.
fn turned(letter: char) -> char {
    if letter.is_ascii_lowercase() {
        letter.to_ascii_uppercase()
    } else {
        letter.to_ascii_lowercase()
    }
}

#[test]
fn a_key_of_the_clients_own_is_not_a_second_one() {
    for way in WAYS {
        let set = agreeing(way, echo);
        let mut peer = Peer::new(&set.door);
        let fields = [("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")];
        let (answer, mut sending) = peer.send(connect(&peer, &fields), false);
        assert_eq!(peer.wait(answer).unwrap().status(), 200);
        sending.send_data(Bytes::new(), true).unwrap();
        assert_eq!(set.end().requests[0].all("sec-websocket-key").len(), 1);
    }
}

#[test]
fn a_reset_of_either_side_ends_the_other() {
    for way in WAYS {
        let set = agreeing(way, |line| {
            if line.reader.bytes(1) == Ok(b"x".to_vec()) {
                let reset = Some(std::time::Duration::ZERO);
                rustix::net::sockopt::set_socket_linger(&line.stream, reset).unwrap();
            } else {
                line.reader.drain();
            }
        });
        let mut peer = Peer::new(&set.door);
        let (answer, mut sending) = peer.send(connect(&peer, &[]), false);
        let answer = peer.wait(answer).unwrap();
        sending.send_data(Bytes::from_static(b"x"), false).unwrap();
        let broken = peer.wait(rest(answer)).expect_err("not an end");
        assert_eq!(broken.reason(), Some(Reason::CANCEL), "{way:?}");
        let (answer, mut sending) = peer.send(connect(&peer, &[]), false);
        let _answer = peer.wait(answer).unwrap();
        sending.send_data(Bytes::from_static(b"y"), false).unwrap();
        sending.send_reset(Reason::CANCEL);
        set.upstream.wait("both connections end", |log| log.raw.len() == 2);
        set.end();
    }
}

#[test]
fn many_are_open_on_one_connection() {
    const SOCKETS: usize = 50;
    for way in WAYS {
        let set = agreeing(way, echo);
        let mut peer = Peer::new(&set.door);
        let mut open: Vec<_> = (0..SOCKETS)
            .map(|_| {
                let (answer, sending) = peer.send(connect(&peer, &[]), false);
                (peer.wait(answer).unwrap(), sending)
            })
            .collect();
        for (number, (_, sending)) in open.iter_mut().enumerate() {
            sending.send_data(Bytes::from(format!("{number}")), true).unwrap();
        }
        for (number, (answer, _)) in open.into_iter().enumerate() {
            assert_eq!(peer.wait(rest(answer)).unwrap().text(), number.to_string());
        }
        assert_eq!(set.end().connections, SOCKETS);
    }
}

#[test]
fn a_server_of_http2_is_asked_for_none() {
    for way in WAYS {
        let upstream = Upstream::new(std::sync::Arc::new(Line::echo));
        let mut to = route(HOST, upstream.address);
        to.upstream.protocol = Protocol::H2c;
        let door = Door::new(way, [Route { guarded: false, ..to }]);
        let mut peer = Peer::new(&door);
        let (answer, _sending) = peer.send(connect(&peer, &[]), false);
        assert_eq!(peer.wait(answer).unwrap().status(), 502);
        drop(door);
        assert_eq!(upstream.end().connections, 0);
    }
}

//! WebSockets over HTTP/1: a handshake that goes through as it is, then bytes both ways for as long as
//! either side has something to say.

use std::net::Shutdown;

use crate::stage::message::Reader;
use crate::stage::{Client, Fault, Line, Message, Stage, get};

const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\
Sec-WebSocket-Extensions: permessage-deflate\r\nSet-Cookie: a=b\r\n\r\n";

/// A handshake with these lines among its fields.
fn handshake(lines: &str) -> String {
    format!(
        "GET /ws HTTP/1.1\r\nHost: shop.localhost\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Version: 13\r\n{lines}\r\n"
    )
}

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\n";

/// Agrees to a handshake, and then does this.
fn agreeing(then: impl Fn(&mut Line) + Send + Sync + 'static) -> Stage {
    Stage::new(move |line| {
        while let Some(request) = line.request() {
            if request.all("upgrade").is_empty() {
                line.answer("plain");
            } else {
                line.send(ANSWER);
                return then(line);
            }
        }
    })
}

/// Opens one; the answer's head.
fn open(client: &mut Client, lines: &str) -> Message {
    client.send(handshake(lines));
    let answer = client.answer("GET");
    assert_eq!(answer.status(), 101, "{answer:?}");
    answer
}

/// Sends back whatever comes, in one piece of this length.
fn echo_piece(length: usize) -> impl Fn(&mut Line) {
    move |line| {
        if let Ok(piece) = line.reader.bytes(length) {
            line.send(piece);
        }
        line.finish();
    }
}

#[test]
pub(crate) fn a_handshake_goes_through_as_it_is() {
    for connection in ["Upgrade", "upgrade", "keep-alive, Upgrade", "Upgrade, keep-alive"] {
        let stage = agreeing(|line| line.finish());
        let mut client = stage.client();
        let lines = format!(
            "Connection: {connection}\r\nUpgrade: WebSocket\r\nSec-WebSocket-Protocol: chat, superchat\r\n\
             Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Extensions: x-own; a=1\r\n\
             Origin: http://shop.localhost:{}\r\nCookie: a=b\r\n",
            stage.house.port
        );
        let answer = open(&mut client, &lines);
        assert_eq!(
            answer.one("upgrade").map(str::to_ascii_lowercase).as_deref(),
            Some("websocket")
        );
        assert_eq!(
            answer.one("connection").map(str::to_ascii_lowercase).as_deref(),
            Some("upgrade")
        );
        assert_eq!(answer.one("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert_eq!(answer.one("sec-websocket-protocol"), Some("chat"));
        assert_eq!(answer.one("sec-websocket-extensions"), Some("permessage-deflate"));
        assert_eq!(answer.one("set-cookie"), Some("a=b"));
        client.finish();
        client.reader.drain();
        let origin = format!("http://shop.localhost:{}", stage.house.port);
        let seen = stage.end().requests.remove(0);
        assert_eq!(seen.start, "GET /ws HTTP/1.1");
        assert_eq!(seen.one("upgrade").map(str::to_ascii_lowercase).as_deref(), Some("websocket"));
        assert_eq!(seen.one("connection").map(str::to_ascii_lowercase).as_deref(), Some("upgrade"));
        assert_eq!(seen.one("sec-websocket-key"), Some("dGhlIHNhbXBsZSBub25jZQ=="));
        assert_eq!(seen.one("sec-websocket-version"), Some("13"));
        assert_eq!(seen.one("sec-websocket-protocol"), Some("chat, superchat"));
        assert_eq!(seen.all("sec-websocket-extensions"), ["permessage-deflate", "x-own; a=1"]);
        assert_eq!(seen.one("origin"), Some(origin.as_str()));
        assert_eq!(seen.one("cookie"), Some("a=b"));
    }
}

/// The key is the client's own, who looks by itself whether the server knows it.
#[test]
pub(crate) fn an_answer_to_another_key_is_for_the_client_to_refuse() {
    let wrong = "AAAALMBiTxaQ9kYGzzhZRbK+xOo=";
    for answer in [
        ANSWER.replace("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", wrong),
        ANSWER.replace("Sec-WebSocket-Accept", "X-Other"),
    ] {
        let has_one = answer.contains("Sec-WebSocket-Accept");
        let stage = Stage::new(move |line| {
            line.request();
            line.send(&answer);
            line.finish();
        });
        let seen = open(&mut stage.client(), UPGRADE);
        assert_eq!(seen.one("sec-websocket-accept"), has_one.then_some(wrong));
    }
}

#[test]
pub(crate) fn bytes_go_both_ways_untouched() {
    const LENGTH: usize = 1 << 20;
    let stage = agreeing(echo_piece(LENGTH));
    let mut client = stage.client();
    open(&mut client, UPGRADE);
    let data: Vec<u8> = (0..LENGTH).map(|n| (n * 31 % 251) as u8).collect();
    let mut sending = client.stream.try_clone().unwrap();
    let sent = data.clone();
    let writer = std::thread::spawn(move || std::io::Write::write_all(&mut sending, &sent));
    assert!(client.reader.bytes(LENGTH).unwrap() == data);
    writer.join().unwrap().unwrap();
    assert!(client.ends());
}

/// A server may greet in the packet of its answer, a client in that of its request.
#[test]
pub(crate) fn what_comes_with_a_handshake_is_not_lost() {
    let stage = Stage::new(|line| {
        line.request();
        line.send(format!("{ANSWER}\u{1}hello"));
        echo_piece(4)(line);
    });
    let mut client = stage.client();
    client.send(format!("{}eager", handshake(UPGRADE)).replace("eager", "\u{2}ear"));
    assert_eq!(client.answer("GET").status(), 101);
    assert_eq!(client.reader.bytes(6), Ok(b"\x01hello".to_vec()));
    assert_eq!(client.reader.bytes(4), Ok(b"\x02ear".to_vec()));
}

#[test]
pub(crate) fn a_frame_arrives_before_the_next_is_sent() {
    let stage = agreeing(|line| {
        while let Ok(byte) = line.reader.bytes(1) {
            line.send(byte);
        }
    });
    let mut client = stage.client();
    open(&mut client, UPGRADE);
    for byte in 0..=255 {
        client.send([byte]);
        assert_eq!(client.reader.bytes(1), Ok(vec![byte]));
    }
}

#[test]
pub(crate) fn each_side_may_end_before_the_other() {
    let stage = agreeing(|line| {
        let heard = line.reader.rest().unwrap();
        line.send(&heard);
        line.send("bye");
    });
    let mut client = stage.client();
    open(&mut client, UPGRADE);
    client.send("last words");
    client.finish();
    assert_eq!(client.reader.rest(), Ok(b"last wordsbye".to_vec()));
    let stage = agreeing(|line| {
        line.send("bye");
        line.stream.shutdown(Shutdown::Write).unwrap();
        let heard = line.reader.rest().unwrap();
        assert_eq!(heard, b"still here");
    });
    let mut client = stage.client();
    open(&mut client, UPGRADE);
    assert_eq!(client.reader.rest(), Ok(b"bye".to_vec()));
    client.send("still here");
    client.finish();
    stage.upstream.wait("the last words", |log| log.raw.len() == 1);
    stage.end();
}

#[test]
pub(crate) fn a_side_that_is_gone_takes_the_other_along() {
    let stage = agreeing(|line| {
        rustix::net::sockopt::set_socket_linger(&line.stream, Some(std::time::Duration::ZERO))
            .unwrap();
    });
    let mut client = stage.client();
    open(&mut client, UPGRADE);
    assert_eq!(client.reader.drain(), b"");
    let stage = agreeing(|line| {
        line.reader.drain();
    });
    let mut client = stage.client();
    open(&mut client, UPGRADE);
    rustix::net::sockopt::set_socket_linger(&client.stream, Some(std::time::Duration::ZERO))
        .unwrap();
    drop(client);
    stage.upstream.wait("the server hears of it", |log| log.raw.len() == 1);
}

#[test]
pub(crate) fn a_refused_handshake_stays_http() {
    for refusal in [
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
        "HTTP/1.1 426 Upgrade Required\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\nno",
    ] {
        let stage = Stage::new(move |line| {
            line.request();
            line.send(refusal);
            line.echo();
        });
        let mut client = stage.client();
        client.send(handshake(UPGRADE));
        assert_eq!(client.answer("GET").text(), "no");
        assert_eq!(client.get("/next").text(), "GET /next");
        let log = stage.end();
        assert_eq!((log.connections, log.faults.len()), (1, 0), "{refusal:?}");
    }
}

/// A handshake is `GET`, HTTP/1.1, without a body, and says so twice. Else it is a request.
#[test]
pub(crate) fn what_is_no_handshake_is_not_forwarded_as_one() {
    for (name, sent, method) in [
        ("POST", format!("POST /ws HTTP/1.1\r\nHost: shop.localhost\r\n{UPGRADE}\r\n"), "POST"),
        ("HEAD", format!("HEAD /ws HTTP/1.1\r\nHost: shop.localhost\r\n{UPGRADE}\r\n"), "HEAD"),
        ("HTTP/1.0", format!("GET /ws HTTP/1.0\r\nHost: shop.localhost\r\n{UPGRADE}\r\n"), "GET"),
        (
            "a body",
            format!(
                "GET /ws HTTP/1.1\r\nHost: shop.localhost\r\n{UPGRADE}Content-Length: 2\r\n\r\nhi"
            ),
            "GET",
        ),
        (
            "chunks",
            format!(
                "GET /ws HTTP/1.1\r\nHost: shop.localhost\r\n{UPGRADE}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
            "GET",
        ),
        ("no Connection", handshake("Upgrade: websocket\r\n"), "GET"),
        (
            "another Connection",
            handshake("Connection: keep-alive\r\nUpgrade: websocket\r\n"),
            "GET",
        ),
        ("no Upgrade", handshake("Connection: Upgrade\r\n"), "GET"),
        (
            "h2c",
            handshake(
                "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n",
            ),
            "GET",
        ),
        (
            "a name that begins so",
            handshake("Connection: Upgrade\r\nUpgrade: websockets\r\n"),
            "GET",
        ),
    ] {
        let stage = agreeing(|_| {});
        let mut client = stage.client();
        client.send(sent);
        let answer = client.answer(method);
        assert_eq!(answer.status(), 200, "{name}");
        let log = stage.end();
        assert!(log.requests[0].all("upgrade").is_empty(), "{name}: {log:?}");
        assert!(log.requests[0].all("connection").is_empty(), "{name}: {log:?}");
    }
}

#[test]
pub(crate) fn of_several_protocols_only_this_one_goes_on() {
    let stage = agreeing(|line| line.finish());
    let mut client = stage.client();
    open(&mut client, "Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n");
    client.finish();
    assert_eq!(stage.end().requests[0].one("upgrade"), Some("websocket"));
}

#[test]
pub(crate) fn a_change_to_what_nobody_asked_for_is_a_bad_answer() {
    for (lines, answer) in [
        ("", ANSWER),
        (
            "Connection: Upgrade\r\nUpgrade: h2c\r\n",
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
        ),
        (
            UPGRADE,
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
        ),
        (UPGRADE, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n"),
    ] {
        let stage = Stage::new(move |line| {
            if line.number == 0 {
                line.request();
                line.send(answer);
            }
            line.echo();
        });
        let mut client = stage.client();
        client.send(handshake(lines));
        assert_eq!(client.answer("GET").status(), 502, "{lines:?} {answer:?}");
        assert_eq!(client.get("/next").text(), "GET /next");
        assert_eq!(stage.end().connections, 2, "{lines:?} {answer:?}");
    }
}

#[test]
pub(crate) fn a_connection_that_has_served_requests_serves_a_socket_too() {
    let stage = agreeing(echo_piece(2));
    let mut client = stage.client();
    assert_eq!(client.get("/a").text(), "plain");
    open(&mut client, UPGRADE);
    client.send("hi");
    assert_eq!(client.reader.bytes(2), Ok(b"hi".to_vec()));
    assert!(client.ends());
    assert_eq!(stage.client().get("/b").text(), "plain");
    assert_eq!(stage.end().connections, 2, "the socket's connection is not used again");
}

/// What goes through a socket is bytes, even if they look like requests.
#[test]
pub(crate) fn a_request_in_a_socket_is_bytes() {
    let text = get("/smuggled");
    let stage = agreeing(echo_piece(text.len()));
    let mut client = stage.client();
    open(&mut client, UPGRADE);
    client.send(&text);
    assert_eq!(client.reader.bytes(text.len()), Ok(text.into_bytes()));
    assert_eq!(stage.end().requests.len(), 1);
}

#[test]
fn a_server_that_is_gone_before_it_answers_is_a_bad_gateway() {
    let stage = Stage::new(|line| {
        let _ = line.request();
    });
    let mut client = stage.client();
    client.send(handshake(UPGRADE));
    assert_eq!(client.answer("GET").status(), 502);
    let mut reader = Reader::new(client.stream);
    drop(stage);
    assert_eq!(reader.head(), Err(Fault::End));
}

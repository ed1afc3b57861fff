//! Requests and their answers, between HTTP/2 in front and HTTP/1.1 behind.

use hyper::http::{HeaderMap, HeaderValue};

use bytes::Bytes;

use crate::peer::{Peer, whole};
use crate::stage::{HOST, Line, Message};
use crate::way::{Set, WAYS, Way};

/// What the server sees of a request with these fields, and this body where there is one.
fn seen(way: Way, method: &str, fields: &[(&str, &str)], body: Option<&str>) -> Message {
    let set = Set::echo(way);
    let mut peer = Peer::new(&set.door);
    let mut request = peer.request(method, "/a?b=%20");
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let request = request.body(()).unwrap();
    let answer = match body {
        None => peer.ask(request),
        Some(body) => peer.post(request, body.as_bytes()),
    };
    assert_eq!(answer.unwrap().status, 200, "{method} {fields:?}");
    let log = set.end();
    assert_eq!(log.asked(), [format!("{method} /a?b=%20")]);
    assert!(log.faults.is_empty(), "{:?}", log.faults);
    log.requests[0].clone()
}

#[test]
fn a_body_arrives_with_its_length_or_in_chunks() {
    for way in WAYS {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            let none = seen(way, method, &[], None);
            assert_eq!((none.text(), none.one("transfer-encoding")), (String::new(), None));
            assert_eq!(none.one("content-length"), None, "{method}");
            let empty = seen(way, method, &[("content-length", "0")], None);
            assert_eq!(empty.one("content-length"), Some("0"), "{method}");
            let known = seen(way, method, &[("content-length", "5")], Some("hello"));
            assert_eq!((known.text(), known.one("content-length")), ("hello".into(), Some("5")));
            let chunked = seen(way, method, &[], Some("hello"));
            assert_eq!(chunked.text(), "hello");
            assert_eq!(chunked.one("transfer-encoding"), Some("chunked"));
        }
    }
}

#[test]
fn crumbs_of_a_cookie_are_one_cookie() {
    for way in WAYS {
        let one = seen(way, "GET", &[("cookie", "a=1"), ("x", "y"), ("cookie", "b=2; c=3")], None);
        assert_eq!(one.all("cookie"), ["a=1; b=2; c=3"]);
    }
}

#[test]
fn what_is_known_of_the_client_is_said_by_the_proxy_alone() {
    for way in WAYS {
        let lies = [
            ("x-forwarded-for", "8.8.8.8"),
            ("x-forwarded-host", "evil.example"),
            ("x_forwarded_proto", "gopher"),
            ("forwarded", "for=8.8.8.8"),
            ("x-real-ip", "8.8.8.8"),
            ("proxy-authorization", "Basic x"),
            ("te", "trailers"),
            ("http2-settings", "AAAA"),
            ("x-own", "kept"),
        ];
        let seen = seen(way, "GET", &lies, None);
        assert_eq!(seen.one("x-forwarded-for"), Some("127.0.0.1"));
        assert_eq!(seen.one("x-forwarded-host"), Some(HOST));
        assert_eq!(seen.one("x-forwarded-proto"), Some(way.scheme()));
        assert_eq!(seen.one("host"), Some(HOST));
        assert_eq!(seen.one("x-own"), Some("kept"));
        let gone =
            ["x_forwarded_proto", "x-real-ip", "proxy-authorization", "te", "http2-settings"];
        for name in gone {
            assert_eq!(seen.one(name), None, "{name}");
        }
    }
}

#[test]
fn trailers_go_up() {
    for way in WAYS {
        let set = Set::echo(way);
        let mut peer = Peer::new(&set.door);
        let request = peer.request("POST", "/a").body(()).unwrap();
        let (answer, mut sending) = peer.send(request, false);
        sending.send_data(Bytes::from_static(b"hello"), false).unwrap();
        let mut trailers = HeaderMap::new();
        // What frames, routes or authenticates a request is nothing for its end.
        for name in ["x-sum", "content-length", "host", "authorization", "cookie", "origin"] {
            trailers.insert(name, HeaderValue::from_static("7"));
        }
        sending.send_trailers(trailers).unwrap();
        assert_eq!(peer.wait(whole(answer)).unwrap().status, 200);
        let log = set.end();
        assert_eq!(log.requests[0].text(), "hello");
        assert_eq!(log.requests[0].trailers, [("x-sum".to_owned(), "7".to_owned())]);
    }
}

/// What a client sees of what a server sends.
fn answered(way: Way, method: &str, sent: &'static str) -> crate::peer::Answer {
    let set = Set::new(way, move |line| {
        if line.request().is_some() {
            line.send(sent);
        }
    });
    let mut peer = Peer::new(&set.door);
    let request = peer.request(method, "/a").body(()).unwrap();
    let answer = peer.ask(request).unwrap();
    set.end();
    answer
}

#[test]
fn answers_come_back_with_their_trailers() {
    for way in WAYS {
        let sent = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: x-hop, close\r\n\
            X-Hop: 1\r\nKeep-Alive: timeout=5\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Own: 1\r\n\r\n\
            5;ext=1\r\nhello\r\n0\r\nX-Sum: 7\r\n\r\n";
        let answer = answered(way, "GET", sent);
        assert_eq!((answer.status, answer.text()), (200, "hello".into()));
        assert_eq!(answer.trailers["x-sum"], "7");
        assert_eq!(answer.fields.get_all("set-cookie").iter().count(), 2);
        assert_eq!(answer.fields["x-own"], "1");
        for name in ["connection", "keep-alive", "transfer-encoding", "x-hop"] {
            assert!(!answer.fields.contains_key(name), "{name}");
        }
    }
}

#[test]
fn answers_have_the_body_that_they_should() {
    let rows = [
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n", 200, "", Some("12")),
        ("HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200, "", None),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n", 204, "", None),
        ("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 12\r\n\r\n", 304, "", Some("12")),
        ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "", Some("0")),
        ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, "hi", Some("2")),
        ("GET", "HTTP/1.1 200 OK\r\n\r\nhi", 200, "hi", None),
        ("GET", "HTTP/1.0 200 OK\r\n\r\nhi", 200, "hi", None),
        (
            "GET",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nhi",
            500,
            "hi",
            Some("2"),
        ),
        ("GET", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", 502, "", None),
        (
            "GET",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi!",
            502,
            "",
            None,
        ),
        (
            "GET",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nhi",
            502,
            "",
            None,
        ),
        ("GET", "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\nhi", 502, "", None),
        ("GET", "nonsense\r\n\r\n", 502, "", None),
        ("GET", "", 502, "", None),
    ];
    for way in WAYS {
        for (method, sent, status, body, length) in rows {
            let answer = answered(way, method, sent);
            assert_eq!(answer.status, status, "{sent}");
            if status == 502 {
                continue;
            }
            assert_eq!(answer.text(), body, "{sent}");
            let seen = answer.fields.get("content-length").map(|value| value.to_str().unwrap());
            assert_eq!(seen, length, "{sent}");
        }
    }
}

#[test]
fn a_hundred_streams_each_get_their_own_answer() {
    const STREAMS: usize = 100;
    for way in WAYS {
        let set = Set::echo(way);
        let mut peer = Peer::new(&set.door);
        for _ in 0..2 {
            let answers: Vec<_> = (0..STREAMS)
                .map(|number| {
                    let request = peer.request("GET", &format!("/{number}")).body(()).unwrap();
                    peer.send(request, true).0
                })
                .collect();
            for (number, answer) in answers.into_iter().enumerate() {
                let answer = peer.wait(whole(answer)).unwrap();
                assert_eq!(answer.text(), format!("GET /{number}"));
            }
        }
        let log = set.end();
        assert_eq!(log.requests.len(), 2 * STREAMS);
        assert!(log.connections <= STREAMS, "connections are used again: {}", log.connections);
    }
}

/// An answer that is complete before the request is: the client has it, and the connection behind goes.
#[test]
fn an_answer_may_come_before_the_body_is_complete() {
    for way in WAYS {
        let set = Set::new(way, |line: &mut Line| {
            let Ok(head) = line.reader.request_head() else { return };
            line.answer(head.target());
            line.reader.drain();
        });
        let mut peer = Peer::new(&set.door);
        let request = peer.request("POST", "/early").body(()).unwrap();
        let (answer, mut sending) = peer.send(request, false);
        sending.send_data(Bytes::from_static(b"some"), false).unwrap();
        assert_eq!(peer.wait(whole(answer)).unwrap().text(), "/early");
        assert_eq!(peer.get("/next").text(), "/next");
        set.upstream.wait("the first connection is closed", |log| !log.raw.is_empty());
        drop(sending);
        assert_eq!(set.end().connections, 2);
    }
}

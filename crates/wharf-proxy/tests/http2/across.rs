//! Clients of HTTP/1 and servers that speak HTTP/2 alone.

use h2::Reason;
use wharf_model::Protocol;

use crate::grpc::{Server, door};
use crate::stage::{Client, Fault, LIMIT, tls};
use crate::way::{Door, WAYS, Way};

/// The server has the request, and has begun to answer it.
const BEGUN: &str = "HTTP/1.1 200";

fn set(way: Way) -> (Server, Door) {
    let server = Server::new();
    let door = door(way, server.address, Protocol::H2c);
    (server, door)
}

/// A client of HTTP/1, by the front of the door.
fn of(door: &Door) -> Client {
    match door.way {
        Way::Clear => Client::new(door.port),
        Way::Tls => tls::http1(door.port),
    }
}

#[test]
fn requests_and_answers_change_their_version() {
    for way in WAYS {
        let (server, door) = set(way);
        let mut client = of(&door);
        let answer = client.get("/a?b");
        assert_eq!((answer.status(), answer.text().as_str()), (200, ""), "{answer:?}");
        assert_eq!(answer.one("content-type"), Some("application/grpc"));
        let asked = server.last();
        assert_eq!((asked.method.as_str(), asked.uri.path()), ("GET", "/a"));
        assert_eq!(asked.uri.query(), Some("b"));
        assert_eq!(asked.uri.authority().map(|named| named.as_str()), Some(crate::stage::HOST));
        assert_eq!(asked.headers["x-forwarded-proto"], way.scheme());
        assert!(!asked.headers.contains_key("host") && !asked.headers.contains_key("connection"));
        client.send(
            "POST /a HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 5\r\n\
             Connection: x-hop\r\nX-Hop: 1\r\nX-Own: 1\r\n\r\nhello",
        );
        assert_eq!(client.answer("POST").text(), "hello");
        let asked = server.last();
        assert_eq!(
            (&asked.headers["content-length"], &asked.headers["x-own"]),
            (&"5".parse().unwrap(), &"1".parse().unwrap())
        );
        assert!(!asked.headers.contains_key("x-hop"));
        client.send("HEAD / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n");
        assert_eq!(client.answer("HEAD").status(), 200);
        client.send("GET / HTTP/1.0\r\nHost: shop.localhost\r\n\r\n");
        let (answers, end) = client.answers("GET");
        assert_eq!((answers.len(), end), (1, Fault::End));
        assert_eq!(*server.connections.lock().unwrap(), 1, "one connection is enough");
    }
}

#[test]
fn chunks_and_trailers_go_both_ways_as_they_come() {
    for way in WAYS {
        let (_server, door) = set(way);
        let mut client = of(&door);
        client.send(
            "POST /echo HTTP/1.1\r\nHost: shop.localhost\r\nTransfer-Encoding: chunked\r\n\
             Expect: 100-continue\r\n\r\n",
        );
        assert_eq!(client.answer("POST").status(), 100);
        client.send("3\r\none\r\n");
        client.send("5\r\nthree\r\n0\r\nX-Sum: 7\r\nContent-Length: 5\r\n\r\n");
        let answer = client.answer("POST");
        assert_eq!(answer.text(), "onethree");
        let trailers: Vec<_> =
            answer.trailers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(trailers, [("grpc-status", "0"), ("x-sum", "7")]);
        assert_eq!(client.get("/next").status(), 200, "the connection goes on");
    }
}

#[test]
fn what_is_broken_looks_broken() {
    for way in WAYS {
        let (server, door) = set(way);
        let mut refused = of(&door);
        assert_eq!(refused.get("/refuse").status(), 502);
        assert_eq!(refused.get("/a").status(), 200, "the client's connection is whole");
        let mut broken = of(&door);
        broken.send("GET /break HTTP/1.1\r\nHost: shop.localhost\r\nConnection: close\r\n\r\n");
        let (answers, end) = broken.answers("GET");
        // A reset may overtake the head.
        let told = answers.iter().all(|answer| answer.status() == 502);
        assert!(told && (answers.len() == 1 || end != Fault::End), "{answers:?} {end:?}");
        let mut malformed = of(&door);
        malformed.send(
            "POST /echo HTTP/1.1\r\nHost: shop.localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
        );
        assert_eq!(malformed.reader.bytes(BEGUN.len()).unwrap(), BEGUN.as_bytes());
        malformed.send("x\r\n");
        let rest = malformed.reader.rest();
        assert!(!rest.unwrap_or_default().ends_with(b"0\r\n\r\n"), "it has no end");
        assert!(server.reset.recv_timeout(LIMIT).is_ok(), "the server does not take it for all");
        let mut socket = of(&door);
        socket.send(
            "GET /ws HTTP/1.1\r\nHost: shop.localhost\r\nConnection: upgrade\r\n\
             Upgrade: websocket\r\n\r\n",
        );
        assert_eq!(socket.answer("GET").status(), 502);
    }
}

#[test]
fn a_client_that_leaves_is_missed() {
    for way in WAYS {
        let (server, door) = set(way);
        let mut client = of(&door);
        client
            .send("POST /echo HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 50\r\n\r\nsome");
        assert_eq!(client.reader.bytes(BEGUN.len()).unwrap(), BEGUN.as_bytes());
        drop(client);
        let reason = server.reset.recv_timeout(LIMIT).unwrap();
        assert!([Reason::CANCEL, Reason::INTERNAL_ERROR].contains(&reason), "{reason:?}");
    }
}

//! What is told of requests whose clients or servers speak HTTP/2: as much as of any other.

use std::sync::Arc;

use bytes::Bytes;
use h2::Reason;
use h2::ext::Protocol as Spoken;
use wharf_model::Protocol;
use wharf_proxy::Record;

use crate::grpc::{Server, door};
use crate::peer::{Peer, piece, rest};
use crate::sockets;
use crate::stage::{Client, HOST, House, LIMIT, tls};
use crate::way::{Door, Set, WAYS, Way};

/// The next record. Who waits for it waits for the end of the answer.
#[track_caller]
fn next(house: &mut House) -> Arc<Record> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let next = async { tokio::time::timeout(LIMIT, house.records.recv()).await };
    runtime.block_on(next).expect("too late").unwrap()
}

/// Status, bytes of body, and who answered.
fn told(record: &Record) -> (u16, u64, Option<&str>) {
    (record.status, record.bytes, record.upstream.as_deref())
}

#[test]
fn the_bytes_of_every_answer_are_counted() {
    for way in WAYS {
        let mut set = Set::new(way, |line| {
            while let Some(asked) = line.request() {
                match asked.target() {
                    "/chunks" => line.send(
                        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x\r\n\r\n\
                         3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n",
                    ),
                    "/nothing" => line.send("HTTP/1.1 204 No Content\r\n\r\n"),
                    _ => line.answer("0123456789"),
                }
            }
        });
        let mut peer = Peer::new(&set.door);
        let rows = [
            ("GET", "/a?token=secret", 200, 10),
            ("HEAD", "/head", 200, 0),
            ("GET", "/chunks", 200, 5),
            ("GET", "/nothing", 204, 0),
        ];
        for (method, target, status, bytes) in rows {
            let request = peer.request(method, target).body(()).unwrap();
            peer.ask(request).unwrap();
            let record = next(&mut set.door.house);
            assert_eq!(told(&record), (status, bytes, Some(HOST)), "{way:?} {method} {target}");
            assert_eq!((record.method.as_str(), record.host.as_str()), (method, HOST));
            assert_eq!(record.path, target.replace("secret", "…"));
            assert_eq!((record.https, record.upgraded), (way == Way::Tls, false));
        }
        let request = peer.request("POST", "/up").body(()).unwrap();
        peer.post(request, &[b'x'; 1000]).unwrap();
        assert_eq!(told(&next(&mut set.door.house)), (200, 10, Some(HOST)), "what went up is not");
    }
}

#[test]
fn an_answer_of_the_proxys_own_is_counted_too() {
    for way in WAYS {
        let mut set = Set::echo(way);
        let mut peer = Peer::new(&set.door);
        let request = peer.request("POST", "/").header("origin", "http://evil.example");
        let answer = peer.ask(request.body(()).unwrap()).unwrap();
        let record = next(&mut set.door.house);
        assert_eq!(told(&record), (403, answer.body.len() as u64, None), "{way:?}");
        assert!(!answer.body.is_empty());
        let connect = peer.request("TRACE", "/x").body(()).unwrap();
        let answer = peer.ask(connect).unwrap();
        let record = next(&mut set.door.house);
        assert_eq!(told(&record), (405, answer.body.len() as u64, None), "{way:?}");
        assert_eq!((record.method.as_str(), record.path.as_str()), ("TRACE", "/x"));
    }
}

#[test]
fn an_answer_that_is_broken_off_is_told_of_as_far_as_it_came() {
    for way in WAYS {
        let mut set = Set::new(way, |line| {
            line.request();
            line.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789");
            if line.number == 0 {
                line.reader.drain();
            }
        });
        let mut peer = Peer::new(&set.door);
        let request = peer.request("GET", "/a").body(()).unwrap();
        let (answer, mut sending) = peer.send(request, true);
        let mut answer = peer.wait(answer).unwrap();
        assert_eq!(peer.wait(piece(answer.body_mut())).unwrap().unwrap().len(), 10);
        assert!(set.door.house.records.is_empty(), "it is not at its end");
        sending.send_reset(Reason::CANCEL);
        assert_eq!(
            told(&next(&mut set.door.house)),
            (200, 10, Some(HOST)),
            "{way:?}: by the client"
        );
        let request = peer.request("GET", "/b").body(()).unwrap();
        assert!(peer.ask(request).is_err());
        assert_eq!(
            told(&next(&mut set.door.house)),
            (200, 10, Some(HOST)),
            "{way:?}: by the server"
        );
    }
}

#[test]
fn a_socket_is_told_of_at_its_end() {
    for way in WAYS {
        let mut set = sockets::agreeing(way, sockets::echo);
        let mut peer = Peer::new(&set.door);
        let request = peer.request("CONNECT", "/ws").extension(Spoken::from_static("websocket"));
        let (answer, mut sending) = peer.send(request.body(()).unwrap(), false);
        let mut answer = peer.wait(answer).unwrap();
        sending.send_data(Bytes::from_static(b"hello"), false).unwrap();
        let mut heard = 0;
        while heard < 5 {
            heard += peer.wait(piece(answer.body_mut())).unwrap().unwrap().len();
        }
        assert!(set.door.house.records.is_empty(), "it is not at its end");
        sending.send_data(Bytes::new(), true).unwrap();
        peer.wait(rest(answer)).unwrap();
        let record = next(&mut set.door.house);
        assert_eq!(told(&record), (200, 5, Some(HOST)), "{way:?}");
        assert_eq!((record.method.as_str(), record.upgraded), ("GET", true));
    }
}

#[test]
fn what_servers_of_http2_answer_is_counted_for_clients_of_either() {
    for way in WAYS {
        let server = Server::new();
        let mut door = door(way, server.address, Protocol::H2c);
        let mut peer = Peer::new(&door);
        let request = peer.request("POST", "/a").body(()).unwrap();
        peer.post(request, b"hello").unwrap();
        assert_eq!(told(&next(&mut door.house)), (200, 5, Some(HOST)), "{way:?}");
        let mut client = http1(&door);
        client.send("POST /b HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 3\r\n\r\nabc");
        assert_eq!(client.answer("POST").text(), "abc");
        assert_eq!(told(&next(&mut door.house)), (200, 3, Some(HOST)), "{way:?}");
        client.send("POST /c HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 9\r\n\r\nabcd");
        while !client.reader.raw.ends_with(b"4\r\nabcd\r\n") {
            client.reader.bytes(1).unwrap();
        }
        drop(client);
        assert_eq!(told(&next(&mut door.house)), (200, 4, Some(HOST)), "{way:?}: broken off");
    }
}

/// A client of HTTP/1, by the front of the door.
fn http1(door: &Door) -> Client {
    match door.way {
        Way::Clear => Client::new(door.port),
        Way::Tls => tls::http1(door.port),
    }
}

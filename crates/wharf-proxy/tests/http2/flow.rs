//! Who waits for whom: flow control, streams that are reset, bodies that are cut.

use std::io::Write;
use std::sync::mpsc;
use std::time::Duration;

use bytes::Bytes;

use crate::peer::{Peer, room, whole};
use crate::raw::{END_HEADERS, Fate, Raw, SETTINGS, WHOLE, WINDOW};
use crate::stage::{LIMIT, Line, many};
use crate::way::{Set, WAYS, Way};

const MIB: usize = 1024 * 1024;
/// The most that may be on its way to somebody who does not read, the buffers of the system included.
const HELD: usize = 24 * MIB;
/// More than that; nothing holds it.
const ENOUGH: usize = 64 * MIB;
/// How long nothing moves before it is taken to stand still.
const STILL: Duration = Duration::from_millis(500);
/// The setting of the window that streams begin with.
const INITIAL_WINDOW: u8 = 4;
const MOST_STREAMS: u8 = 3;

/// How much goes into a connection before it stands still.
fn push(line: &mut Line) -> usize {
    line.stream.set_write_timeout(Some(STILL)).unwrap();
    let piece = vec![b'x'; 64 * 1024];
    let mut pushed = 0;
    while pushed < ENOUGH {
        match line.stream.write(&piece) {
            Ok(length) => pushed += length,
            Err(_) => break,
        }
    }
    pushed
}

#[test]
fn a_client_that_does_not_read_holds_its_server_back() {
    for way in WAYS {
        for window in [[0, 0, 255, 255], [127, 255, 255, 255]] {
            let (told, pushed) = mpsc::sync_channel(1);
            let set = Set::new(way, move |line| {
                if line.request().is_some() {
                    line.send("HTTP/1.1 200 OK\r\n\r\n");
                    told.send(push(line)).unwrap();
                }
            });
            let mut raw = Raw::new(&set.door);
            raw.frame(SETTINGS, 0, 0, &[&[0, INITIAL_WINDOW][..], &window].concat());
            raw.frame(WINDOW, 0, 0, &[127, 254, 0, 0]);
            let head = raw.ask("GET", "/a", &[]);
            raw.headers(WHOLE, 1, &head);
            let pushed = pushed.recv_timeout(LIMIT).unwrap();
            assert!(pushed < HELD, "{way:?} {window:?}: {pushed}");
            drop(raw);
            set.end();
        }
    }
}

#[test]
fn a_server_that_does_not_read_holds_its_client_back() {
    for way in WAYS {
        let (over, wait) = crate::stage::signal();
        let set = Set::new(way, move |line| {
            let _ = line.reader.request_head();
            wait.lock().unwrap().recv().unwrap();
            let rest = line.reader.drain();
            assert!(!rest.ends_with(b"0\r\n\r\n"), "a cut body looks complete");
        });
        let mut peer = Peer::new(&set.door);
        let request = peer.request("POST", "/a").body(()).unwrap();
        let (answer, mut sending) = peer.send(request, false);
        let mut sent = 0;
        while sent < ENOUGH {
            let next = async { tokio::time::timeout(STILL, room(&mut sending, MIB)).await };
            let Ok(Some(length)) = peer.wait(next) else { break };
            sending.send_data(Bytes::from(vec![b'x'; length]), false).unwrap();
            sent += length;
        }
        assert!(sent < HELD, "{way:?}: {sent}");
        sending.send_reset(h2::Reason::CANCEL);
        assert!(peer.wait(answer).is_err());
        over.send(()).unwrap();
        set.upstream.wait("the connection ends", |log| log.raw.len() == 1);
        set.end();
    }
}

#[test]
fn no_more_than_256_streams_are_open() {
    const STREAMS: u32 = 256;
    const REFUSED: u32 = 7;
    many();
    for way in WAYS {
        let set = Set::echo(way);
        let mut raw = Raw::new(&set.door);
        let told = raw.next().unwrap();
        assert_eq!(told.kind, SETTINGS);
        let most = [&[0, MOST_STREAMS][..], &STREAMS.to_be_bytes()].concat();
        assert!(told.payload.chunks(6).any(|setting| setting == most), "{told:?}");
        let head = raw.ask("POST", "/a", &[]);
        for number in 0..=STREAMS {
            raw.headers(END_HEADERS, 2 * number + 1, &head);
        }
        assert_eq!(raw.fate(2 * STREAMS + 1), Fate::Reset(REFUSED), "{way:?}");
        assert!(set.end().connections <= STREAMS as usize);
    }
}

/// What a server does before it hears nothing more.
fn reset_at(way: Way, sent: &'static str) {
    let set = Set::new(way, move |line| {
        match line.number {
            0 => {
                line.request();
                line.send(sent);
                line.reader.drain();
            }
            _ => line.echo(),
        };
    });
    let mut peer = Peer::new(&set.door);
    let request = peer.request("GET", "/first").body(()).unwrap();
    let (answer, mut sending) = peer.send(request, true);
    set.upstream.wait("the request", |log| log.requests.len() == 1);
    if sent.is_empty() {
        sending.send_reset(h2::Reason::CANCEL);
    } else {
        let answer = peer.wait(answer).unwrap();
        sending.send_reset(h2::Reason::CANCEL);
        drop(answer);
    }
    set.upstream.wait("its connection ends", |log| log.raw.len() == 1);
    assert_eq!(peer.get("/second").text(), "GET /second");
    assert_eq!(set.end().connections, 2, "{way:?}: {sent:?}");
}

#[test]
fn a_stream_that_is_reset_takes_its_connection_along() {
    for way in WAYS {
        reset_at(way, "");
        reset_at(way, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
        reset_at(way, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
        reset_at(way, "HTTP/1.1 200 OK\r\n\r\nhello");
    }
}

#[test]
fn a_request_that_is_reset_is_not_complete_for_its_server() {
    for way in WAYS {
        for length in [None, Some("100")] {
            let set = Set::echo(way);
            let mut peer = Peer::new(&set.door);
            let mut request = peer.request("POST", "/a");
            if let Some(length) = length {
                request = request.header("content-length", length);
            }
            let (answer, mut sending) = peer.send(request.body(()).unwrap(), false);
            sending.send_data(Bytes::from_static(b"hello"), false).unwrap();
            set.upstream.wait("the connection", |log| log.connections == 1);
            sending.send_reset(h2::Reason::CANCEL);
            assert!(peer.wait(answer).is_err());
            set.upstream.wait("its end", |log| log.raw.len() == 1);
            assert_eq!(set.end().requests.len(), 0, "{way:?} {length:?}");
        }
    }
}

#[test]
fn a_body_that_is_cut_is_no_clean_end() {
    let rows = [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhello",
    ];
    for way in WAYS {
        for sent in rows {
            let set = Set::new(way, move |line| {
                if line.number > 0 {
                    line.echo();
                } else if line.request().is_some() {
                    line.send(sent);
                }
            });
            let mut peer = Peer::new(&set.door);
            let request = peer.request("GET", "/first").body(()).unwrap();
            let (answer, _) = peer.send(request, true);
            let ended = peer.wait(whole(answer));
            assert!(ended.is_err(), "{way:?} {sent:?}: {ended:?}");
            // The others on the connection have nothing to do with it.
            assert_eq!(peer.get("/second").text(), "GET /second");
            set.end();
        }
    }
}

/// Bytes behind an answer would be taken for the next one.
#[test]
fn a_connection_with_too_many_bytes_is_not_used_again() {
    for way in WAYS {
        let set = Set::new(way, |line| {
            while line.request().is_some() {
                line.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmineHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
            }
        });
        let mut peer = Peer::new(&set.door);
        for number in 0..6 {
            let request = peer.request("GET", &format!("/{number}")).body(()).unwrap();
            let (answer, _) = peer.send(request, true);
            assert_eq!(peer.wait(whole(answer)).unwrap().text(), "mine");
        }
        assert_eq!(set.end().connections, 6);
    }
}

//! How long, how many, how much: what is real passes, what has no end is ended.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::stage::{Client, Message, Stage, get, many, signal};

/// A request with these lines among its fields, and a target of this length.
fn ask(client: &mut Client, target: usize, lines: &str) -> Message {
    let target = format!("/{}", "t".repeat(target - 1));
    client.send(format!("GET {target} HTTP/1.1\r\nHost: shop.localhost\r\n{lines}\r\n"));
    client.answer("GET")
}

fn fields(count: usize) -> String {
    (0..count).map(|number| format!("X-{number}: y\r\n")).collect()
}

fn cookie(length: usize) -> String {
    format!("Cookie: {}\r\n", "c".repeat(length))
}

#[test]
fn heads_of_real_pages_pass_and_longer_ones_are_told_so() {
    let kib = 1024;
    for (name, target, lines, status) in [
        ("a cookie of 16 KiB", 1, cookie(16 * kib), 200),
        ("a cookie of 60 KiB", 1, cookie(60 * kib), 200),
        ("four of 15 KiB", 1, cookie(15 * kib).repeat(4), 200),
        ("a cookie of 64 KiB", 1, cookie(64 * kib), 431),
        ("a cookie of 1 MiB", 1, cookie(kib * kib), 431),
        ("five of 15 KiB", 1, cookie(15 * kib).repeat(5), 431),
        ("200 fields", 1, fields(199), 200),
        ("201 fields", 1, fields(200), 431),
        ("2000 fields", 1, fields(2000), 431),
        ("a target of 32 KiB", 32 * kib, String::new(), 200),
        ("a target of more", 32 * kib + 1, String::new(), 414),
        ("a target of 60 KiB", 60 * kib, String::new(), 414),
        ("a target of 64 KiB", 64 * kib, String::new(), 431),
        ("a field name of 30 KiB", 1, format!("{}: x\r\n", "n".repeat(30 * kib)), 200),
    ] {
        let stage = Stage::new(|line| {
            while line.request().is_some() {
                line.answer("ok");
            }
        });
        let answer = ask(&mut stage.client(), target, &lines);
        assert_eq!(answer.status(), status, "{name}");
        let log = stage.end();
        match status {
            200 => {
                let seen = &log.requests[0];
                let text: String = seen.all("cookie").concat();
                assert_eq!(text.len(), lines.matches('c').count(), "{name}");
                assert_eq!(seen.target().len(), target, "{name}");
            }
            _ => assert_eq!((log.requests.len(), log.connections), (0, 0), "{name}"),
        }
    }
}

#[test]
fn heads_of_answers_may_be_as_long() {
    for (name, lines, status) in [
        ("a field of 16 KiB", format!("Set-Cookie: {}\r\n", "c".repeat(16 << 10)), 200),
        ("a field of 60 KiB", format!("X: {}\r\n", "c".repeat(60 << 10)), 200),
        ("a field of 64 KiB", format!("X: {}\r\n", "c".repeat(64 << 10)), 502),
        ("199 fields", fields(199), 200),
        ("201 fields", fields(201), 502),
    ] {
        let length = lines.len();
        let stage = Stage::new(move |line| {
            while line.request().is_some() {
                line.send(format!("HTTP/1.1 200 OK\r\n{lines}Content-Length: 0\r\n\r\n"));
            }
        });
        let mut client = stage.client();
        assert_eq!(client.get("/a").status(), status, "{name}");
        assert!(status != 200 || client.reader.raw.len() >= length, "{name}");
    }
}

fn chunked(client: &mut Client, body: &str) -> u16 {
    client.send("POST /a HTTP/1.1\r\nHost: shop.localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send(body);
    client.answer("POST").status()
}

#[test]
fn what_stands_around_chunks_is_bounded() {
    let extension = |length: usize, times: usize| {
        format!("1;{}\r\nx\r\n", "e".repeat(length)).repeat(times) + "0\r\n\r\n"
    };
    for (name, body, status) in [
        ("a size line of 4000 bytes", extension(4000, 1), 200),
        ("a size line of more than 4 KiB", extension(4096, 1), 400),
        ("a size of many zeros", format!("{}1\r\nx\r\n0\r\n\r\n", "0".repeat(4000)), 200),
        ("a size of more zeros", format!("{}1\r\nx\r\n0\r\n\r\n", "0".repeat(5000)), 400),
        ("extensions of 60 KiB", extension(4000, 15), 200),
        ("extensions of more than 64 KiB", extension(4000, 17), 400),
        ("short ones of more than 64 KiB", extension(30, 2200), 400),
        ("trailers of 15 KiB", format!("0\r\nX: {}\r\n\r\n", "t".repeat(15 << 10)), 200),
        ("trailers of more than 16 KiB", format!("0\r\nX: {}\r\n\r\n", "t".repeat(16 << 10)), 400),
        ("60 trailers", format!("0\r\n{}\r\n", fields(60)), 200),
        ("200 trailers", format!("0\r\n{}\r\n", fields(200)), 400),
        ("10,000 chunks", "1\r\nx\r\n".repeat(10_000) + "0\r\n\r\n", 200),
    ] {
        let stage = Stage::echo();
        assert_eq!(chunked(&mut stage.client(), &body), status, "{name}");
        let log = stage.end();
        assert_eq!(log.requests.len(), usize::from(status == 200), "{name}");
    }
}

/// How much may lie on the way to whoever does not read it.
const MOST: usize = 24 << 20;
/// Longer than all of it.
const BODY: usize = 64 << 20;
/// Who cannot write for so long will not for longer.
const STALLED: Duration = Duration::from_millis(400);

/// Writes until nothing more is taken, or all is; how much was.
fn push(stream: &mut TcpStream, mut left: usize) -> usize {
    let block = vec![b'x'; 64 << 10];
    stream.set_write_timeout(Some(STALLED)).unwrap();
    let mut pushed = 0;
    while left > 0 {
        match stream.write(&block[..left.min(block.len())]) {
            Ok(written) => {
                pushed += written;
                left -= written;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error} after {pushed} bytes"),
        }
    }
    stream.set_write_timeout(Some(crate::stage::LIMIT)).unwrap();
    pushed
}

fn pull(stream: &mut TcpStream, mut left: usize) {
    let mut block = vec![0; 256 << 10];
    while left > 0 {
        let read = stream.read(&mut block).unwrap();
        assert!(read > 0, "{left} bytes are missing");
        left -= read;
    }
}

#[test]
fn a_server_cannot_say_more_than_its_client_hears() {
    let (told, pushed) = std::sync::mpsc::sync_channel(1);
    let stage = Stage::new(move |line| {
        if line.number > 0 {
            return line.echo();
        }
        line.request();
        line.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {BODY}\r\n\r\n"));
        let first = push(&mut line.stream, BODY);
        told.send(first).unwrap();
        assert_eq!(first + push_all(&mut line.stream, BODY - first), BODY);
        line.echo();
    });
    let mut client = stage.client();
    client.send(get("/big"));
    client.reader.head().unwrap();
    let first = pushed.recv().unwrap();
    assert!(first < MOST, "{first} bytes were pushed to a client that does not read");
    assert_eq!(stage.client().get("/other").text(), "GET /other", "others are served");
    let left = BODY - client.reader.buffer.len();
    client.reader.buffer.clear();
    pull(&mut client.stream, left);
    assert_eq!(client.get("/next").text(), "GET /next");
}

fn push_all(stream: &mut TcpStream, length: usize) -> usize {
    stream.write_all(&vec![b'x'; length]).map_or(0, |()| length)
}

#[test]
fn a_client_cannot_say_more_than_its_server_hears() {
    let (go, gone) = signal();
    let stage = Stage::new(move |line| {
        if line.number > 0 {
            return line.echo();
        }
        let head = line.reader.request_head().unwrap();
        gone.lock().unwrap().recv().unwrap();
        let left = BODY - line.reader.buffer.len();
        line.reader.buffer.clear();
        pull(&mut line.stream, left);
        line.answer("heard");
        line.note(Ok(head));
        line.echo();
    });
    let mut client = stage.client();
    client.send(format!(
        "POST /big HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: {BODY}\r\n\r\n"
    ));
    let first = push(&mut client.stream, BODY);
    assert!(first < MOST, "{first} bytes were pushed to a server that does not read");
    assert_eq!(stage.client().get("/other").text(), "GET /other", "others are served");
    go.send(()).unwrap();
    push_all(&mut client.stream, BODY - first);
    assert_eq!(client.answer("POST").text(), "heard");
    assert_eq!(client.get("/next").text(), "GET /next");
}

#[test]
fn who_is_slow_or_silent_is_in_nobodys_way() {
    many();
    let stage = Stage::echo();
    let idle: Vec<Client> = (0..500).map(|_| stage.client()).collect();
    let slow: Vec<Client> = (0..200)
        .map(|number| {
            let mut client = stage.client();
            let whole = get("/slow");
            client.send(&whole[..number % whole.len()]);
            client
        })
        .collect();
    let begun = Instant::now();
    assert_eq!(stage.client().get("/a").text(), "GET /a");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    drop((idle, slow));
    assert_eq!(stage.end().asked(), ["GET /a"]);
}

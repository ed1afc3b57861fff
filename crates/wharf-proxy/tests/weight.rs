//! What the proxy's memory is: a process of its own, in which nothing else runs at the same time.

mod stage;

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use stage::{Client, HOST, House, LIMIT, Line, Stage, get, many, route};

const MIB: usize = 1 << 20;
/// How long a body is that must not be held.
const BODY: usize = 200 * MIB;
const BLOCK: usize = 64 << 10;

/// A line of `/proc/self/status` in bytes.
fn memory(name: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    let digits = line.trim_start_matches(':').trim().trim_end_matches(" kB");
    digits.parse::<usize>().unwrap() * 1024
}

/// How much more memory this takes, at its worst, than there was before.
fn growth(what: impl FnOnce()) -> usize {
    // Lets the highest value begin anew.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = memory("VmRSS");
    what();
    memory("VmHWM").saturating_sub(before)
}

fn pull(stream: &mut impl Read, mut left: usize) {
    let mut block = vec![0; BLOCK];
    while left > 0 {
        match stream.read(&mut block).unwrap() {
            0 => panic!("{left} bytes are missing"),
            read => left = left.saturating_sub(read),
        }
    }
}

/// All tests of memory, one after the other: each would see what another takes.
#[test]
fn memory_is_bounded() {
    many();
    let mut failures = String::new();
    for (name, what, most) in [
        ("200 MB down", down as fn(), 24 * MIB),
        ("200 MB down in chunks", down_in_chunks, 24 * MIB),
        ("200 MB up", up, 24 * MIB),
        ("200 MB up in chunks", up_in_chunks, 24 * MIB),
        ("100 MB of head", endless_head, 16 * MIB),
        ("100 MB of one field", endless_field, 16 * MIB),
        ("100 MB of blank lines", endless_blank_lines, 16 * MIB),
        ("8 MB of chunk extensions", endless_extensions, 16 * MIB),
        ("8 MB of one chunk extension", endless_extension, 16 * MIB),
        ("100 MB of trailers", endless_trailers, 16 * MIB),
        ("100 MB of an answer's head", endless_answer, 16 * MIB),
        ("100 MB of pipelined requests", endless_requests, 16 * MIB),
    ] {
        let grown = growth(what);
        if grown > most {
            writeln!(failures, "{name}: {} KiB", grown >> 10).unwrap();
        }
    }
    let each = sockets(1000);
    if each > 40_000 {
        writeln!(failures, "an idle socket: {each} bytes").unwrap();
    }
    assert!(failures.is_empty(), "{failures}");
}

fn download(head: &'static str, block: &'static [u8], end: &'static str) {
    let stage = Stage::new(move |line: &mut Line| {
        line.request();
        line.send(head);
        for _ in 0..BODY / BLOCK {
            line.send(block);
        }
        line.send(end);
        line.finish();
    });
    let mut client = stage.client();
    client.send(get("/big"));
    pull(&mut client.stream, BODY);
}

fn down() {
    static BLOCK_OF_X: [u8; BLOCK] = [b'x'; BLOCK];
    download("HTTP/1.1 200 OK\r\nContent-Length: 209715200\r\n\r\n", &BLOCK_OF_X, "");
}

/// A chunk of 64 KiB.
fn chunk() -> Vec<u8> {
    [format!("{BLOCK:x}\r\n").as_bytes(), &[b'x'; BLOCK], b"\r\n"].concat()
}

fn down_in_chunks() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    download(head, Box::leak(chunk().into_boxed_slice()), "0\r\n\r\n");
}

fn upload(head: &str, block: &[u8], end: &str) {
    let stage = Stage::new(|line: &mut Line| {
        let left = BODY - line.reader.head().map_or(0, |_| line.reader.buffer.len());
        pull(&mut line.stream, left);
        line.answer("heard");
        line.finish();
    });
    let mut client = stage.client();
    client.send(format!("POST /big HTTP/1.1\r\nHost: {HOST}\r\n{head}\r\n\r\n"));
    for _ in 0..BODY / BLOCK {
        client.send(block);
    }
    client.send(end);
    assert_eq!(client.answer("POST").text(), "heard");
}

fn up() {
    upload("Content-Length: 209715200", &[b'x'; BLOCK], "");
}

fn up_in_chunks() {
    upload("Transfer-Encoding: chunked", &chunk(), "0\r\n\r\n");
}

/// Sends a beginning, and then the same again and again until nobody listens. The client that was
/// refused is told so, and others are served.
fn endless(begin: &str, block: &str, most: usize, status: u16) {
    let stage = Stage::echo();
    let mut client = stage.client();
    let mut stream = client.stream.try_clone().unwrap();
    let text = block.repeat(BLOCK / block.len());
    let begin = begin.to_owned();
    let writer = std::thread::spawn(move || {
        let mut sent = stream.write(begin.as_bytes()).unwrap_or(0);
        while sent < most && stream.write_all(text.as_bytes()).is_ok() {
            sent += text.len();
        }
        sent
    });
    assert_eq!(client.answer("GET").status(), status, "{begin:?}", begin = block);
    client.reader.drain();
    assert!(writer.join().unwrap() < most, "the connection was not ended");
    assert_eq!(stage.client().get("/next").text(), "GET /next");
    assert_eq!(stage.end().asked(), ["GET /next"]);
}

const ALL: usize = 100 * MIB;
const CHUNKED: &str =
    "POST /a HTTP/1.1\r\nHost: shop.localhost\r\nTransfer-Encoding: chunked\r\n\r\n";

fn endless_head() {
    endless("GET /a HTTP/1.1\r\nHost: shop.localhost\r\n", "X: yyyyyyyyyyyy\r\n", ALL, 431);
}

fn endless_field() {
    endless("GET /a HTTP/1.1\r\nHost: shop.localhost\r\nX: ", "yyyyyyyyyyyyyyyy", ALL, 431);
}

fn endless_extensions() {
    endless(CHUNKED, "1;eeeeeeeeeeeeeeeeeeeeeeeeeee\r\nx\r\n", 8 * MIB, 400);
}

fn endless_extension() {
    endless(&format!("{CHUNKED}1;"), "eeeeeeeeeeeeeeee", 8 * MIB, 400);
}

fn endless_trailers() {
    endless(&format!("{CHUNKED}0\r\n"), "X: yyyyyyyyyyyy\r\n", ALL, 400);
}

/// They are no request, and so no reason for an answer; but they are not kept either.
fn endless_blank_lines() {
    let stage = Stage::echo();
    let mut client = stage.client();
    let block = "\r\n".repeat(BLOCK / 2);
    for _ in 0..ALL / BLOCK {
        client.send(&block);
    }
    assert_eq!(client.get("/a").text(), "GET /a");
}

fn endless_answer() {
    let stage = Stage::new(|line: &mut Line| {
        line.request();
        line.send("HTTP/1.1 200 OK\r\n");
        let block = "X: yyyyyyyyyyyy\r\n".repeat(4096);
        while line.stream.write_all(block.as_bytes()).is_ok() {}
    });
    assert_eq!(stage.client().get("/a").status(), 502);
    stage.end();
}

/// A client that only asks and never listens is not heard any more at some point.
fn endless_requests() {
    // What the server itself would keep of them is not the proxy's.
    let stage = Stage::new(|line: &mut Line| {
        while let Ok(request) = line.reader.request() {
            line.reader.raw.clear();
            line.answer(&format!("{} {}", request.method(), request.target()));
        }
    });
    let mut client = stage.client();
    client.stream.set_write_timeout(Some(std::time::Duration::from_millis(300))).unwrap();
    let block = get("/a").repeat(1000);
    let mut sent = 0;
    while sent < ALL && client.stream.write_all(block.as_bytes()).is_ok() {
        sent += block.len();
    }
    assert!(sent < ALL, "all of it was taken");
    assert_eq!(stage.client().get("/next").text(), "GET /next");
}

const HANDSHAKE: &str = "GET /ws HTTP/1.1\r\nHost: shop.localhost\r\nConnection: Upgrade\r\n\
Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\nCookie: session=0123456789\r\n\r\n";
const AGREED: &str =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";

/// Reads a head to its end, with nothing behind it.
fn read_head(stream: &mut TcpStream) {
    let (mut head, mut length) = ([0; 4096], 0);
    while !head[..length].ends_with(b"\r\n\r\n") {
        length += stream.read(&mut head[length..]).unwrap();
    }
}

/// What each of so many open sockets takes, when all are silent after a word in each direction.
fn sockets(count: usize) -> usize {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let house = House::new([route(HOST, listener.local_addr().unwrap())]);
    let before = memory("VmRSS");
    // Nothing but descriptors is kept on both ends, so that what grows is the proxy's.
    let (mut clients, mut servers) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let mut client = Client::new(house.port).stream;
        client.write_all(HANDSHAKE.as_bytes()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        server.set_read_timeout(Some(LIMIT)).unwrap();
        read_head(&mut server);
        server.write_all(AGREED.as_bytes()).unwrap();
        read_head(&mut client);
        clients.push(client);
        servers.push(server);
    }
    let word = [7; 4096];
    for (client, server) in clients.iter_mut().zip(&mut servers) {
        let mut heard = [0; 4096];
        client.write_all(&word).unwrap();
        server.read_exact(&mut heard).unwrap();
        server.write_all(&heard).unwrap();
        client.read_exact(&mut heard).unwrap();
        assert_eq!(heard, word);
    }
    memory("VmRSS").saturating_sub(before) / count
}

//! What is held while little happens: memory, open WebSockets, and streams of events.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::contenders::{Contender, HAPROXY_ROW, NAMES, NGINX_ROW, OURS, resident};
use super::load::{ends_of_head, percentile};
use super::place::Pinned;
use super::{Stage, rows, turn};
use crate::Failure;
use crate::clock::{self, Rounds};
use crate::figures::{self, Aim, Table};
use crate::world::PATIENCE;

/// How many WebSockets are opened for the memory of one.
const SOCKETS: u16 = 1000;
/// After this long a process that has nothing to do holds what it will go on holding.
const SETTLED: Duration = Duration::from_secs(3);
/// How many events are timed in one turn.
const EVENTS: usize = 300;
/// A text of five letters from a client, masked with zeros.
const FRAME: &[u8] = b"\x81\x85\0\0\0\0hello";

/// What each holds when nobody has asked much, and for each WebSocket.
pub(crate) fn memory(stage: &Stage<'_>) -> Result<Vec<Table>, Failure> {
    let names = || NAMES[OURS + 1..].iter().map(|name| figures::Contender::new(*name));
    let ours = |aim| figures::Contender::new(NAMES[OURS]).aim(Aim::Under(aim));
    let with =
        |title: &str, aim| Table::new(title, std::iter::once(ours(aim)).chain(names()).collect());
    let mut idle = with("proxy: memory before it has much to do (MiB)", 15.0);
    let title = format!("proxy: memory for each of {SOCKETS} idle WebSockets (kB)");
    let mut each = with(&title, 40.0);
    for row in OURS..NAMES.len() {
        let Some(contender) = stage.start(row)? else { continue };
        let pinned = Pinned::to(stage.places.load)?;
        std::thread::sleep(SETTLED);
        let Some(before) = resident(&contender)? else { continue };
        idle.add(row - OURS, before);
        let Some(sockets) = turn(row, &mut Vec::new(), || open(&contender, SOCKETS))? else {
            continue;
        };
        std::thread::sleep(SETTLED);
        let after = resident(&contender)?.unwrap_or(f64::NAN);
        each.add(row - OURS, (after - before) * 1048.576 / f64::from(SOCKETS));
        drop((sockets, pinned));
    }
    stage.world.stop_portless();
    Ok(vec![idle, each])
}

/// Opens so many WebSockets and lets one message pass over each.
pub(crate) fn open(contender: &Contender, count: u16) -> Result<Vec<TcpStream>, Failure> {
    (0..count).map(|_| socket(contender)).collect()
}

fn socket(contender: &Contender) -> Result<TcpStream, Failure> {
    let mut stream = TcpStream::connect_timeout(&contender.address, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let host = &contender.host;
    let request = format!(
        "GET /socket HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let head = read_head(&mut stream)?;
    if !head.starts_with(b"HTTP/1.1 101 ") {
        return Err(format!("no WebSocket: {:?}", String::from_utf8_lossy(&head)).into());
    }
    echo(&mut stream)?;
    Ok(stream)
}

/// Sends a message and waits for it to come back.
pub(crate) fn echo(stream: &mut TcpStream) -> Result<(), Failure> {
    stream.write_all(FRAME)?;
    let mut back = [0; FRAME.len()];
    stream.read_exact(&mut back)?;
    match back == FRAME {
        true => Ok(()),
        false => Err("a message came back as another".into()),
    }
}

/// Byte by byte: what lies behind it is not ours.
fn read_head(stream: &mut TcpStream) -> Result<Vec<u8>, Failure> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while ends_of_head(&head).is_none() {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(head)
}

/// How long an event takes from the server to its reader.
pub(crate) fn events(all: &[Option<Contender>]) -> Result<Vec<Table>, Failure> {
    let table = |title: &str| Table::new(title, NAMES.map(figures::Contender::new).into());
    let half = table("proxy: half of the events of a stream take at most (µs)");
    let mut half = half.compare(OURS, HAPROXY_ROW).compare(OURS, NGINX_ROW);
    let most = table("proxy: 99 of 100 events of a stream take at most (µs)");
    let mut most = most.compare(OURS, HAPROXY_ROW).compare(OURS, NGINX_ROW);
    let mut out = Vec::new();
    for _ in Rounds::new(3, 5, Duration::from_secs(20)) {
        for (row, contender) in rows(all) {
            let Some(mut took) = turn(row, &mut out, || listen(contender))? else { continue };
            half.add(row, percentile(&mut took, 50));
            most.add(row, percentile(&mut took, 99));
        }
    }
    Ok(vec![half, most])
}

fn listen(contender: &Contender) -> Result<Vec<u32>, Failure> {
    let mut stream = TcpStream::connect_timeout(&contender.address, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let request = super::load::get(&contender.host, "/events");
    stream.write_all(&request)?;
    let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
    let mut took = Vec::with_capacity(EVENTS);
    let end = Instant::now() + PATIENCE;
    while took.len() < EVENTS && Instant::now() < end {
        let length = stream.read(&mut buffer)?;
        let now = clock::now();
        if length == 0 {
            return Err("a stream of events ended".into());
        }
        text.extend_from_slice(&buffer[..length]);
        while let Some(event) = next_event(&mut text)? {
            took.push(u32::try_from(now - event).unwrap_or(u32::MAX));
        }
    }
    Ok(took)
}

/// The time in the next complete event, which is taken out.
fn next_event(text: &mut Vec<u8>) -> Result<Option<i64>, Failure> {
    const NAME: &[u8] = b"data: ";
    let Some(begin) = text.windows(NAME.len()).position(|part| part == NAME) else {
        return Ok(None);
    };
    let rest = &text[begin + NAME.len()..];
    let Some(end) = rest.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
    let time = std::str::from_utf8(&rest[..end])?.parse()?;
    text.drain(..begin + NAME.len() + end);
    Ok(Some(time))
}

//! The server behind all contenders: one thread, one event queue, as little work per request as can be.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::rc::Rc;
use std::time::Duration;

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::OwnedFd;

use super::load::{ends_of_head, timespec};
use crate::{Failure, clock};

/// How large the bodies of `/64k` and `/100m` are.
pub(crate) const MIDDLE: usize = 64 * 1024;
pub(crate) const LARGE: usize = 100_000_000;
/// What a small answer says.
const SMALL: &[u8] = b"Hello, world!\n";
/// How much of a large body is written at once.
const PIECE: usize = 256 * 1024;
/// The pause between two events of a stream.
const EVENT_PAUSE: Duration = Duration::from_millis(2);
const LISTENER: u64 = u64::MAX;

/// What waits to be sent: these bytes from there on, and so many of the piece behind them.
struct Out {
    bytes: Rc<[u8]>,
    at: usize,
    left: usize,
}

enum Mode {
    Answers,
    /// Gets every event.
    Events,
    /// What comes goes back.
    Echo,
}

struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
    out: Option<Out>,
    mode: Mode,
}

struct Server {
    queue: OwnedFd,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    small: Rc<[u8]>,
    middle: Rc<[u8]>,
    large: Rc<[u8]>,
    piece: Vec<u8>,
    buffer: Vec<u8>,
    events: usize,
}

/// Serves for ever.
pub(crate) fn serve(port: u16) -> Result<(), Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    rustix::net::listen(&listener, 4096)?;
    listener.set_nonblocking(true)?;
    let queue = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&queue, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    let mut server = Server {
        queue,
        connections: Vec::new(),
        free: Vec::new(),
        small: answer(SMALL),
        middle: answer(&[b'x'; MIDDLE]),
        large: head(LARGE).into(),
        piece: vec![b'x'; PIECE],
        buffer: vec![0; PIECE],
        events: 0,
    };
    let mut ready: Vec<Event> = Vec::with_capacity(512);
    let pause = timespec(EVENT_PAUSE);
    let mut next_event = 0;
    loop {
        let wait = (server.events > 0).then_some(&pause);
        ready.clear();
        epoll::wait(&server.queue, rustix::buffer::spare_capacity(&mut ready), wait)?;
        for event in &ready {
            match event.data.u64() {
                LISTENER => server.accept(&listener)?,
                at => server.step(usize::try_from(at)?),
            }
        }
        if server.events > 0 && clock::now() >= next_event {
            next_event = clock::now() + i64::try_from(EVENT_PAUSE.as_nanos())?;
            server.tell();
        }
    }
}

fn head(length: usize) -> Vec<u8> {
    let head = "HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: text/plain; charset=utf-8\r\n\
                Cache-Control: no-cache\r\nETag: \"bench-1\"\r\n";
    format!("{head}Content-Length: {length}\r\n\r\n").into_bytes()
}

fn answer(body: &[u8]) -> Rc<[u8]> {
    [&head(body.len()), body].concat().into()
}

impl Server {
    fn accept(&mut self, listener: &TcpListener) -> Result<(), Failure> {
        loop {
            let stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let at = self.free.pop().unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            epoll::add(&self.queue, &stream, EventData::new_u64(at as u64), EventFlags::IN)?;
            let mode = Mode::Answers;
            self.connections[at] = Some(Connection { stream, input: Vec::new(), out: None, mode });
        }
    }

    /// A connection that fails is its client's affair.
    fn step(&mut self, at: usize) {
        let Some(mut connection) = self.connections[at].take() else { return };
        match self.advance(&mut connection, at) {
            Ok(()) => self.connections[at] = Some(connection),
            Err(_) => {
                self.events -= usize::from(matches!(connection.mode, Mode::Events));
                self.free.push(at);
            }
        }
    }

    fn advance(&mut self, connection: &mut Connection, at: usize) -> io::Result<()> {
        if connection.out.is_some() {
            self.send(connection, at, true)?;
            return Ok(());
        }
        let length = match connection.stream.read(&mut self.buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        match connection.mode {
            Mode::Answers => {}
            Mode::Events => return Ok(()),
            Mode::Echo => return connection.stream.write_all(&self.buffer[..length]),
        }
        if connection.input.is_empty() && ends_of_head(&self.buffer[..length]) == Some(length) {
            let out = self.asked(&self.buffer[..length], &mut connection.mode);
            connection.out = Some(out);
        } else {
            connection.input.extend_from_slice(&self.buffer[..length]);
            let Some(end) = ends_of_head(&connection.input) else { return Ok(()) };
            let rest = connection.input.split_off(end);
            connection.out = Some(self.asked(&connection.input, &mut connection.mode));
            connection.input = rest;
        }
        self.events += usize::from(matches!(connection.mode, Mode::Events));
        self.send(connection, at, false)
    }

    /// What a request is answered with.
    fn asked(&self, request: &[u8], mode: &mut Mode) -> Out {
        let path = request.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        let out = |bytes: Rc<[u8]>, left| Out { bytes, at: 0, left };
        match path {
            b"/64k" => out(self.middle.clone(), 0),
            b"/100m" => out(self.large.clone(), LARGE),
            b"/events" => {
                *mode = Mode::Events;
                let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
                             Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n";
                out(Rc::from(&head[..]), 0)
            }
            b"/socket" => {
                *mode = Mode::Echo;
                let head = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
                             Upgrade: websocket\r\n\
                             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
                out(Rc::from(&head[..]), 0)
            }
            _ => out(self.small.clone(), 0),
        }
    }

    /// Sends what waits, as far as it goes now. `watched`: the rest of it is waited for already.
    fn send(&mut self, connection: &mut Connection, at: usize, watched: bool) -> io::Result<()> {
        let Some(out) = &mut connection.out else { return Ok(()) };
        loop {
            let data = match &out.bytes[out.at..] {
                [] => &self.piece[..out.left.min(PIECE)],
                data => data,
            };
            if data.is_empty() {
                break;
            }
            match connection.stream.write(data) {
                Ok(length) if out.at < out.bytes.len() => out.at += length,
                Ok(length) => out.left -= length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return match watched {
                        true => Ok(()),
                        false => self.watch(connection, at, EventFlags::OUT),
                    };
                }
                Err(error) => return Err(error),
            }
        }
        connection.out = None;
        match watched {
            true => self.watch(connection, at, EventFlags::IN),
            false => Ok(()),
        }
    }

    fn watch(&self, connection: &Connection, at: usize, for_what: EventFlags) -> io::Result<()> {
        let data = EventData::new_u64(at as u64);
        Ok(epoll::modify(&self.queue, &connection.stream, data, for_what)?)
    }

    /// An event with the time of its sending, to everybody who wants one.
    fn tell(&mut self) {
        for connection in self.connections.iter_mut().flatten() {
            if matches!(connection.mode, Mode::Events) && connection.out.is_none() {
                let event = format!("data: {}\n\n", clock::now());
                let chunk = format!("{:x}\r\n{event}\r\n", event.len());
                // Whoever is gone is noticed by the reading.
                let _ = connection.stream.write_all(chunk.as_bytes());
            }
        }
    }
}

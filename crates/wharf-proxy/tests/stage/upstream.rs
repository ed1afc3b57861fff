//! A server that does exactly what a test says, and keeps exactly what it was sent.

use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

use rustix::net::{AddressFamily, SocketType, bind, connect, getsockname, socket};

use super::LIMIT;
use super::message::{Fault, Message, Reader};

/// What a server does with a connection; when it returns, the connection is closed.
pub type Script = dyn Fn(&mut Line) + Send + Sync;

/// All that a server was sent.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// How many connections were made.
    pub connections: usize,
    /// Every request that arrived as a whole, in the order of arrival.
    pub requests: Vec<Message>,
    /// What arrived and is no request, or only a part of one.
    pub faults: Vec<Fault>,
    /// Every byte of every connection that has ended.
    pub raw: Vec<Vec<u8>>,
}

impl Log {
    /// `method target` of every request.
    pub fn asked(&self) -> Vec<String> {
        let line = |request: &Message| format!("{} {}", request.method(), request.target());
        self.requests.iter().map(line).collect()
    }

    /// How many bytes arrived over connections that have ended.
    pub fn bytes(&self) -> usize {
        self.raw.iter().map(Vec::len).sum()
    }
}

#[derive(Debug, Default)]
struct Board {
    log: Mutex<Log>,
    changed: Condvar,
}

/// One connection, as the script sees it.
#[derive(Debug)]
pub struct Line {
    /// Which one, from 0.
    pub number: usize,
    pub stream: TcpStream,
    pub reader: Reader,
    board: Arc<Board>,
}

impl Line {
    /// The next request; none at the end, and for what is no request, which is noted.
    pub fn request(&mut self) -> Option<Message> {
        let request = self.reader.request();
        self.note(request)
    }

    /// Notes what arrived.
    pub fn note(&mut self, arrived: Result<Message, Fault>) -> Option<Message> {
        let mut log = self.board.log.lock().unwrap();
        let request = match arrived {
            Ok(request) => {
                log.requests.push(request.clone());
                Some(request)
            }
            Err(Fault::End) => None,
            Err(fault) => {
                log.faults.push(fault);
                None
            }
        };
        drop(log);
        self.board.changed.notify_all();
        request
    }

    /// Sends these bytes. A proxy that no longer listens is no error of the server's.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// Answers with this text.
    pub fn answer(&mut self, text: &str) {
        self.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len()));
    }

    /// Answers every further request with what was asked.
    pub fn echo(&mut self) {
        while let Some(request) = self.request() {
            self.answer(&format!("{} {}", request.method(), request.target()));
        }
    }

    /// Says its last word, and hears the rest.
    pub fn finish(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
        self.reader.drain();
    }
}

/// The server.
#[derive(Debug)]
pub struct Upstream {
    pub address: SocketAddr,
    board: Arc<Board>,
    /// Where the connection comes from that is the last.
    last: Arc<Mutex<Option<SocketAddr>>>,
    accepting: Option<JoinHandle<Vec<JoinHandle<()>>>>,
}

impl Upstream {
    pub fn new(script: Arc<Script>) -> Upstream {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (board, last) = (Arc::<Board>::default(), Arc::<Mutex<Option<SocketAddr>>>::default());
        let (told, noted) = (last.clone(), board.clone());
        let accepting = std::thread::spawn(move || {
            let mut lines = Vec::new();
            loop {
                let (stream, client) = listener.accept().unwrap();
                if *told.lock().unwrap() == Some(client) {
                    return lines;
                }
                let (script, board) = (script.clone(), noted.clone());
                lines.push(std::thread::spawn(move || converse(stream, board, &*script)));
            }
        });
        Upstream { address, board, last, accepting: Some(accepting) }
    }

    /// Waits until what arrived is enough.
    pub fn wait(&self, what: &str, enough: impl Fn(&Log) -> bool) {
        let begun = Instant::now();
        let mut log = self.board.log.lock().unwrap();
        while !enough(&log) {
            let left = LIMIT.saturating_sub(begun.elapsed());
            assert!(!left.is_zero(), "{what}: {log:#?}");
            log = self.board.changed.wait_timeout(log, left).unwrap().0;
        }
    }

    /// What has arrived until now.
    pub fn log(&self) -> Log {
        self.board.log.lock().unwrap().clone()
    }

    /// Everything that was ever sent here. The proxy must have ended.
    pub fn end(mut self) -> Log {
        // It waits in accept; everything that the proxy opened comes before this.
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        bind(&socket, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let own = SocketAddr::try_from(getsockname(&socket).unwrap()).unwrap();
        *self.last.lock().unwrap() = Some(own);
        connect(&socket, &self.address).unwrap();
        for line in self.accepting.take().unwrap().join().unwrap() {
            line.join().expect("a script of the upstream failed");
        }
        self.log()
    }
}

fn converse(stream: TcpStream, board: Arc<Board>, script: &Script) {
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.set_write_timeout(Some(LIMIT)).unwrap();
    stream.set_nodelay(true).unwrap();
    let number = {
        let mut log = board.log.lock().unwrap();
        log.connections += 1;
        log.connections - 1
    };
    board.changed.notify_all();
    let reader = Reader::new(stream.try_clone().unwrap());
    let mut line = Line { number, stream, reader, board: board.clone() };
    script(&mut line);
    let raw = std::mem::take(&mut line.reader.raw);
    // Whoever waits for the end of the connection must find it closed.
    drop(line);
    board.log.lock().unwrap().raw.push(raw);
    board.changed.notify_all();
}

//! A client that sends exactly these bytes.

use std::io::Write;
use std::net::{Shutdown, TcpStream};

use super::LIMIT;
use super::message::{Fault, Message, Reader};

#[derive(Debug)]
pub struct Client {
    pub stream: TcpStream,
    pub reader: Reader,
}

impl Client {
    pub fn new(port: u16) -> Client {
        Client::over(TcpStream::connect(("127.0.0.1", port)).unwrap())
    }

    /// A client over a connection that is there.
    pub fn over(stream: TcpStream) -> Client {
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.set_write_timeout(Some(LIMIT)).unwrap();
        stream.set_nodelay(true).unwrap();
        let reader = Reader::new(stream.try_clone().unwrap());
        Client { stream, reader }
    }

    /// Sends these bytes. A proxy that no longer listens has said why.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// Sends `GET` for the target to `shop.localhost`.
    pub fn get(&mut self, target: &str) -> Message {
        self.send(get(target));
        self.answer("GET")
    }

    /// The next answer.
    #[track_caller]
    pub fn answer(&mut self, method: &str) -> Message {
        match self.reader.answer(method) {
            Ok(answer) => answer,
            Err(fault) => panic!("no answer: {fault}; seen: {}", self.reader.raw.escape_ascii()),
        }
    }

    /// Says that nothing follows.
    pub fn finish(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// All answers up to the end of the connection, and how it ended.
    pub fn answers(&mut self, method: &str) -> (Vec<Message>, Fault) {
        let mut answers = Vec::new();
        loop {
            match self.reader.answer(method) {
                Ok(answer) => answers.push(answer),
                Err(fault) => return (answers, fault),
            }
        }
    }

    /// Whether the connection ends without another byte.
    pub fn ends(&mut self) -> bool {
        self.reader.rest() == Ok(Vec::new())
    }
}

/// The bytes of a request for a target of `shop.localhost`.
pub fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: shop.localhost\r\n\r\n")
}

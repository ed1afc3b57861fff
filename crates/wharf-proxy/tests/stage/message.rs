//! HTTP/1 as the specifications have it, read strictly and without a line of the proxy: what this does
//! not accept, no server and no client should ever be sent.

use std::fmt;
use std::io::{self, Read};
use std::net::TcpStream;

/// One message, as it was received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The request line or the status line.
    pub start: String,
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub trailers: Vec<(String, String)>,
}

impl Message {
    /// Every value of a field.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let named = self.fields.iter().filter(|(field, _)| field.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// The value of a field that is there once.
    pub fn one(&self, name: &str) -> Option<&str> {
        match self.all(name).as_slice() {
            [value] => Some(value),
            _ => None,
        }
    }

    pub fn method(&self) -> &str {
        self.start.split(' ').next().unwrap_or_default()
    }

    pub fn target(&self) -> &str {
        self.start.split(' ').nth(1).unwrap_or_default()
    }

    pub fn status(&self) -> u16 {
        self.start.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Why there is no message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection ended where a message might have begun.
    End,
    /// The connection ended within a message.
    Cut,
    /// Nothing came for too long.
    Late,
    /// It is not HTTP.
    Bad(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

fn bad<T>(what: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Bad(what.into()))
}

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Bytes(usize),
    Chunks,
    Close,
}

/// A connection that messages are read from.
#[derive(Debug)]
pub struct Reader {
    stream: TcpStream,
    /// Read and not yet used.
    pub buffer: Vec<u8>,
    /// All that was read.
    pub raw: Vec<u8>,
}

impl Reader {
    pub fn new(stream: TcpStream) -> Reader {
        Reader { stream, buffer: Vec::new(), raw: Vec::new() }
    }

    /// Reads once more; `false` at the end.
    fn more(&mut self) -> Result<bool, Fault> {
        let mut piece = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut piece) {
                Ok(0) => return Ok(false),
                Ok(length) => {
                    self.buffer.extend_from_slice(&piece[..length]);
                    self.raw.extend_from_slice(&piece[..length]);
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(Fault::Late),
                // A reset is an end too, and never a clean one.
                Err(_) => return Err(Fault::Cut),
            }
        }
    }

    /// Exactly so many bytes.
    pub fn bytes(&mut self, length: usize) -> Result<Vec<u8>, Fault> {
        while self.buffer.len() < length {
            if !self.more()? {
                return Err(Fault::Cut);
            }
        }
        Ok(self.buffer.drain(..length).collect())
    }

    /// A line without its end.
    fn line(&mut self) -> Result<String, Fault> {
        let mut looked = 0;
        loop {
            if let Some(at) = self.buffer[looked..].iter().position(|byte| *byte == b'\n') {
                let line = self.bytes(looked + at + 1)?;
                let Some(line) = line.strip_suffix(b"\r\n") else { return bad("a bare LF") };
                if line.iter().any(|byte| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f) {
                    return bad(format!("a control character in {:?}", line.escape_ascii()));
                }
                // Each byte is one character.
                return Ok(line.iter().map(|byte| char::from(*byte)).collect());
            }
            looked = self.buffer.len();
            if !self.more()? {
                return Err(if self.buffer.is_empty() { Fault::End } else { Fault::Cut });
            }
        }
    }

    fn fields(&mut self) -> Result<Vec<(String, String)>, Fault> {
        let mut fields = Vec::new();
        loop {
            let line = self.line().map_err(|fault| match fault {
                Fault::End => Fault::Cut,
                other => other,
            })?;
            if line.is_empty() {
                return Ok(fields);
            }
            let Some((name, value)) = line.split_once(':') else { return bad("no colon") };
            if name.is_empty() || !name.bytes().all(is_token) {
                return bad(format!("no field name: {name:?}"));
            }
            fields.push((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()));
        }
    }

    /// A start line and its fields.
    pub fn head(&mut self) -> Result<Message, Fault> {
        let start = self.line()?;
        Ok(Message { start, fields: self.fields()?, ..Message::default() })
    }

    /// A whole request.
    pub fn request(&mut self) -> Result<Message, Fault> {
        let message = self.request_head()?;
        self.request_body(message)
    }

    /// The head of a request.
    pub fn request_head(&mut self) -> Result<Message, Fault> {
        let message = self.head()?;
        let parts: Vec<&str> = message.start.split(' ').collect();
        let [method, target, "HTTP/1.1"] = parts.as_slice() else {
            return bad(format!("no request line: {:?}", message.start));
        };
        if method.is_empty() || !method.bytes().all(is_token) || !target.starts_with('/') {
            return bad(format!("no request line: {:?}", message.start));
        }
        if message.all("host").len() != 1 {
            return bad("not one Host");
        }
        Ok(message)
    }

    /// The body behind the head of a request.
    pub fn request_body(&mut self, message: Message) -> Result<Message, Fault> {
        match length(&message)? {
            None => Ok(message),
            Some(length) => self.body(message, length),
        }
    }

    /// An answer's head and body, whatever kind it is. `method` is what was asked with.
    pub fn answer(&mut self, method: &str) -> Result<Message, Fault> {
        let message = self.head()?;
        if !message.start.starts_with("HTTP/1.1 ") || !(100..1000).contains(&message.status()) {
            return bad(format!("no status line: {:?}", message.start));
        }
        let framing = length(&message)?;
        let status = message.status();
        if method == "HEAD" || status < 200 || status == 204 || status == 304 {
            if framing.is_some() && (status < 200 || status == 204) {
                return bad("framing where no body can be");
            }
            return Ok(message);
        }
        self.body(message, framing.unwrap_or(Length::Close))
    }

    fn body(&mut self, mut message: Message, length: Length) -> Result<Message, Fault> {
        match length {
            Length::Bytes(length) => message.body = self.bytes(length)?,
            Length::Close => message.body = self.rest()?,
            Length::Chunks => {
                while let Some(chunk) = self.chunk()? {
                    message.body.extend_from_slice(&chunk);
                }
                message.trailers = self.fields()?;
            }
        }
        Ok(message)
    }

    /// A chunk; none where the trailers begin.
    pub fn chunk(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        let size = self.line().map_err(|fault| match fault {
            Fault::End => Fault::Cut,
            other => other,
        })?;
        if size.is_empty() || !size.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return bad(format!("no chunk size: {size:?}"));
        }
        let Ok(size) = usize::from_str_radix(&size, 16) else { return bad("a huge chunk") };
        if size == 0 {
            return Ok(None);
        }
        let mut chunk = self.bytes(size + 2)?;
        match chunk.split_off(size).as_slice() {
            b"\r\n" => Ok(Some(chunk)),
            _ => bad("a chunk that is longer than it says"),
        }
    }

    /// Everything up to a clean end.
    pub fn rest(&mut self) -> Result<Vec<u8>, Fault> {
        while self.more()? {}
        Ok(std::mem::take(&mut self.buffer))
    }

    /// Everything up to whatever end.
    pub fn drain(&mut self) -> Vec<u8> {
        while self.more() == Ok(true) {}
        std::mem::take(&mut self.buffer)
    }
}

fn length(message: &Message) -> Result<Option<Length>, Fault> {
    let (lengths, codings) = (message.all("content-length"), message.all("transfer-encoding"));
    match (lengths.as_slice(), codings.as_slice()) {
        ([], []) => Ok(None),
        ([length], []) if length.bytes().all(|byte| byte.is_ascii_digit()) => {
            match length.parse() {
                Ok(length) => Ok(Some(Length::Bytes(length))),
                Err(_) => bad("a huge length"),
            }
        }
        ([], ["chunked"]) => Ok(Some(Length::Chunks)),
        _ => bad(format!("framing: {lengths:?} {codings:?}")),
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

//! A client that sends exactly these frames.

use std::io::{Read, Write};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use crate::stage::{HOST, tls};
use crate::way::{Door, Way, connect};

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RESET: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const AWAY: u8 = 7;
pub(crate) const WINDOW: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
/// Both.
pub(crate) const WHOLE: u8 = END_STREAM | END_HEADERS;

/// The setting that says how large the table of fields may be (RFC 9113, section 6.5.2).
const HEADER_TABLE_SIZE: u8 = 1;

/// A field as it goes into a header block.
pub(crate) type Field<'a> = (&'a str, &'a str);

trait Duplex: Read + Write + Send {}
impl<S: Read + Write + Send> Duplex for S {}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// The code of a RST_STREAM or a GOAWAY.
    fn code(&self) -> u32 {
        let at = if self.kind == AWAY { 4 } else { 0 };
        let bytes = self.payload.get(at..at + 4).and_then(|code| code.try_into().ok());
        bytes.map_or(u32::MAX, u32::from_be_bytes)
    }
}

/// What became of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Answered(u16),
    /// The stream was reset.
    Reset(u32),
    /// The connection was given up.
    Away(u32),
    /// It ended without a word.
    Ended,
}

impl Fate {
    /// Whether the proxy has refused what was sent as no HTTP.
    pub(crate) fn is_refusal(self) -> bool {
        !matches!(self, Fate::Answered(status) if status != 400)
    }
}

pub(crate) struct Raw {
    stream: Box<dyn Duplex>,
    scheme: &'static str,
    /// Whether a write has failed: the proxy no longer listens.
    pub(crate) broken: bool,
}

impl Raw {
    /// A connection on which nothing has been sent.
    pub(crate) fn silent(door: &Door) -> Raw {
        let stream = connect(door.port);
        let stream: Box<dyn Duplex> = match door.way {
            Way::Clear => Box::new(stream),
            Way::Tls => {
                let config = Arc::new(tls::client(&[b"h2"], rustls::ALL_VERSIONS));
                let name = ServerName::try_from(HOST).unwrap();
                Box::new(StreamOwned::new(ClientConnection::new(config, name).unwrap(), stream))
            }
        };
        Raw { stream, scheme: door.way.scheme(), broken: false }
    }

    /// A connection that has been opened as it should be.
    pub(crate) fn new(door: &Door) -> Raw {
        let mut raw = Raw::silent(door);
        raw.send(PREFACE);
        // The answers' blocks are read without a table.
        raw.frame(SETTINGS, 0, 0, &[0, HEADER_TABLE_SIZE, 0, 0, 0, 0]);
        raw
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let sent = self.stream.write_all(bytes).and_then(|()| self.stream.flush());
        self.broken |= sent.is_err();
    }

    pub(crate) fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.send(&frame(kind, flags, stream, payload));
    }

    /// A header block in one frame.
    pub(crate) fn headers(&mut self, flags: u8, stream: u32, fields: &[Field<'_>]) {
        self.frame(HEADERS, flags, stream, &block(fields));
    }

    /// The pseudo-fields of a request to the host that is served, and these fields.
    pub(crate) fn ask<'a>(
        &self,
        method: &'a str,
        path: &'a str,
        fields: &[Field<'a>],
    ) -> Vec<Field<'a>> {
        let mut all = vec![
            (":method", method),
            (":scheme", self.scheme),
            (":authority", HOST),
            (":path", path),
        ];
        all.extend_from_slice(fields);
        all
    }

    /// The next frame; none at the end.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.read(&mut head)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        self.read(&mut payload)?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Some(Frame { kind: head[3], flags: head[4], stream, payload })
    }

    fn read(&mut self, into: &mut [u8]) -> Option<()> {
        match self.stream.read_exact(into) {
            Ok(()) => Some(()),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                panic!("nothing came for too long")
            }
            Err(_) => None,
        }
    }

    /// Reads to the end, whatever comes.
    pub(crate) fn drain(&mut self) {
        while self.read(&mut [0]).is_some() {}
    }

    /// What becomes of a stream.
    pub(crate) fn fate(&mut self, stream: u32) -> Fate {
        loop {
            let Some(frame) = self.next() else { return Fate::Ended };
            match frame.kind {
                HEADERS if frame.stream == stream => return Fate::Answered(status(&frame.payload)),
                RESET if frame.stream == stream => return Fate::Reset(frame.code()),
                AWAY if frame.code() != 0 => return Fate::Away(frame.code()),
                _ => {}
            }
        }
    }

    /// Whether the proxy still answers on this connection: what was sent is all read then.
    pub(crate) fn answers(&mut self) -> bool {
        let token = *b"are you?";
        self.frame(PING, 0, 0, &token);
        while let Some(frame) = self.next() {
            if frame.kind == PING && frame.flags == ACK && frame.payload == token {
                return true;
            }
        }
        false
    }
}

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut out = vec![length[1], length[2], length[3], kind, flags];
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
    out
}

/// Fields as literals that no table keeps (RFC 7541, section 6.2.2), byte for byte as they are given.
pub(crate) fn block(fields: &[Field<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        out.push(0);
        text(&mut out, name);
        text(&mut out, value);
    }
    out
}

fn text(out: &mut Vec<u8>, text: &str) {
    const PREFIX: usize = 0x7f;
    if text.len() < PREFIX {
        out.push(text.len() as u8);
    } else {
        out.push(PREFIX as u8);
        let mut rest = text.len() - PREFIX;
        while rest >= 0x80 {
            out.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        out.push(rest as u8);
    }
    out.extend_from_slice(text.as_bytes());
}

/// The status that a block begins with.
fn status(block: &[u8]) -> u16 {
    const KNOWN: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
    // A change of the table's size may come first.
    let at = block.iter().take_while(|byte| **byte & 0xe0 == 0x20).count();
    match block[at] {
        index @ 0x88..=0x8e => KNOWN[usize::from(index & 0x7f) - 8],
        0x48 | 0x08 | 0x18 => digits(&block[at + 1..]),
        other => panic!("no status first: {other:#x} in {block:x?}"),
    }
}

/// Three digits, in the code of RFC 7541, appendix B, or as they are.
fn digits(text: &[u8]) -> u16 {
    let length = usize::from(text[0] & 0x7f);
    let text = (text[0] & 0x80 != 0, &text[1..=length]);
    if !text.0 {
        return std::str::from_utf8(text.1).unwrap().parse().unwrap();
    }
    let bits: Vec<u16> = text
        .1
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| u16::from(byte >> bit & 1)))
        .collect();
    let number = |bits: &[u16]| bits.iter().fold(0, |number, bit| number * 2 + bit);
    let (mut at, mut status) = (0, 0);
    for _ in 0..3 {
        let short = number(&bits[at..at + 5]);
        let digit = if short <= 2 { short } else { number(&bits[at..at + 6]) - 0x19 + 3 };
        at += if short <= 2 { 5 } else { 6 };
        status = status * 10 + digit;
    }
    status
}

//! The chunked coding (RFC 9112, section 7.1), read by its grammar and nothing more.

use crate::limits::{MAX_CHUNK_EXTENSIONS, MAX_CHUNK_LINE, MAX_TRAILERS};

/// Reads a chunked body, whatever pieces it arrives in.
#[derive(Debug)]
pub(crate) struct Chunks {
    state: State,
    /// Of the chunk under way.
    left: u64,
    /// Bytes of the size line under way.
    line: usize,
    extensions: usize,
    /// The trailer section as it came, its empty line excluded.
    trailers: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first digit of a size.
    Begin,
    Size,
    /// After white space behind a size.
    Blank,
    Extension,
    /// Within a quoted string of an extension, and after a backslash there.
    Quoted,
    Escaped,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    Trailers,
    Done,
}

/// What the first bytes of the input are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// So many bytes of the body.
    Data(usize),
    /// So many bytes of framing.
    Framing(usize),
    /// So many bytes of framing, and the body is at its end.
    End(usize),
}

impl Chunks {
    pub(crate) fn new() -> Chunks {
        Chunks { state: State::Begin, left: 0, line: 0, extensions: 0, trailers: Vec::new() }
    }

    /// What the input, which is not empty, begins with.
    pub(crate) fn step(&mut self, input: &[u8]) -> Result<Step, &'static str> {
        if self.state == State::Data {
            let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(input.len());
            self.left -= length as u64;
            if self.left == 0 {
                self.state = State::DataCr;
            }
            return Ok(Step::Data(length));
        }
        for (at, byte) in input.iter().enumerate() {
            self.take(*byte)?;
            match self.state {
                State::Data => return Ok(Step::Framing(at + 1)),
                State::Done => return Ok(Step::End(at + 1)),
                _ => {}
            }
        }
        Ok(Step::Framing(input.len()))
    }

    fn take(&mut self, byte: u8) -> Result<(), &'static str> {
        if matches!(
            self.state,
            State::Size | State::Blank | State::Extension | State::Quoted | State::Escaped
        ) {
            self.line += 1;
            if self.line > MAX_CHUNK_LINE {
                return Err("the size line of a chunk is too long");
            }
        }
        self.state = match (self.state, byte) {
            (State::Begin | State::Size, byte) if byte.is_ascii_hexdigit() => self.digit(byte)?,
            (State::Size | State::Blank, b'\r') => State::SizeLf,
            (State::Size | State::Blank, b' ' | b'\t') => State::Blank,
            (State::Size | State::Blank, b';') => State::Extension,
            (State::Extension, b'\r') => State::SizeLf,
            (State::Extension, b'"') => self.extension(State::Quoted)?,
            (State::Extension, byte) if is_text(byte) => self.extension(State::Extension)?,
            (State::Quoted, b'"') => self.extension(State::Extension)?,
            (State::Quoted, b'\\') => self.extension(State::Escaped)?,
            (State::Quoted, byte) if is_text(byte) => self.extension(State::Quoted)?,
            (State::Escaped, byte) if is_text(byte) => self.extension(State::Quoted)?,
            (State::SizeLf, b'\n') if self.left == 0 => State::Trailers,
            (State::SizeLf, b'\n') => State::Data,
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => {
                self.line = 0;
                State::Begin
            }
            (State::Trailers, byte) => return self.trailer(byte),
            _ => return Err("a chunk is not what the grammar says"),
        };
        Ok(())
    }

    fn digit(&mut self, byte: u8) -> Result<State, &'static str> {
        let digit = (byte as char).to_digit(16).unwrap_or(0);
        let shifted = self.left.checked_mul(16).ok_or("the size of a chunk is too large")?;
        self.left = shifted + u64::from(digit);
        Ok(State::Size)
    }

    fn extension(&mut self, next: State) -> Result<State, &'static str> {
        self.extensions += 1;
        match self.extensions > MAX_CHUNK_EXTENSIONS {
            true => Err("the chunk extensions are too long"),
            false => Ok(next),
        }
    }

    fn trailer(&mut self, byte: u8) -> Result<(), &'static str> {
        self.trailers.push(byte);
        if self.trailers.len() > MAX_TRAILERS {
            return Err("the trailers are too long");
        }
        if byte == b'\n' {
            if !self.trailers.ends_with(b"\r\n") {
                return Err("a trailer ends without a carriage return");
            }
            if self.trailers == b"\r\n" || self.trailers.ends_with(b"\r\n\r\n") {
                self.state = State::Done;
            }
        }
        Ok(())
    }

    /// Gives every trailer that may be passed on: what frames, routes or authenticates a message has
    /// no business behind its body (RFC 9110, section 6.5.1).
    pub(crate) fn trailers(&self, emit: &mut dyn FnMut(&str, &[u8])) -> Result<(), &'static str> {
        if self.trailers.len() <= 2 {
            return Ok(());
        }
        let mut store = [httparse::EMPTY_HEADER; 64];
        match httparse::parse_headers(&self.trailers, &mut store) {
            Ok(httparse::Status::Complete((_, fields))) => {
                fields
                    .iter()
                    .filter(|field| may_trail(field.name))
                    .for_each(|f| emit(f.name, f.value));
                Ok(())
            }
            _ => Err("the trailers are no fields"),
        }
    }
}

fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// Whether a trailer of this name may be passed on.
pub(crate) fn may_trail(name: &str) -> bool {
    const NEVER: [&str; 18] = [
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-range",
        "content-type",
        "cookie",
        "expect",
        "host",
        "keep-alive",
        "origin",
        "proxy-connection",
        "set-cookie",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
    ];
    !NEVER.iter().any(|never| name.eq_ignore_ascii_case(never))
        && !name.get(..12).is_some_and(|start| start.eq_ignore_ascii_case("x-forwarded-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The body, the trailers' names, and what is left, of input in pieces of this size.
    fn read(input: &[u8], piece: usize) -> Result<(Vec<u8>, Vec<String>, usize), &'static str> {
        let mut chunks = Chunks::new();
        let (mut body, mut at) = (Vec::new(), 0);
        loop {
            let end = (at + piece).min(input.len());
            if at == end {
                return Err("incomplete");
            }
            match chunks.step(&input[at..end])? {
                Step::Data(length) => {
                    body.extend_from_slice(&input[at..at + length]);
                    at += length;
                }
                Step::Framing(length) => at += length,
                Step::End(length) => {
                    let mut names = Vec::new();
                    chunks.trailers(&mut |name, _| names.push(name.to_owned()))?;
                    return Ok((body, names, input.len() - at - length));
                }
            }
        }
    }

    #[test]
    fn a_body_is_the_same_in_whatever_pieces_it_comes() {
        let input =
            b"5;x=\"a\\\"b\"\r\nhello\r\n1 \r\n!\r\n0\r\nGrpc-Status: 0\r\nHost: evil\r\n\r\nnext";
        for piece in 1..=input.len() {
            let (body, names, left) = read(input, piece).unwrap();
            assert_eq!((body.as_slice(), left), (&b"hello!"[..], 4), "{piece}");
            assert_eq!(names, ["Grpc-Status"]);
        }
        assert_eq!(read(b"0\r\n\r\n", 9).unwrap(), (Vec::new(), Vec::new(), 0));
    }

    #[test]
    fn what_the_grammar_does_not_say_is_refused() {
        for bad in [
            &b"5\nhello\r\n0\r\n\r\n"[..],
            b"5\r\nhello0\r\n\r\n",
            b"5\r\nhello\n0\r\n\r\n",
            b"-1\r\n",
            b"+5\r\nhello\r\n",
            b"0x5\r\nhello\r\n",
            b" 5\r\nhello\r\n",
            b"\r\n",
            b";x\r\n",
            b"ffffffffffffffff0\r\n",
            b"5;a\0b\r\nhello\r\n",
            b"5;a\nb\r\nhello\r\n",
            b"0\r\nX: y\n\r\n",
            b"0\r\nno colon\r\n\r\n",
            b"5 5\r\nhello\r\n0\r\n\r\n",
        ] {
            assert!(read(bad, 64).is_err(), "{:?}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn extensions_and_trailers_are_bounded() {
        let line = format!("1;{}\r\nx\r\n", "e".repeat(MAX_CHUNK_LINE));
        assert_eq!(read(line.as_bytes(), 999), Err("the size line of a chunk is too long"));
        let many = format!("1;{}\r\nx\r\n", "e".repeat(4000)).repeat(17);
        assert_eq!(read(many.as_bytes(), 999), Err("the chunk extensions are too long"));
        let trailers = format!("0\r\nX: {}\r\n\r\n", "e".repeat(MAX_TRAILERS));
        assert_eq!(read(trailers.as_bytes(), 999), Err("the trailers are too long"));
    }
}

//! One line of a kept log, and how it stands in the file.

use std::time::{SystemTime, UNIX_EPOCH};

/// Who speaks in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The server.
    Server,
    /// wharf, about the instance.
    Wharf,
}

impl Who {
    fn mark(self) -> u8 {
        match self {
            Who::Server => b'o',
            Who::Wharf => b'w',
        }
    }
}

/// A line of a kept log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When it came: milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// Who speaks.
    pub who: Who,
    /// The bytes of the line as they came, without its end.
    pub bytes: Vec<u8>,
}

impl Line {
    /// The line that stands in a file. `None` for what no keeper wrote.
    pub(super) fn parse(line: &[u8]) -> Option<Line> {
        let space = line.iter().position(|byte| *byte == b' ')?;
        let time_ms = std::str::from_utf8(&line[..space]).ok()?.parse().ok()?;
        let (who, bytes) = match &line[space + 1..] {
            [b'o', b' ', bytes @ ..] => (Who::Server, bytes),
            [b'w', b' ', bytes @ ..] => (Who::Wharf, bytes),
            _ => return None,
        };
        Some(Line { time_ms, who, bytes: bytes.to_vec() })
    }
}

/// What stands before every line of a moment.
pub(super) fn prefix(time_ms: u64, who: Who) -> Vec<u8> {
    let mut prefix = format!("{time_ms} ").into_bytes();
    prefix.extend([who.mark(), b' ']);
    prefix
}

/// A text of wharf's as lines of a file.
pub(super) fn said(time_ms: u64, text: &str) -> Vec<u8> {
    let prefix = prefix(time_ms, Who::Wharf);
    let lines = text.lines().map(|line| [&prefix, line.as_bytes(), b"\n"].concat());
    lines.collect::<Vec<_>>().concat()
}

/// Milliseconds since the Unix epoch, by the system's clock.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_as_it_was_written() {
        let line = |who, bytes: &[u8]| [&prefix(17, who), bytes].concat();
        for (who, bytes) in
            [(Who::Server, b"w x \xff".as_slice()), (Who::Wharf, b""), (Who::Server, b" ")]
        {
            let read = Line::parse(&line(who, bytes)).unwrap();
            assert_eq!(read, Line { time_ms: 17, who, bytes: bytes.to_vec() });
        }
        for other in [b"".as_slice(), b"17", b"17 ", b"17 o", b"x o y", b"17 z y"] {
            assert_eq!(Line::parse(other), None);
        }
        assert_eq!(said(5, "a\nb\n"), b"5 w a\n5 w b\n");
    }
}

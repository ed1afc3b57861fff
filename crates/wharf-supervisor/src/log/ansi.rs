//! Escape sequences of terminals (ECMA-48) in the output of servers.

use std::borrow::Cow;

const ESCAPE: u8 = 0x1b;
const BELL: u8 = 0x07;

/// A piece of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece<'a> {
    /// Bytes without control characters but tabs.
    Text(&'a [u8]),
    /// Sets colours or weight: `ESC [ … m`.
    Colour(&'a [u8]),
    /// Anything else: moves the cursor, clears, rings.
    Control,
}

/// The line without escape sequences and control characters; tabs stay.
pub fn stripped(line: &[u8]) -> Cow<'_, [u8]> {
    kept(line, |piece| match piece {
        Piece::Text(bytes) => Some(bytes),
        Piece::Colour(_) | Piece::Control => None,
    })
}

/// The line with its colours, and without everything that moves the cursor, clears the screen or sets
/// modes of the terminal.
pub fn coloured(line: &[u8]) -> Cow<'_, [u8]> {
    kept(line, |piece| match piece {
        Piece::Text(bytes) | Piece::Colour(bytes) => Some(bytes),
        Piece::Control => None,
    })
}

/// Whether a line has colours.
pub fn has_colour(line: &[u8]) -> bool {
    line.contains(&ESCAPE)
}

fn kept<'a>(line: &'a [u8], keep: impl Fn(Piece<'a>) -> Option<&'a [u8]>) -> Cow<'a, [u8]> {
    if !line.iter().enumerate().any(|(at, _)| is_control(&line[at..])) {
        return Cow::Borrowed(line);
    }
    let (mut rest, mut out) = (line, Vec::with_capacity(line.len()));
    while !rest.is_empty() {
        let (piece, after) = next(rest);
        out.extend_from_slice(keep(piece).unwrap_or_default());
        rest = after;
    }
    Cow::Owned(out)
}

/// Whether a control character begins here: C0 but tabs, DEL, and C1 in UTF-8.
fn is_control(bytes: &[u8]) -> bool {
    match bytes {
        [b'\t', ..] => false,
        [0..0x20 | 0x7f, ..] | [0xc2, 0x80..=0x9f, ..] => true,
        _ => false,
    }
}

fn next(bytes: &[u8]) -> (Piece<'_>, &[u8]) {
    if !is_control(bytes) {
        let end = (1..bytes.len()).find(|at| is_control(&bytes[*at..])).unwrap_or(bytes.len());
        return (Piece::Text(&bytes[..end]), &bytes[end..]);
    }
    let (length, is_colour) = match bytes {
        [ESCAPE, b'[', ..] => control_sequence(bytes, 2),
        [0xc2, 0x9b, ..] => (control_sequence(bytes, 2).0, false),
        // Strings: titles, links, and what programs ask of terminals.
        [ESCAPE, b']' | b'P' | b'X' | b'^' | b'_', ..] => (string(bytes), false),
        [ESCAPE, ..] => {
            let inner = bytes[1..].iter().take_while(|byte| matches!(byte, 0x20..=0x2f)).count();
            let last = bytes.get(1 + inner).is_some_and(|byte| matches!(byte, 0x30..=0x7e));
            (1 + inner + usize::from(last), false)
        }
        [0xc2, ..] => (2, false),
        _ => (1, false),
    };
    let (sequence, rest) = bytes.split_at(length);
    (if is_colour { Piece::Colour(sequence) } else { Piece::Control }, rest)
}

/// The length of a sequence whose parameters begin at `at`, and whether it sets colours.
fn control_sequence(bytes: &[u8], at: usize) -> (usize, bool) {
    let count = |from: usize, range: std::ops::RangeInclusive<u8>| {
        bytes[from..].iter().take_while(|byte| range.contains(byte)).count()
    };
    let end = at + count(at, 0x30..=0x3f);
    let inner = end + count(end, 0x20..=0x2f);
    let last = bytes.get(inner).filter(|byte| (0x40..=0x7e).contains(*byte));
    let is_plain = bytes[at..end].iter().all(|byte| matches!(byte, b'0'..=b'9' | b';' | b':'));
    (inner + usize::from(last.is_some()), last == Some(&b'm') && inner == end && is_plain)
}

/// The length of a string: to BEL, to `ESC \`, or to the end of the line.
fn string(bytes: &[u8]) -> usize {
    for at in 2..bytes.len() {
        match bytes[at..] {
            [BELL, ..] => return at + 1,
            [ESCAPE, b'\\', ..] | [0xc2, 0x9c, ..] => return at + 2,
            _ => {}
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(line: &[u8]) -> (String, String) {
        let text = |bytes: Cow<'_, [u8]>| String::from_utf8_lossy(&bytes).into_owned();
        (text(stripped(line)), text(coloured(line)))
    }

    #[test]
    fn colours_are_told_from_what_moves_and_clears() {
        let line = b"\x1b[2J\x1b[3J\x1b[H\x1b[1;32mready\x1b[0m\x1b[K in\t5\x07 ms\x1bc\x1b[?25l";
        assert_eq!(both(line), ("ready in\t5 ms".into(), "\x1b[1;32mready\x1b[0m in\t5 ms".into()));
        assert_eq!(both(b"\x1b[38:2::1:2:3mx"), ("x".into(), "\x1b[38:2::1:2:3mx".into()));
        assert_eq!(both(b"\x1b[>4mx\x1b[1 mx"), ("xx".into(), "xx".into()));
    }

    #[test]
    fn strings_and_torn_sequences_leave_nothing_behind() {
        assert_eq!(both(b"\x1b]0;title\x07a\x1b]8;;http://x\x1b\\b\x1bPq\xc2\x9cc").0, "abc");
        for torn in
            [b"a\x1b".as_slice(), b"a\x1b[", b"a\x1b[1;", b"a\x1b]0;t", b"a\x1b(", b"a\x1b(B"]
        {
            assert_eq!(both(torn), ("a".into(), "a".into()));
        }
        assert_eq!(both("a\u{9b}2Jb\u{85}c é\u{7f}".as_bytes()).1, "abc é");
    }

    #[test]
    fn plain_and_invalid_bytes_stay_as_they_are() {
        let line = b"\xff\xfe plain \xc3\xa9\t";
        assert!(matches!(stripped(line), Cow::Borrowed(same) if same == line));
        assert!(matches!(coloured(line), Cow::Borrowed(same) if same == line));
    }
}

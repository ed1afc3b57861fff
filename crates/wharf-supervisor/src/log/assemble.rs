//! Lines out of bytes as a pipe gives them.

/// The longest line, in bytes; a longer one is split.
pub(super) const LINE_MAX: usize = 16 * 1024;

/// How far a cut may move so that no character is split.
const CHARACTER_MAX: usize = 4;

/// Holds the beginning of a line until its end comes: at most [`LINE_MAX`] bytes after each call.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    partial: Vec<u8>,
    /// Whether the beginning of this line has been given away as a line.
    flushed: bool,
}

impl Assembler {
    /// Gives every line that these bytes end.
    pub(super) fn take(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8])) {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            if self.partial.is_empty() {
                self.end_line(&rest[..end], &mut each);
            } else {
                let mut line = std::mem::take(&mut self.partial);
                line.extend_from_slice(&rest[..end]);
                self.end_line(&line, &mut each);
                line.clear();
                self.partial = line;
            }
            rest = &rest[end + 1..];
        }
        self.partial.extend_from_slice(rest);
        self.shorten(&mut each);
    }

    /// Gives what has come of a line whose end has not.
    pub(super) fn flush(&mut self, mut each: impl FnMut(&[u8])) {
        if !self.partial.is_empty() {
            split(last_drawn(&self.partial), &mut each);
            self.partial.clear();
            self.flushed = true;
        }
    }

    /// Whether the beginning of a line is held.
    pub(super) fn is_partial(&self) -> bool {
        !self.partial.is_empty()
    }

    fn end_line(&mut self, line: &[u8], each: &mut impl FnMut(&[u8])) {
        let line = last_drawn(line);
        // The end of a line that was given away already is no line of its own.
        if !(std::mem::take(&mut self.flushed) && line.is_empty()) {
            split(line, each);
        }
    }

    fn shorten(&mut self, each: &mut impl FnMut(&[u8])) {
        if self.partial.len() <= LINE_MAX {
            return;
        }
        // A line that is redrawn for ever has no end, and one state at a time.
        let drawn = last_drawn(&self.partial);
        let before = drawn.as_ptr() as usize - self.partial.as_ptr() as usize;
        self.partial.drain(..before);
        let mut at = 0;
        while self.partial.len() - at > LINE_MAX {
            let end = at + cut(&self.partial[at..]);
            each(&self.partial[at..end]);
            at = end;
        }
        self.partial.drain(..at);
    }
}

/// What stands there in the end when a line is written over itself.
fn last_drawn(line: &[u8]) -> &[u8] {
    let ends = line.iter().rev().take_while(|byte| **byte == b'\r').count();
    let line = &line[..line.len() - ends];
    let begin = line.iter().rposition(|byte| *byte == b'\r').map_or(0, |at| at + 1);
    &line[begin..]
}

fn split(mut line: &[u8], each: &mut impl FnMut(&[u8])) {
    while line.len() > LINE_MAX {
        let (piece, rest) = line.split_at(cut(line));
        each(piece);
        line = rest;
    }
    each(line);
}

/// Where a line that is too long is cut.
fn cut(line: &[u8]) -> usize {
    let is_inner = |at: &usize| line[*at] & 0b1100_0000 == 0b1000_0000;
    let ends = (LINE_MAX - CHARACTER_MAX + 1..=LINE_MAX).rev();
    ends.into_iter().find(|at| !is_inner(at)).unwrap_or(LINE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of some bytes that come in chunks of this size.
    fn lines(bytes: &[u8], chunk: usize) -> Vec<Vec<u8>> {
        let (mut assembler, mut lines) = (Assembler::default(), Vec::new());
        for chunk in bytes.chunks(chunk) {
            assembler.take(chunk, |line| lines.push(line.to_vec()));
            assert!(assembler.partial.len() <= LINE_MAX);
        }
        assembler.flush(|line| lines.push(line.to_vec()));
        lines
    }

    #[test]
    fn lines_are_the_same_however_they_come() {
        let bytes = b"one\n\ntwo \xff\xfe\r\n10%\r20%\r\r30%\nlast";
        for chunk in 1..bytes.len() {
            let wanted: [&[u8]; 5] = [b"one", b"", b"two \xff\xfe", b"30%", b"last"];
            assert_eq!(lines(bytes, chunk), wanted, "{chunk}");
        }
    }

    #[test]
    fn long_lines_are_split_between_characters() {
        let long = "x".repeat(LINE_MAX - 1) + &"é".repeat(LINE_MAX);
        for chunk in [1000, 4096, usize::MAX] {
            let lines = lines(format!("{long}\nnext\n").as_bytes(), chunk);
            assert_eq!(lines.len(), 4, "{chunk}");
            assert_eq!(lines[0].len(), LINE_MAX - 1);
            assert_eq!(lines[1].len(), LINE_MAX);
            assert_eq!(lines[..3].concat(), long.as_bytes());
        }
        let exact = "x".repeat(LINE_MAX) + "\n";
        assert_eq!(lines(exact.as_bytes(), 100).len(), 1);
        assert_eq!(lines(&[0x80; LINE_MAX + 1], 100).len(), 2);
    }

    #[test]
    fn a_progress_bar_without_end_is_one_line_in_the_end() {
        let bar: String = (0..20_000).map(|n| format!("\r{n} of many")).collect();
        assert_eq!(lines(bar.as_bytes(), 999), [b"19999 of many"]);
    }

    #[test]
    fn the_end_of_a_line_that_was_given_away_is_no_line() {
        let (mut assembler, mut lines) = (Assembler::default(), Vec::new());
        assembler.take(b"ready", |_| unreachable!());
        assembler.flush(|line| lines.push(line.to_vec()));
        assembler.flush(|_| unreachable!());
        assembler.take(b"\n\nmore\n", |line| lines.push(line.to_vec()));
        assert_eq!(lines, [b"ready".as_slice(), b"", b"more"]);
    }
}

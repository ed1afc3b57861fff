//! Reads the kept log of one instance, the older file first, and goes on where it stopped.

use std::collections::VecDeque;
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::assemble::LINE_MAX;
use super::file::older;
use super::line::{Line, Who};

/// How much is read at once, in bytes.
const READ_BYTES: usize = 16 * 1024;
/// The longest line of a file, in bytes: a time and two marks before the longest line of a server.
const ENTRY_MAX: usize = LINE_MAX + 64;
/// What a reader says where a writer was so much faster that both files were new to it.
const MISSED: &str = "lines are missing here: they were put aside before they could be read";

/// Where reading begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the oldest line that is kept.
    Beginning,
    /// With what comes from now on.
    End,
}

/// The place up to which a log has been read.
///
/// The file that is read stays open, so that a reader survives the moment in which it is put aside.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    open: Option<Open>,
    bytes: Vec<u8>,
    /// How many of `bytes` have been given.
    given: usize,
    lines: VecDeque<Line>,
    last_ms: u64,
}

#[derive(Debug)]
struct Open {
    file: File,
    identity: (u64, u64),
    read: u64,
}

impl Open {
    fn new(path: &Path) -> io::Result<Option<Open>> {
        match File::open(path) {
            Ok(file) => {
                let identity = identity(&file.metadata()?);
                Ok(Some(Open { file, identity, read: 0 }))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn identity(facts: &Metadata) -> (u64, u64) {
    (facts.dev(), facts.ino())
}

fn identity_of(path: &Path) -> io::Result<Option<(u64, u64)>> {
    match std::fs::metadata(path) {
        Ok(facts) => Ok(Some(identity(&facts))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl Tail {
    /// The log whose newer file is at `path`; it need not be there yet.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub fn new(path: PathBuf, start: Start) -> io::Result<Tail> {
        let open = match start {
            Start::Beginning => match Open::new(&older(&path))? {
                Some(old) => Some(old),
                None => Open::new(&path)?,
            },
            Start::End => Open::new(&path)?,
        };
        let (bytes, lines) = (Vec::new(), VecDeque::new());
        let mut tail = Tail { path, open, bytes, given: 0, lines, last_ms: 0 };
        if start == Start::End {
            tail.seek_end()?;
        }
        Ok(tail)
    }

    /// The newer file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next line; `None` when there is none now.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn next_line(&mut self) -> io::Result<Option<Line>> {
        loop {
            if let Some(line) = self.lines.pop_front().or_else(|| self.parsed()) {
                self.last_ms = line.time_ms;
                return Ok(Some(line));
            }
            if !self.fill()? && !self.move_on()? {
                return Ok(None);
            }
        }
    }

    /// Behind the last whole line: a writer may be within the next.
    fn seek_end(&mut self) -> io::Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let size = open.file.metadata()?.len();
        open.read = open.file.seek(SeekFrom::Start(size.saturating_sub(ENTRY_MAX as u64)))?;
        while self.fill()? {}
        let end = self.bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.given = end;
        Ok(())
    }

    /// The next line of what has been read.
    fn parsed(&mut self) -> Option<Line> {
        let rest = &self.bytes[self.given..];
        let (line, end) = match rest.iter().position(|byte| *byte == b'\n') {
            Some(at) => (&rest[..at], at + 1),
            // No keeper writes such a line.
            None if rest.len() >= ENTRY_MAX => (rest, rest.len()),
            None => return None,
        };
        self.given += end;
        let foreign = || Line { time_ms: self.last_ms, who: Who::Server, bytes: line.to_vec() };
        Some(Line::parse(line).unwrap_or_else(foreign))
    }

    /// Reads more of the open file; false at its end.
    fn fill(&mut self) -> io::Result<bool> {
        let Some(open) = &mut self.open else { return Ok(false) };
        self.bytes.drain(..self.given);
        self.given = 0;
        let length = self.bytes.len();
        self.bytes.resize(length + READ_BYTES, 0);
        let read = loop {
            match open.file.read(&mut self.bytes[length..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.bytes.truncate(length + read.as_ref().copied().unwrap_or_default());
        let read = read?;
        open.read += read as u64;
        Ok(read > 0)
    }

    /// Goes over to the file that follows the one that is read; false where none does.
    fn move_on(&mut self) -> io::Result<bool> {
        let Some(current) = identity_of(&self.path)? else { return Ok(false) };
        let Some(open) = &mut self.open else {
            self.open = Open::new(&self.path)?;
            return Ok(self.open.is_some());
        };
        if open.identity == current {
            // Somebody has emptied it.
            let is_shorter = open.file.metadata()?.len() < open.read;
            if is_shorter {
                open.read = open.file.seek(SeekFrom::Start(0))?;
                self.forget();
            }
            return Ok(is_shorter);
        }
        // It may have grown between its end and its being put aside; from now on it does not.
        if self.fill()? {
            return Ok(true);
        }
        self.open_next()
    }

    fn open_next(&mut self) -> io::Result<bool> {
        let read = self.open.as_ref().map(|open| open.identity);
        let Some(next) = Open::new(&self.path)? else { return Ok(false) };
        let old = Open::new(&older(&self.path))?;
        self.forget();
        let follows = match &old {
            // The second: it was put aside since it was opened.
            Some(old) => Some(old.identity) == read || old.identity == next.identity,
            None => true,
        };
        if !follows {
            let bytes = MISSED.as_bytes().to_vec();
            self.lines.push_back(Line { time_ms: self.last_ms, who: Who::Wharf, bytes });
        }
        self.open = Some(old.filter(|_| !follows).unwrap_or(next));
        Ok(true)
    }

    /// The beginning of a line whose end is lost.
    fn forget(&mut self) {
        self.bytes.clear();
        self.given = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rest(tail: &mut Tail) -> Vec<String> {
        let lines = std::iter::from_fn(|| tail.next_line().unwrap());
        lines.map(|line| String::from_utf8_lossy(&line.bytes).into_owned()).collect()
    }

    fn add(path: &Path, text: &str) {
        use std::io::Write;
        let mut file = File::options().append(true).create(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn both_files_are_read_and_then_what_comes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        let mut early = Tail::new(path.clone(), Start::End).unwrap();
        assert_eq!(rest(&mut early), [""; 0]);
        add(&older(&path), "1 o one\n");
        add(&path, "2 o two\n3 w thr");
        let mut tail = Tail::new(path.clone(), Start::Beginning).unwrap();
        assert_eq!(rest(&mut tail), ["one", "two"]);
        let mut end = Tail::new(path.clone(), Start::End).unwrap();
        assert_eq!(rest(&mut end), [""; 0]);
        add(&path, "ee\n");
        for tail in [&mut tail, &mut end] {
            assert_eq!(rest(tail), ["three"]);
        }
        assert_eq!(rest(&mut early), ["two", "three"]);
    }

    #[test]
    fn nothing_is_lost_or_read_twice_when_a_file_is_put_aside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        add(&path, "1 o one\n");
        let mut tail = Tail::new(path.clone(), Start::Beginning).unwrap();
        assert_eq!(rest(&mut tail), ["one"]);
        add(&path, "2 o two\n");
        std::fs::rename(&path, older(&path)).unwrap();
        assert_eq!(rest(&mut tail), ["two"], "there is no newer file yet");
        add(&path, "3 o three\n");
        assert_eq!(rest(&mut tail), ["three"]);
        for text in ["4 o four\n", "5 o five\n"] {
            std::fs::rename(&path, older(&path)).unwrap();
            add(&path, text);
        }
        assert_eq!(rest(&mut tail), [MISSED, "four", "five"]);
    }

    #[test]
    fn a_file_that_somebody_empties_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        add(&path, "1 o a long line\n");
        let mut tail = Tail::new(path.clone(), Start::Beginning).unwrap();
        assert_eq!(rest(&mut tail), ["a long line"]);
        std::fs::write(&path, "2 o b\n").unwrap();
        assert_eq!(rest(&mut tail), ["b"]);
    }

    #[test]
    fn what_no_keeper_wrote_is_shown_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        add(&path, &format!("7 o a\nsomething else\n{}\n8 o b\n", "x".repeat(3 * ENTRY_MAX)));
        let mut tail = Tail::new(path, Start::Beginning).unwrap();
        let lines: Vec<Line> = std::iter::from_fn(|| tail.next_line().unwrap()).collect();
        assert_eq!(
            (lines[1].bytes.as_slice(), lines[1].time_ms),
            (b"something else".as_slice(), 7)
        );
        assert_eq!(lines.last().unwrap().bytes, b"b");
        assert!(lines.iter().all(|line| line.bytes.len() <= ENTRY_MAX + READ_BYTES));
    }
}

//! The Caddyfile's grammar: lines of words, quotes, blocks (<https://caddyserver.com/docs/caddyfile/concepts>).
//!
//! As Caddy's own lexer reads it: quotes and `#` count only where a word begins, in double quotes `\"` alone is an
//! escape, backquotes hold everything, a backslash at the end of a line goes on in the next.

use std::path::Path;

use super::super::Place;
use crate::error::PlanError;

/// How deep blocks may lie in each other.
const DEPTH_MAX: usize = 32;

/// The words of a line, with what stands between its braces.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) words: Vec<String>,
    pub(super) block: Option<Vec<Line>>,
    pub(super) place: Place,
}

impl Line {
    pub(super) fn name(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    pub(super) fn arguments(&self) -> &[String] {
        self.words.get(1..).unwrap_or_default()
    }

    pub(super) fn inner(&self) -> &[Line] {
        self.block.as_deref().unwrap_or_default()
    }

    pub(super) fn shown(&self) -> String {
        self.words.join(" ")
    }
}

struct Word {
    text: String,
    /// Braces in quotes open nothing.
    is_quoted: bool,
    line: usize,
    /// The line that it ends in.
    last: usize,
}

/// The lines of a text.
pub(super) fn lines(file: &Path, text: &str) -> Result<Vec<Line>, PlanError> {
    let words = words(file, text)?;
    let mut at = 0;
    block(file, &words, &mut at, 0)
}

fn block(
    file: &Path,
    words: &[Word],
    at: &mut usize,
    depth: usize,
) -> Result<Vec<Line>, PlanError> {
    let mut lines: Vec<Line> = Vec::new();
    while let Some(first) = words.get(*at) {
        let place = Place::new(file, first.line);
        if !first.is_quoted && first.text == "}" {
            if depth == 0 {
                return Err(place.wrong("a `}` that nothing expects"));
            }
            *at += 1;
            return Ok(lines);
        }
        let line = line(words, at);
        let opens = words.get(at.wrapping_sub(1)).is_some_and(|word| !word.is_quoted)
            && line.last().is_some_and(|word| word == "{");
        match opens {
            false => lines.push(Line { words: line, block: None, place }),
            true if depth >= DEPTH_MAX => {
                return Err(place.wrong(format!("blocks lie more than {DEPTH_MAX} deep")));
            }
            true => {
                let inner = block(file, words, at, depth + 1)?;
                let own = line[..line.len() - 1].to_vec();
                lines.push(Line { words: own, block: Some(inner), place });
            }
        }
    }
    match depth {
        0 => Ok(lines),
        _ => {
            let line = words.last().map_or(1, |word| word.last);
            Err(Place::new(file, line).wrong("it ends within a block"))
        }
    }
}

/// The words of one line. A comma at its end goes on in the next, as addresses do.
fn line(words: &[Word], at: &mut usize) -> Vec<String> {
    let mut line: Vec<String> = Vec::new();
    let mut last = words[*at].line;
    while let Some(word) = words.get(*at) {
        let goes_on = line.last().is_some_and(|text| text.ends_with(','));
        let is_close = !word.is_quoted && word.text == "}";
        if (word.line != last && !goes_on) || (is_close && !line.is_empty()) {
            break;
        }
        last = word.last;
        line.push(word.text.clone());
        *at += 1;
        if !word.is_quoted && word.text == "{" {
            break;
        }
    }
    line
}

fn words(file: &Path, text: &str) -> Result<Vec<Word>, PlanError> {
    let mut words = Vec::new();
    let mut rest = Rest { text: text.trim_start_matches('\u{feff}'), line: 1 };
    loop {
        rest.skip_room();
        let line = rest.line;
        let Some(c) = rest.text.chars().next() else { return Ok(words) };
        let (text, is_quoted) = match c {
            '"' | '`' => (rest.quoted(file, c)?, true),
            _ if rest.text.starts_with("<<") => match rest.here_document(file)? {
                Some(text) => (text, true),
                None => (rest.bare(), false),
            },
            _ => (rest.bare(), false),
        };
        words.push(Word { text, is_quoted, line, last: rest.line });
    }
}

struct Rest<'a> {
    text: &'a str,
    line: usize,
}

impl Rest<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.text.chars().next()?;
        self.text = &self.text[c.len_utf8()..];
        self.line += usize::from(c == '\n');
        Some(c)
    }

    fn skip_room(&mut self) {
        while let Some(c) = self.text.chars().next() {
            let continues = ["\\\n", "\\\r\n"].iter().find(|end| self.text.starts_with(**end));
            if let Some(end) = continues {
                // The line goes on: its words count as of one line.
                self.text = &self.text[end.len()..];
            } else if c.is_whitespace() {
                self.next();
            } else if c == '#' {
                self.text = &self.text[self.text.find('\n').unwrap_or(self.text.len())..];
            } else {
                return;
            }
        }
    }

    fn bare(&mut self) -> String {
        let mut word = String::new();
        while let Some(c) = self.text.chars().next() {
            if c.is_whitespace() || self.text.starts_with("\\\n") || self.text.starts_with("\\\r\n")
            {
                break;
            }
            word.push(c);
            self.next();
        }
        word
    }

    fn quoted(&mut self, file: &Path, quote: char) -> Result<String, PlanError> {
        let place = Place::new(file, self.line);
        self.next();
        let mut word = String::new();
        loop {
            match self.next() {
                None => return Err(place.wrong("the quotes that begin here never end")),
                Some(c) if c == quote => return Ok(word),
                Some('\\') if quote == '"' && self.text.starts_with('"') => {
                    self.next();
                    word.push('"');
                }
                Some(c) => word.push(c),
            }
        }
    }

    /// A text that goes to a line with its mark alone; `None` where this is none.
    fn here_document(&mut self, file: &Path) -> Result<Option<String>, PlanError> {
        let first = self.text.split('\n').next().unwrap_or_default();
        let mark = first[2..].trim_end_matches('\r').to_owned();
        let is_letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if mark.is_empty() || !mark.chars().all(is_letter) {
            return Ok(None);
        }
        let place = Place::new(file, self.line);
        let mut inner = String::new();
        while self.text.contains('\n') {
            while self.next().is_some_and(|c| c != '\n') {}
            let line = self.text.split('\n').next().unwrap_or_default();
            if let Some(behind) = line.trim_start().strip_prefix(mark.as_str()) {
                let at = line.len() - behind.len();
                self.text = &self.text[at..];
                return Ok(Some(inner));
            }
            inner.push_str(line);
            inner.push('\n');
        }
        Err(place.wrong(format!("the text that begins here has no end: `{mark}`")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Vec<String>> {
        let lines = lines(Path::new("Caddyfile"), text).unwrap();
        lines.into_iter().map(|line| line.words).collect()
    }

    #[test]
    fn words_quotes_and_lines() {
        for (text, expected) in [
            ("a \"b \\\"c\\\" \\d\" `e\"f` # g", vec!["a", "b \"c\" \\d", "e\"f"]),
            ("a b#c", vec!["a", "b#c"]),
            ("a \\\n  b", vec!["a", "b"]),
            ("a,\nb", vec!["a,", "b"]),
            ("respond <<END\n  x y\n  END 200", vec!["respond", "  x y\n", "200"]),
        ] {
            assert_eq!(read(text), [expected], "{text}");
        }
        assert_eq!(read("a {\n b\n}\nc"), [["a"], ["c"]]);
        assert_eq!(read("a \"{\"\nb"), [vec!["a", "{"], vec!["b"]]);
    }

    #[test]
    fn what_is_wrong_is_an_error() {
        for bad in ["}", "a {\n", "\"a", "`a", "a <<END\nb"] {
            assert!(lines(Path::new("x"), bad).is_err(), "{bad}");
        }
        assert!(lines(Path::new("x"), &"a {\n".repeat(1000)).is_err());
    }
}

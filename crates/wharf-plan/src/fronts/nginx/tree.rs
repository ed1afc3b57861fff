//! nginx's grammar: words, quotes, blocks and `include`.
//!
//! As `ngx_conf_read_token` reads it: quotes and `#` count only where a word begins, a backslash takes the next
//! character along, and of the escapes only those of quotes, backslash, tab and line ends become another character.

use std::path::Path;

use super::super::Place;
use super::super::files::Files;
use crate::error::PlanError;

/// How deep blocks may lie in each other, and how many directives are read.
const DEPTH_MAX: usize = 32;
const DIRECTIVES_MAX: usize = 50_000;

/// A directive, with what stands between its braces.
#[derive(Debug)]
pub(super) struct Directive {
    pub(super) words: Vec<String>,
    pub(super) block: Option<Vec<Directive>>,
    pub(super) place: Place,
    /// Why an `include` could not be followed.
    pub(super) missing: Option<&'static str>,
}

impl Directive {
    pub(super) fn name(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    pub(super) fn arguments(&self) -> &[String] {
        self.words.get(1..).unwrap_or_default()
    }

    pub(super) fn inner(&self) -> &[Directive] {
        self.block.as_deref().unwrap_or_default()
    }

    pub(super) fn shown(&self) -> String {
        self.words.join(" ")
    }
}

/// Reads one configuration.
pub(super) struct Reader<'a> {
    /// The folder that relative includes start from.
    beside: &'a Path,
    files: &'a mut Files,
    count: usize,
}

enum Token {
    Word(String),
    End,
    Open,
    Close,
}

struct Text<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(beside: &'a Path, files: &'a mut Files) -> Reader<'a> {
        Reader { beside, files, count: 0 }
    }

    /// The directives of a file's text.
    pub(super) fn read(&mut self, file: &Path, text: &str) -> Result<Vec<Directive>, PlanError> {
        let mut text = Text { text: text.trim_start_matches('\u{feff}'), at: 0, line: 1 };
        self.block(file, &mut text, 0)
    }

    fn block(
        &mut self,
        file: &Path,
        text: &mut Text<'_>,
        depth: usize,
    ) -> Result<Vec<Directive>, PlanError> {
        let mut directives = Vec::new();
        let mut words: Vec<String> = Vec::new();
        let mut line = 1;
        loop {
            let token = text.token(file)?;
            let here = Place::new(file, text.line);
            match token {
                Some(Token::Word(word)) => {
                    if words.is_empty() {
                        line = text.line;
                    }
                    words.push(word);
                }
                Some(Token::End | Token::Open) if words.is_empty() => {
                    return Err(here.wrong("a `;` or `{` without a directive before it"));
                }
                Some(Token::End) => {
                    let place = Place::new(file, line);
                    self.take(std::mem::take(&mut words), None, place, &mut directives)?;
                }
                Some(Token::Open) if depth >= DEPTH_MAX => {
                    return Err(here.wrong(format!("blocks lie more than {DEPTH_MAX} deep")));
                }
                Some(Token::Open) => {
                    let place = Place::new(file, line);
                    let words = std::mem::take(&mut words);
                    let inner = match words[0].ends_with("_by_lua_block") {
                        true => text.skip_code(file).map(|()| Vec::new())?,
                        false => self.block(file, text, depth + 1)?,
                    };
                    self.take(words, Some(inner), place, &mut directives)?;
                }
                Some(Token::Close) if words.is_empty() && depth > 0 => return Ok(directives),
                Some(Token::Close) => return Err(here.wrong("a `}` that nothing expects")),
                None if words.is_empty() && depth == 0 => return Ok(directives),
                None => return Err(here.wrong("it ends within a directive or a block")),
            }
        }
    }

    fn take(
        &mut self,
        words: Vec<String>,
        block: Option<Vec<Directive>>,
        place: Place,
        directives: &mut Vec<Directive>,
    ) -> Result<(), PlanError> {
        self.count += 1;
        if self.count > DIRECTIVES_MAX {
            return Err(place.wrong(format!("more than {DIRECTIVES_MAX} directives are not read")));
        }
        let mut missing = None;
        if let ([name, pattern], None) = (words.as_slice(), &block)
            && name == "include"
        {
            match self.files.named(pattern, self.beside) {
                Ok(files) => return self.include(&files, &place, directives),
                Err(why) => missing = Some(why.why()),
            }
        }
        directives.push(Directive { words, block, place, missing });
        Ok(())
    }

    fn include(
        &mut self,
        files: &[std::path::PathBuf],
        place: &Place,
        directives: &mut Vec<Directive>,
    ) -> Result<(), PlanError> {
        for file in files {
            self.files.enter(place)?;
            let text = self.files.text(file)?.unwrap_or_default();
            directives.extend(self.read(file, &text)?);
            self.files.leave();
        }
        Ok(())
    }
}

impl Text<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        self.line += usize::from(c == '\n');
        Some(c)
    }

    fn token(&mut self, file: &Path) -> Result<Option<Token>, PlanError> {
        loop {
            let Some(c) = self.peek() else { return Ok(None) };
            match c {
                ' ' | '\t' | '\r' | '\n' => drop(self.next()),
                '#' => {
                    let rest = &self.text[self.at..];
                    self.at += rest.find('\n').unwrap_or(rest.len());
                }
                ';' | '{' | '}' => {
                    self.next();
                    return Ok(Some(match c {
                        ';' => Token::End,
                        '{' => Token::Open,
                        _ => Token::Close,
                    }));
                }
                '"' | '\'' => return self.quoted(file, c).map(|word| Some(Token::Word(word))),
                _ => return Ok(Some(Token::Word(self.bare()))),
            }
        }
    }

    fn quoted(&mut self, file: &Path, quote: char) -> Result<String, PlanError> {
        let place = Place::new(file, self.line);
        self.next();
        let mut word = String::new();
        loop {
            match self.next() {
                None => return Err(place.wrong("the quotes that begin here never end")),
                Some('\\') => self.escape(&mut word),
                Some(c) if c == quote => break,
                Some(c) => word.push(c),
            }
        }
        match self.peek() {
            None | Some(' ' | '\t' | '\r' | '\n' | ';' | '{' | ')') => Ok(word),
            Some(_) => Err(place.wrong("something stands right behind quotes")),
        }
    }

    fn bare(&mut self) -> String {
        let mut word = String::new();
        let mut after_dollar = false;
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' | '\r' | '\n' | ';' => break,
                // `${name}` belongs to the word.
                '{' if !after_dollar => break,
                _ => {}
            }
            self.next();
            match c {
                '\\' => self.escape(&mut word),
                c => word.push(c),
            }
            after_dollar = c == '$';
        }
        word
    }

    /// What stands behind a backslash.
    fn escape(&mut self, word: &mut String) {
        match self.next() {
            Some(c @ ('"' | '\'' | '\\')) => word.push(c),
            Some('t') => word.push('\t'),
            Some('r') => word.push('\r'),
            Some('n') => word.push('\n'),
            Some(c) => word.extend(['\\', c]),
            None => word.push('\\'),
        }
    }

    /// Code of another language goes to the brace that ends it.
    fn skip_code(&mut self, file: &Path) -> Result<(), PlanError> {
        let place = Place::new(file, self.line);
        let mut open = 1_usize;
        while open > 0 {
            match self.next() {
                Some('{') => open += 1,
                Some('}') => open -= 1,
                Some(_) => {}
                None => return Err(place.wrong("the code that begins here never ends")),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Vec<String>> {
        let mut files = Files::none();
        let mut reader = Reader::new(Path::new("/"), &mut files);
        let directives = reader.read(Path::new("x"), text).unwrap();
        directives.into_iter().map(|directive| directive.words).collect()
    }

    #[test]
    fn quotes_escapes_and_comments() {
        for (text, expected) in [
            ("a \"b \\\"c\\\" \\d\" 'e;f';", vec!["a", "b \"c\" \\d", "e;f"]),
            ("a b#c; # d;\n", vec!["a", "b#c"]),
            ("a ${b}c it's \\;;", vec!["a", "${b}c", "it's", "\\;"]),
            ("'' '';", vec!["", ""]),
            ("a b}c;", vec!["a", "b}c"]),
        ] {
            assert_eq!(words(text), [expected], "{text}");
        }
    }

    #[test]
    fn what_is_wrong_names_its_line() {
        for (text, line) in
            [("a;\n}", 2), ("a {\n", 2), ("\n;", 2), ("a \"b\nc", 1), ("a \"b\"c;", 1), ("a", 1)]
        {
            let mut files = Files::none();
            let mut reader = Reader::new(Path::new("/"), &mut files);
            match reader.read(Path::new("x"), text).unwrap_err() {
                PlanError::MalformedFile { line: known, .. } => assert_eq!(known, line, "{text}"),
                other => panic!("{other}"),
            }
        }
    }

    #[test]
    fn deep_blocks_are_refused_and_code_is_passed_over() {
        let mut files = Files::none();
        let mut reader = Reader::new(Path::new("/"), &mut files);
        assert!(reader.read(Path::new("x"), &"a {".repeat(10_000)).is_err());
        assert_eq!(words("content_by_lua_block { local t = {1}; }").len(), 1);
    }
}

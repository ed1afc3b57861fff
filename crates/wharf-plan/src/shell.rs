//! Shell text as simple commands, each word with its place in the text.
//!
//! This is not a shell: it finds out where a command ends and what its words are. Whatever it does
//! not understand makes the text *opaque*, and then nothing is written into it.

use std::ops::Range;

/// A shell text, taken apart.
#[derive(Debug, Default)]
pub(crate) struct ShellText {
    /// The simple commands, in order.
    pub(crate) commands: Vec<Simple>,
    /// Why nothing can be said of where its last command ends.
    pub(crate) opaque: Option<&'static str>,
    /// Whether it ends in a comment, which would swallow what is added behind it.
    pub(crate) comment: bool,
}

/// A simple command.
#[derive(Debug)]
pub(crate) struct Simple {
    /// Its words, assignments first.
    pub(crate) words: Vec<ShellWord>,
    /// Where its last word or redirection ends.
    pub(crate) end: usize,
    /// What follows it; `None` at the end of the text.
    pub(crate) then: Option<Operator>,
}

/// What stands between two commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    /// `&&`
    And,
    /// `||`
    Or,
    /// `;` or the end of a line
    Then,
    /// `|`
    Pipe,
    /// `&`
    Background,
}

impl Operator {
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Operator::And => "&&",
            Operator::Or => "||",
            Operator::Then => ";",
            Operator::Pipe => "|",
            Operator::Background => "&",
        }
    }
}

/// A word.
#[derive(Debug)]
pub(crate) struct ShellWord {
    /// The word without its quotes; expansions stand as they were written.
    pub(crate) text: String,
    /// Its place in the text.
    pub(crate) span: Range<usize>,
    /// Whether the shell puts something else in its place (`$PORT`).
    pub(crate) expands: bool,
}

/// Words that begin or end something larger than a simple command.
const RESERVED: &[&str] = &[
    "if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac",
    "in", "{", "}", "!", "function", "select", "[[",
];

/// Whether the word begins or ends something larger than a simple command.
pub(crate) fn is_reserved(word: &str) -> bool {
    RESERVED.contains(&word)
}

/// Takes a shell text apart.
pub(crate) fn parse(text: &str) -> ShellText {
    let mut parser = Parser { text, at: 0, out: ShellText::default(), words: Vec::new(), end: 0 };
    parser.run();
    parser.out
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    out: ShellText,
    words: Vec<ShellWord>,
    end: usize,
}

impl Parser<'_> {
    fn run(&mut self) {
        while let Some(next) = self.peek() {
            match next {
                ' ' | '\t' | '\r' => self.at += 1,
                '\n' | ';' => self.operator(Operator::Then, 1),
                '&' if self.rest().starts_with("&&") => self.operator(Operator::And, 2),
                '&' if self.rest().starts_with("&>") => self.redirect(2),
                '&' => self.operator(Operator::Background, 1),
                '|' if self.rest().starts_with("||") => self.operator(Operator::Or, 2),
                '|' if self.rest().starts_with("|&") => self.operator(Operator::Pipe, 2),
                '|' => self.operator(Operator::Pipe, 1),
                '<' | '>' => self.redirect(1),
                '(' | ')' => {
                    self.opaque("it has a subshell");
                    self.at += 1;
                }
                '#' => self.comment(),
                _ => self.word(),
            }
        }
        self.close(None);
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn opaque(&mut self, why: &'static str) {
        self.out.opaque.get_or_insert(why);
    }

    fn operator(&mut self, operator: Operator, len: usize) {
        self.at += len;
        self.close(Some(operator));
    }

    fn close(&mut self, then: Option<Operator>) {
        if self.words.is_empty() {
            // A text that ends in `;` runs nothing after it, but what is appended would be a
            // command of its own, so the operator before stands.
            return;
        }
        let words = std::mem::take(&mut self.words);
        if is_reserved(&words[0].text) {
            self.opaque("it has a compound command");
        }
        self.out.commands.push(Simple { words, end: self.end, then });
    }

    fn comment(&mut self) {
        self.at += self.rest().find('\n').unwrap_or(self.rest().len());
        if self.at == self.text.len() {
            self.out.comment = true;
        }
    }

    /// A redirection and its target, which is no word of the command.
    fn redirect(&mut self, len: usize) {
        self.at += len;
        if self.rest().starts_with('<') {
            self.opaque("it has a here-document");
        }
        while self.rest().starts_with(['>', '<', '&', '|']) {
            self.at += 1;
        }
        while self.rest().starts_with([' ', '\t']) {
            self.at += 1;
        }
        if self.peek().is_some_and(|next| !is_meta(next)) {
            let before = self.words.len();
            self.word();
            self.words.truncate(before);
        }
        self.end = self.at;
    }

    fn word(&mut self) {
        let start = self.at;
        let mut word = ShellWord { text: String::new(), span: start..start, expands: false };
        while let Some(next) = self.peek() {
            match next {
                '\'' => self.single(&mut word),
                '"' => self.double(&mut word),
                '\\' => self.escaped(&mut word),
                '$' | '`' => self.expansion(&mut word),
                _ if is_meta(next) => break,
                _ => self.push(&mut word, next),
            }
        }
        // `2>` is a redirection of descriptor 2, not a word.
        if self.rest().starts_with(['<', '>']) && word.text.bytes().all(|b| b.is_ascii_digit()) {
            return self.redirect(1);
        }
        word.expands |= word.text.contains(['*', '?']) || word.text.starts_with('~');
        word.span = start..self.at;
        self.end = self.at;
        self.words.push(word);
    }

    fn push(&mut self, word: &mut ShellWord, next: char) {
        word.text.push(next);
        self.at += next.len_utf8();
    }

    fn single(&mut self, word: &mut ShellWord) {
        self.at += 1;
        match self.rest().find('\'') {
            Some(len) => {
                word.text.push_str(&self.text[self.at..self.at + len]);
                self.at += len + 1;
            }
            None => self.unclosed(word),
        }
    }

    fn double(&mut self, word: &mut ShellWord) {
        self.at += 1;
        loop {
            match self.peek() {
                None => return self.unclosed(word),
                Some('"') => {
                    self.at += 1;
                    return;
                }
                Some('\\') => self.escaped(word),
                Some('$' | '`') => self.expansion(word),
                Some(next) => self.push(word, next),
            }
        }
    }

    fn unclosed(&mut self, word: &mut ShellWord) {
        self.opaque("a quote is not closed");
        word.text.push_str(&self.text[self.at..]);
        self.at = self.text.len();
    }

    fn escaped(&mut self, word: &mut ShellWord) {
        self.at += 1;
        match self.peek() {
            Some('\n') => self.at += 1,
            Some(next) => self.push(word, next),
            None => self.opaque("it ends in a backslash"),
        }
    }

    /// `$NAME`, `${…}`, `$(…)` or a backtick, kept as it is written.
    fn expansion(&mut self, word: &mut ShellWord) {
        let start = self.at;
        let (open, close) = match self.rest().as_bytes() {
            [b'$', b'{', ..] => ('{', '}'),
            [b'$', b'(', ..] => ('(', ')'),
            [b'`', ..] => ('\0', '`'),
            _ => {
                self.at += 1;
                let name = |c: char| c.is_ascii_alphanumeric() || c == '_';
                let len = self.rest().find(|c| !name(c)).unwrap_or(self.rest().len());
                self.at += len;
                word.expands |= len > 0;
                word.text.push_str(&self.text[start..self.at]);
                return;
            }
        };
        word.expands = true;
        self.at += if open == '\0' { 1 } else { 2 };
        let mut depth = 1;
        while depth > 0 {
            let Some(next) = self.peek() else {
                self.opaque("an expansion is not closed");
                break;
            };
            self.at += next.len_utf8();
            if next == close {
                depth -= 1;
            } else if next == open {
                depth += 1;
            }
        }
        word.text.push_str(&self.text[start..self.at]);
    }
}

fn is_meta(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')')
}

/// A word in shell quotes where it needs them. Braces are placeholders; what replaces them is a
/// number or an address, which needs none, or a path, which does.
pub(crate) fn quoted(word: &str) -> String {
    if word.contains("{files}") && !word.contains('\'') {
        return format!("'{word}'");
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_@%+=:,./-{}".contains(&b);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    match shlex::try_quote(word) {
        Ok(text) => text.into_owned(),
        // A NUL cannot be in an argument at all.
        Err(_) => {
            shlex::try_quote(&word.replace('\0', "")).map_or_else(|_| String::new(), Into::into)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(text: &str) -> Vec<Vec<String>> {
        let words = |c: &Simple| c.words.iter().map(|w| w.text.clone()).collect();
        parse(text).commands.iter().map(words).collect()
    }

    #[test]
    fn commands_end_at_operators() {
        assert_eq!(
            words("a b && c; d | e & f"),
            [vec!["a", "b"], vec!["c"], vec!["d"], vec!["e"], vec!["f"]]
        );
        let text = parse("A=1 vite --open > log 2>&1");
        assert_eq!(text.commands[0].words.len(), 3);
        assert_eq!((text.commands[0].end, text.commands[0].then, text.opaque), (26, None, None));
        assert_eq!(parse("vite &").commands[0].then, Some(Operator::Background));
    }

    #[test]
    fn quotes_and_expansions() {
        assert_eq!(
            words(r#"a 'b c' "d \" $X" e\ f ${P:-3 } $(x y) ''"#)[0][1..],
            ["b c", "d \" $X", "e f", "${P:-3 }", "$(x y)", ""]
        );
        let text = parse("next dev -p ${PORT:-3000} -H $");
        assert!(text.commands[0].words[3].expands && !text.commands[0].words[5].expands);
    }

    #[test]
    fn what_is_not_understood_is_opaque() {
        for text in
            ["(vite)", "if true; then vite; fi", "vite 'x", "cat <<E\nE", "! vite", "vite \\"]
        {
            assert!(parse(text).opaque.is_some(), "{text}");
        }
        assert!(!parse("# first\nvite").comment && parse("vite # dev").comment);
    }

    #[test]
    fn quoting_is_what_a_shell_reads_back() {
        assert_eq!(quoted("--port={port}"), "--port={port}");
        assert_eq!(words(&quoted("a 'b' $c"))[0], ["a 'b' $c"]);
    }

    proptest! {
        #[test]
        fn any_text_is_taken_apart(text in "[ -~\n'\"$`\\\\;&|<>(){}é]{0,60}") {
            for command in parse(&text).commands {
                prop_assert!(text.is_char_boundary(command.end));
                for word in command.words {
                    prop_assert!(text.get(word.span.clone()).is_some_and(|t| !t.is_empty()));
                }
            }
        }
    }
}

//! Writing into the typed command: words are replaced in place or added at an end. The user's own
//! words are never reordered or lost.

use std::ffi::OsString;
use std::ops::Range;

use wharf_model::plan::Arg;

use crate::command::{End, Place, Tail};
use crate::shell;

/// Words that mean something to [`wharf_model::plan::Values::fill`].
const PLACEHOLDERS: &[&str] = &["{host}", "{port", "{files"];

/// A typed command with changes.
#[derive(Debug)]
pub(crate) struct Editor<'a> {
    argv: &'a [OsString],
    replaced: Vec<(usize, String)>,
    inserted: Vec<(usize, Vec<String>)>,
    spliced: Vec<(usize, Range<usize>, String)>,
}

impl<'a> Editor<'a> {
    /// An editor without changes.
    pub(crate) fn new(argv: &'a [OsString]) -> Editor<'a> {
        Editor { argv, replaced: Vec::new(), inserted: Vec::new(), spliced: Vec::new() }
    }

    /// Whether a word of the typed command can hold placeholders besides its own text.
    fn takes_placeholders(&self, argv: usize) -> bool {
        let text = self.argv.get(argv).and_then(|word| word.to_str());
        text.is_some_and(|text| !PLACEHOLDERS.iter().any(|holder| text.contains(holder)))
    }

    /// Replaces a word by a template. `false` if its place cannot be written to.
    pub(crate) fn replace(&mut self, place: &Place, template: String) -> bool {
        match place {
            Place::Argv(index) => self.replaced.push((*index, template)),
            Place::Shell { argv, span } if self.takes_placeholders(*argv) => {
                self.spliced.push((*argv, span.clone(), shell::quoted(&template)));
            }
            Place::Shell { .. } | Place::Fixed => return false,
        }
        true
    }

    /// Whether words can be added at the end of a command.
    pub(crate) fn can_append(&self, tail: &Tail) -> Result<(), String> {
        match &tail.end {
            End::Argv(_) => Ok(()),
            End::Shell { argv, .. } if self.takes_placeholders(*argv) => Ok(()),
            End::Shell { .. } => Err("its text has braces that read as placeholders".into()),
            End::Nowhere(why) => Err(why.clone()),
        }
    }

    /// Adds flags at the end of a command. `false` if that is nowhere.
    pub(crate) fn append(&mut self, tail: &Tail, flags: &[String]) -> bool {
        if flags.is_empty() {
            return true;
        }
        if self.can_append(tail).is_err() {
            return false;
        }
        let words = tail.words(flags);
        match &tail.end {
            End::Argv(index) => self.insert(*index, words),
            End::Shell { argv, at } => {
                let words: String =
                    words.iter().map(|w| format!(" {}", shell::quoted(w))).collect();
                self.spliced.push((*argv, *at..*at, words));
            }
            End::Nowhere(_) => return false,
        }
        true
    }

    /// Puts words before a word of the typed command.
    pub(crate) fn insert(&mut self, index: usize, words: Vec<String>) {
        self.inserted.push((index, words));
    }

    /// The command with the changes made.
    pub(crate) fn finish(mut self) -> Vec<Arg> {
        // Later places first, so that earlier ones stay true; at one place in the given order.
        self.spliced.sort_by_key(|(_, span, _)| std::cmp::Reverse(span.start));
        let mut out = Vec::new();
        for index in 0..=self.argv.len() {
            for (_, words) in self.inserted.iter().filter(|(at, _)| *at == index) {
                out.extend(words.iter().cloned().map(Arg::Template));
            }
            if let Some(word) = self.argv.get(index) {
                out.push(self.word(index, word));
            }
        }
        out
    }

    fn word(&self, index: usize, word: &OsString) -> Arg {
        if let Some((_, template)) = self.replaced.iter().find(|(at, _)| *at == index) {
            return Arg::Template(template.clone());
        }
        let mut splices = self.spliced.iter().filter(|(at, ..)| *at == index).peekable();
        let (Some(_), Some(text)) = (splices.peek(), word.to_str()) else {
            return Arg::Given(word.clone());
        };
        let mut text = text.to_owned();
        for (_, span, new) in splices {
            // The places were found in this very text, if it was UTF-8 throughout.
            if text.get(span.clone()).is_some() {
                text.replace_range(span.clone(), new);
            }
        }
        Arg::Template(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    fn shown(args: Vec<Arg>) -> Vec<String> {
        args.into_iter()
            .map(|arg| match arg {
                Arg::Given(word) => word.to_string_lossy().into_owned(),
                Arg::Template(text) => format!("<{text}>"),
            })
            .collect()
    }

    #[test]
    fn shell_texts_are_changed_from_their_end() {
        let words = argv(&["sh", "-c", "x 1; y 2"]);
        let mut editor = Editor::new(&words);
        assert!(editor.replace(&Place::Shell { argv: 2, span: 2..3 }, "{port}".into()));
        assert!(editor.append(&Tail::at(End::Shell { argv: 2, at: 8 }), &["--a b".into()]));
        assert_eq!(shown(editor.finish()), ["sh", "-c", "<x {port}; y 2 '--a b'>"]);
    }

    #[test]
    fn a_text_with_placeholders_of_its_own_is_left_alone() {
        let words = argv(&["sh", "-c", "echo {port}; vite"]);
        let mut editor = Editor::new(&words);
        assert!(!editor.append(&Tail::at(End::Shell { argv: 2, at: 17 }), &["--a".into()]));
        assert_eq!(shown(editor.finish()), ["sh", "-c", "echo {port}; vite"]);
    }

    #[test]
    fn words_are_put_before_and_behind() {
        let words = argv(&["npm", "exec", "vite"]);
        let mut editor = Editor::new(&words);
        assert!(editor.append(&Tail::at(End::Argv(3)), &["--port".into()]));
        editor.insert(2, vec!["--".into()]);
        assert_eq!(shown(editor.finish()), ["npm", "exec", "<-->", "vite", "<--port>"]);
    }
}

//! A command, unwrapped: the words of the program that serves, and where each of them stands in
//! what the user typed, so that the port goes in at the right place.

use std::ops::Range;
use std::path::PathBuf;

use wharf_model::Step;

use crate::catalog::{DoubleDash, Lang};

/// A word and where it can be replaced.
#[derive(Clone, Debug)]
pub(crate) struct Word {
    /// The word; what is not UTF-8 in it is replaced, which is good enough to recognise it.
    pub(crate) text: String,
    /// Where it stands.
    pub(crate) place: Place,
    /// Whether a shell puts something else in its place.
    pub(crate) expands: bool,
}

/// Where a word stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A word of the typed command.
    Argv(usize),
    /// Within a word of the typed command that is a shell text.
    Shell {
        /// The word.
        argv: usize,
        /// The place in its text.
        span: Range<usize>,
    },
    /// In a file of the project, which wharf does not change.
    Fixed,
}

/// A variable that the command sets for the program.
#[derive(Clone, Debug)]
pub(crate) struct Assignment {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) place: Place,
    pub(crate) expands: bool,
}

/// Where in a command's words a program begins, and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layer {
    /// The index of its first word.
    pub(crate) start: usize,
    /// What it is.
    pub(crate) kind: LayerKind,
}

/// What a layer's first word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LayerKind {
    /// A program.
    Program,
    /// A script that an interpreter runs.
    Script(Lang),
    /// A Python module.
    Module,
}

/// Where words can be added at the end of a command.
#[derive(Clone, Debug)]
pub(crate) enum End {
    /// Before this word of the typed command, or at its end.
    Argv(usize),
    /// Within a shell text that is a word of the typed command.
    Shell {
        /// The word.
        argv: usize,
        /// The place in its text.
        at: usize,
    },
    /// Nowhere, and why.
    Nowhere(String),
}

/// The way from the end of a command inwards to its program, through the package managers.
#[derive(Clone, Debug)]
pub(crate) struct Tail {
    /// Where the words go.
    pub(crate) end: End,
    /// What each package manager on the way does with `--`, outermost first; `None` where the user
    /// has written one already.
    pub(crate) dashes: Vec<Option<DoubleDash>>,
}

impl Tail {
    pub(crate) fn at(end: End) -> Tail {
        Tail { end, dashes: Vec::new() }
    }

    /// The words to add so that `flags` reach the program.
    pub(crate) fn words(&self, flags: &[String]) -> Vec<String> {
        let mut words = flags.to_vec();
        for dash in self.dashes.iter().rev() {
            let needed = match dash {
                Some(DoubleDash::Required) => true,
                // It takes the first `--` for itself.
                Some(DoubleDash::Dropped) => words.first().is_some_and(|word| word == "--"),
                Some(DoubleDash::Forwarded) | None => false,
            };
            if needed {
                words.insert(0, "--".to_owned());
            }
        }
        words
    }
}

/// A command, unwrapped.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    /// The words of the innermost simple command.
    pub(crate) words: Vec<Word>,
    /// The programs among them, outermost first; never empty.
    pub(crate) layers: Vec<Layer>,
    /// Variables that are set on the way, in order.
    pub(crate) assignments: Vec<Assignment>,
    /// Where flags can be added.
    pub(crate) tail: Tail,
    /// The folder that it runs in.
    pub(crate) dir: PathBuf,
    /// How it was unwrapped.
    pub(crate) steps: Vec<Step>,
    /// The programs that the scripts and shell texts on the way name.
    pub(crate) programs: Vec<String>,
    /// The program that runs several commands, if one does.
    pub(crate) several: Option<String>,
    /// The first package script on the way.
    pub(crate) script: Option<String>,
    /// A word that the package manager would keep for itself: `--` must go before it.
    pub(crate) kept: Option<usize>,
}

impl Command {
    /// The innermost layer.
    pub(crate) fn innermost(&self) -> Layer {
        *self.layers.last().unwrap_or(&Layer { start: 0, kind: LayerKind::Program })
    }

    /// The words from a layer on.
    pub(crate) fn from(&self, layer: Layer) -> &[Word] {
        self.words.get(layer.start..).unwrap_or_default()
    }
}

/// A program's name as patterns spell it: without its folder, and without what Windows and npm add.
pub(crate) fn program_name(word: &str) -> &str {
    let name = word.rsplit(['/', '\\']).next().unwrap_or(word);
    let mut name = name;
    for suffix in [".exe", ".cmd", ".bat", ".ps1"] {
        name = name.strip_suffix(suffix).unwrap_or(name);
    }
    if word.contains("node_modules/") {
        for suffix in [".js", ".mjs", ".cjs"] {
            name = name.strip_suffix(suffix).unwrap_or(name);
        }
    }
    name
}

/// The name and the value of an `A=B` word.
pub(crate) fn assignment(word: &str) -> Option<(&str, &str)> {
    let (name, value) = word.split_once('=')?;
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    let rest = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (name.starts_with(first) && name.chars().all(rest)).then_some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(dashes: &[Option<DoubleDash>]) -> Vec<String> {
        let tail = Tail { dashes: dashes.to_vec(), ..Tail::at(End::Argv(1)) };
        tail.words(&["--port".to_owned()])
    }

    #[test]
    fn every_package_manager_gets_its_dashes() {
        use DoubleDash::{Dropped, Forwarded, Required};
        assert_eq!(tail(&[]), ["--port"]);
        assert_eq!(tail(&[Some(Required)]), ["--", "--port"]);
        assert_eq!(tail(&[Some(Required), Some(Required)]), ["--", "--", "--port"]);
        assert_eq!(tail(&[Some(Forwarded), Some(Required)]), ["--", "--port"]);
        assert_eq!(tail(&[Some(Dropped), Some(Required)]), ["--", "--", "--port"]);
        assert_eq!(tail(&[Some(Dropped)]), ["--port"]);
        assert_eq!(tail(&[None, Some(Forwarded)]), ["--port"]);
    }

    #[test]
    fn programs_are_known_by_their_last_name() {
        assert_eq!(program_name("./node_modules/.bin/vite"), "vite");
        assert_eq!(program_name("node_modules/vite/bin/vite.js"), "vite");
        assert_eq!(program_name("C:\\x\\npm.cmd"), "npm");
        assert_eq!(program_name("server.js"), "server.js");
        assert_eq!(assignment("PORT=1=2"), Some(("PORT", "1=2")));
        assert_eq!(assignment("--port=1"), None);
    }
}

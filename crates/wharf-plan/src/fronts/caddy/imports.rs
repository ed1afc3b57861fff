//! `import` of a Caddyfile: snippets and other files.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::Place;
use super::super::files::Files;
use super::lines::{Line, lines};
use crate::error::PlanError;

/// How many lines all of it may come down to, and how deep snippets may name each other: they can multiply.
const LINES_MAX: usize = 50_000;
const DEPTH_MAX: usize = 16;

/// How long a word may become by what is filled in, in bytes.
const WORD_MAX: usize = 4096;

/// Puts what is imported in the place of its line.
pub(super) struct Imports<'a> {
    pub(super) files: &'a mut Files,
    pub(super) snippets: BTreeMap<String, Vec<Line>>,
    /// Imports that lead nowhere, and why.
    pub(super) missing: Vec<(Line, &'static str)>,
    lines: usize,
    depth: usize,
}

impl<'a> Imports<'a> {
    pub(super) fn new(files: &'a mut Files) -> Imports<'a> {
        Imports { files, snippets: BTreeMap::new(), missing: Vec::new(), lines: 0, depth: 0 }
    }

    /// All of the lines, with nothing left to import.
    pub(super) fn resolve(&mut self, from: Vec<Line>) -> Result<Vec<Line>, PlanError> {
        let mut out = Vec::new();
        for mut line in from {
            self.lines += 1;
            if self.lines > LINES_MAX {
                return Err(line.place.wrong(format!("more than {LINES_MAX} lines are not read")));
            }
            if let Some(name) = snippet(&line) {
                self.snippets.insert(name, line.block.take().unwrap_or_default());
            } else if let ("import", [what, arguments @ ..]) = (line.name(), line.arguments()) {
                let (what, arguments) = (what.clone(), arguments.to_vec());
                self.import(&what, &arguments, line, &mut out)?;
            } else {
                if let Some(inner) = line.block.take() {
                    line.block = Some(self.resolve(inner)?);
                }
                out.push(line);
            }
        }
        Ok(out)
    }

    fn import(
        &mut self,
        what: &str,
        arguments: &[String],
        line: Line,
        out: &mut Vec<Line>,
    ) -> Result<(), PlanError> {
        let place = line.place.clone();
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(place.wrong(format!("imports lie more than {DEPTH_MAX} deep")));
        }
        if let Some(snippet) = self.snippets.get(what) {
            self.files.spend(snippet.iter().map(size).sum(), &place)?;
            let snippet = snippet.iter().map(|line| filled(line, arguments)).collect();
            out.extend(self.resolve(snippet)?);
        } else {
            let beside = place.file.parent().unwrap_or(Path::new(".")).to_path_buf();
            match self.files.named(what, &beside) {
                Ok(files) => self.read(&files, arguments, &place, out)?,
                Err(why) => self.missing.push((line, why.why())),
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn read(
        &mut self,
        files: &[std::path::PathBuf],
        arguments: &[String],
        place: &Place,
        out: &mut Vec<Line>,
    ) -> Result<(), PlanError> {
        for file in files {
            self.files.enter(place)?;
            let text = self.files.text(file)?.unwrap_or_default();
            let read = lines(file, &text)?.iter().map(|line| filled(line, arguments)).collect();
            out.extend(self.resolve(read)?);
            self.files.leave();
        }
        Ok(())
    }
}

/// The name of a snippet that a line defines: `(common) {`.
fn snippet(line: &Line) -> Option<String> {
    let [name] = line.words.as_slice() else { return None };
    let name = name.strip_prefix('(')?.strip_suffix(')')?;
    line.block.is_some().then(|| name.to_owned())
}

/// About how much memory a line takes, in bytes.
fn size(line: &Line) -> usize {
    let words: usize = line.words.iter().map(|word| word.len() + size_of::<String>()).sum();
    let inner = line.block.iter().flatten().map(size).sum::<usize>();
    size_of::<Line>() + words + inner
}

/// A line with the words of an import in the place of `{args[0]}`.
fn filled(line: &Line, arguments: &[String]) -> Line {
    let fill = |word: &String| {
        let mut word = word.clone();
        for (number, argument) in arguments.iter().enumerate() {
            for form in [format!("{{args[{number}]}}"), format!("{{args.{number}}}")] {
                let becomes = word.len() + word.matches(&form).count() * argument.len();
                if word.contains(&form) && becomes <= WORD_MAX {
                    word = word.replace(&form, argument);
                }
            }
        }
        word
    };
    Line {
        words: line.words.iter().map(fill).collect(),
        block: line
            .block
            .as_ref()
            .map(|inner| inner.iter().map(|line| filled(line, arguments)).collect()),
        place: line.place.clone(),
    }
}

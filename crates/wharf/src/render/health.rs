//! The answer of `wharf doctor`.

use std::io::stdout;

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use wharf_model::event::SCHEMA;
use wharf_os::terminal;

use super::table::columns;
use super::{RED, printable, takes_colours};
use crate::health::{Finding, State};

/// Where what was found begins in a line.
const INDENT: usize = 21;
/// What a line has room for on the narrowest terminal.
const ROOM_MIN: usize = 24;

/// Everything that was looked at.
#[derive(Debug, Serialize)]
pub(crate) struct Document {
    schema: u32,
    /// Whether everything that wharf promises works.
    healthy: bool,
    findings: Vec<Line>,
    /// What `--fix` has done.
    mended: Vec<String>,
}

/// One finding.
#[derive(Debug, Serialize)]
struct Line {
    area: &'static str,
    state: &'static str,
    what: String,
    why: Vec<String>,
    command: Option<String>,
    /// Whether `--fix` would mend it.
    fixable: bool,
}

impl Line {
    fn new(finding: &Finding) -> Line {
        let Finding { area, state, what, why, command, mend } = finding;
        Line {
            area,
            state: word(*state),
            what: what.clone(),
            why: why.clone(),
            command: command.clone(),
            fixable: mend.is_some(),
        }
    }

    fn text(&self, width: usize) -> String {
        let what = wrapped(&printable(&self.what), width);
        let mut text = format!("{} {:<12} {what}\n", paint(self.state), self.area);
        for why in &self.why {
            text.push_str(&format!("{:INDENT$} {}\n", "", wrapped(&printable(why), width)));
        }
        if let Some(command) = &self.command {
            let by = if self.fixable { ", or `wharf doctor --fix`" } else { "" };
            // A command is copied: never broken.
            text.push_str(&format!("{:INDENT$} mend: `{}`{by}\n", "", printable(command)));
        }
        text
    }
}

impl Document {
    pub(crate) fn new(findings: &[Finding], mended: Vec<String>) -> Document {
        let healthy = findings.iter().all(|finding| finding.state != State::Trouble);
        let findings = findings.iter().map(Line::new).collect();
        Document { schema: SCHEMA, healthy, findings, mended }
    }

    /// A line for each, its reasons below it, and how many there are.
    pub(crate) fn text(&self) -> String {
        let width = terminal::width().map_or(usize::MAX, usize::from);
        let mut text: String = self.findings.iter().map(|line| line.text(width)).collect();
        for done in &self.mended {
            text.push_str(&format!("{:<8} {}\n", "mended", printable(done)));
        }
        let count = |state| self.findings.iter().filter(|line| line.state == state).count();
        let last = match (count("trouble"), count("note")) {
            (0, 0) => "everything that wharf is built on works here".to_owned(),
            (0, 1) => "everything works; 1 thing could be better".to_owned(),
            (0, notes) => format!("everything works; {notes} things could be better"),
            (1, _) => "1 thing does not work".to_owned(),
            (troubles, _) => format!("{troubles} things do not work"),
        };
        text + "\n" + &last + "\n"
    }
}

/// A text below its beginning, broken between words where the terminal ends.
fn wrapped(text: &str, width: usize) -> String {
    let room = width.saturating_sub(INDENT + 1).max(ROOM_MIN);
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let Some(line) = lines.last_mut() else { break };
        if !line.is_empty() && columns(line) + 1 + columns(word) > room {
            lines.push(word.to_owned());
        } else {
            let space = if line.is_empty() { "" } else { " " };
            line.push_str(space);
            line.push_str(word);
        }
    }
    lines.join(&format!("\n{:INDENT$} ", ""))
}

fn word(state: State) -> &'static str {
    match state {
        State::Good => "good",
        State::Note => "note",
        State::Trouble => "trouble",
    }
}

fn paint(state: &str) -> String {
    let style = match state {
        "trouble" => RED,
        "note" => Style::new().fg_color(Some(AnsiColor::Yellow.into())),
        _ => Style::new().fg_color(Some(AnsiColor::Green.into())),
    };
    match takes_colours(&stdout()) {
        true => format!("{style}{state:<8}{style:#}"),
        false => format!("{state:<8}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_broken_between_words_and_a_long_word_is_not() {
        assert_eq!(wrapped("one two three", usize::MAX), "one two three");
        let pause = format!("\n{:INDENT$} ", "");
        let text = "a word of these and a-word-that-is-longer-than-the-line end";
        let parts = ["a word of these and", "a-word-that-is-longer-than-the-line", "end"];
        assert_eq!(wrapped(text, 10), parts.join(&pause));
    }
}

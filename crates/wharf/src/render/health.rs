//! The answer of `wharf doctor`.

use std::io::stdout;

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use wharf_model::event::SCHEMA;

use super::table::wrapped;
use super::{RED, printable, takes_colours};
use crate::health::{Finding, State};

/// Where what was found begins in a line.
const INDENT: usize = 22;

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

    fn text(&self) -> String {
        let first =
            wrapped(&format!("{:<8} {:<12} ", self.state, self.area), &printable(&self.what));
        let below = " ".repeat(INDENT);
        // The colour is no part of the width.
        let mut text = paint(self.state) + first.strip_prefix(self.state).unwrap_or(&first);
        for why in &self.why {
            text.push_str(&wrapped(&below, &printable(why)));
        }
        if let Some(command) = &self.command {
            let by = if self.fixable { ", or `wharf doctor --fix`" } else { "" };
            // A command is copied: never broken.
            text.push_str(&format!("{below}mend: `{}`{by}\n", printable(command)));
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
        let mut text: String = self.findings.iter().map(Line::text).collect();
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
        true => format!("{style}{state}{style:#}"),
        false => state.to_owned(),
    }
}

//! Answers: the only place that writes to stdout.

pub(crate) mod alias;
pub(crate) mod assert;
pub(crate) mod audit;
pub(crate) mod awaited;
pub(crate) mod clean;
pub(crate) mod daemon;
pub(crate) mod doctor;
pub(crate) mod env;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod focus;
pub(crate) mod free;
pub(crate) mod health;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod logs;
pub(crate) mod ls;
pub(crate) mod outside;
pub(crate) mod port;
pub(crate) mod proxy;
pub(crate) mod prune;
pub(crate) mod requests;
pub(crate) mod stop;
pub(crate) mod stream;
pub(crate) mod table;
pub(crate) mod tcp;
pub(crate) mod trust;
pub(crate) mod up;
pub(crate) mod url;
pub(crate) mod who;

use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Color, Style};
use serde::Serialize;

use crate::report::{Code, Report};

/// Errors, and what is open to others.
pub(crate) const RED: Style = Style::new().bold().fg_color(Some(Color::Ansi(AnsiColor::Red)));

/// Whether colours are wanted there: a terminal, and nobody said no (<https://no-color.org>).
pub(crate) fn takes_colours(out: &impl IsTerminal) -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    !refused && !dumb && out.is_terminal()
}

/// Writes an answer as it is.
///
/// # Errors
/// Stdout cannot be written. A reader that has closed the pipe is no error: it has read enough.
pub(crate) fn text(text: &str) -> Result<(), Report> {
    bytes(text.as_bytes())
}

/// Writes an answer of any bytes.
pub(crate) fn bytes(bytes: &[u8]) -> Result<(), Report> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Report::new(Code::Failed, "the answer cannot be written").because(&error))
        }
        _ => Ok(()),
    }
}

/// Writes one JSON document.
pub(crate) fn json(document: &impl Serialize) -> Result<(), Report> {
    let mut text = serde_json::to_string_pretty(document)
        .map_err(|error| Report::bug("the answer is not JSON", &error))?;
    text.push('\n');
    bytes(text.as_bytes())
}

/// Writes a part of an answer that goes on; false once its reader has gone.
///
/// # Errors
/// Stdout cannot be written.
pub(crate) fn still_read(text: &str) -> Result<bool, Report> {
    still_read_bytes(text.as_bytes())
}

/// The same with any bytes.
///
/// # Errors
/// Stdout cannot be written.
pub(crate) fn still_read_bytes(bytes: &[u8]) -> Result<bool, Report> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => {
            Err(Report::new(Code::Failed, "the answer cannot be written").because(&error))
        }
    }
}

/// A JSON document as one line.
pub(crate) fn json_line(document: &impl Serialize) -> Result<String, Report> {
    let text = serde_json::to_string(document)
        .map_err(|error| Report::bug("the answer is not JSON", &error))?;
    Ok(text + "\n")
}

/// A text from outside, with control characters made visible: what a program put into its name or
/// its folder must not move the reader's cursor.
pub(crate) fn printable(text: &str) -> String {
    if !text.chars().any(char::is_control) {
        return text.to_owned();
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\n' => shown.push_str("\\n"),
            '\t' => shown.push(' '),
            c if c.is_control() => shown.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => shown.push(c),
        }
    }
    shown
}

//! What wharf says beside the answer: lines on stderr, marked as its own.

use std::io::Write;
use std::time::Duration;

use anstyle::{AnsiColor, Style};

use crate::render::{RED, printable, takes_colours};
use crate::report::Report;

/// The mark of wharf's own lines, between the lines of a server.
pub(crate) const MARK: &str = "wharf:";

/// Whether stderr takes colours.
fn coloured() -> bool {
    takes_colours(&std::io::stderr())
}

fn paint(style: Style, text: &str) -> String {
    if coloured() { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

/// One line of narration.
pub(crate) fn line(text: &str) {
    let mark = paint(Style::new().fg_color(Some(AnsiColor::Cyan.into())), MARK);
    write(&format!("{mark} {}\n", printable(text)));
}

/// One line that wants attention.
pub(crate) fn warning(text: &str) {
    let mark = paint(Style::new().bold().fg_color(Some(AnsiColor::Yellow.into())), MARK);
    write(&format!("{mark} {}\n", printable(text)));
}

/// One line about what is open to others: the loudest of all.
pub(crate) fn danger(text: &str) {
    write(&format!("{} {}\n", paint(RED, MARK), paint(RED, &printable(text))));
}

/// The ready line: the one line that people look for.
pub(crate) fn ready(text: &str, url: &str, rest: &str) {
    let mark = paint(Style::new().fg_color(Some(AnsiColor::Green.into())), MARK);
    let url = paint(Style::new().bold(), &printable(url));
    write(&format!("{mark} {} {url}{}\n", printable(text), printable(rest)));
}

/// What another process of ours has written for stderr.
pub(crate) fn verbatim(text: &str) {
    if !text.is_empty() {
        write(text);
    }
}

/// An error with its reasons and ways out.
pub(crate) fn report(report: &Report) {
    let mut text = format!("{} {}\n", paint(RED, "error:"), printable(&report.what));
    for why in &report.why {
        text.push_str(&format!("  {} {}\n", paint(Style::new().dimmed(), "why:"), printable(why)));
    }
    for help in &report.help {
        text.push_str(&format!("  {} {}\n", paint(Style::new().bold(), "help:"), printable(help)));
    }
    write_out(&text);
}

/// How long a line waits for its reader.
const PATIENCE: Duration = Duration::from_millis(100);

/// What a reader who does not read has no room for is not said: whoever narrates also answers the
/// program's calls.
fn write(text: &str) {
    if wharf_os::inherited::stderr_takes_a_line(PATIENCE) {
        write_out(text);
    }
}

/// In one write, so that lines of the server cannot fall in between; a closed stderr stops nothing.
fn write_out(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

//! Tables that fit the terminal.

use std::io::IsTerminal;

use comfy_table::{ContentArrangement, Table, presets};

use super::printable;

/// The width of a table that is not for a terminal, or whose terminal does not say.
const WIDTH: u16 = 80;

/// The farthest to the right that further lines begin.
const LONGEST_INDENT: usize = 24;

/// A table without lines, with a head, no wider than the terminal. On a pipe the width is not cut, so
/// that a script reads whole words.
pub(crate) fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(head.to_vec());
    if std::io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(wharf_os::terminal::width().unwrap_or(WIDTH));
    }
    for row in rows {
        table.add_row(row.iter().map(|cell| printable(cell)).collect::<Vec<_>>());
    }
    let text: Vec<String> = table.lines().map(|line| line.trim().to_owned()).collect();
    text.join("\n") + "\n"
}

/// A text behind a lead, its further lines under its first, no wider than a table. On a pipe it stays
/// one line, so that `grep` finds whole sentences.
pub(crate) fn wrapped(lead: &str, text: &str) -> String {
    let width = match std::io::stdout().is_terminal() {
        true => usize::from(wharf_os::terminal::width().unwrap_or(WIDTH)),
        false => usize::MAX,
    };
    wrap(lead, text, width)
}

fn wrap(lead: &str, text: &str, width: usize) -> String {
    // A long lead would leave no room beside it.
    let indent = lead.chars().count().min(LONGEST_INDENT);
    let mut lines = String::from(lead);
    let mut column = lead.chars().count();
    let mut first = true;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if !first && column + 1 + length > width {
            lines.push('\n');
            lines.push_str(&" ".repeat(indent));
            column = indent;
            first = true;
        }
        if !first {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += length;
        first = false;
    }
    lines.push('\n');
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_go_on_under_their_beginning() {
        assert_eq!(wrap("ab: ", "one two three", 12), "ab: one two\n    three\n");
        assert_eq!(wrap("", "unbreakable-word", 4), "unbreakable-word\n");
        assert_eq!(wrap("a: ", "", 80), "a: \n");
    }
}

//! Tables that fit the terminal.

use std::io::IsTerminal;

use comfy_table::{ContentArrangement, Table, presets};

use super::printable;

/// The width of a table that is not for a terminal, or whose terminal does not say.
const WIDTH: u16 = 80;

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

//! Tables and texts that fit the terminal.

use std::io::IsTerminal;

use super::printable;

/// The width of a table for a terminal that does not say its own.
const WIDTH: u16 = 80;

/// The farthest to the right that further lines begin.
const LONGEST_INDENT: usize = 24;

/// Between two columns, and before a cell that has a line of its own.
const GAP: &str = "  ";

/// Less than this of a name tells nobody which it is.
const LEAST: usize = 8;

/// What gives way where a table is wider than the terminal.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Give {
    /// A last column that must stay whole, since it is copied or clicked: it gets lines of its own.
    pub(crate) last_below: bool,
    /// The column whose cells lose their middle, if that is not enough.
    pub(crate) shortened: usize,
}

/// A table without lines, with a head, no wider than the terminal. On a pipe nothing is cut or moved,
/// so that a script reads whole words.
pub(crate) fn table(
    head: &[&str],
    rows: impl IntoIterator<Item = Vec<String>>,
    give: Give,
) -> String {
    let head: Vec<String> = head.iter().map(|word| (*word).to_owned()).collect();
    let mut lines = vec![head];
    lines.extend(rows.into_iter().map(|row| row.iter().map(|cell| printable(cell)).collect()));
    fit(lines, give, terminal_width())
}

/// No limit where standard output is no terminal.
pub(crate) fn terminal_width() -> usize {
    match std::io::stdout().is_terminal() {
        true => usize::from(wharf_os::terminal::width().unwrap_or(WIDTH)),
        false => usize::MAX,
    }
}

fn fit(mut lines: Vec<Vec<String>>, give: Give, width: usize) -> String {
    let mut below = Vec::new();
    if excess(&lines, width) > 0 && give.last_below {
        below = lines.iter_mut().map(|line| line.pop().unwrap_or_default()).collect();
    }
    let excess = excess(&lines, width);
    if excess > 0 {
        let room = widths(&lines)[give.shortened].saturating_sub(excess).max(LEAST);
        for line in &mut lines {
            line[give.shortened] = shortened(&line[give.shortened], room);
        }
    }
    let widths = widths(&lines);
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        let cells = line.iter().zip(&widths).map(|(cell, width)| {
            format!("{cell}{}", " ".repeat(width.saturating_sub(columns(cell))))
        });
        text.push_str(cells.collect::<Vec<_>>().join(GAP).trim_end());
        text.push('\n');
        // The head of that column would stand above nothing.
        if let Some(cell) = below.get(number).filter(|_| number > 0) {
            text.push_str(&format!("{GAP}{cell}\n"));
        }
    }
    text
}

/// By how much the lines are wider than allowed.
fn excess(lines: &[Vec<String>], width: usize) -> usize {
    let widths = widths(lines);
    let gaps = GAP.len() * widths.len().saturating_sub(1);
    (widths.iter().sum::<usize>() + gaps).saturating_sub(width)
}

fn widths(lines: &[Vec<String>]) -> Vec<usize> {
    let mut widths = vec![0; lines.iter().map(Vec::len).max().unwrap_or(0)];
    for (column, cell) in lines.iter().flat_map(|line| line.iter().enumerate()) {
        widths[column] = widths[column].max(columns(cell));
    }
    widths
}

/// A text without its middle: names that are alike mostly differ at their ends.
pub(crate) fn shortened(text: &str, room: usize) -> String {
    if columns(text) <= room {
        return text.to_owned();
    }
    let half = room.saturating_sub(1);
    let begin = taken(text.chars(), half.div_ceil(2));
    let end: String = taken(text.chars().rev(), half / 2).chars().rev().collect();
    format!("{begin}…{end}")
}

/// As many characters as fit.
fn taken(characters: impl Iterator<Item = char>, room: usize) -> String {
    let mut used = 0;
    let fits = |character: &char| {
        used += width_of(*character);
        used <= room
    };
    characters.take_while(fits).collect()
}

pub(crate) fn columns(text: &str) -> usize {
    text.chars().map(width_of).sum()
}

/// The columns of a character: from Hangul on two, which is never too few. What combines with the
/// character before it counts as well.
fn width_of(character: char) -> usize {
    if character < '\u{1100}' || character == '…' { 1 } else { 2 }
}

/// A text behind a lead, its further lines under its first, no wider than a table. On a pipe it stays
/// one line, so that `grep` finds whole sentences.
pub(crate) fn wrapped(lead: &str, text: &str) -> String {
    wrap(lead, text, terminal_width())
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

    const GIVE: Give = Give { last_below: true, shortened: 0 };

    fn lines(rows: &[&[&str]]) -> Vec<Vec<String>> {
        rows.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect()
    }

    #[test]
    fn what_fits_stays_in_one_line() {
        let table = lines(&[&["NAME", "PORT", "URL"], &["shop", "8000", "http://shop:8000"]]);
        let text = "NAME  PORT  URL\nshop  8000  http://shop:8000\n";
        assert_eq!(fit(table.clone(), GIVE, 28), text);
        assert_eq!(fit(table, GIVE, usize::MAX), text);
    }

    #[test]
    fn a_url_goes_below_before_a_name_is_cut() {
        let table = lines(&[
            &["NAME", "PORT", "URL"],
            &["shop", "8000", "http://shop:8000"],
            &["a-branch.shop", "8001", "http://a-branch.shop:8001"],
        ]);
        let whole = "NAME           PORT\n\
                     shop           8000\n  http://shop:8000\n\
                     a-branch.shop  8001\n  http://a-branch.shop:8001\n";
        assert_eq!(fit(table.clone(), GIVE, 43), whole);
        let cut = "NAME        PORT\n\
                   shop        8000\n  http://shop:8000\n\
                   a-bra…shop  8001\n  http://a-branch.shop:8001\n";
        assert_eq!(fit(table, GIVE, 16), cut);
    }

    #[test]
    fn wide_characters_count_twice_and_no_name_vanishes() {
        assert_eq!(shortened("项目项目项目", 8), "项目…目");
        assert_eq!(shortened("project", 7), "project");
        let narrow = fit(lines(&[&["OF"], &["web of a long project"]]), Give::default(), 3);
        assert_eq!(narrow, "OF\nweb …ect\n");
    }
}

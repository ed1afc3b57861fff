//! Cells that are not as they were become bytes for a terminal.

use std::fmt::Write;

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Modifier;

/// What the terminal shows.
#[derive(Debug, Default)]
pub(super) struct Painted {
    last: Buffer,
}

impl Painted {
    /// What makes the terminal show this instead.
    pub(super) fn change(&mut self, next: Buffer) -> String {
        let mut out = String::new();
        if self.last.area != next.area {
            self.last = Buffer::empty(next.area);
            out.push_str("\x1b[0m\x1b[2J");
        }
        let mut how = Modifier::empty();
        // Where the terminal writes next, if that is certain.
        let mut pen = None;
        for (x, y, cell) in self.last.diff_iter(&next) {
            if pen != Some((x, y)) {
                let _ = write!(out, "\x1b[{};{}H", y + 1, x + 1);
            }
            if cell.modifier != how {
                how = cell.modifier;
                let bold = if how.contains(Modifier::BOLD) { ";1" } else { "" };
                let reversed = if how.contains(Modifier::REVERSED) { ";7" } else { "" };
                let _ = write!(out, "\x1b[0{bold}{reversed}m");
            }
            let symbol = cell.symbol();
            out.push_str(symbol);
            // How wide anything but ASCII is, terminals do not agree on.
            pen = (symbol.len() == 1).then_some((x + 1, y));
        }
        if !how.is_empty() {
            out.push_str("\x1b[0m");
        }
        self.last = next;
        out
    }

    /// What is on the screen is not known any more.
    pub(super) fn forget(&mut self) {
        self.last = Buffer::empty(Rect::ZERO);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui_core::style::Style;

    fn buffer(lines: [&str; 2]) -> Buffer {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 8, 2));
        for (y, line) in (0..).zip(lines) {
            buffer.set_string(0, y, line, Style::new());
        }
        buffer
    }

    #[test]
    fn what_stands_together_is_written_together_and_what_stays_is_not() {
        let mut painted = Painted::default();
        let first = painted.change(buffer(["port", "8000"]));
        assert_eq!(first, "\x1b[0m\x1b[2J\x1b[1;1Hport\x1b[2;1H8000");
        assert_eq!(painted.change(buffer(["port", "8000"])), "");
        assert_eq!(painted.change(buffer(["port", "8010"])), "\x1b[2;3H1");
        painted.forget();
        assert_eq!(painted.change(buffer(["port", "8010"])), first.replace("8000", "8010"));
    }

    #[test]
    fn after_a_letter_of_uncertain_width_the_place_is_said() {
        let out = Painted::default().change(buffer(["é漢x", ""]));
        assert_eq!(out, "\x1b[0m\x1b[2J\x1b[1;1Hé\x1b[1;2H漢\x1b[1;4Hx");
    }

    #[test]
    fn a_style_is_ended_where_it_ends() {
        let mut next = buffer(["ab", ""]);
        next.set_style(Rect::new(0, 0, 1, 1), Style::new().add_modifier(Modifier::BOLD));
        let out = Painted::default().change(next);
        assert_eq!(out, "\x1b[0m\x1b[2J\x1b[1;1H\x1b[0;1ma\x1b[0mb");
    }
}

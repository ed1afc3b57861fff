//! The state as cells: nothing is read here and nothing done. Without colour: what stands out is marked by a
//! letter, and by bold or reversed cells on top of that.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::{Modifier, Style};

use super::state::{Mode, Row, State, Tab};

const KEYS: &str = "? help  q quit  / filter  tab ports  o open  c copy URL  r restart  s stop";

/// Below so many columns neither processor, memory nor age has room beside name, state and port.
const NARROW: u16 = 60;
/// Below so many lines what a command says takes the place of the keys.
const FLAT: u16 = 8;

const HELP: [&str; 10] = [
    "j k up down  select; page up, page down, home and end too",
    "o enter      open it in the browser",
    "c            copy its URL",
    "r            restart it, refusing no connection",
    "s            stop it, after a question",
    "/            show only what has these letters; escape shows all again",
    "tab          instances, or the port map of the machine",
    "ctrl-l       draw the screen anew",
    "ctrl-z       back to the shell; `fg` comes back",
    "q ctrl-c     quit; servers go on",
];

/// The whole screen.
pub(crate) fn draw(state: &State, columns: u16, lines: u16) -> Buffer {
    let area = Rect::new(0, 0, columns, lines);
    let (said, foot) = match (said(state), prompt(state)) {
        (Some(said), None) if lines < FLAT => (None, said),
        (said, prompt) => (said.filter(|_| lines >= FLAT), prompt.unwrap_or(KEYS.to_owned())),
    };
    let end = lines.saturating_sub(1 + u16::from(said.is_some()));
    let mut page = Page { buffer: Buffer::empty(area), columns, lines, end };
    page.line(0, &title(state), Modifier::BOLD);
    match (&state.mode, state.tab) {
        (Mode::Help, _) => {
            for (at, text) in (1..).zip(HELP) {
                page.body(at, text, Modifier::empty());
            }
        }
        (_, Tab::Instances) => instances(state, &mut page),
        (_, Tab::Ports) => ports(state, &mut page),
    }
    if let Some(said) = &said {
        page.line(lines.saturating_sub(2), said, Modifier::BOLD);
    }
    if lines > 1 {
        page.line(lines - 1, &foot, Modifier::empty());
    }
    page.buffer
}

struct Page {
    buffer: Buffer,
    columns: u16,
    lines: u16,
    /// The first line that is not the body's.
    end: u16,
}

impl Page {
    fn line(&mut self, at: u16, text: &str, how: Modifier) {
        if at < self.lines && self.columns > 0 {
            let style = Style::new().add_modifier(how);
            self.buffer.set_stringn(0, at, text, usize::from(self.columns), style);
            self.buffer.set_style(Rect::new(0, at, self.columns, 1), style);
        }
    }

    /// A line between the title and what is said below.
    fn body(&mut self, at: u16, text: &str, how: Modifier) {
        if at < self.end {
            self.line(at, text, how);
        }
    }
}

fn title(state: &State) -> String {
    let tab = match state.tab {
        Tab::Instances => "[instances] ports ",
        Tab::Ports => " instances [ports]",
    };
    let filter = match state.filter.as_str() {
        "" => String::new(),
        filter => format!("  filter: {filter}"),
    };
    format!("wharf top  {tab}  {} running{filter}", state.rows.len())
}

/// What the keys are wanted for, if not for everything.
fn prompt(state: &State) -> Option<String> {
    match &state.mode {
        Mode::Filter => Some(format!("/{}_  enter keeps it, escape shows all", state.filter)),
        Mode::Sure(order) => {
            Some(format!("{} {}? y does it, any other key does not", order.command, order.name))
        }
        Mode::Help => Some("any key closes this".to_owned()),
        Mode::Plain => None,
    }
}

/// What there is to be told.
fn said(state: &State) -> Option<String> {
    match (&state.trouble, state.message.as_str()) {
        (Some(trouble), _) => Some(format!("! {trouble}: what is shown is old")),
        (None, "") => None,
        (None, message) => Some(message.to_owned()),
    }
}

/// The list takes at most half of the lines, the output of the selected instance the rest.
fn instances(state: &State, page: &mut Page) {
    let shown = state.shown();
    let room = page.end.saturating_sub(3);
    let most = usize::from(room.div_ceil(2)).max(1);
    let chosen = state.chosen();
    let at = shown.iter().position(|row| chosen.is_some_and(|it| it.id == row.id)).unwrap_or(0);
    let first = (at + 1).saturating_sub(most);
    let name = shown.iter().map(|row| row.name.chars().count()).max().unwrap_or(0).clamp(4, 28);
    let is_narrow = page.columns < NARROW;
    let name = if is_narrow { name.min(usize::from(page.columns / 3).max(4)) } else { name };
    page.body(1, &head(name, is_narrow), Modifier::BOLD);
    let mut next = 2u16;
    for (index, row) in shown.iter().enumerate().skip(first).take(most) {
        let is_it = index == at;
        let how = if is_it { Modifier::REVERSED } else { Modifier::empty() };
        page.body(next, &line(row, is_it, name, is_narrow), how);
        next += 1;
    }
    if shown.is_empty() {
        let nothing =
            if state.rows.is_empty() { "nothing runs" } else { "nothing passes the filter" };
        page.body(next, &format!("  {nothing}"), Modifier::empty());
        next += 1;
    }
    let Some(chosen) = chosen else { return };
    page.body(next, &format!("-- {} {}", chosen.name, chosen.url), Modifier::BOLD);
    next += 1;
    let left = usize::from(page.end.saturating_sub(next));
    for text in state.log.iter().skip(state.log.len().saturating_sub(left)) {
        page.body(next, text, Modifier::empty());
        next += 1;
    }
}

fn head(name: usize, is_narrow: bool) -> String {
    match is_narrow {
        true => format!("  {:name$} {:9} {:>5} URL", "NAME", "STATE", "PORT"),
        false => format!(
            "  {:name$} {:9} {:>5} {:>5} {:>6} {:>5} URL",
            "NAME", "STATE", "PORT", "CPU", "MEM", "AGE"
        ),
    }
}

fn line(row: &Row, is_it: bool, name: usize, is_narrow: bool) -> String {
    let mark = if is_it { '>' } else { ' ' };
    let Row { state, port, cpu, memory, age, url, .. } = row;
    let short: String = row.name.chars().take(name).collect();
    match is_narrow {
        true => format!("{mark} {short:name$} {state:9} {port:>5} {url}"),
        false => {
            format!("{mark} {short:name$} {state:9} {port:>5} {cpu:>5} {memory:>6} {age:>5} {url}")
        }
    }
}

fn ports(state: &State, page: &mut Page) {
    let shown = state.shown_ports();
    let Some((head, rest)) = shown.split_first() else {
        return page.body(1, "  looking …", Modifier::empty());
    };
    page.body(1, head, Modifier::BOLD);
    for (at, text) in (2..page.end).zip(rest.iter().skip(state.scroll)) {
        page.body(at, text, Modifier::empty());
    }
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;

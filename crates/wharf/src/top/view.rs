//! The state as cells: nothing is read here and nothing done. Without colour: what stands out is marked by a
//! letter, and by bold or reversed cells on top of that.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::{Modifier, Style};

use super::state::{Mode, Row, State, Tab};

const KEYS: &str = "? help  q quit  / filter  tab ports  o open  r restart  s stop";

const HELP: [&str; 10] = [
    "up, down, j, k   select an instance; page up and down, home and end too",
    "o, enter         open it in the browser",
    "r                restart it, refusing no connection",
    "s                stop it, after a question",
    "/                show only what has these letters; escape shows all again",
    "tab              instances, or the port map of the machine",
    "ctrl-l           draw the screen anew",
    "ctrl-z           back to the shell; `fg` comes back",
    "q, ctrl-c        quit; servers go on",
    "Any key closes this.",
];

/// The whole screen.
pub(crate) fn draw(state: &State, columns: u16, lines: u16) -> Buffer {
    let area = Rect::new(0, 0, columns, lines);
    let mut page = Page { buffer: Buffer::empty(area), columns, lines };
    page.line(0, &title(state), Modifier::BOLD);
    match (&state.mode, state.tab) {
        (Mode::Help, _) => {
            for (at, text) in (2..).zip(HELP) {
                page.body(at, text, Modifier::empty());
            }
        }
        (_, Tab::Instances) => instances(state, &mut page),
        (_, Tab::Ports) => ports(state, &mut page),
    }
    if lines > 1 {
        page.line(lines - 1, &foot(state), Modifier::empty());
    }
    page.buffer
}

struct Page {
    buffer: Buffer,
    columns: u16,
    lines: u16,
}

impl Page {
    fn line(&mut self, at: u16, text: &str, how: Modifier) {
        if at < self.lines && self.columns > 0 {
            let style = Style::new().add_modifier(how);
            self.buffer.set_stringn(0, at, text, usize::from(self.columns), style);
            self.buffer.set_style(Rect::new(0, at, self.columns, 1), style);
        }
    }

    /// A line that leaves the last one to the foot.
    fn body(&mut self, at: u16, text: &str, how: Modifier) {
        if at + 1 < self.lines {
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

fn foot(state: &State) -> String {
    match &state.mode {
        Mode::Filter => format!("/{}_  enter keeps it, escape shows all", state.filter),
        Mode::Sure(name) => format!("stop {name}? y stops it, any other key does not"),
        _ => match &state.trouble {
            Some(trouble) => format!("! {trouble}"),
            None if !state.message.is_empty() => state.message.clone(),
            None => KEYS.to_owned(),
        },
    }
}

/// The list takes at most half of the lines, the output of the selected instance the rest.
fn instances(state: &State, page: &mut Page) {
    let shown = state.shown();
    let room = page.lines.saturating_sub(4);
    let most = usize::from(room.div_ceil(2)).max(1);
    let chosen = state.chosen();
    let at = shown.iter().position(|row| chosen.is_some_and(|it| it.id == row.id)).unwrap_or(0);
    let first = (at + 1).saturating_sub(most);
    let name = shown.iter().map(|row| row.name.chars().count()).max().unwrap_or(0).clamp(4, 28);
    page.body(1, &head(name), Modifier::BOLD);
    let mut next = 2u16;
    for (index, row) in shown.iter().enumerate().skip(first).take(most) {
        let is_it = index == at;
        let how = if is_it { Modifier::REVERSED } else { Modifier::empty() };
        page.body(next, &line(row, is_it, name), how);
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
    let left = usize::from(page.lines.saturating_sub(next + 1));
    for text in state.log.iter().skip(state.log.len().saturating_sub(left)) {
        page.body(next, text, Modifier::empty());
        next += 1;
    }
}

fn head(name: usize) -> String {
    format!(
        "  {:name$} {:9} {:>5} {:>5} {:>6} {:>5} {}",
        "NAME", "STATE", "PORT", "CPU", "MEM", "AGE", "URL"
    )
}

fn line(row: &Row, is_it: bool, name: usize) -> String {
    let mark = if is_it { '>' } else { ' ' };
    let Row { state, port, cpu, memory, age, url, .. } = row;
    let short: String = row.name.chars().take(name).collect();
    format!("{mark} {short:name$} {state:9} {port:>5} {cpu:>5} {memory:>6} {age:>5} {url}")
}

fn ports(state: &State, page: &mut Page) {
    let shown = state.shown_ports();
    let Some((head, rest)) = shown.split_first() else {
        return page.body(1, "  looking …", Modifier::empty());
    };
    page.body(1, head, Modifier::BOLD);
    for (at, text) in (2..page.lines).zip(rest.iter().skip(state.scroll)) {
        page.body(at, text, Modifier::empty());
    }
}

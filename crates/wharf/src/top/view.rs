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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::keys::Key;
    use crate::top::state::Act;

    fn row(id: &str) -> Row {
        Row {
            id: id.to_owned(),
            name: format!("{id}.shop"),
            state: "ready".to_owned(),
            port: "8000".to_owned(),
            cpu: "3%".to_owned(),
            memory: "48M".to_owned(),
            age: "2m".to_owned(),
            url: format!("http://{id}.shop.localhost"),
            log: std::path::PathBuf::new(),
        }
    }

    fn text(state: &State, columns: u16, lines: u16) -> Vec<String> {
        let buffer = draw(state, columns, lines);
        let line = |y| (0..columns).map(|x| buffer[(x, y)].symbol()).collect::<String>();
        (0..lines).map(|y| line(y).trim_end().to_owned()).collect()
    }

    fn two() -> State {
        let mut state = State::default();
        state.take(vec![row("api"), row("web")]);
        state.said("it listens".to_owned());
        state
    }

    #[test]
    fn a_screen_of_80_by_24_has_all_of_it_without_colour() {
        let lines = text(&two(), 80, 24);
        assert_eq!(lines[0], "wharf top  [instances] ports   2 running");
        assert_eq!(
            lines[2],
            "> api.shop ready      8000    3%    48M    2m http://api.shop.localhost"
        );
        assert_eq!(
            lines[3],
            "  web.shop ready      8000    3%    48M    2m http://web.shop.localhost"
        );
        assert_eq!(lines[4], "-- api.shop http://api.shop.localhost");
        assert_eq!(lines[5], "it listens");
        assert_eq!(lines[23], KEYS);
    }

    #[test]
    fn any_size_is_drawn_in_every_mode() {
        for mode in [Mode::Plain, Mode::Filter, Mode::Help, Mode::Sure("api.shop".to_owned())] {
            for tab in [Tab::Instances, Tab::Ports] {
                let mut state = two();
                (state.mode, state.tab) = (mode.clone(), tab);
                state.ports = vec!["PORT".to_owned(), "8000  é漢字".to_owned()];
                for (columns, lines) in [(0, 0), (1, 1), (3, 2), (40, 10), (200, 50)] {
                    draw(&state, columns, lines);
                }
            }
        }
    }

    #[test]
    fn a_stop_is_asked_about_and_the_filter_moves_the_selection() {
        let mut state = two();
        assert_eq!(state.press(Key::Char('s')), None);
        assert!(text(&state, 40, 10)[9].starts_with("stop api.shop?"));
        assert_eq!(state.press(Key::Char('n')), None);
        state.press(Key::Char('s'));
        let stop = Act::Command("stop", "api.shop".to_owned());
        assert_eq!(state.press(Key::Char('y')), Some(stop));
        state.press(Key::Char('/'));
        "web".chars().for_each(|letter| drop(state.press(Key::Char(letter))));
        assert_eq!(state.chosen().map(|row| row.id.as_str()), Some("web"));
        assert!(state.log.is_empty(), "it was the other one's");
    }
}

//! What the view knows, and what each key makes of it.

use std::collections::VecDeque;
use std::path::PathBuf;

use super::keys::Key;

/// So many lines of output are kept to be shown.
pub(crate) const LOG_LINES: usize = 500;
/// No filter needs more letters.
const FILTER_MAX: usize = 60;

/// An instance as its line says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) id: String,
    /// As `wharf ls` shows it.
    pub(crate) name: String,
    /// Address and port: what no other instance has, and commands take for a name.
    pub(crate) place: String,
    pub(crate) state: String,
    pub(crate) port: String,
    pub(crate) cpu: String,
    pub(crate) memory: String,
    pub(crate) age: String,
    pub(crate) url: String,
    /// Where its output is kept, if it is.
    pub(crate) log: PathBuf,
}

/// Which half of it is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tab {
    #[default]
    Instances,
    Ports,
}

/// What the keys mean now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    #[default]
    Plain,
    Filter,
    /// Whether to do it.
    Sure(Order),
    Help,
}

/// What somebody else shall do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Quit,
    Suspend,
    /// Draw all of it anew.
    Repaint,
    Command(Order),
    /// Put it into the clipboard.
    Copy(String),
}

/// A command of wharf's, and the instance that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) command: &'static str,
    pub(crate) name: String,
    pub(crate) place: String,
}

/// All that is shown.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) rows: Vec<Row>,
    pub(crate) ports: Vec<String>,
    pub(crate) log: VecDeque<String>,
    /// Whose output `log` is.
    pub(crate) selected: Option<String>,
    pub(crate) tab: Tab,
    pub(crate) mode: Mode,
    pub(crate) filter: String,
    /// How far the port map is scrolled, in lines.
    pub(crate) scroll: usize,
    /// What the last command said.
    pub(crate) message: String,
    /// Why what is shown is old.
    pub(crate) trouble: Option<String>,
}

impl State {
    /// The instances that pass the filter.
    pub(crate) fn shown(&self) -> Vec<&Row> {
        let has = |row: &&Row| {
            let fields = [&row.name, &row.state, &row.port, &row.url];
            fields.iter().any(|field| self.passes(field))
        };
        self.rows.iter().filter(has).collect()
    }

    /// The lines of the port map that pass the filter, its head among them.
    pub(crate) fn shown_ports(&self) -> Vec<&str> {
        let lines = self.ports.iter().enumerate();
        lines.filter(|(at, line)| *at == 0 || self.passes(line)).map(|(_, line)| &**line).collect()
    }

    fn passes(&self, text: &str) -> bool {
        text.to_lowercase().contains(&self.filter.to_lowercase())
    }

    /// The instance that keys are for.
    pub(crate) fn chosen(&self) -> Option<&Row> {
        let shown = self.shown();
        let is_it = |row: &&&Row| Some(&row.id) == self.selected.as_ref();
        shown.iter().find(is_it).or(shown.first()).copied()
    }

    /// Takes what was read. The selection stays with its instance, else with its name, else with its line.
    pub(crate) fn take(&mut self, rows: Vec<Row>) {
        let selected = self.selected.clone();
        let is_it = |row: &&Row| Some(&row.id) == selected.as_ref();
        let line = self.shown().iter().position(is_it).unwrap_or(0);
        let name = self.rows.iter().find(is_it).map(|row| row.name.clone());
        self.rows = rows;
        let shown = self.shown();
        let is_called_so = |row: &&Row| Some(&row.name) == name.as_ref();
        let next = shown.iter().copied().find(is_it);
        let next = next.or_else(|| shown.iter().copied().find(is_called_so));
        let next = next.or_else(|| shown.get(line.min(shown.len().checked_sub(1)?)).copied());
        self.select(next.map(|row| row.id.clone()));
    }

    /// Takes the port map.
    pub(crate) fn take_ports(&mut self, ports: Vec<String>) {
        self.ports = ports;
        self.scroll_by(0);
    }

    /// Takes a line of the selected instance.
    pub(crate) fn said(&mut self, line: String) {
        if self.log.len() == LOG_LINES {
            self.log.pop_front();
        }
        self.log.push_back(line);
    }

    /// Selects what is shown; the output of another one is forgotten.
    fn settle(&mut self) {
        self.select(self.chosen().map(|row| row.id.clone()));
        self.scroll_by(0);
    }

    fn select(&mut self, id: Option<String>) {
        if id != self.selected {
            self.selected = id;
            self.log.clear();
        }
    }

    /// What a key does.
    pub(crate) fn press(&mut self, key: Key) -> Option<Act> {
        match (key, &self.mode) {
            (Key::Ctrl('c'), _) => return Some(Act::Quit),
            (Key::Ctrl('z'), _) => return Some(Act::Suspend),
            (Key::Ctrl('l'), _) => return Some(Act::Repaint),
            (_, Mode::Filter) => self.filtering(key),
            // What is pasted is text, and nobody's wish.
            (Key::Pasted(_), _) => {}
            (_, Mode::Plain) => return self.plain(key),
            (_, Mode::Help) => self.mode = Mode::Plain,
            (_, Mode::Sure(order)) => {
                let order = order.clone();
                self.mode = Mode::Plain;
                if matches!(key, Key::Char('y' | 'Y')) {
                    return Some(self.command(order));
                }
                self.message = format!("{} goes on", order.name);
            }
        }
        None
    }

    fn plain(&mut self, key: Key) -> Option<Act> {
        self.message.clear();
        match key {
            Key::Char('q') => return Some(Act::Quit),
            Key::Char('?') => self.mode = Mode::Help,
            Key::Char('/') => self.mode = Mode::Filter,
            Key::Escape => {
                self.filter.clear();
                self.settle();
            }
            Key::Tab => {
                self.tab = if self.tab == Tab::Ports { Tab::Instances } else { Tab::Ports };
            }
            Key::Char('o') | Key::Enter => {
                return self.order("open").map(|order| self.command(order));
            }
            Key::Char('r') => return self.order("restart").map(|order| self.command(order)),
            Key::Char('s') => self.mode = self.order("stop").map_or(Mode::Plain, Mode::Sure),
            Key::Char('c') => return self.copy(),
            Key::Up | Key::Char('k') => self.go(-1),
            Key::Down | Key::Char('j') => self.go(1),
            Key::PageUp => self.go(-10),
            Key::PageDown => self.go(10),
            Key::Home => self.go(isize::MIN / 2),
            Key::End => self.go(isize::MAX / 2),
            _ => {}
        }
        None
    }

    /// A command for the selected instance, where instances are what is shown.
    fn order(&self, command: &'static str) -> Option<Order> {
        let row = self.chosen().filter(|_| self.tab == Tab::Instances)?;
        Some(Order { command, name: row.name.clone(), place: row.place.clone() })
    }

    fn copy(&self) -> Option<Act> {
        let row = self.chosen().filter(|_| self.tab == Tab::Instances)?;
        Some(Act::Copy(row.url.clone()))
    }

    fn command(&mut self, order: Order) -> Act {
        self.message = format!("wharf {} {} …", order.command, order.name);
        Act::Command(order)
    }

    fn filtering(&mut self, key: Key) {
        match key {
            Key::Enter => self.mode = Mode::Plain,
            Key::Escape => {
                self.filter.clear();
                self.mode = Mode::Plain;
            }
            Key::Backspace => drop(self.filter.pop()),
            Key::Char(letter) | Key::Pasted(letter) if self.filter.len() < FILTER_MAX => {
                self.filter.push(letter)
            }
            _ => {}
        }
        self.settle();
    }

    fn go(&mut self, by: isize) {
        if self.tab == Tab::Ports {
            return self.scroll_by(by);
        }
        let shown = self.shown();
        let at = shown.iter().position(|row| Some(&row.id) == self.selected.as_ref());
        let to = at.unwrap_or(0).saturating_add_signed(by).min(shown.len().saturating_sub(1));
        self.select(shown.get(to).map(|row| row.id.clone()));
    }

    fn scroll_by(&mut self, by: isize) {
        let last = self.shown_ports().len().saturating_sub(2);
        self.scroll = self.scroll.saturating_add_signed(by).min(last);
    }
}

//! The answer of `wharf doctor remap`.

use serde::Serialize;
use wharf_model::event::SCHEMA;

use crate::remap::Finding;

/// Every mode, and which of them is used.
#[derive(Debug, Serialize)]
pub(crate) struct Document {
    schema: u32,
    /// The mode that `--remap auto` takes; `cooperative` where none works.
    used: &'static str,
    modes: Vec<ModeLine>,
    /// Processes whose pilot is dead.
    escaped: Vec<Escaped>,
}

/// A process that was left by an instance whose pilot is dead.
#[derive(Debug, Serialize)]
pub(crate) struct Escaped {
    pid: u32,
    command: String,
}

impl Escaped {
    pub(crate) fn new(pid: u32, command: &str) -> Escaped {
        Escaped { pid, command: super::printable(command) }
    }
}

/// One mode.
#[derive(Debug, Serialize)]
pub(crate) struct ModeLine {
    mode: &'static str,
    works: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

impl ModeLine {
    pub(crate) fn new(mode: &'static str, finding: Finding) -> ModeLine {
        match finding {
            Finding::Works => ModeLine { mode, works: true, why: None },
            Finding::Refused { why } => ModeLine { mode, works: false, why: Some(why) },
        }
    }
}

impl Document {
    /// The modes, the best first.
    pub(crate) fn new(modes: Vec<ModeLine>, escaped: Vec<Escaped>) -> Document {
        let used = modes.iter().find(|line| line.works).map_or("cooperative", |line| line.mode);
        Document { schema: SCHEMA, used, modes, escaped }
    }

    /// A line for each mode, for people.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for line in &self.modes {
            let state = match (&line.why, line.mode == self.used) {
                (None, true) => "works, and is used".to_owned(),
                (None, false) => "works".to_owned(),
                (Some(why), _) => format!("refused: {why}"),
            };
            text.push_str(&format!("{:<12} {state}\n", line.mode));
        }
        let last = match self.used {
            "cooperative" => "used: a program that names its port itself keeps it, and can collide",
            _ => "works always: variables, flags and arguments, before all else",
        };
        text.push_str(&format!("{:<12} {last}\n", "cooperative"));
        for Escaped { pid, command } in &self.escaped {
            text.push_str(&format!(
                "\npid {pid} ({command}) was left by an instance that was killed: what it binds may \
                 fail. `kill {pid}` ends it\n"
            ));
        }
        text
    }
}

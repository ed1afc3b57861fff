//! What a project's declaration adds to a run: its variables, its readiness, its log, its siblings.

use std::ffi::OsString;
use std::rc::Rc;

use wharf_model::Restart;
use wharf_os::signals::{self, SIGTERM};
use wharf_supervisor::log::LogKeeper;

use crate::environment::Variables;
use crate::up::order::{Order, Sibling, Siblings};
use crate::up::template;

/// Makes programs say what they say on a terminal although they write to a pipe: in colour, and at once. What
/// the user or the project has set stays.
const AS_ON_A_TERMINAL: [(&str, &str); 3] =
    [("FORCE_COLOR", "1"), ("CLICOLOR_FORCE", "1"), ("PYTHONUNBUFFERED", "1")];

/// A run that a project has declared.
#[derive(Debug)]
pub(crate) struct Declared {
    pub(crate) order: Order,
    pub(crate) own: Sibling,
    pub(crate) siblings: Siblings,
    pub(crate) log: Rc<LogKeeper>,
}

impl Declared {
    /// The command, with its placeholders filled in where it has any.
    pub(super) fn argv(&self, argv: Vec<OsString>) -> Vec<OsString> {
        if self.order.service.verbatim.run {
            return argv;
        }
        argv.iter().map(|word| template::fill(word, &self.own, &self.siblings)).collect()
    }

    /// Whether its pilot is made again should it be killed: whoever wants the server launched again when it
    /// fails means that too.
    pub(super) fn is_revived(&self) -> bool {
        self.order.service.restart != Restart::No
    }

    /// The signal that asks the server to end, in the place of the usual one.
    pub(super) fn stop_signal(&self, signal: i32) -> i32 {
        match signal {
            SIGTERM => signals::number(&self.order.service.stop_signal).unwrap_or(SIGTERM),
            other => other,
        }
    }
}

/// Adds what a program without a terminal needs to be told.
pub(super) fn add_terminal(env: &mut Variables) {
    let wants_none = env.iter().any(|(name, value)| name == "NO_COLOR" && !value.is_empty());
    for (name, value) in AS_ON_A_TERMINAL {
        let is_set = env.iter().any(|(set, _)| set == name);
        let is_unwanted = wants_none && name != "PYTHONUNBUFFERED";
        if !is_set && !is_unwanted {
            env.push((name.into(), value.into()));
        }
    }
}

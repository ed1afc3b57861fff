//! What a rule is.

use wharf_model::PortRange;

use super::files::Files;
use super::finding::Hit;
use super::level::Level;
use super::listener::Listener;
use super::port_use::PortUse;

/// A rule: what it looks for, and what somebody who breaks it should know.
#[derive(Clone, Copy)]
pub struct Rule {
    /// Its name, which is a promise: reports of two days are compared by it.
    pub id: &'static str,
    /// How bad it is where nothing makes it better or worse.
    pub level: Level,
    /// What is wrong, in a few words.
    pub title: &'static str,
    /// Why that matters.
    pub why: &'static str,
    /// What to do, in general.
    pub fix: &'static str,
    /// Where the facts come from.
    pub sources: &'static [&'static str],
    /// The text of its page, `docs/audit/ID.md`.
    pub page: &'static str,
    pub(super) check: Check,
}

/// What a rule looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Files of the project.
    Files,
    /// What the kernel says of listeners and their processes.
    Listeners,
    /// What one's own servers answer.
    Answers,
    /// The numbers of the ports that are used.
    Ports,
}

impl Scope {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Scope::Files => "files",
            Scope::Listeners => "listeners",
            Scope::Answers => "answers",
            Scope::Ports => "ports",
        }
    }
}

#[derive(Clone, Copy)]
pub(super) enum Check {
    Files(fn(&Files) -> Vec<Hit>),
    Listener(fn(&Listener) -> Option<Hit>),
    Answers(fn(&Listener) -> Option<Hit>),
    Port(fn(&PortUse, PortRange) -> Option<Hit>),
}

impl Rule {
    /// What it looks at.
    pub fn scope(&self) -> Scope {
        match self.check {
            Check::Files(_) => Scope::Files,
            Check::Listener(_) => Scope::Listeners,
            Check::Answers(_) => Scope::Answers,
            Check::Port(_) => Scope::Ports,
        }
    }

    /// Where its page is, seen from the root of wharf's repository.
    pub fn link(&self) -> String {
        format!("docs/audit/{}.md", self.id)
    }
}

impl std::fmt::Debug for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rule").field("id", &self.id).finish_non_exhaustive()
    }
}

impl PartialEq for Rule {
    fn eq(&self, other: &Rule) -> bool {
        self.id == other.id
    }
}

impl Eq for Rule {}

//! One line of an audit: what is wrong, where, and how it shows.

use std::net::IpAddr;
use std::path::PathBuf;

use super::level::Level;
use super::listener::Listener;
use super::port_use::PortUse;
use super::rule::Rule;

/// What a rule says of one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// How bad it is here.
    pub level: Level,
    /// What is wrong here, in a sentence.
    pub what: String,
    /// What was seen, a fact each.
    pub evidence: Vec<String>,
    /// What to do here.
    pub fix: String,
    /// The place, where it is one in a file.
    pub file: Option<(PathBuf, usize)>,
    /// What would mend it.
    pub change: Option<Change>,
}

impl Hit {
    pub(super) fn new(level: Level, what: impl Into<String>, fix: impl Into<String>) -> Hit {
        let (what, fix) = (what.into(), fix.into());
        Hit { level, what, evidence: Vec::new(), fix, file: None, change: None }
    }

    pub(super) fn seen(mut self, fact: impl Into<String>) -> Hit {
        self.evidence.push(fact.into());
        self
    }

    pub(super) fn all_seen(mut self, facts: impl IntoIterator<Item = String>) -> Hit {
        self.evidence.extend(facts);
        self
    }

    pub(super) fn at(mut self, file: impl Into<PathBuf>, line: usize) -> Hit {
        self.file = Some((file.into(), line));
        self
    }

    pub(super) fn changed(mut self, change: Option<Change>) -> Hit {
        self.change = change;
        self
    }
}

/// One line of a file, and what should stand in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The file, seen from the root that was audited.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The line as it is, without its end.
    pub old: String,
    /// The lines that it becomes, without their ends.
    pub new: Vec<String>,
}

/// Where something was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In a file.
    File {
        /// The file, seen from the root that was audited.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// At a listener.
    Listener {
        /// Its port.
        port: u16,
        /// Its address.
        address: IpAddr,
        /// The short name of its process; empty where that may not be seen.
        command: String,
    },
    /// A port that is used.
    Port(u16),
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: &'static Rule,
    /// Where.
    pub place: Place,
    /// What the rule says of it.
    pub hit: Hit,
}

impl Finding {
    pub(super) fn of_file(rule: &'static Rule, hit: Hit) -> Finding {
        let (path, line) = hit.file.clone().unwrap_or_default();
        Finding { rule, place: Place::File { path, line }, hit }
    }

    pub(super) fn of_listener(rule: &'static Rule, hit: Hit, listener: &Listener) -> Finding {
        let command =
            listener.process().map_or_else(String::new, |process| process.command.clone());
        let place = Place::Listener { port: listener.port, address: listener.address, command };
        Finding { rule, place, hit }
    }

    pub(super) fn of_port(rule: &'static Rule, hit: Hit, used: &PortUse) -> Finding {
        let place = match used.files.first() {
            Some((path, line)) => Place::File { path: path.clone(), line: *line },
            None => Place::Port(used.port),
        };
        Finding { rule, place, hit }
    }

    /// How bad it is.
    pub fn level(&self) -> Level {
        self.hit.level
    }
}

//! A port that a project uses, in its files or by its servers.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::files::Files;
use super::literals;

/// How many places of one port are told.
const PLACES_MAX: usize = 8;

/// A port, and who uses it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortUse {
    /// The port.
    pub port: u16,
    /// Where it stands in the project's files: file and line.
    pub files: Vec<(PathBuf, usize)>,
    /// The servers of the project that listen on it.
    pub servers: Vec<String>,
}

impl PortUse {
    /// The places, for evidence.
    pub(super) fn places(&self) -> Vec<String> {
        let files = self.files.iter().map(|(path, line)| format!("{}:{line}", path.display()));
        let servers = self.servers.iter().map(|name| format!("listened on by {name}"));
        files.chain(servers).take(PLACES_MAX).collect()
    }
}

/// Every port that files name as one that is listened on, and those of the servers given (port and name).
pub fn uses(files: &Files, servers: &[(u16, String)]) -> Vec<PortUse> {
    let mut all: BTreeMap<u16, PortUse> = BTreeMap::new();
    for literal in literals::all(files).into_iter().filter(|literal| literal.listens) {
        let used = all.entry(literal.port).or_default();
        used.files.push((literal.path, literal.line));
    }
    for (port, name) in servers {
        let used = all.entry(*port).or_default();
        if !used.servers.contains(name) {
            used.servers.push(name.clone());
        }
    }
    for (port, used) in &mut all {
        used.port = *port;
    }
    all.into_values().collect()
}

//! Which ports the members of a group stand for.

use std::collections::BTreeMap;

/// The ports that the other services of one worktree name, and those that they have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    ports: BTreeMap<u16, u16>,
}

impl Group {
    /// A group of these pairs: the port that is named, the port that is leased for it.
    pub fn new(pairs: impl IntoIterator<Item = (u16, u16)>) -> Group {
        Group { ports: pairs.into_iter().collect() }
    }

    /// The port that is meant when a member names this one.
    pub fn port(&self, named: u16) -> Option<u16> {
        self.ports.get(&named).copied()
    }
}

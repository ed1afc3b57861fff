//! Which ports the members of a group stand for.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// Where a port that is named really is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The port.
    pub port: u16,
    /// The loopback address, where it is not the caller's own choice.
    pub address: Option<Ipv4Addr>,
}

impl Peer {
    /// The port on whichever loopback address the caller names.
    pub fn on(port: u16) -> Peer {
        Peer { port, address: None }
    }
}

/// The ports that the other services of one worktree name, and where those are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    peers: BTreeMap<u16, Peer>,
}

impl Group {
    /// A group of these pairs: the port that is named, and where it is. Of several pairs of one port
    /// the last counts.
    pub fn new(pairs: impl IntoIterator<Item = (u16, Peer)>) -> Group {
        Group { peers: pairs.into_iter().collect() }
    }

    /// Who is meant when a member names this port.
    pub fn peer(&self, named: u16) -> Option<Peer> {
        self.peers.get(&named).copied()
    }
}

//! Remapping: a port that a program names itself becomes one that is leased for it, and inside its
//! group a connect to the named port reaches the leased one.
//!
//! ```text
//! program ─bind(8000)─► kernel ─stopped call─► answering (a thread) ─PortAsk─► owner of the handle
//!                                                    ▲                               │
//!                                                    └────── Reservation of 8001 ────┘
//! ```
//! The thread answers every call by itself but for one question, which port a port stands for; while
//! that is open it answers others. It runs until no process under the filter is left: without it each
//! further `bind` of such a process would fail.
//!
//! What is absent: leases. The owner answers a [`PortAsk`] with a reservation, wherever it has it from.

mod answering;
mod ask;
mod caller;
mod group;
mod kept;
mod spared;
mod table;

use wharf_os::remap::{Calls, Mode};

pub(crate) use answering::{Answering, SEEN_MAX, Started};
pub use ask::{Asks, PortAsk};
pub use group::{Group, Peer};
pub(crate) use kept::Kept;
pub(crate) use table::Table;

/// How the calls of one instance are answered.
#[derive(Clone, Debug)]
pub struct Remapping {
    /// How a call is done on another port.
    pub mode: Mode,
    /// Whether `connect` is answered as well.
    pub connect: bool,
    /// Whether wildcard binds become loopback ones.
    pub loopback: bool,
    /// The address of this instance's own, in the place of other ports: then each port stays what the
    /// program names, and is bound there.
    pub address: Option<std::net::Ipv4Addr>,
    /// Whether a program is told the port that it named when it asks for its own.
    pub names: bool,
    /// Which ports the other members of the group stand for.
    pub group: Group,
}

impl Remapping {
    /// The calls that the filter stops.
    pub fn calls(&self) -> Calls {
        Calls { connect: self.connect, names: self.names && self.mode == Mode::Duplicate }
    }
}

/// What was seen of the tree's calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A socket was bound.
    Bound {
        /// The port that the program named.
        named: u16,
        /// Where it is bound.
        address: std::net::SocketAddr,
        /// The process that called.
        pid: u32,
    },
    /// A socket listens.
    Listening {
        /// Where; `None` where the mode does not show it.
        address: Option<std::net::SocketAddr>,
        /// The process that called.
        pid: u32,
        /// When the call was in hand.
        called: std::time::Instant,
    },
    /// A bind was left as it was.
    Unmapped {
        /// The port that the program named; 0 where it cannot be seen.
        named: u16,
        /// The thread that called.
        pid: u32,
        /// Why.
        why: Unmapped,
    },
}

/// Why a bind was left as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unmapped {
    /// It is UDP, whose peers are told their ports in many ways.
    Udp,
    /// The process may not be inspected (`PR_SET_DUMPABLE` 0, another user's).
    Opaque,
    /// The process is in a network namespace of its own, where ports are its own as well.
    ElsewhereNet,
    /// More ports were named than one instance is lent.
    TooMany,
    /// No port could be had, or nobody said so in time.
    NoPort,
}

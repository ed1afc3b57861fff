//! What to launch, and what may be ordered while it runs.

use std::time::Duration;

use wharf_model::{Port, Probe, Restart};
use wharf_os::guard::Command;
use wharf_os::reserve::Reservation;

use crate::remap::Remapping;

/// Everything that the task needs to know of one instance.
#[derive(Debug)]
pub struct Launch {
    /// The command, complete.
    pub command: Command,
    /// A variable of the command's environment, name and value, that no other instance has: by it the
    /// tree is told apart from other children of this process should the guard be killed.
    pub mark: (&'static str, String),
    /// The leased port: where the server is expected.
    pub port: Port,
    /// Further leased ports, where listeners are expected too but readiness is not.
    pub further: Vec<Port>,
    /// Ports that the program is known to name itself: a listener there is believed at once.
    pub likely: Vec<Port>,
    /// How to know that it serves.
    pub probe: Probe,
    /// How long the tree has between the first signal and SIGKILL.
    pub grace: Duration,
    /// The sockets that keep the leased ports from others; held until the tree has ended.
    pub reservations: Vec<Reservation>,
    /// How ports that the program names itself are remapped, if they are.
    pub remapping: Option<Remapping>,
    /// When it is launched, and launched again.
    pub keeping: Keeping,
}

/// When an instance is launched, and launched again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keeping {
    /// Listen on the leased port from the start, so that connections wait instead of being refused.
    /// Needs remapping, or `pass`.
    pub hold: bool,
    /// Pass that listener to the command as its descriptor 3, as systemd would. Holds as well.
    pub pass: bool,
    /// Launch at the first connection, and end after this long without one. Holds as well.
    pub idle: Option<Duration>,
    /// Whether to launch again when the command ends by itself.
    pub restart: Restart,
    /// Whether listeners are to outlive servers once they serve, so that a restart refuses nobody.
    pub adopt: bool,
}

impl Keeping {
    /// Whether the port is listened on before there is a server.
    pub fn holds(&self) -> bool {
        self.hold || self.pass || self.idle.is_some()
    }
}

/// What the owner of an instance may ask of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// End the whole tree: this signal to all, SIGKILL after the grace.
    Stop {
        /// The first signal, such as SIGTERM.
        signal: i32,
    },
    /// Pass a signal on to the command alone.
    Pass {
        /// The signal.
        signal: i32,
    },
    /// The terminal's keys have told the tree to end: if it does, that is no crash.
    Interrupted,
    /// End the tree and launch the command again.
    Restart,
    /// The program does not use its leased port: it is given up, and means nothing any more.
    GiveUpLeased,
    /// Look at its sockets now: something has changed of which nobody else tells.
    Look,
}

//! What the task tells.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use wharf_model::Listener;
use wharf_os::guard::Exit;

use crate::remap::Unmapped;

/// News of an instance, in the order in which it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// The command runs.
    Launched {
        /// Its process.
        pid: u32,
    },
    /// The command could not be entered or executed; [`Update::Exited`] follows.
    Refused {
        /// Whether the folder was at fault, else the file.
        folder: bool,
        /// The system's `errno`.
        errno: i32,
    },
    /// The command was stopped (Ctrl-Z, or for reading the terminal from the background).
    Suspended {
        /// The signal that stopped it.
        signal: i32,
    },
    /// A process of the tree listens.
    Listening {
        /// Where.
        listener: Listener,
        /// When its call to `listen` was in hand; `None` where the listener was found by a look.
        called: Option<Instant>,
    },
    /// It listens no more.
    Closed(Listener),
    /// The leased port is ignored; the server is elsewhere.
    Moved {
        /// Where it really is.
        port: u16,
    },
    /// A socket was bound, under remapping.
    Bound {
        /// The port that the program named.
        named: u16,
        /// Where it is bound.
        address: SocketAddr,
        /// The thread that bound it.
        pid: u32,
    },
    /// A bind was left as it was; told once for each port and reason.
    Unmapped {
        /// The port that was named.
        named: u16,
        /// Who named it.
        pid: u32,
        /// Why.
        why: Unmapped,
    },
    /// The filter was refused: the program runs without remapping.
    NotFiltered {
        /// The system's `errno`.
        errno: i32,
    },
    /// The control group could not be entered: the program runs outside of it.
    NotGrouped {
        /// The system's `errno`.
        errno: i32,
    },
    /// The tree has ended, but for processes that cannot be ended, and may need this one to answer their
    /// calls.
    Lingering {
        /// Those that can be seen.
        members: Vec<Member>,
    },
    /// Another process listens on the port: its answers are not this instance's.
    Stranger {
        /// The foreign listener.
        listener: Listener,
    },
    /// Nothing listens yet, or what listens does not answer; told once for each.
    Waiting {
        /// Since the launch.
        since: Duration,
        /// Whether something listens already.
        listens: bool,
    },
    /// The first connection of this launch was accepted, as its answer shows.
    Accepted {
        /// Where.
        address: SocketAddr,
    },
    /// It serves.
    Ready {
        /// The listener that answered, or that is all there is to see.
        listener: Listener,
        /// The address that was asked.
        dialled: SocketAddr,
        /// What it answered.
        answer: Answer,
        /// Since the launch.
        after: Duration,
        /// Whether it served before and had gone.
        again: bool,
    },
    /// It served, and its listener has been gone for longer than a reload takes.
    Unready,
    /// It could not be launched again; [`Update::Gone`] follows.
    Unlaunched {
        /// Why.
        reason: String,
    },
    /// It has ended so soon so often that it is not launched again; [`Update::Exited`] follows.
    GaveUp {
        /// How often in a row it ended soon after its launch.
        ends: u32,
        /// Since the first of these launches.
        within: Duration,
    },
    /// Nothing runs: it is launched at the first connection.
    Dormant,
    /// It ends, and is launched again: at once, after a pause, or at the next connection.
    Again {
        /// Why.
        cause: Cause,
        /// How the command ended, where it ended by itself.
        exit: Option<Exit>,
        /// How long nothing runs.
        pause: Duration,
    },
    /// The command has ended.
    Exited {
        /// How.
        exit: Exit,
        /// Processes that it left behind; they are being ended.
        left_behind: Vec<Member>,
    },
    /// The grace is over; these did not act on the first signal and get SIGKILL.
    Killed {
        /// The processes.
        members: Vec<Member>,
    },
    /// Nothing of the tree is left. The last update.
    Gone,
}

/// A process of the tree, by the name that it had while it lived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its number.
    pub pid: u32,
    /// Its name, where it could be seen.
    pub name: Option<String>,
}

impl Member {
    /// The process as it is now.
    pub fn of(pid: u32) -> Member {
        Member { pid, name: wharf_os::process::stat(pid).ok().map(|stat| stat.comm) }
    }
}

/// Why an instance is launched again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Somebody asked for it.
    Asked,
    /// The command ended with a failure.
    Crashed,
    /// The command ended in good order, and is to run for ever.
    Ended,
    /// Nobody has been connected for long; it is launched at the next connection.
    Idle,
}

/// What the readiness probe heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// HTTP, with this status.
    Http(u16),
    /// TLS: the server speaks https.
    Tls,
    /// Something else, or nothing: a listener is all that can be said.
    NotHttp,
}

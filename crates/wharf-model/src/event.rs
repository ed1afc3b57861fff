//! What wharf itself has to say about one instance, for scripts (`--events`).

use serde::{Deserialize, Serialize};

use crate::lease::Why;

/// The version of every JSON document that wharf writes.
pub const SCHEMA: u32 = 1;

/// One event of one instance, written as one line of JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Milliseconds since the Unix epoch, for display only.
    pub time_ms: u64,
    /// The service.
    pub service: String,
    /// The instance, from 1.
    pub instance: u32,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened to the instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum EventKind {
    /// The port is leased.
    Leased {
        /// The leased port.
        port: u16,
        /// The port that was wanted.
        requested_port: u16,
        /// Why this port.
        why: Why,
    },
    /// The command runs.
    Launched {
        /// The process number of the command.
        pid: u32,
        /// The command line as it was run, control characters escaped.
        command: String,
    },
    /// A process of the instance's tree listens.
    Listening {
        /// The address.
        address: std::net::IpAddr,
        /// The port.
        port: u16,
        /// The process that holds the socket.
        pid: u32,
    },
    /// A listener of the instance can be reached from beyond this machine.
    Exposed {
        /// The address.
        address: std::net::IpAddr,
        /// The port.
        port: u16,
    },
    /// The server ignored the leased port and listens on another.
    Moved {
        /// The leased port.
        leased: u16,
        /// The port that it really took.
        port: u16,
    },
    /// A socket was bound: exact, and only where ports are remapped.
    Bound {
        /// The port that the program named.
        named: u16,
        /// The address on which it is bound.
        address: std::net::IpAddr,
        /// The port on which it is bound.
        port: u16,
        /// The thread that bound it.
        pid: u32,
    },
    /// A bind was left as the program made it, although ports are remapped.
    Unmapped {
        /// The port that the program named.
        named: u16,
        /// The thread that named it.
        pid: u32,
        /// Why, in a sentence.
        why: String,
    },
    /// A listener has gone: before the ready event, one that was a trial.
    Closed {
        /// The address.
        address: std::net::IpAddr,
        /// The port.
        port: u16,
    },
    /// The first connection of a launch was accepted, as its answer shows.
    Accepted {
        /// The address.
        address: std::net::IpAddr,
        /// The port.
        port: u16,
    },
    /// The instance serves.
    Ready {
        /// The port that it serves on.
        port: u16,
        /// The URL by name.
        url: String,
        /// The URL by address.
        direct_url: String,
        /// Milliseconds from the start of wharf to the answer.
        ready_ms: u64,
        /// The status of the first HTTP answer; absent where the server does not speak HTTP.
        #[serde(skip_serializing_if = "Option::is_none")]
        http_status: Option<u16>,
    },
    /// Nothing runs: the command is launched at the first connection.
    Dormant {
        /// The port that is listened on.
        port: u16,
    },
    /// The command has ended and is launched again: at once, or at the next connection.
    Again {
        /// `asked`, `crashed` or `idle`.
        cause: String,
        /// The exit code, where it ended by itself.
        #[serde(skip_serializing_if = "Option::is_none")]
        exit_code: Option<i32>,
    },
    /// The command has ended, and its tree with it.
    Exited {
        /// The exit code, 128 + signal for a command that a signal ended.
        exit_code: i32,
    },
}

//! A leased port.

use serde::{Deserialize, Serialize};

use crate::agent::Agent;
use crate::holder::Holder;
use crate::key::ServiceKey;
use crate::port::Port;
use crate::process::ProcessId;
use crate::request::PortRequest;

/// How a lease ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaseKind {
    /// With the process that holds it.
    Process(ProcessId),
    /// After this many seconds (`wharf port --ttl`), or when it is released.
    Ttl(u64),
}

/// One port held for somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The lease's number in the database, never reused.
    pub id: i64,
    /// The port.
    pub port: Port,
    /// Whose it is. `None` for an anonymous lease of `wharf port`.
    pub key: Option<ServiceKey>,
    /// What was asked for.
    pub request: PortRequest,
    /// How it ends.
    pub kind: LeaseKind,
    /// When it was granted: seconds since the Unix epoch, for display only.
    pub granted_at: u64,
    /// Why this port.
    pub why: Why,
    /// The agent that asked for it; absent where a person did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Agent>,
}

/// Why a lease is on the port it is on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "reason")]
pub enum Why {
    /// It was asked for by number.
    Asked,
    /// It is the framework's conventional port, and it was free.
    Conventional,
    /// It is the home port of this service, remembered from an earlier run.
    Home {
        /// Who keeps the conventional port from it, where that is known.
        instead_of: Option<Box<Displaced>>,
    },
    /// The wanted port is taken; this is the next free one.
    NextFree(Box<Displaced>),
    /// The wanted port may be had by another (main checkout's); this is the next free one.
    LeftToMain {
        /// The conventional port, which the main checkout may claim.
        wanted: Port,
    },
}

/// A port that was wanted, and who keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Displaced {
    /// The port that was wanted.
    pub wanted: Port,
    /// Who holds it.
    pub holder: Holder,
    /// Whether the holder is foreign to wharf: then the fallback is not remembered, and the service
    /// goes home when the stranger has left.
    pub foreign: bool,
}

/// What a successful request gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The lease.
    pub lease: Lease,
}

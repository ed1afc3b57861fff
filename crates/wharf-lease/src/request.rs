//! What is asked of the ledger, and why it may be refused.

use wharf_model::{
    Agent, Holder, LeaseKind, PathText, Port, PortRange, PortRequest, ProcessId, ServiceKey,
};

/// The most ports that one request may ask for.
pub const MAX_SLOTS: u16 = 64;
/// The longest time to live, in seconds (one year): an end, and far from any overflow.
pub const MAX_TTL_S: u64 = 365 * 86_400;

/// The longest text of a request (an id, a name, a path), in bytes.
pub const MAX_TEXT: usize = 4096;

/// A service, and perhaps which instance of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRequest {
    /// The root of the project's main checkout.
    pub project: PathText,
    /// The linked worktree's name; empty for the main checkout.
    pub worktree: String,
    /// The service.
    pub service: String,
    /// The instance, from 1; `None` for the lowest that does not run.
    pub instance: Option<u32>,
}

impl KeyRequest {
    /// The key of one instance.
    pub fn instance(&self, instance: u32) -> ServiceKey {
        ServiceKey {
            project: self.project.clone(),
            worktree: self.worktree.clone(),
            service: self.service.clone(),
            instance,
        }
    }
}

/// How the lease is to end.
pub type LeaseOwner = LeaseKind;

/// A port that the caller could not reserve although it was granted or looked free.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Busy {
    /// The port.
    pub port: Port,
    /// Who holds it, where the caller could tell.
    pub holder: Option<Holder>,
}

/// One request for ports.
#[derive(Clone, Debug)]
pub struct Request {
    /// A name that the caller chose for this request: asked again with it, it gets the same leases.
    pub request_id: String,
    /// Whose the ports shall be; `None` for an anonymous lease.
    pub key: Option<KeyRequest>,
    /// Which port is wanted.
    pub request: PortRequest,
    /// How many ports, from 1 to [`MAX_SLOTS`].
    pub slots: u16,
    /// How the leases end.
    pub owner: LeaseOwner,
    /// What the caller found busy.
    pub busy: Vec<Busy>,
    /// The agent that asks, if one does.
    pub agent: Option<Agent>,
    /// The kernel's ephemeral range, from which no fallback is taken.
    pub ephemeral: PortRange,
}

/// Why no port was given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// That very port was asked for, and somebody has it.
    #[error("port {port} is taken by {holder}")]
    Taken {
        /// The port.
        port: Port,
        /// Who has it.
        holder: Box<Holder>,
        /// Whether the holder is foreign to wharf.
        foreign: bool,
    },
    /// That very instance was asked for, and it runs.
    #[error("{key} already runs on port {port} ({owner})")]
    InstanceLive {
        /// The instance.
        key: Box<ServiceKey>,
        /// The port that it holds.
        port: Port,
        /// The pilot that owns it.
        owner: ProcessId,
    },
    /// The kernel refuses the bind itself.
    #[error("binding port {port} is not permitted")]
    Denied {
        /// The port.
        port: Port,
    },
    /// Everything above and below is taken.
    #[error("no free port was found from {wanted} on ({tried} were tried)")]
    NoFreePort {
        /// Where the search began.
        wanted: Port,
        /// How many ports the kernel was asked about.
        tried: u32,
    },
    /// The request's name belongs to another owner's request.
    #[error("the request id was already used by another owner")]
    RequestIdReused,
    /// The request itself makes no sense.
    #[error("{0}")]
    Malformed(&'static str),
}

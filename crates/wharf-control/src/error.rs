//! What the daemon says when it refuses.

use serde::{Deserialize, Serialize};
use wharf_model::Holder;

/// Which kind of refusal. On the wire these are words; new ones may come, so a client treats a word
/// that it does not know as [`Code::Other`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// The request makes no sense.
    BadRequest,
    /// There is no such thing: path, lease, instance.
    NotFound,
    /// The path is there, the method is not.
    MethodNotAllowed,
    /// The body is larger than the daemon accepts.
    TooLarge,
    /// The very port that was asked for is taken.
    PortTaken,
    /// The very instance that was asked for runs.
    InstanceRunning,
    /// Nothing is free.
    NoFreePort,
    /// The lease belongs to a process that lives.
    LeaseHeld,
    /// The process that was to own the lease has ended.
    OwnerGone,
    /// The request's id was used by another owner.
    RequestIdReused,
    /// The name is another's, or there is no place for one more.
    NameTaken,
    /// The system refuses to bind the port.
    PermissionDenied,
    /// The caller is another user.
    Forbidden,
    /// The request took too long to arrive.
    Timeout,
    /// The daemon is ending.
    Stopping,
    /// The daemon has as many connections as it serves.
    Busy,
    /// A fault in the daemon.
    Internal,
    /// A word of a later version.
    #[serde(other)]
    Other,
}

impl Code {
    /// The exit code of a command that ends because of it (design, section 9).
    pub fn exit_code(self) -> u8 {
        match self {
            Code::NotFound => 3,
            Code::PortTaken
            | Code::InstanceRunning
            | Code::NoFreePort
            | Code::LeaseHeld
            | Code::OwnerGone
            | Code::RequestIdReused
            | Code::NameTaken => 4,
            Code::PermissionDenied | Code::Forbidden => 5,
            Code::Timeout => 6,
            Code::Stopping | Code::Busy | Code::Internal | Code::Other => 7,
            // What this program says to its own daemon always makes sense.
            Code::BadRequest | Code::MethodNotAllowed | Code::TooLarge => 70,
        }
    }

    /// The HTTP status that it travels with.
    pub fn http_status(self) -> u16 {
        match self {
            Code::BadRequest => 400,
            Code::PermissionDenied | Code::Forbidden => 403,
            Code::NotFound => 404,
            Code::MethodNotAllowed => 405,
            Code::Timeout => 408,
            Code::PortTaken
            | Code::InstanceRunning
            | Code::NoFreePort
            | Code::LeaseHeld
            | Code::OwnerGone
            | Code::RequestIdReused
            | Code::NameTaken => 409,
            Code::TooLarge => 413,
            Code::Internal | Code::Other => 500,
            Code::Stopping | Code::Busy => 503,
        }
    }

    /// Whether the same request may succeed at the same or the next daemon a moment later.
    pub fn is_passing(self) -> bool {
        matches!(self, Code::Stopping | Code::Busy)
    }
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ErrorBody {
    /// The kind.
    pub code: Code,
    /// What is wrong, for people: a lower-case fragment.
    pub message: String,
    /// The port that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Who is in the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Box<Holder>>,
    /// What may help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl ErrorBody {
    /// A refusal with a message and no more.
    pub fn new(code: Code, message: impl Into<String>) -> ErrorBody {
        ErrorBody { code, message: message.into(), port: None, holder: None, help: None }
    }
}

/// The document that a refusal travels in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorReply {
    /// [`crate::api::SCHEMA`].
    pub schema: u32,
    /// The refusal.
    pub error: ErrorBody,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_words_and_unknown_words_are_tolerated() {
        assert_eq!(serde_json::to_string(&Code::PortTaken).unwrap(), "\"port-taken\"");
        assert_eq!(serde_json::from_str::<Code>("\"from-the-future\"").unwrap(), Code::Other);
    }
}

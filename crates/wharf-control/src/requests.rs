//! What is asked and answered of the requests that went through the proxy.

use serde::{Deserialize, Serialize};

/// `GET`: a stream of [`RequestNotice`], one JSON document per line: those that are kept, then each as it
/// is answered.
pub const REQUESTS: &str = "/v1/requests";
/// `GET`: [`RequestList`].
pub const KEPT: &str = "/v1/requests/kept";
/// `POST` [`InspectRequest`]: [`Inspecting`].
pub const INSPECT: &str = "/v1/requests/inspect";

/// Whether requests are to be kept although nobody looks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InspectRequest {
    /// See above.
    pub inspect: bool,
}

/// Whether requests are kept although nobody looks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspecting {
    /// [`crate::api::SCHEMA`].
    pub schema: u32,
    /// See above.
    pub inspecting: bool,
}

/// One request that was answered. Nothing of its fields and bodies is kept, and the values of its query
/// are masked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestReport {
    /// When it was answered: milliseconds since the Unix epoch, for display only.
    pub time_ms: u64,
    /// The host that was named.
    pub host: String,
    /// The method.
    pub method: String,
    /// The path; the values of its query are masked, and what is very long is cut.
    pub path: String,
    /// The status of the answer.
    pub status: u16,
    /// Microseconds from the head of the request to the end of the answer.
    pub micros: u64,
    /// Bytes of body sent back, where they were counted.
    pub bytes: u64,
    /// What people call the upstream; `None` where the proxy answered by itself.
    pub upstream: Option<String>,
    /// The instance's id, where it is one of wharf's.
    pub instance: Option<String>,
    /// Whether it came over TLS.
    pub https: bool,
    /// Whether the connection was handed over (a WebSocket).
    pub upgraded: bool,
}

/// The requests that are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestList {
    /// [`crate::api::SCHEMA`].
    pub schema: u32,
    /// Whether requests are kept although nobody looks.
    pub inspecting: bool,
    /// Whether they are kept just now, because somebody looks.
    pub followed: bool,
    /// In the order in which they were answered.
    pub requests: Vec<RequestReport>,
}

/// One line of the stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestNotice {
    /// [`crate::api::SCHEMA`].
    pub schema: u32,
    /// What it tells.
    #[serde(flatten)]
    pub kind: RequestNoticeKind,
}

/// What a line tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum RequestNoticeKind {
    /// The stream has begun: every request from now on is told.
    Subscribed,
    /// A request was answered.
    Request {
        /// The request.
        request: Box<RequestReport>,
    },
    /// The reader was too slow: so many requests are not told.
    Missed {
        /// How many.
        missed: u64,
    },
}

//! What is asked and answered of ports that lead to the checkout of the user's choice.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use wharf_model::{Agent, Port, ServiceKey};

/// `GET`: [`FocusList`].
pub const FOCUSES: &str = "/v1/focus";
/// With a port after it: `PUT` [`FocusRequest`]: [`FocusList`] with that one; `DELETE`: [`FocusList`] with
/// the one that was.
pub const FOCUS: &str = "/v1/focus/";

/// Where a port is to lead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FocusRequest {
    /// Whose instance: it must live at the moment.
    #[serde(flatten)]
    pub key: ServiceKey,
    /// Whether bytes are passed on that need not be HTTP.
    #[serde(default)]
    pub tcp: bool,
    /// The agent that asks; absent where a person does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Agent>,
}

/// A port, and where it leads now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FocusReport {
    /// The port, the same on both loopback addresses.
    pub port: Port,
    /// Where clients connect; empty while it does not listen.
    pub listeners: Vec<SocketAddr>,
    /// Whose instance it leads to.
    #[serde(flatten)]
    pub key: ServiceKey,
    /// Whether bytes are passed on that need not be HTTP.
    pub tcp: bool,
    /// The URL by name of that instance; `None` where none is remembered.
    pub url: Option<String>,
    /// Whether that instance lives.
    pub live: bool,
    /// Where requests go at the moment.
    pub addresses: Vec<SocketAddr>,
    /// Why it does not listen, a sentence.
    pub note: Option<String>,
    /// When it was led there: seconds since the Unix epoch.
    pub since: u64,
}

/// Such ports, by number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FocusList {
    /// [`crate::api::SCHEMA`].
    pub schema: u32,
    /// See above.
    pub focuses: Vec<FocusReport>,
}

//! What is asked and answered of names that a user gives: aliases, and names for TCP.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use wharf_model::{Agent, PathText, Port};

/// `GET`: [`AliasList`].
pub const ALIASES: &str = "/v1/aliases";
/// With a name after it: `PUT` [`AliasRequest`]: [`AliasList`] with that one; `DELETE`: [`AliasList`] with
/// the one that was.
pub const ALIAS: &str = "/v1/aliases/";
/// `GET`: [`TcpList`].
pub const TCP_NAMES: &str = "/v1/tcp";
/// With a name after it: `PUT` [`TcpRequest`]: [`TcpList`] with that one; `DELETE`: [`TcpList`] with the
/// one that was.
pub const TCP_NAME: &str = "/v1/tcp/";

/// Where an alias is to lead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasRequest {
    /// A port, or a URL with a loopback address and a port: `wharf_model::Target` reads it.
    pub target: String,
    /// The checkout whose `wharf.toml` declares it, which replaces no alias that another one or a person gave;
    /// absent where a person gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkout: Option<PathText>,
}

/// An alias, and what it means now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasReport {
    /// The host without `.localhost`.
    pub name: String,
    /// The URL under which it is reached; `None` where no proxy listens.
    pub url: Option<String>,
    /// Where it leads.
    pub target: String,
    /// Whether an instance that lives has the name at the moment, which counts more.
    pub shadowed: bool,
    /// When it was given: seconds since the Unix epoch.
    pub since: u64,
    /// The checkout whose `wharf.toml` declares it; absent where a person gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkout: Option<PathText>,
}

/// Aliases, by their names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasList {
    /// [`crate::api::SCHEMA`].
    pub schema: u32,
    /// See above.
    pub aliases: Vec<AliasReport>,
}

/// Where a name for TCP is to lead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TcpRequest {
    /// The port; absent for that of the instance with the name.
    #[serde(default)]
    pub to: Option<Port>,
    /// The agent that asks; absent where a person does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Agent>,
}

/// A name for TCP, and what it means now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TcpReport {
    /// The name.
    pub name: String,
    /// Its own port, the same on both loopback addresses; `None` as long as it has none.
    pub port: Option<u16>,
    /// Where clients connect; empty while it does not listen.
    pub listeners: Vec<SocketAddr>,
    /// The port that it leads to; `None` for that of the instance with the name.
    pub to: Option<Port>,
    /// Where its connections go at the moment.
    pub addresses: Vec<SocketAddr>,
    /// Why it does not listen, a sentence.
    pub note: Option<String>,
    /// When it was given: seconds since the Unix epoch.
    pub since: u64,
}

/// Names for TCP, by their names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TcpList {
    /// [`crate::api::SCHEMA`].
    pub schema: u32,
    /// See above.
    pub services: Vec<TcpReport>,
}

//! What `wharf up --json` and `wharf ls --json` say.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use serde::Deserialize;

/// Instances, and what is leased.
#[derive(Debug, Deserialize)]
pub struct Document {
    /// Each of them.
    pub instances: Vec<Instance>,
    /// Of `wharf ls`.
    #[serde(default)]
    pub leases: Vec<Lease>,
}

/// One instance.
#[derive(Clone, Debug, Deserialize)]
pub struct Instance {
    /// The random name of this execution.
    pub id: String,
    /// The service.
    pub service: String,
    /// Its number.
    pub instance: u32,
    /// The checkout.
    pub root: String,
    /// Where it is in its life.
    pub state: String,
    /// Its port.
    pub port: u16,
    /// Its name.
    pub url: String,
    /// Its address.
    pub direct_url: String,
    /// What it listens on.
    pub listeners: Vec<Listener>,
    /// The process that runs it.
    pub pilot_pid: u32,
}

/// A listening socket.
#[derive(Clone, Debug, Deserialize)]
pub struct Listener {
    /// Its port.
    pub port: u16,
    /// Who holds it.
    pub pid: Option<u32>,
}

/// A port that is held for somebody.
#[derive(Debug, Deserialize)]
pub struct Lease {
    /// The port.
    pub port: u16,
}

impl Document {
    /// Reads what a command has said.
    pub fn parse(text: &str) -> Result<Document, String> {
        serde_json::from_str(text).map_err(|error| format!("no document ({error}): {text:.600}"))
    }

    /// The instances of a service, by number.
    pub fn of(&self, service: &str) -> Vec<&Instance> {
        let mut all: Vec<&Instance> =
            self.instances.iter().filter(|one| one.service == service).collect();
        all.sort_by_key(|one| one.instance);
        all
    }

    /// The first instance of a service, which must be ready.
    pub fn ready(&self, service: &str) -> Result<&Instance, String> {
        let first = self.of(service).into_iter().next();
        let first = first.ok_or_else(|| format!("there is no instance of `{service}`"))?;
        match first.state == "ready" {
            true => Ok(first),
            false => Err(format!("`{service}` is {}", first.state)),
        }
    }
}

impl Instance {
    /// Where it is reached without the proxy.
    pub fn address(&self) -> Result<SocketAddr, String> {
        let at = self.direct_url.strip_prefix("http://").and_then(|at| at.parse().ok());
        at.filter(|at: &SocketAddr| at.port() == self.port)
            .ok_or_else(|| format!("direct_url is `{}`, not port {}", self.direct_url, self.port))
    }

    /// The host of its name, with the proxy's port where the URL has one.
    pub fn host(&self) -> Result<&str, String> {
        let host = self.url.strip_prefix("http://").unwrap_or_default();
        match host.split(':').next().is_some_and(|name| name.ends_with(".localhost")) {
            true => Ok(host),
            false => Err(format!("`{}` is no name", self.url)),
        }
    }

    /// Who listens on its port.
    pub fn pids(&self) -> BTreeSet<u32> {
        let own = self.listeners.iter().filter(|one| one.port == self.port);
        own.filter_map(|one| one.pid).collect()
    }
}

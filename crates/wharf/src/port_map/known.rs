//! What the daemon knows of ports.

use std::net::IpAddr;

use wharf_control::api::ProxyListener;
use wharf_control::focus::FocusReport;
use wharf_model::{Instance, Lease};

use super::Role;
use crate::link::Link;
use crate::narrate;
use crate::report::Report;

/// The daemon's answer; empty where it gave none.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) instances: Vec<Instance>,
    pub(crate) leases: Vec<Lease>,
    pub(crate) focuses: Vec<FocusReport>,
    /// Where the proxy listens.
    fronts: Vec<ProxyListener>,
    /// The daemon's own process.
    pub(crate) daemon: Option<u32>,
}

impl Known {
    /// Starts the daemon if need be: what it knows is in its database.
    ///
    /// # Errors
    /// There is none, or it does not answer.
    pub(crate) async fn ask() -> Result<Known, Report> {
        let snapshot = Link::known().await?;
        let focuses = Link::focused(&snapshot.leases).await?;
        // A daemon that ends in this moment takes its listeners along.
        let (daemon, fronts) = match Link::open_running().await {
            Ok(link) => (
                link.status().await.ok().map(|status| status.pid),
                link.proxy_now().await.map(|status| status.listeners).unwrap_or_default(),
            ),
            Err(_) => (None, Vec::new()),
        };
        let (instances, leases) = (snapshot.instances, snapshot.leases);
        Ok(Known { instances, leases, focuses, fronts, daemon })
    }

    /// For ports the kernel's answer is enough, if the rest is said to be missing.
    pub(crate) async fn ask_or_say() -> Known {
        Known::ask().await.unwrap_or_else(|report| {
            narrate::warning(&format!("wharf's own leases are not known: {}", report.what));
            Known::default()
        })
    }

    /// What a listener of the daemon's is for.
    pub(super) fn front(&self, address: IpAddr, port: u16) -> Role {
        if let Some(focus) = self.focuses.iter().find(|focus| focus.port.get() == port) {
            return Role::Leads(format!("`wharf focus` to {}", focus.key));
        }
        let mut fronts = self.fronts.iter();
        match fronts.find(|front| (front.address, front.port) == (address, port)) {
            Some(front) if front.scheme == "tcp" => Role::Leads("`wharf tcp`".to_owned()),
            Some(front) => Role::Proxy(front.scheme.clone()),
            None => Role::Daemon,
        }
    }
}

//! What `wharf up` and its pilots say to each other: one JSON document a line, over a socket that the pilot
//! has as its standard input.
//!
//! ```text
//! up                                        pilot
//!   Order ───────────────────────────────────►   makes its plan
//!   ◄─────────────────────────────────── Wants   which ports
//!   (all leases in one transaction)
//!   Granted ─────────────────────────────────►   binds them
//!   ◄────────────────────────── Held, or Busy    (Busy: another transaction, another Granted)
//!   Launch, once what it depends on is ready ►   runs
//! ```
//! Either side may say `Failed`, or be gone, at any point before `Launch`: then the other ends too.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use wharf_control::api::{BusyPort, LeaseReply, LeaseRequest};
use wharf_model::service::Service;
use wharf_model::{Agent, Instance, PathText, Port, ProcessId};

use crate::report::{Code, Report};

/// What a pilot is to run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) service: Service,
    pub(crate) instance: u32,
    /// The root of the checkout.
    pub(crate) root: PathBuf,
    /// The linked worktree's name; empty for the main checkout.
    pub(crate) worktree: String,
    /// Whether it answers for the project's own name.
    pub(crate) primary: bool,
    /// By what a later `up` sees whether something has changed.
    pub(crate) definition: BTreeMap<String, String>,
    /// With whose end the pilot ends too.
    pub(crate) attached: Option<ProcessId>,
    /// How often in a row its pilot has been killed soon after its launch.
    #[serde(default)]
    pub(crate) deaths: u32,
    /// What other programs publish for the project.
    #[serde(default)]
    pub(crate) published: Vec<Published>,
    /// The agent that asked for it; a pilot has no ancestors that would tell.
    #[serde(default)]
    pub(crate) agent: Option<Agent>,
}

/// A port that another program publishes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Published {
    /// What the project calls that program's service.
    pub(crate) name: String,
    pub(crate) port: Port,
    /// Which of its ports it is, whatever number it has on this machine: the port within.
    #[serde(default)]
    pub(crate) slot: String,
}

/// To a pilot.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ToPilot {
    Order(Box<Order>),
    Granted(Box<LeaseReply>),
    Launch(Siblings),
}

/// From a pilot.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FromPilot {
    Wants(Box<LeaseRequest>),
    Busy(Vec<BusyPort>),
    Held(Sibling),
    Failed(Failure),
}

/// Where an instance of the project is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sibling {
    pub(crate) service: String,
    pub(crate) instance: u32,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// By name: for browsers.
    pub(crate) url: String,
    /// By address: for programs, many of which do not resolve names below `localhost`.
    pub(crate) direct_url: String,
}

impl Sibling {
    /// Where an instance is found now.
    pub(crate) fn of(instance: &Instance) -> Sibling {
        let host = instance.direct_url.split("://").nth(1).unwrap_or_default();
        let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
        Sibling {
            service: instance.key.service.clone(),
            instance: instance.key.instance,
            host: host.to_owned(),
            port: instance.port,
            url: instance.url.clone(),
            direct_url: instance.direct_url.clone(),
        }
    }
}

/// Every instance of the project's checkout.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Siblings(pub(crate) Vec<Sibling>);

impl Siblings {
    /// Those that live in a checkout.
    pub(crate) fn living(instances: &[Instance], root: &PathText) -> Siblings {
        let here = instances.iter().filter(|i| i.state.is_live() && i.root == *root);
        Siblings(here.map(Sibling::of).collect())
    }

    /// The one that an instance of another service means: that of the same number, else the first.
    pub(crate) fn seen_from(&self, service: &str, instance: u32) -> Option<&Sibling> {
        let same = |sibling: &&Sibling| sibling.service == service;
        let of_service = || self.0.iter().filter(same);
        of_service()
            .find(|s| s.instance == instance)
            .or_else(|| of_service().min_by_key(|s| s.instance))
    }

    /// The names of the services.
    pub(crate) fn services(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.0.iter().map(|sibling| sibling.service.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// An error on its way to whoever shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    code: u8,
    what: String,
    why: Vec<String>,
    help: Vec<String>,
}

impl From<&Report> for Failure {
    fn from(report: &Report) -> Failure {
        let Report { code, what, why, help } = report.clone();
        Failure { code: code.number(), what, why, help }
    }
}

impl From<Failure> for Report {
    fn from(failure: Failure) -> Report {
        let Failure { code, what, why, help } = failure;
        Report { code: Code::of_number(code), what, why, help }
    }
}

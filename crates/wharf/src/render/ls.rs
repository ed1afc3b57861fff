//! The answer of `wharf ls`.

use serde::Serialize;
use wharf_control::api::HomeReport;
use wharf_model::event::SCHEMA;
use wharf_model::holder::Age;
use wharf_model::{Exposure, Instance, Lease, LeaseKind};

use super::table::{Give, table};
use super::{RED, takes_colours};
use crate::choice::short_name;
use crate::events::now_ms;

/// The mark of what other machines reach.
const LAN: &str = "LAN!";

/// Instances and leases; with `--all` the remembered homes too.
#[derive(Debug, Serialize)]
pub(crate) struct Document {
    schema: u32,
    instances: Vec<Instance>,
    leases: Vec<Lease>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    homes: Vec<HomeReport>,
}

impl Document {
    pub(crate) fn new(
        instances: Vec<Instance>,
        leases: Vec<Lease>,
        homes: Vec<HomeReport>,
    ) -> Document {
        Document { schema: SCHEMA, instances, leases, homes }
    }

    /// Tables for people: instances, then the leases that are no instance's, then homes.
    pub(crate) fn text(&self) -> String {
        let mut parts = Vec::new();
        if !self.instances.is_empty() {
            let head = ["NAME", "STATE", "PORT", "OPEN TO", "AGE", "URL"];
            let give = Give { last_below: true, shortened: 0 };
            let rows = table(&head, self.instances.iter().map(instance_row), give);
            parts.push(match takes_colours(&std::io::stdout()) {
                // No name, state or URL has such a mark.
                true => rows.replace(LAN, &format!("{RED}{LAN}{RED:#}")),
                false => rows,
            });
        }
        let others: Vec<&Lease> =
            self.leases.iter().filter(|lease| !self.is_shown(lease)).collect();
        if !others.is_empty() {
            let head = ["LEASED", "FOR", "UNTIL"];
            let give = Give { last_below: false, shortened: 1 };
            parts.push(table(&head, others.into_iter().map(lease_row), give));
        }
        if !self.homes.is_empty() {
            let give = Give { last_below: false, shortened: 1 };
            parts.push(table(&["HOME", "OF"], self.homes.iter().map(home_row), give));
        }
        if parts.is_empty() {
            return "wharf runs nothing and holds no port\n".to_owned();
        }
        parts.join("\n")
    }

    /// Whether the lease's port stands in an instance's row already.
    fn is_shown(&self, lease: &Lease) -> bool {
        self.instances
            .iter()
            .any(|instance| instance.state.is_live() && instance.port == lease.port.get())
    }
}

fn instance_row(instance: &Instance) -> Vec<String> {
    let by_name = (instance.access.lan && instance.state.is_live()).then_some(Exposure::Lan);
    let exposures = instance.listeners.iter().map(|listener| listener.exposure());
    let exposure = exposures.chain(by_name).max();
    let age_s = now_ms().saturating_sub(instance.started_at) / 1000;
    let state = match instance.exit_code {
        Some(code) => format!("{} {code}", instance.state),
        None => instance.state.to_string(),
    };
    vec![
        short_name(instance),
        state,
        instance.port.to_string(),
        exposure.map_or_else(|| "-".to_owned(), open_to),
        Age(age_s).to_string(),
        instance.url.clone(),
    ]
}

fn open_to(exposure: Exposure) -> String {
    match exposure {
        Exposure::Loopback => "loopback".to_owned(),
        Exposure::Lan | Exposure::All => LAN.to_owned(),
    }
}

fn lease_row(lease: &Lease) -> Vec<String> {
    let until = match &lease.kind {
        LeaseKind::Process(process) => format!("{process} ends"),
        LeaseKind::Ttl(seconds) => format!("{seconds} s after the grant"),
    };
    let whose = lease.key.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
    vec![lease.port.to_string(), whose, until]
}

fn home_row(home: &HomeReport) -> Vec<String> {
    vec![home.port.to_string(), home.key.to_string()]
}

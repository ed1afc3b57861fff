//! The answer of `wharf ls`.

use std::collections::HashMap;

use serde::Serialize;
use wharf_control::api::HomeReport;
use wharf_control::focus::FocusReport;
use wharf_model::event::SCHEMA;
use wharf_model::holder::Age;
use wharf_model::{Agent, Exposure, Instance, Lease, LeaseKind};

use super::table::{Give, table};
use super::{RED, takes_colours};
use crate::choice::short_name;
use crate::events::now_ms;

/// The mark of what other machines reach.
const LAN: &str = "LAN!";

/// How much of the name of a session is shown.
const SESSION_SHOWN: usize = 16;

/// What one instance uses.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Usage {
    /// Of one processor.
    pub(crate) cpu_percent: f64,
    pub(crate) memory_bytes: u64,
    pub(crate) processes: usize,
    pub(crate) connections: usize,
}

#[derive(Debug, Serialize)]
struct Listed {
    #[serde(flatten)]
    instance: Instance,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
}

/// Instances and leases; with `--all` the remembered homes too.
#[derive(Debug, Serialize)]
pub(crate) struct Document {
    schema: u32,
    instances: Vec<Listed>,
    leases: Vec<Lease>,
    #[serde(skip)]
    focuses: Vec<FocusReport>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    homes: Vec<HomeReport>,
}

impl Document {
    pub(crate) fn new(
        instances: Vec<Instance>,
        usages: HashMap<String, Usage>,
        leases: Vec<Lease>,
        focuses: Vec<FocusReport>,
        homes: Vec<HomeReport>,
    ) -> Document {
        let instances = instances.into_iter().map(|instance| {
            let usage = usages.get(&instance.id).copied();
            Listed { instance, usage }
        });
        Document { schema: SCHEMA, instances: instances.collect(), leases, focuses, homes }
    }

    /// Tables for people: instances, then the leases that are no instance's, then homes.
    pub(crate) fn text(&self) -> String {
        let mut parts = Vec::new();
        if !self.instances.is_empty() {
            let wide = self.instances.iter().any(|listed| listed.usage.is_some());
            let usage: &[&str] = if wide { &["CPU", "MEM", "CONN"] } else { &[] };
            let by_agents = self.instances.iter().any(|listed| listed.instance.agent.is_some());
            let by: &[&str] = if by_agents { &["BY"] } else { &[] };
            let head = [&["NAME", "STATE", "PORT", "OPEN TO", "AGE"], usage, by, &["URL"]].concat();
            let give = Give { last_below: true, shortened: 0 };
            let rows =
                table(&head, self.instances.iter().map(|l| instance_row(l, wide, by_agents)), give);
            parts.push(match takes_colours(&std::io::stdout()) {
                // No name, state or URL has such a mark.
                true => rows.replace(LAN, &format!("{RED}{LAN}{RED:#}")),
                false => rows,
            });
        }
        let others: Vec<&Lease> =
            self.leases.iter().filter(|lease| !self.is_shown(lease)).collect();
        if !others.is_empty() {
            let by_agents = others.iter().any(|lease| lease.agent.is_some());
            let by: &[&str] = if by_agents { &["BY"] } else { &[] };
            let head = [&["LEASED", "FOR"], by, &["UNTIL"]].concat();
            let give = Give { last_below: false, shortened: 1 };
            let rows = others.into_iter().map(|lease| lease_row(lease, &self.focuses, by_agents));
            parts.push(table(&head, rows, give));
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
        self.instances.iter().any(|Listed { instance, .. }| {
            instance.state.is_live() && instance.port == lease.port.get()
        })
    }
}

fn instance_row(listed: &Listed, wide: bool, by_agents: bool) -> Vec<String> {
    let Listed { instance, usage } = listed;
    let by_name = (instance.access.lan && instance.state.is_live()).then_some(Exposure::Lan);
    let exposures = instance.listeners.iter().map(|listener| listener.exposure());
    let exposure = exposures.chain(by_name).max();
    let age_s = now_ms().saturating_sub(instance.started_at) / 1000;
    let state = match instance.exit_code {
        Some(code) => format!("{} {code}", instance.state),
        None => instance.state.to_string(),
    };
    let mut row = vec![
        short_name(instance),
        state,
        instance.port.to_string(),
        exposure.map_or_else(|| "-".to_owned(), open_to),
        Age(age_s).to_string(),
    ];
    if wide {
        row.extend(match usage {
            Some(usage) => [
                format!("{:.0}%", usage.cpu_percent),
                bytes(usage.memory_bytes),
                usage.connections.to_string(),
            ],
            None => ["-", "-", "-"].map(str::to_owned),
        });
    }
    if by_agents {
        row.push(by(instance.agent.as_ref(), wide));
    }
    row.push(instance.url.clone());
    row
}

/// The agent; with room for it the beginning of its session, by which people know one from another.
fn by(agent: Option<&Agent>, wide: bool) -> String {
    let Some(agent) = agent else { return "-".to_owned() };
    match agent.session() {
        Some(session) if wide => {
            let session: String = session.chars().take(SESSION_SHOWN).collect();
            format!("{} {session}", agent.name())
        }
        _ => agent.name().to_owned(),
    }
}

/// Short, for people: `512K`, `48M`, `1.2G`.
pub(crate) fn bytes(number: u64) -> String {
    const MEGABYTE: u64 = 1 << 20;
    match number {
        0..MEGABYTE => format!("{}K", number >> 10),
        MEGABYTE..0x4000_0000 => format!("{}M", number >> 20),
        _ => format!("{}.{}G", number >> 30, ((number >> 20) & 1023) * 10 / 1024),
    }
}

fn open_to(exposure: Exposure) -> String {
    match exposure {
        Exposure::Loopback => "loopback".to_owned(),
        Exposure::Lan | Exposure::All => LAN.to_owned(),
    }
}

fn lease_row(lease: &Lease, focuses: &[FocusReport], by_agents: bool) -> Vec<String> {
    let until = match &lease.kind {
        LeaseKind::Process(process) => format!("{process} ends"),
        LeaseKind::Ttl(seconds) => format!("{seconds} s after the grant"),
    };
    let led_to = super::focus::led_to(focuses, lease.port.get());
    let whose = led_to.or_else(|| lease.key.as_ref().map(ToString::to_string));
    let whose = whose.unwrap_or_else(|| "-".to_owned());
    let mut row = vec![lease.port.to_string(), whose];
    row.extend(by_agents.then(|| by(lease.agent.as_ref(), false)));
    row.push(until);
    row
}

fn home_row(home: &HomeReport) -> Vec<String> {
    vec![home.port.to_string(), home.key.to_string()]
}

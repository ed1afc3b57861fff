//! The answer of `wharf who`.

use std::net::IpAddr;

use serde::Serialize;
use wharf_control::focus::FocusReport;
use wharf_model::event::SCHEMA;
use wharf_model::holder::Age;
use wharf_model::{Exposure, Lease, LeaseKind, Port};

use super::printable;
use crate::facts::endpoint;

/// Who holds one port.
#[derive(Debug, Serialize)]
pub(crate) struct Document {
    schema: u32,
    port: u16,
    listeners: Vec<Listener>,
    lease: Option<Lease>,
    /// The name of the instance whose port it is.
    instance: Option<String>,
    /// Where it leads, where `wharf focus` holds it.
    focus: Option<FocusReport>,
    /// The same port in other network namespaces.
    elsewhere: Vec<Elsewhere>,
    /// How many processes do not let us see their sockets.
    unreadable_processes: usize,
}

/// One socket on the port.
#[derive(Debug, Serialize)]
pub(crate) struct Listener {
    pub(crate) port: u16,
    pub(crate) address: IpAddr,
    pub(crate) exposure: Exposure,
    /// False for a socket that only keeps the port, such as wharf's reservation.
    pub(crate) listening: bool,
    pub(crate) user: String,
    pub(crate) processes: Vec<Process>,
}

/// One process that shares the socket.
#[derive(Debug, Serialize)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) command: String,
    pub(crate) argv: Vec<String>,
    pub(crate) folder: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) age_s: Option<u64>,
    /// Nearest first.
    pub(crate) ancestry: Vec<String>,
    pub(crate) unit: Option<String>,
    pub(crate) container: Option<String>,
}

/// A listener in another network namespace.
#[derive(Debug, Serialize)]
pub(crate) struct Elsewhere {
    pub(crate) namespace: u64,
    pub(crate) address: IpAddr,
    pub(crate) processes: Vec<Process>,
}

impl Document {
    pub(crate) fn new(
        port: Port,
        listeners: Vec<Listener>,
        lease: Option<Lease>,
        instance: Option<String>,
        elsewhere: Vec<Elsewhere>,
        unreadable_processes: usize,
    ) -> Document {
        let port = port.get();
        let schema = SCHEMA;
        let focus = None;
        Document {
            schema,
            port,
            listeners,
            lease,
            instance,
            focus,
            elsewhere,
            unreadable_processes,
        }
    }

    /// With where it leads, where `wharf focus` holds it.
    pub(crate) fn with(self, focus: Option<FocusReport>) -> Document {
        Document { focus, ..self }
    }

    /// Whether anybody holds the port, by a socket or by a lease.
    pub(crate) fn is_held(&self) -> bool {
        !self.listeners.is_empty() || self.lease.is_some()
    }

    /// Sentences and indented facts for people.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        if self.listeners.is_empty() {
            text.push_str(&format!(
                "port {}: nobody listens in this network namespace\n",
                self.port
            ));
        }
        for listener in &self.listeners {
            text.push_str(&self.listener_text(listener));
        }
        if let Some(lease) = &self.lease {
            text.push_str(&lease_text(lease, self.instance.as_deref()));
        }
        if let Some(focus) = &self.focus {
            text.push_str(&focus_text(focus));
        }
        for elsewhere in &self.elsewhere {
            text.push_str(&format!(
                "also in another network namespace ({}), on {}:\n",
                elsewhere.namespace,
                endpoint(elsewhere.address, self.port)
            ));
            elsewhere.processes.iter().for_each(|process| text.push_str(&process_text(process)));
        }
        text
    }

    fn listener_text(&self, listener: &Listener) -> String {
        let verb = if listener.listening { "listens on" } else { "keeps, without listening," };
        let reach = match (listener.listening, listener.exposure) {
            (false, _) => "a reservation or a server about to listen",
            (true, Exposure::Loopback) => "this machine only",
            (true, Exposure::Lan) => "open to the LAN on this address",
            (true, Exposure::All) => "open to the LAN on every address",
        };
        let place = endpoint(listener.address, self.port);
        let mut text = match listener.processes.first() {
            Some(process) => format!("{} {verb} {place} ({reach})\n", printable(&process.command)),
            None => format!("user {} {verb} {place} ({reach})\n", listener.user),
        };
        if listener.processes.is_empty() {
            text.push_str(&self.unseen(listener));
        }
        listener.processes.iter().for_each(|process| text.push_str(&process_text(process)));
        text
    }

    /// Why no process is shown, and how to see it.
    fn unseen(&self, listener: &Listener) -> String {
        if self.unreadable_processes > 0 {
            format!(
                "  the process may not be seen: {} processes hide their sockets from this user\n  \
                 to see it: `sudo wharf who {}`\n",
                self.unreadable_processes, self.port
            )
        } else {
            format!(
                "  no process of this machine's view holds it: it belongs to user {} in another pid \
                 namespace or container, or to the kernel\n",
                listener.user
            )
        }
    }
}

fn process_text(process: &Process) -> String {
    let mut text = format!("  pid {}  {}\n", process.pid, printable(&process.argv.join(" ")));
    let mut facts = Vec::new();
    facts.extend(process.folder.as_ref().map(|folder| format!("in {folder}")));
    facts.extend(process.user.as_ref().map(|user| format!("user {user}")));
    facts.extend(process.age_s.map(|age| format!("up {}", Age(age))));
    facts.extend(process.unit.as_ref().map(|unit| format!("unit {unit}")));
    facts.extend(process.container.as_ref().map(|container| format!("container {container}")));
    if !facts.is_empty() {
        text.push_str(&format!("    {}\n", printable(&facts.join(", "))));
    }
    if !process.ancestry.is_empty() {
        text.push_str(&format!("    started by: {}\n", printable(&process.ancestry.join(" ← "))));
    }
    text
}

fn focus_text(focus: &FocusReport) -> String {
    let place = match (focus.live, &focus.url) {
        (true, Some(url)) => format!(", {url}"),
        _ => ", which does not run".to_owned(),
    };
    format!("`wharf focus` forwards it to {}{place}\n", focus.key)
}

fn lease_text(lease: &Lease, instance: Option<&str>) -> String {
    let whose = match (instance, &lease.key) {
        (Some(name), _) => name.to_owned(),
        (None, Some(key)) => key.to_string(),
        (None, None) => "nobody in particular".to_owned(),
    };
    let until = match &lease.kind {
        LeaseKind::Process(process) => format!("until {process} ends"),
        LeaseKind::Ttl(seconds) => format!("for {seconds} s from the grant on"),
    };
    format!("leased by wharf to {whose}, {until}\n")
}

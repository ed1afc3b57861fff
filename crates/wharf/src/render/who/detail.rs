//! Single ports, in sentences and indented facts.

use wharf_control::focus::FocusReport;
use wharf_model::holder::Age;
use wharf_model::{Exposure, Families, Lease, LeaseKind, Transport};

use super::{Container, Document, Elsewhere, Listener, Process, Redirected, grid};
use crate::facts::endpoint;
use crate::render::printable;

pub(super) fn text(document: &Document) -> String {
    let parts: Vec<String> = document.ports.iter().map(|port| of_port(document, *port)).collect();
    let mut text = parts.join("\n");
    for engine in &document.silent_engines {
        text.push_str(&printable(&format!("note: containers are not told by {engine}")));
        text.push('\n');
    }
    text
}

fn of_port(document: &Document, port: u16) -> String {
    let mut text = String::new();
    let listeners: Vec<&Listener> =
        document.listeners.iter().filter(|one| one.port == port).collect();
    let redirected: Vec<&Redirected> =
        document.redirected.iter().filter(|one| one.port == port).collect();
    if listeners.is_empty() && redirected.is_empty() {
        text.push_str(&format!("port {port}: nobody listens in this network namespace\n"));
    }
    for listener in listeners {
        text.push_str(&listener_text(listener, document.unreadable_processes));
    }
    redirected.iter().for_each(|one| text.push_str(&redirected_text(one)));
    for lease in document.leases.iter().filter(|lease| lease.port.get() == port) {
        text.push_str(&lease_text(lease, document.instances.get(&port).map(String::as_str)));
    }
    for focus in document.focuses.iter().filter(|focus| focus.port.get() == port) {
        text.push_str(&focus_text(focus));
    }
    let elsewhere = document.elsewhere.iter().filter(|one| one.port == port);
    elsewhere.for_each(|one| text.push_str(&elsewhere_text(one)));
    text
}

fn listener_text(listener: &Listener, unreadable: usize) -> String {
    let verb = match (listener.listening, listener.transport) {
        (true, Transport::Tcp) => "listens on",
        (true, Transport::Udp) => "takes UDP datagrams on",
        (false, _) => "keeps, without listening,",
    };
    let reach = match (listener.listening, listener.exposure, listener.families) {
        (false, ..) => "a reservation or a server about to listen",
        (true, Exposure::Loopback, _) => "this machine only",
        (true, Exposure::Lan, _) => "open to the LAN on this address",
        (true, Exposure::All, Families::V6) => "open to the LAN on every IPv6 address",
        (true, Exposure::All, Families::V4) => "open to the LAN on every IPv4 address",
        (true, Exposure::All, Families::Both) => "open to the LAN on every address",
    };
    let place = endpoint(listener.address, listener.port);
    let mut text = match listener.processes.first() {
        Some(process) => format!("{} {verb} {place} ({reach})\n", printable(&process.command)),
        None => format!("user {} {verb} {place} ({reach})\n", listener.user),
    };
    let about = about(listener);
    if !about.is_empty() {
        text.push_str(&format!("  {}\n", printable(&about)));
    }
    if listener.processes.is_empty() {
        text.push_str(&unseen(listener, unreadable));
    }
    listener.processes.iter().for_each(|process| text.push_str(&process_text(process)));
    if let Some(origin) = &listener.started_from {
        text.push_str(&format!("  from {}\n", printable(origin)));
    }
    text
}

/// What it is, by everything but the kernel's word.
fn about(listener: &Listener) -> String {
    let mut facts = Vec::new();
    facts.extend(listener.role_text.clone());
    facts.extend(listener.framework_name.clone());
    if let (Some(project), Some(root)) = (&listener.project, &listener.root) {
        facts.push(match listener.worktree.as_deref() {
            Some("") | None => format!("project {project} ({root})"),
            Some(worktree) => format!("project {project}, worktree {worktree} ({root})"),
        });
    }
    facts.extend(listener.container.as_ref().map(container_text));
    facts.join(", ")
}

fn container_text(container: &Container) -> String {
    let Container { engine, name, image, .. } = container;
    format!("{engine} container {name} (image {image})")
}

/// Why no process is shown, and how to see it.
fn unseen(listener: &Listener, unreadable: usize) -> String {
    if unreadable > 0 {
        let hide = grid::processes(unreadable);
        match grid::is_root() {
            true => {
                format!("  the process may not be seen: {hide} not even root may look into here\n")
            }
            false => format!(
                "  the process may not be seen: {hide} may not be looked into\n  \
                 to see it: `sudo wharf who {}`\n",
                listener.port
            ),
        }
    } else {
        format!(
            "  no process of this machine's view holds it: it belongs to user {} in another pid \
             namespace or container, or to the kernel\n",
            listener.user
        )
    }
}

fn process_text(process: &Process) -> String {
    let mut text = format!("  pid {}  {}\n", process.pid, printable(&process.argv.join(" ")));
    let mut facts = Vec::new();
    facts.extend(process.folder.as_ref().map(|folder| format!("in {folder}")));
    facts.extend(process.user.as_ref().map(|user| format!("user {user}")));
    facts.extend(process.age_s.map(|age| format!("up {}", Age(age))));
    facts.extend(process.unit.as_ref().map(|unit| format!("unit {unit}")));
    let container = process.container.as_deref().map(grid::short_id);
    facts.extend(container.map(|container| format!("container {container}")));
    if !facts.is_empty() {
        text.push_str(&format!("    {}\n", printable(&facts.join(", "))));
    }
    if !process.ancestry.is_empty() {
        text.push_str(&format!("    started by: {}\n", printable(&process.ancestry.join(" ← "))));
    }
    text
}

fn redirected_text(one: &Redirected) -> String {
    let about = container_text(&one.container);
    let place = endpoint(one.address, one.port);
    let text = format!(
        "the firewall leads {place} to port {} of {about}; no socket of this machine listens there",
        one.inner_port
    );
    format!("{}\n", printable(&text))
}

fn elsewhere_text(one: &Elsewhere) -> String {
    let namespace = match &one.file {
        Some(file) => format!("{}, {file}", one.namespace),
        None => one.namespace.to_string(),
    };
    let place = endpoint(one.address, one.port);
    let mut text =
        printable(&format!("also in another network namespace ({namespace}), on {place}:"));
    text.push('\n');
    if let Some(container) = &one.container {
        text.push_str(&format!("  {}\n", printable(&container_text(container))));
    }
    one.processes.iter().for_each(|process| text.push_str(&process_text(process)));
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
    let by =
        lease.agent.as_ref().map_or_else(String::new, |agent| format!(", asked for by {agent}"));
    printable(&format!("leased by wharf to {whose}, {until}{by}")) + "\n"
}

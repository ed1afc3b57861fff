//! The answer of `wharf who`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::net::IpAddr;

use serde::Serialize;
use wharf_control::focus::FocusReport;
use wharf_facts::map::{Elsewhere as Other, Listening, Process as Seen};
use wharf_model::event::SCHEMA;
use wharf_model::{Exposure, Families, Lease, Transport};

use crate::choice;
use crate::facts::short_folder;
use crate::port_map::{Joined, Role};

mod detail;
mod filter;
mod grid;
mod tree;

pub(crate) use filter::Filter;

/// How it is shown to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Sentences and indented facts.
    Detail,
    /// A row for each.
    Table,
    /// Below those that started them.
    Tree,
}

/// A line of the map without what changes by itself: port, protocol, address, processes, whose it is.
pub(crate) type Essence = (u16, Transport, IpAddr, Vec<u32>, Option<String>);

/// Who holds which port.
#[derive(Debug, Serialize)]
pub(crate) struct Document {
    schema: u32,
    /// The port, where one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    /// The ports that were asked for; none means all.
    ports: BTreeSet<u16>,
    listeners: Vec<Listener>,
    leases: Vec<Lease>,
    /// Of the one port that was asked for.
    lease: Option<Lease>,
    /// The name of the instance whose port it is.
    instance: Option<String>,
    /// Where it leads, where `wharf focus` holds it.
    focus: Option<FocusReport>,
    /// Published ports without a socket.
    redirected: Vec<Redirected>,
    /// In other network namespaces.
    elsewhere: Vec<Elsewhere>,
    /// How many processes do not let us see their sockets.
    unreadable_processes: usize,
    /// How many other network namespaces may not be looked into.
    closed_namespaces: usize,
    /// Container engines that did not answer, each with why.
    silent_engines: Vec<String>,
    /// The names of the instances whose ports they are.
    #[serde(skip)]
    instances: BTreeMap<u16, String>,
    #[serde(skip)]
    focuses: Vec<FocusReport>,
    /// Our own name.
    #[serde(skip)]
    own_user: String,
    /// Whether everything was to be told, so that nothing at all is an answer too.
    #[serde(skip)]
    unfiltered: bool,
}

/// One socket on a port.
#[derive(Debug, Serialize)]
struct Listener {
    port: u16,
    transport: Transport,
    address: IpAddr,
    exposure: Exposure,
    families: Families,
    /// False for a socket that only keeps the port, such as wharf's reservation.
    listening: bool,
    user: String,
    /// What it is to wharf: `proxy`, `forward`, `daemon`, `instance`, `held`.
    role: Option<&'static str>,
    /// More of that, in words.
    #[serde(skip)]
    role_text: Option<String>,
    /// The name of the instance whose it is.
    instance: Option<String>,
    project: Option<String>,
    /// Empty for the main checkout.
    worktree: Option<String>,
    /// The root of the checkout.
    root: Option<String>,
    framework: Option<&'static str>,
    #[serde(skip)]
    framework_name: Option<String>,
    /// What it was started from, in words.
    started_from: Option<String>,
    container: Option<Container>,
    processes: Vec<Process>,
}

/// One process that shares the socket.
#[derive(Clone, Debug, Serialize)]
struct Process {
    pid: u32,
    command: String,
    argv: Vec<String>,
    exe: Option<String>,
    folder: Option<String>,
    user: Option<String>,
    age_s: Option<u64>,
    /// Nearest first.
    ancestry: Vec<String>,
    unit: Option<String>,
    container: Option<String>,
    /// The first that started is the one that opened the socket.
    #[serde(skip)]
    started: u64,
}

/// A container, as its engine describes it.
#[derive(Clone, Debug, Serialize)]
struct Container {
    engine: String,
    id: String,
    name: String,
    image: String,
}

/// A published port that the firewall leads into its container.
#[derive(Debug, Serialize)]
struct Redirected {
    port: u16,
    transport: Transport,
    address: IpAddr,
    exposure: Exposure,
    inner_port: u16,
    container: Container,
}

/// A listener in another network namespace.
#[derive(Debug, Serialize)]
struct Elsewhere {
    namespace: u64,
    /// The file by which the namespace is kept.
    file: Option<String>,
    port: u16,
    transport: Transport,
    address: IpAddr,
    container: Option<Container>,
    processes: Vec<Process>,
}

impl Document {
    /// What passes the filter.
    pub(crate) fn new(joined: &Joined, filter: &Filter) -> Document {
        let ports = filter.ports.clone();
        let of_port = |port: u16| filter.has(port);
        let listeners = joined.map.listeners.iter().filter(|one| of_port(one.port));
        let listeners: Vec<Listener> = listeners.map(|one| listener(joined, one)).collect();
        let elsewhere = joined.map.elsewhere.iter().flat_map(|other| inside(joined, other));
        // A port that is held here is told of here.
        let is_told = |port: u16| !ports.is_empty() && listeners.iter().any(|l| l.port == port);
        let elsewhere: Vec<Elsewhere> =
            elsewhere.filter(|one| of_port(one.port) && !is_told(one.port)).collect();
        let leases = joined.known.leases.iter().filter(|lease| of_port(lease.port.get()));
        let one = ports.first().copied().filter(|_| ports.len() == 1);
        let silent = joined.engines.silent.iter();
        let focuses = joined.known.focuses.clone();
        let instance_of = |port: u16| Some((port, instance_of(joined, port)?));
        let instances: BTreeMap<u16, String> =
            ports.iter().copied().filter_map(instance_of).collect();
        let document = Document {
            schema: SCHEMA,
            port: one,
            listeners,
            leases: leases.cloned().collect(),
            lease: one.and_then(|port| joined.lease(port).cloned()),
            instance: one.and_then(|port| instances.get(&port).cloned()),
            focus: one.and_then(|port| focuses.iter().find(|f| f.port.get() == port).cloned()),
            redirected: redirected(joined, filter),
            elsewhere,
            unreadable_processes: joined.map.unreadable,
            closed_namespaces: joined.map.closed_namespaces,
            silent_engines: silent
                .map(|(path, why)| format!("{}: {why}", path.display()))
                .collect(),
            instances,
            focuses,
            own_user: joined.users.of(wharf_os::user::current_uid()),
            unfiltered: filter.is_open(),
            ports,
        };
        document.filtered(filter)
    }

    /// Whether anybody holds what was asked for, by a socket, a redirect or a lease.
    pub(crate) fn is_found(&self) -> bool {
        let leased = !self.ports.is_empty() && !self.leases.is_empty();
        !self.listeners.is_empty() || !self.redirected.is_empty() || leased || self.unfiltered
    }

    /// What changes when something has changed, and only then: time alone is no change.
    pub(crate) fn essence(&self) -> Vec<Essence> {
        let here = self.listeners.iter().map(|one| {
            let pids = one.processes.iter().map(|process| process.pid).collect();
            (one.port, one.transport, one.address, pids, one.instance.clone())
        });
        let there = self.elsewhere.iter().map(|one| {
            let pids = one.processes.iter().map(|process| process.pid).collect();
            (one.port, one.transport, one.address, pids, Some(one.namespace.to_string()))
        });
        let redirected = self.redirected.iter().map(|one| {
            let name = Some(one.container.name.clone());
            (one.port, one.transport, one.address, Vec::new(), name)
        });
        let leases = self.leases.iter().map(|lease| {
            let whose = lease.key.as_ref().map(ToString::to_string);
            (lease.port.get(), Transport::Tcp, IpAddr::from([0; 4]), Vec::new(), whose)
        });
        here.chain(there).chain(redirected).chain(leases).collect()
    }

    /// For people.
    pub(crate) fn text(&self, form: Form) -> String {
        match form {
            Form::Detail => detail::text(self),
            Form::Table => grid::text(self),
            Form::Tree => tree::text(self),
        }
    }
}

/// A text that takes the place of the last one on a terminal, and follows it on a pipe.
pub(crate) fn screen(text: &str) -> String {
    match std::io::stdout().is_terminal() {
        // Home, and everything below cleared: what was scrolled away before stays readable.
        true => format!("\x1b[H\x1b[2J{text}"),
        false => format!("{text}\n"),
    }
}

fn instance_of(joined: &Joined, port: u16) -> Option<String> {
    let mut live = joined.known.instances.iter().filter(|instance| instance.state.is_live());
    live.find(|instance| instance.port == port).map(choice::short_name)
}

fn listener(joined: &Joined, seen: &Listening) -> Listener {
    let first = joined.first(seen);
    let about = first.and_then(|process| joined.about(process));
    let role = joined.role(seen);
    let project = about.and_then(|about| about.project.as_ref());
    let framework = joined.framework(seen);
    let instance = match &role {
        Some(Role::Instance(name) | Role::Held(name)) => Some(name.clone()),
        _ => None,
    };
    Listener {
        port: seen.port,
        transport: seen.transport,
        address: seen.address,
        exposure: seen.exposure(),
        families: seen.families(),
        listening: seen.listening,
        user: joined.users.of(seen.uid),
        role: role.as_ref().map(role_word),
        role_text: role.as_ref().and_then(role_text),
        instance,
        project: project.map(|project| name_of(&project.path)),
        worktree: project.map(|project| project.worktree.clone()),
        root: project.map(|project| short_folder(&project.root)),
        framework: framework.map(|framework| framework.id),
        framework_name: framework.map(|framework| short_name(framework.name)),
        started_from: about.and_then(|about| about.origin.as_ref()).map(ToString::to_string),
        container: joined.container(seen).map(container),
        processes: processes(joined, seen),
    }
}

fn role_word(role: &Role) -> &'static str {
    match role {
        Role::Proxy(_) => "proxy",
        Role::Leads(_) => "forward",
        Role::Daemon => "daemon",
        Role::Instance(_) => "instance",
        Role::Held(_) => "held",
    }
}

fn role_text(role: &Role) -> Option<String> {
    match role {
        Role::Proxy(scheme) => Some(format!("wharf's proxy ({scheme})")),
        Role::Leads(where_to) => Some(where_to.clone()),
        Role::Daemon => Some("wharf's daemon".to_owned()),
        Role::Held(name) => Some(format!("held for {name}")),
        Role::Instance(_) => None,
    }
}

/// The last part of a project's path.
fn name_of(path: &std::path::Path) -> String {
    path.file_name().map_or_else(|| "/".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// A name without what stands behind it in brackets or after a slash, and without the interpreter.
fn short_name(name: &str) -> String {
    let name = name.strip_prefix("python -m ").unwrap_or(name);
    let end = [" (", " / "].iter().filter_map(|mark| name.find(mark)).min();
    name[..end.unwrap_or(name.len())].to_owned()
}

fn container(found: &crate::engine::Container) -> Container {
    Container {
        engine: found.engine.to_owned(),
        id: found.id.clone(),
        name: found.name.clone(),
        image: found.image.clone(),
    }
}

fn processes(joined: &Joined, seen: &Listening) -> Vec<Process> {
    joined.map.processes_of(seen).map(|one| process(joined, one)).collect()
}

fn process(joined: &Joined, seen: &Seen) -> Process {
    let ancestry = seen.ancestry.iter().map(|one| format!("{} {}", one.name, one.pid));
    let container = seen.container.as_ref().map(|one| format!("{} {}", one.engine, one.id));
    Process {
        pid: seen.id.pid,
        command: seen.command.clone(),
        argv: seen.argv.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
        exe: seen.exe.as_ref().map(|path| path.display().to_string()),
        folder: seen.folder.as_deref().map(short_folder),
        user: seen.uid.map(|uid| joined.users.of(uid)),
        age_s: Some(seen.age_s),
        ancestry: ancestry.collect(),
        unit: seen.unit.clone(),
        container,
        started: seen.id.start_ticks,
    }
}

fn inside<'a>(joined: &'a Joined, other: &'a Other) -> impl Iterator<Item = Elsewhere> + 'a {
    other.listeners.iter().map(move |seen| Elsewhere {
        namespace: other.inode,
        file: other.file.as_ref().map(|file| file.display().to_string()),
        port: seen.port,
        transport: seen.transport,
        address: seen.address,
        container: joined.container_within(seen).map(container),
        processes: processes(joined, seen),
    })
}

fn redirected(joined: &Joined, filter: &Filter) -> Vec<Redirected> {
    let all = joined.redirected().into_iter().filter(|one| filter.has(one.port));
    all.map(|one| Redirected {
        port: one.port,
        transport: one.transport,
        address: one.address,
        exposure: Exposure::of(one.address),
        inner_port: one.inner,
        container: container(one.container),
    })
    .collect()
}

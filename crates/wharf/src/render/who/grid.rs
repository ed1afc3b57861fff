//! The map as a table: one row for what belongs together.

use std::io::{IsTerminal, stdout};

use wharf_model::holder::Age;
use wharf_model::{Exposure, Families, Transport};
use wharf_os::terminal::width;

use super::{Document, Elsewhere, Listener, Process, Redirected};
use crate::facts::endpoint;
use crate::render::table::{Give, shortened, table, wrapped};
use crate::render::{RED, takes_colours};

/// The marks of what other machines reach. No name has them.
const ALL: &str = "all!";
const LAN: &str = "LAN!";
/// The longest name of a framework that is shown whole on a terminal of fewer columns than [`ROOMY`].
const NAME: usize = 14;
const ROOMY: u16 = 100;

pub(super) fn text(document: &Document) -> String {
    let mut parts = Vec::new();
    let groups = groups(&document.listeners);
    if !groups.is_empty() || !document.redirected.is_empty() {
        parts.push(coloured(here(document, &groups)));
    }
    if !document.elsewhere.is_empty() {
        let rows = document.elsewhere.iter().map(elsewhere_row);
        let give = Give { last_below: false, shortened: 2 };
        parts.push(table(&["PORT", "ADDRESS", "IN NETWORK NAMESPACE", "PROCESS"], rows, give));
    }
    if parts.is_empty() {
        let none = if document.unfiltered {
            "nobody listens"
        } else {
            "nothing that was asked for listens"
        };
        parts.push(format!("{none} in this network namespace\n"));
    }
    let notes = notes(document);
    if !notes.is_empty() {
        parts.push(notes);
    }
    parts.join("\n")
}

fn here(document: &Document, groups: &[Group<'_>]) -> String {
    let framework = groups.iter().any(|group| group.first().framework_name.is_some());
    let columns: &[&str] = if framework { &["FRAMEWORK"] } else { &[] };
    let head = [&["PORT", "OPEN TO", "PROCESS"], columns, &["OF", "AGE"]].concat();
    let mut rows: Vec<(u16, Vec<String>)> = groups
        .iter()
        .map(|group| (group.first().port, group.row(framework, &document.own_user)))
        .collect();
    rows.extend(document.redirected.iter().map(|one| (one.port, redirected_row(one, framework))));
    rows.sort_by_key(|(port, _)| *port);
    let give = Give { last_below: false, shortened: if framework { 4 } else { 3 } };
    table(&head, rows.into_iter().map(|(_, row)| row), give)
}

fn coloured(table: String) -> String {
    match takes_colours(&stdout()) {
        true => [ALL, LAN]
            .iter()
            .fold(table, |text, mark| text.replace(mark, &format!("{RED}{mark}{RED:#}"))),
        false => table,
    }
}

/// The sockets of one server on one port: both families, several workers.
struct Group<'a> {
    listeners: Vec<&'a Listener>,
}

/// Listeners of one port belong together where they have a process in common, or are one user's whose
/// processes are not seen, or workers of one parent.
fn groups(listeners: &[Listener]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for listener in listeners {
        // They are in the order of their ports.
        let of_port = groups.iter_mut().rev().take_while(|one| one.first().port == listener.port);
        match of_port.into_iter().find(|group| group.takes(listener)) {
            Some(group) => group.listeners.push(listener),
            None => groups.push(Group { listeners: vec![listener] }),
        }
    }
    groups
}

impl<'a> Group<'a> {
    fn first(&self) -> &'a Listener {
        self.listeners[0]
    }

    fn takes(&self, other: &Listener) -> bool {
        let first = self.first();
        let same = (first.port, first.transport) == (other.port, other.transport)
            && first.listening == other.listening;
        same && self.listeners.iter().any(|own| are_together(own, other))
    }

    /// Those that share it, the one that opened it first.
    fn processes(&self) -> Vec<&'a Process> {
        let mut all: Vec<&Process> =
            self.listeners.iter().flat_map(|listener| &listener.processes).collect();
        all.sort_by_key(|process| (process.started, process.pid));
        all.dedup_by_key(|process| process.pid);
        all
    }

    fn row(&self, framework: bool, own_user: &str) -> Vec<String> {
        let first = self.first();
        let processes = self.processes();
        let mut row = vec![port(first.port, first.transport), self.open_to()];
        row.push(match processes[..] {
            [] => "(not to be seen)".to_owned(),
            [only] => process(only),
            [one, ..] => format!("{} +{}", process(one), processes.len() - 1),
        });
        if framework {
            let name = self.listeners.iter().find_map(|one| one.framework_name.as_deref());
            row.push(shortened(name.unwrap_or("-"), room()));
        }
        row.push(of(first, &processes, own_user));
        let age = processes.first().and_then(|process| process.age_s);
        row.push(age.map_or_else(|| "-".to_owned(), |age| Age(age).to_string()));
        row
    }

    fn open_to(&self) -> String {
        let exposure = self.listeners.iter().map(|one| one.exposure).max();
        let word = match exposure {
            Some(Exposure::All) => ALL,
            Some(Exposure::Lan) => LAN,
            _ => "loopback",
        };
        match self.listeners.iter().all(|one| one.families == Families::V6) {
            true => format!("{word} v6"),
            false => word.to_owned(),
        }
    }
}

fn are_together(one: &Listener, other: &Listener) -> bool {
    if one.processes.is_empty() && other.processes.is_empty() {
        return one.user == other.user;
    }
    let shared = |process: &Process| other.processes.iter().any(|own| own.pid == process.pid);
    let parent = |listener: &Listener| {
        listener.processes.first().and_then(|process| process.ancestry.first().cloned())
    };
    let siblings = || {
        let commands = |listener: &Listener| {
            listener
                .processes
                .first()
                .map(|process| (process.command.clone(), process.argv.clone()))
        };
        parent(one).is_some() && parent(one) == parent(other) && commands(one) == commands(other)
    };
    one.processes.iter().any(shared) || siblings()
}

/// For the name of a framework: on a pipe nothing is cut.
fn room() -> usize {
    match stdout().is_terminal() && width().is_none_or(|columns| columns < ROOMY) {
        true => NAME,
        false => usize::MAX,
    }
}

fn port(number: u16, transport: Transport) -> String {
    match transport {
        Transport::Tcp => number.to_string(),
        Transport::Udp => format!("{number}/udp"),
    }
}

fn process(process: &Process) -> String {
    format!("{} {}", process.command, process.pid)
}

/// Whose it is, by what says most.
fn of(listener: &Listener, processes: &[&Process], own_user: &str) -> String {
    if let Some(text) = &listener.role_text {
        return text.clone();
    }
    if let Some(instance) = &listener.instance {
        return format!("{instance} (wharf)");
    }
    if let Some(container) = &listener.container {
        return format!("container {}", container.name);
    }
    let first = processes.first();
    if let Some(container) = first.and_then(|process| process.container.as_ref()) {
        return format!("container {}", short_id(container));
    }
    let project = match (&listener.project, listener.worktree.as_deref()) {
        (Some(project), Some("") | None) => Some(project.clone()),
        (Some(project), Some(worktree)) => Some(format!("{project} ({worktree})")),
        (None, _) => None,
    };
    let unit = first.and_then(|process| process.unit.clone());
    let folder = || first.and_then(|process| process.folder.clone()).filter(|folder| folder != "/");
    let found = project.or(unit).or_else(folder);
    let stranger = first.and_then(|process| process.user.clone());
    let stranger = stranger.unwrap_or_else(|| listener.user.clone());
    let is_own = stranger == own_user;
    match (found, is_own) {
        (Some(found), true) => found,
        (Some(found), false) => format!("{found}, user {stranger}"),
        (None, true) => "-".to_owned(),
        (None, false) => format!("user {stranger}"),
    }
}

/// `docker 4bba0e8a8bb6`: as much of an id as engines show.
pub(super) fn short_id(container: &str) -> String {
    match container.split_once(' ') {
        Some((engine, id)) if id.len() == 64 => format!("{engine} {}", &id[..12]),
        _ => container.to_owned(),
    }
}

fn redirected_row(one: &Redirected, framework: bool) -> Vec<String> {
    let open = match one.exposure {
        Exposure::All => ALL,
        Exposure::Lan => LAN,
        Exposure::Loopback => "loopback",
    };
    let mut row = vec![port(one.port, one.transport), open.to_owned(), "(firewall)".to_owned()];
    if framework {
        row.push("-".to_owned());
    }
    row.push(format!("container {}", one.container.name));
    row.push("-".to_owned());
    row
}

fn elsewhere_row(one: &Elsewhere) -> Vec<String> {
    let place = match (&one.container, &one.file) {
        (Some(container), _) => format!("container {}", container.name),
        (None, Some(file)) => file.clone(),
        (None, None) => match one.processes.iter().find_map(|one| one.container.as_deref()) {
            Some(container) => format!("container {}", short_id(container)),
            None => one.namespace.to_string(),
        },
    };
    let holder = one.processes.first().map_or_else(|| "(not to be seen)".to_owned(), process);
    vec![port(one.port, one.transport), endpoint(one.address, one.port), place, holder]
}

/// What may not be seen, and what would show it.
pub(super) fn notes(document: &Document) -> String {
    let mut notes = String::new();
    let hidden = document.listeners.iter().filter(|one| one.processes.is_empty()).count();
    if hidden > 0 {
        let (who, hide) = (hidden, document.unreadable_processes);
        let why = match hide {
            0 => "they belong to the kernel, or to processes of another pid namespace".to_owned(),
            // Root is refused too where a container has not the right to look (`CAP_SYS_PTRACE`).
            _ if is_root() => format!("{} not even root may look into here", processes(hide)),
            _ => format!("{} may not be looked into; `sudo wharf who` does", processes(hide)),
        };
        notes.push_str(&wrapped("note: ", &format!("{} without a process: {why}", listeners(who))));
    }
    if document.closed_namespaces > 0 {
        let way = if is_root() { "" } else { "; `sudo wharf who` does" };
        let text = match document.closed_namespaces {
            1 => format!("another network namespace may not be looked into{way}"),
            many => format!("{many} other network namespaces may not be looked into{way}"),
        };
        notes.push_str(&wrapped("note: ", &text));
    }
    for engine in &document.silent_engines {
        notes.push_str(&wrapped("note: ", &format!("containers are not told by {engine}")));
    }
    notes
}

/// Whoever is root has no `sudo` to try.
pub(super) fn is_root() -> bool {
    wharf_os::user::current_uid() == 0
}

fn listeners(count: usize) -> String {
    if count == 1 { "1 listener".to_owned() } else { format!("{count} listeners") }
}

pub(super) fn processes(count: usize) -> String {
    if count == 1 { "1 process".to_owned() } else { format!("{count} processes") }
}

//! The map as a tree: listeners below the processes that started them.

use std::collections::BTreeMap;

use wharf_model::Exposure;

use super::{Document, Listener, Process, grid};
use crate::facts::endpoint;
use crate::render::printable;

/// A process, and those below it.
#[derive(Default)]
struct Node {
    name: String,
    /// The listeners that it holds, in words.
    holds: Vec<String>,
    below: BTreeMap<u32, Node>,
}

pub(super) fn text(document: &Document) -> String {
    let mut root = Node::default();
    let mut unseen = Vec::new();
    for listener in &document.listeners {
        if listener.processes.is_empty() {
            unseen.push(format!("{} of user {}", what(listener), listener.user));
        }
        listener.processes.iter().for_each(|process| root.add(process, listener));
    }
    let mut text = String::new();
    root.below.iter().for_each(|(pid, node)| node.write(*pid, "", "", &mut text));
    if !unseen.is_empty() {
        text.push_str("(not to be seen)\n");
        unseen.iter().for_each(|one| text.push_str(&format!("    {}\n", printable(one))));
    }
    if text.is_empty() {
        text.push_str("nobody listens in this network namespace\n");
    }
    let notes = grid::notes(document);
    if notes.is_empty() { text } else { format!("{text}\n{notes}") }
}

impl Node {
    fn add(&mut self, process: &Process, listener: &Listener) {
        let above = process.ancestry.iter().rev().filter_map(|one| one.rsplit_once(' '));
        let above = above.filter_map(|(name, pid)| Some((pid.parse::<u32>().ok()?, name)));
        let mut node = self;
        for (pid, name) in above.chain([(process.pid, process.command.as_str())]) {
            node = node.below.entry(pid).or_default();
            name.clone_into(&mut node.name);
        }
        node.holds.push(what(listener));
    }

    /// `first` stands before its own line, `rest` before those below it.
    fn write(&self, pid: u32, first: &str, rest: &str, text: &mut String) {
        text.push_str(&format!("{first}{} {pid}\n", printable(&self.name)));
        for held in &self.holds {
            let bar = if self.below.is_empty() { "    " } else { "│   " };
            text.push_str(&format!("{rest}{bar}{}\n", printable(held)));
        }
        let last = self.below.len().saturating_sub(1);
        for (index, (pid, node)) in self.below.iter().enumerate() {
            let (branch, bar) =
                if index == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            node.write(*pid, &format!("{rest}{branch}"), &format!("{rest}{bar}"), text);
        }
    }
}

/// `tcp 127.0.0.1:8000, Vite, shop (fix-login)`
fn what(listener: &Listener) -> String {
    let mut parts =
        vec![format!("{} {}", listener.transport, endpoint(listener.address, listener.port))];
    if listener.exposure != Exposure::Loopback {
        parts.push(if listener.exposure == Exposure::All { "all!" } else { "LAN!" }.to_owned());
    }
    parts.extend(listener.framework_name.clone());
    match (&listener.role_text, &listener.instance, &listener.project) {
        (Some(role), ..) => parts.push(role.clone()),
        (None, Some(instance), _) => parts.push(format!("{instance} (wharf)")),
        (None, None, Some(project)) => parts.push(match listener.worktree.as_deref() {
            Some("") | None => project.clone(),
            Some(worktree) => format!("{project} ({worktree})"),
        }),
        (None, None, None) => {}
    }
    parts.extend(listener.container.as_ref().map(|one| format!("container {}", one.name)));
    parts.join(", ")
}

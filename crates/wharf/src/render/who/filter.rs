//! What of the map is told.

use std::collections::BTreeSet;

use wharf_model::Exposure;

use super::{Document, Listener};

/// What must be true of a listener. Everything that is set must be.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    /// One of these ports; none means all.
    pub(crate) ports: BTreeSet<u16>,
    /// It is reached from other machines.
    pub(crate) exposed: bool,
    /// The project's name, its worktree's, or a part of the root's path.
    pub(crate) project: Option<String>,
    /// The framework's id, or a part of its name.
    pub(crate) framework: Option<String>,
    /// The user's name or number.
    pub(crate) user: Option<String>,
}

impl Filter {
    /// Whether the port is one of those that were named.
    pub(super) fn has(&self, port: u16) -> bool {
        self.ports.is_empty() || self.ports.contains(&port)
    }

    /// Whether it lets everything pass.
    pub(super) fn is_open(&self) -> bool {
        self.ports.is_empty() && !self.exposed && !self.asks_for_holders()
    }

    fn asks_for_holders(&self) -> bool {
        self.project.is_some() || self.framework.is_some() || self.user.is_some()
    }

    fn passes(&self, listener: &Listener) -> bool {
        let exposed = listener.listening && listener.exposure != Exposure::Loopback;
        let user = self.user.as_ref().is_none_or(|user| {
            let of_process = listener.processes.iter().any(|one| one.user.as_ref() == Some(user));
            *user == listener.user || of_process
        });
        (!self.exposed || exposed)
            && user
            && self.project.as_deref().is_none_or(|name| is_of_project(listener, name))
            && self.framework.as_deref().is_none_or(|name| is_of_framework(listener, name))
    }
}

impl Document {
    /// Without what does not pass. What is not known of redirects, leases and other namespaces does not pass.
    pub(super) fn filtered(mut self, filter: &Filter) -> Document {
        self.listeners.retain(|listener| filter.passes(listener));
        if filter.exposed {
            self.redirected.retain(|one| one.exposure != Exposure::Loopback);
        }
        if filter.asks_for_holders() {
            self.redirected.clear();
        }
        if filter.exposed || filter.asks_for_holders() {
            self.elsewhere.clear();
            let shown: BTreeSet<u16> = self.listeners.iter().map(|one| one.port).collect();
            self.leases.retain(|lease| shown.contains(&lease.port.get()));
        }
        self
    }
}

fn is_of_project(listener: &Listener, name: &str) -> bool {
    let same = |own: &Option<String>| own.as_deref() == Some(name);
    let folder = listener.root.as_deref().is_some_and(|root| {
        let short = crate::facts::short_folder(std::path::Path::new(name));
        root == name || root == short
    });
    let instance = listener
        .instance
        .as_deref()
        .is_some_and(|own| own == name || own.ends_with(&format!(".{name}")));
    same(&listener.project) || same(&listener.worktree) || folder || instance
}

fn is_of_framework(listener: &Listener, name: &str) -> bool {
    let name = name.to_lowercase();
    let by_name = listener.framework_name.as_ref().is_some_and(|own| own.to_lowercase() == name);
    // `django` means `django-runserver` too.
    let by_id = listener.framework.is_some_and(|id| {
        id == name || id.strip_prefix(&name).is_some_and(|rest| rest.starts_with('-'))
    });
    by_name || by_id
}

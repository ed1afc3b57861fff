//! Who is in the way of a port that another program publishes for a project.

use std::path::{Path, PathBuf};

use wharf_model::{Lease, PathText, Port, ServiceKey, Transport};
use wharf_plan::project::Project;

use super::published;
use crate::engine::{Container, Engines};
use crate::facts;

/// What gives a checkout ports of its own.
const OWN_PORTS: &str =
    "`wharf export compose-override -o compose.override.yaml` gives this checkout ports of its own";

/// Who it is, and what to type.
pub(crate) struct Collision {
    pub(crate) who: String,
    pub(crate) help: String,
}

/// What is known of everybody's ports, seen from one checkout.
pub(crate) struct Sight {
    leases: Vec<Lease>,
    engines: Engines,
    project: PathText,
    worktree: String,
    root: PathBuf,
}

impl Sight {
    /// Engines are asked where there are ports to ask about: one may lead to a container without a socket.
    pub(crate) async fn of(project: &Project, leases: Vec<Lease>, ports: &[Port]) -> Sight {
        let engines = match ports.is_empty() {
            true => Engines::default(),
            false => Engines::ask().await,
        };
        Sight {
            leases,
            engines,
            project: PathText::new(&project.path),
            worktree: project.worktree.clone(),
            root: project.root.clone(),
        }
    }

    /// Who has a port that `service` of this checkout is to have; `None` where nobody has it, or this very service.
    /// A listener of Docker's of which its engine says nothing is taken for the project's own.
    pub(crate) fn in_the_way(&self, service: &str, port: Port) -> Option<Collision> {
        if let Some(lease) = self.leases.iter().find(|lease| lease.port == port) {
            return self.by_lease(service, lease);
        }
        let sockets = wharf_os::diag::holding(port.get()).unwrap_or_default();
        if let Some(container) = self.container(port) {
            return self.by_container(service, container);
        }
        if sockets.is_empty() || published::is_docker(port) {
            return None;
        }
        let who = facts::holder(&sockets).to_string();
        Some(Collision {
            who,
            help: format!("`wharf who {port}` tells more, `wharf free {port}` ends it"),
        })
    }

    /// The container that has it by TCP, as all that wharf keeps for Docker.
    pub(crate) fn container(&self, port: Port) -> Option<&Container> {
        let of_port = |one: &&Container| {
            one.published.iter().any(|p| (p.transport, p.port) == (Transport::Tcp, port.get()))
        };
        self.engines.containers.iter().find(of_port)
    }

    fn by_lease(&self, service: &str, lease: &Lease) -> Option<Collision> {
        let Some(key) = &lease.key else {
            let help = "`wharf ls` shows it".to_owned();
            return Some(Collision { who: "a lease of `wharf port`".to_owned(), help });
        };
        let is_here = key.project == self.project && key.worktree == self.worktree;
        let (name, is_docker) = match key.service.split_once("/published") {
            Some((name, _)) => (name, true),
            None => (key.service.as_str(), false),
        };
        if is_here && name == service {
            return None;
        }
        let help = match (is_here, is_docker) {
            (true, true) => "give one of them another port in the compose file".to_owned(),
            (true, false) => format!("give `{name}` another `port` in wharf.toml; or {OWN_PORTS}"),
            (false, _) => OWN_PORTS.to_owned(),
        };
        Some(Collision { who: said(key, name, is_docker, is_here), help })
    }

    fn by_container(&self, service: &str, container: &Container) -> Option<Collision> {
        let folder = container.folder.as_deref().map(Path::new);
        let is_here = folder.is_some_and(|folder| folder.starts_with(&self.root));
        if is_here && container.service.as_deref() == Some(service) {
            return None;
        }
        let of =
            folder.map(|folder| format!(" of Docker Compose in {}", facts::short_folder(folder)));
        let who = format!("the container {}{}", container.name, of.unwrap_or_default());
        let help = match is_here {
            true => "give one of them another port in the compose file".to_owned(),
            false => format!("`{}` ends it; or {OWN_PORTS}", container.stop_command()),
        };
        Some(Collision { who, help })
    }
}

/// `db` of Docker Compose in /home/a/shop, or the service of wharf's.
fn said(key: &ServiceKey, name: &str, is_docker: bool, is_here: bool) -> String {
    let by = if is_docker { " of Docker Compose" } else { "" };
    let worktree = match key.worktree.as_str() {
        "" => String::new(),
        worktree => format!(", worktree {worktree}"),
    };
    match is_here {
        true => format!("`{name}`{by} of this checkout"),
        false => {
            format!("`{name}`{by} in {}{worktree}", facts::short_folder(&key.project.to_path()))
        }
    }
}

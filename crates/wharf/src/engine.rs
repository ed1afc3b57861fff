//! Container engines: which containers publish which ports, and ending one of them, by the API that Docker
//! and Podman both speak over a Unix socket.
//!
//! Source: Docker Engine API 1.43 (`ContainerList`, `ContainerStop`), which Podman serves too.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use wharf_model::Transport;

mod answer;
mod call;

pub(crate) use call::EngineError;

/// How long an engine may take to list its containers. One that hangs costs this once.
const LIST_LIMIT: Duration = Duration::from_secs(2);
/// What an engine needs beyond the grace that it gives a container.
const STOP_SLACK: Duration = Duration::from_secs(5);

/// A container that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Container {
    /// `docker` or `podman`, by its socket.
    pub(crate) engine: &'static str,
    /// The socket of its engine.
    pub(crate) socket: PathBuf,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) image: String,
    /// The folder and the service of Docker Compose, if that made it.
    pub(crate) folder: Option<String>,
    pub(crate) service: Option<String>,
    pub(crate) published: Vec<Published>,
}

/// A port of this machine that leads into a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Published {
    pub(crate) transport: Transport,
    /// `None` where the engine does not say: every address.
    pub(crate) address: Option<IpAddr>,
    pub(crate) port: u16,
    /// The port inside.
    pub(crate) inner: u16,
}

/// What the engines of this machine say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Engines {
    pub(crate) containers: Vec<Container>,
    /// Engines that are there and did not answer, each with why.
    pub(crate) silent: Vec<(PathBuf, String)>,
}

impl Engines {
    /// Asks every engine whose socket is there, one after the other.
    pub(crate) async fn ask() -> Engines {
        let mut found = Engines::default();
        for (engine, socket) in sockets() {
            match call::containers(engine, &socket, LIST_LIMIT).await {
                Ok(containers) => found.containers.extend(containers),
                Err(EngineError::Absent) => {}
                Err(error) => found.silent.push((socket, error.to_string())),
            }
        }
        found
    }

    /// The container to which this port of this machine leads.
    pub(crate) fn publishing(
        &self,
        transport: Transport,
        address: IpAddr,
        port: u16,
    ) -> Option<&Container> {
        let is_it = |one: &Published| {
            let same = one.address.is_none_or(|own| own == address || own.is_unspecified());
            (one.transport, one.port) == (transport, port) && same
        };
        self.containers.iter().find(|container| container.published.iter().any(is_it))
    }

    /// The container with this id, as a cgroup names it.
    pub(crate) fn by_id(&self, id: &str) -> Option<&Container> {
        self.containers.iter().find(|container| container.id == id)
    }
}

impl Container {
    /// Has its engine end it, with a grace before the kill.
    ///
    /// # Errors
    /// The engine refuses, or does not answer in time.
    pub(crate) async fn stop(&self, grace: Duration) -> Result<(), EngineError> {
        call::stop(&self.socket, &self.id, grace, grace + STOP_SLACK).await
    }

    /// What a person may type to end it.
    pub(crate) fn stop_command(&self) -> String {
        format!("{} stop {}", self.engine, self.name)
    }
}

/// Where engines listen, those first that the user has named. Only Unix sockets are asked: nothing is sent to
/// another machine.
pub(crate) fn sockets() -> Vec<(&'static str, PathBuf)> {
    let named = std::env::var("DOCKER_HOST").ok();
    let named = named.and_then(|host| host.strip_prefix("unix://").map(PathBuf::from));
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let of_user = |file: &str| runtime.as_deref().map(|folder| folder.join(file));
    let all = [
        named.map(|path| (kind(&path), path)),
        Some(("docker", PathBuf::from("/var/run/docker.sock"))),
        of_user("docker.sock").map(|path| ("docker", path)),
        of_user("podman/podman.sock").map(|path| ("podman", path)),
        Some(("podman", PathBuf::from("/run/podman/podman.sock"))),
    ];
    let mut found: Vec<(&'static str, PathBuf)> = Vec::new();
    for (engine, path) in all.into_iter().flatten() {
        // Docker's socket is Podman's under another name where `podman-docker` is installed.
        let Ok(path) = std::fs::canonicalize(&path) else { continue };
        if !found.iter().any(|(_, known)| *known == path) {
            found.push((kind_or(&path, engine), path));
        }
    }
    found
}

fn kind(path: &Path) -> &'static str {
    kind_or(path, "docker")
}

fn kind_or(path: &Path, otherwise: &'static str) -> &'static str {
    let of_podman = path.to_string_lossy().contains("podman");
    if of_podman { "podman" } else { otherwise }
}

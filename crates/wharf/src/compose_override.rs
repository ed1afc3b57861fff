//! The ports of a checkout's compose project, leased: what is laid over its compose files so that two checkouts can be
//! up at once.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use wharf_control::api::{KeyRequest, LeaseRequest, ReleaseRequest, Released, Snapshot};
use wharf_export::{Overridden, Override};
use wharf_model::lease::Why;
use wharf_model::{
    External, Lease, LeaseKind, PathText, Port, PortRequest, Publication, Transport,
};
use wharf_plan::PlanError;
use wharf_plan::project::Project;
use wharf_plan::services::compose::{self, Compose, Wish};

use crate::engine::Engines;
use crate::link::{self, Link};
use crate::pilot::HOST;
use crate::report::{Code, Report};
use crate::settings::Settings;
use crate::settings::compose::OWN_FILE;
use crate::up::published;
use crate::{checkout, facts, narrate};

/// Docker compose finds this one by itself.
const FOUND: &str = "compose.override.yaml";

/// What is to be laid over the compose files of the current folder's project. `file` is where it will be, if that is
/// said.
///
/// # Errors
/// There is no compose file, docker compose would refuse it, or a port cannot be leased.
pub(crate) async fn of_checkout(file: Option<&Path>) -> Result<Override, Report> {
    let project = checkout::project()?;
    let settings = Settings::load(&project.root)?;
    // What was written before is passed over: its ports are those that are leased.
    let wish = Wish { is_strict: true, skips_own: true, ..settings.compose.wish() };
    let compose = compose::read(&project.root, &project.root, wish).map_err(refused)?;
    if compose.files.is_empty() {
        return Err(Report::new(Code::NotFound, "this project has no compose file")
            .why(format!("looked for {} in {}", compose::FILES.join(", "), project.root.display()))
            .help("`[compose] files` in wharf.toml names those that lie elsewhere"));
    }
    let link = Link::open().await?;
    let snapshot = link.snapshot().await?;
    let engines = Engines::ask().await;
    let leasing = Leasing { project: &project, link, snapshot, engines };
    let mut services = Vec::new();
    for external in compose.services.iter().chain(compose.dormant.iter().map(|(one, _)| one)) {
        services.extend(leasing.service(external).await?);
    }
    let name = leasing.name(&compose);
    if compose.named_by == "COMPOSE_PROJECT_NAME" && name != compose.name {
        narrate::warning(&format!(
            "COMPOSE_PROJECT_NAME is stronger than the name in a file: `docker compose -p {name} up`"
        ));
    }
    let file = file.map_or_else(|| place(&compose), Path::to_path_buf);
    let notes = vec![way(&compose, &file, &project.root)];
    Ok(Override { name, file, notes, services })
}

/// The error of an import: docker compose would refuse the same, but for what is more than wharf reads.
pub(crate) fn refused(error: PlanError) -> Report {
    let is_written = matches!(error, PlanError::MalformedFile { .. });
    let is_unset =
        matches!(&error, PlanError::MalformedFile { why, .. } if why.contains("has to be set"));
    let mut report = Report::from(error);
    if !is_written {
        return report;
    }
    report.help.clear();
    report.help(match is_unset {
        true => "set it in the shell, or in `.env` beside the first file",
        false => "mend the file; docker compose would not take it either",
    })
}

/// Where docker compose finds it by itself, unless the project has one there.
fn place(compose: &Compose) -> PathBuf {
    match compose.is_default && compose.files.len() == 1 {
        true => FOUND.into(),
        false => OWN_FILE.into(),
    }
}

/// How docker compose comes to read it.
fn way(compose: &Compose, file: &Path, root: &Path) -> String {
    let below = |path: &Path| path.strip_prefix(root).unwrap_or(path).display().to_string();
    let file = file.strip_prefix(root).or_else(|_| file.strip_prefix(".")).unwrap_or(file);
    let mut files: Vec<String> = compose.files.iter().map(|file| below(file)).collect();
    if compose.is_default && files.len() == 1 && file == Path::new(FOUND) {
        return format!("`docker compose up` reads it beside {}.", files[0]);
    }
    files.push(below(file));
    let words: Vec<String> = files.iter().map(|file| word(file)).collect();
    format!(
        "It is read last: `docker compose -f {} up`, or COMPOSE_FILE={} in .env.",
        words.join(" -f "),
        word(&files.join(":"))
    )
}

/// A word as a shell takes it.
fn word(text: &str) -> String {
    shlex::try_quote(text).map_or_else(|_| text.to_owned(), |quoted| quoted.into_owned())
}

/// What is known while ports are leased.
struct Leasing<'a> {
    project: &'a Project,
    link: Link,
    snapshot: Snapshot,
    engines: Engines,
}

impl Leasing<'_> {
    /// The name of this checkout's compose project: the main one has the name that it has anyway.
    fn name(&self, compose: &Compose) -> String {
        match self.project.worktree.as_str() {
            "" => compose.name.clone(),
            // A folder beside the main one is often called `shop-feature` already.
            worktree if compose::normal(worktree).starts_with(&format!("{}-", compose.name)) => {
                compose::normal(worktree)
            }
            worktree => compose::normal(&format!("{}-{worktree}", compose.name)),
        }
    }

    /// A service with its ports leased; `None` of one that publishes nothing and has no fixed name.
    async fn service(&self, external: &External) -> Result<Option<Overridden>, Report> {
        let mut leased: Vec<(Port, String, Port)> = Vec::new();
        let mut ports: Vec<String> = Vec::new();
        for one in &external.published {
            let host = match one.host.as_ref().and_then(|host| Port::new(*host.start())) {
                None => String::new(),
                Some(wanted) => self.once(external, one, wanted, &mut leased).await?.to_string(),
            };
            let text = short(one, &host);
            if !ports.contains(&text) {
                ports.push(text);
            }
        }
        let is_linked = !self.project.worktree.is_empty();
        let container = external.container.as_ref().filter(|_| is_linked);
        let container =
            container.map(|name| format!("{name}-{}", compose::normal(&self.project.worktree)));
        if ports.is_empty() && container.is_none() {
            return Ok(None);
        }
        Ok(Some(Overridden { service: external.name.clone(), container, ports }))
    }

    /// The port for one of this machine's, whatever protocols and addresses it is published by.
    async fn once(
        &self,
        external: &External,
        one: &Publication,
        wanted: Port,
        leased: &mut Vec<(Port, String, Port)>,
    ) -> Result<Port, Report> {
        if let Some((.., port)) = leased.iter().find(|(known, ..)| *known == wanted) {
            return Ok(*port);
        }
        let slot =
            published::slot(one.target, |slot| leased.iter().any(|(_, known, _)| known == slot));
        let port = self.port((&external.name, &slot), wanted, transport(one)).await?;
        leased.push((wanted, slot, port));
        Ok(port)
    }

    /// The port of one of its ports: the one that it has, else one by the rules for all services.
    async fn port(
        &self,
        (service, slot): (&str, &str),
        wanted: Port,
        transport: Option<Transport>,
    ) -> Result<Port, Report> {
        let key = KeyRequest {
            project: PathText::new(&self.project.path),
            worktree: self.project.worktree.clone(),
            service: published::lease_name(service, slot),
            instance: Some(1),
        };
        let is_it = |other: &wharf_model::ServiceKey| {
            other.project == key.project
                && other.worktree == key.worktree
                && other.service == key.service
        };
        let live = self.snapshot.leases.iter();
        if let Some(lease) = live.into_iter().find(|one| one.key.as_ref().is_some_and(is_it)) {
            return Ok(lease.port);
        }
        let home = self.snapshot.homes.iter().find(|home| is_it(&home.key)).map(|home| home.port);
        let is_main = self.project.worktree.is_empty();
        let own = home.or(Some(wanted).filter(|_| is_main));
        if let Some(port) =
            own.filter(|port| self.is_ours(*port, transport) || self.is_beyond_us(*port))
        {
            return Ok(port);
        }
        let lease = self.lease(&key, PortRequest::Conventional(wanted)).await?;
        if let Some(told) = told(&lease.why, lease.port) {
            narrate::line(&format!("`{service}`: {told}"));
        }
        // A port that was taken because of a stranger is not remembered by itself. Here a file names it from now on.
        if matches!(&lease.why, Why::NextFree(displaced) if displaced.foreign) {
            let release = Released::Leases(vec![lease.id]);
            let by = Some(facts::own_process());
            self.link.release(&ReleaseRequest { release, by }).await?;
            self.lease(&key, PortRequest::Exactly(lease.port)).await?;
        }
        Ok(lease.port)
    }

    async fn lease(&self, key: &KeyRequest, request: PortRequest) -> Result<Lease, Report> {
        let request = LeaseRequest {
            request_id: link::request_id(),
            key: Some(key.clone()),
            request,
            slots: 1,
            owner: LeaseKind::Process(facts::own_process()),
            busy: Vec::new(),
            agent: crate::agent::of_caller(),
        };
        let nothing = || Report::new(Code::Daemon, "the daemon has leased nothing");
        self.link.lease(&request).await?.leases.into_iter().next().ok_or_else(nothing)
    }

    /// Whether it is this project that Docker publishes there already.
    fn is_ours(&self, port: Port, transport: Option<Transport>) -> bool {
        if !published::is_docker(port) {
            return false;
        }
        let of_port = |one: &&crate::engine::Container| {
            one.published.iter().any(|published| {
                (Some(published.transport), published.port) == (transport, port.get())
            })
        };
        let folder =
            self.engines.containers.iter().find(of_port).and_then(|one| one.folder.clone());
        // An engine that does not answer leaves it open: the port is the project's own by memory or by its file.
        folder.is_none_or(|folder| Path::new(&folder).starts_with(&self.project.root))
    }

    /// Whether nobody has a port that only Docker may bind.
    fn is_beyond_us(&self, port: Port) -> bool {
        let is_leased = self.snapshot.leases.iter().any(|lease| lease.port == port);
        !is_leased && published::is_dockers_alone(port)
    }
}

/// `None` of one that engines list and wharf does not know, such as SCTP.
fn transport(one: &Publication) -> Option<Transport> {
    match one.protocol.as_str() {
        "tcp" => Some(Transport::Tcp),
        "udp" => Some(Transport::Udp),
        _ => None,
    }
}

/// `127.0.0.1:8000:80`, or with another address of this machine alone.
fn short(one: &Publication, host: &str) -> String {
    let address = match one.address.filter(IpAddr::is_loopback) {
        None => HOST.to_owned(),
        Some(IpAddr::V4(address)) => address.to_string(),
        Some(IpAddr::V6(address)) => format!("[{address}]"),
    };
    let protocol = match one.protocol.as_str() {
        "tcp" => String::new(),
        protocol => format!("/{protocol}"),
    };
    format!("{address}:{host}:{}{protocol}", one.target)
}

/// Why a port is another one than the file says.
fn told(why: &Why, port: Port) -> Option<String> {
    match why {
        Why::NextFree(displaced) | Why::Home { instead_of: Some(displaced) } => Some(format!(
            "port {} is that of {}; this checkout has {port}",
            displaced.wanted, displaced.holder
        )),
        Why::LeftToMain { wanted } => Some(format!(
            "port {wanted} is left to the main checkout; this worktree has its own, {port}"
        )),
        Why::Asked | Why::Conventional | Why::Home { instead_of: None } => None,
    }
}

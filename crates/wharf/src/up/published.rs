//! Ports that another program publishes for a project, such as Docker's: nobody else is to be given them for as long as
//! anything of the project lives.

use std::net::IpAddr;

use wharf_control::api::{KeyRequest, LeaseRequest, ReleaseRequest, Released, Snapshot};
use wharf_model::{
    Agent, External, Lease, LeaseKind, PathText, Port, PortRequest, ProcessId, Publication,
    Service, ServiceKey,
};

use super::collision::{Collision, Sight};
use super::order::{Published, Sibling};
use super::project::Wanted;
use crate::link::{self, Link};
use crate::pilot::HOST;
use crate::{facts, narrate};

/// Below this port a bind may be refused to us, and not to Docker.
const FIRST_UNPRIVILEGED: u16 = 1024;

/// Those of a project: every port of TCP's once.
pub(crate) fn of(external: &[External]) -> Vec<Published> {
    external.iter().flat_map(of_one).collect()
}

fn of_one(external: &External) -> Vec<Published> {
    let mut all: Vec<Published> = Vec::new();
    for one in external.published.iter().filter(|one| one.is_tcp()) {
        for port in one.host.clone().into_iter().flatten().filter_map(Port::new) {
            if all.iter().any(|known| known.port == port) {
                continue;
            }
            let slot = slot(one.target, |slot| all.iter().any(|known| known.slot == slot));
            all.push(Published { name: external.name.clone(), port, slot });
        }
    }
    all
}

/// What a port is remembered by: `5432`, and a further one of the same port within `5432-2`.
pub(crate) fn slot(target: u16, is_taken: impl Fn(&str) -> bool) -> String {
    let name_of = |number: u32| match number {
        1 => target.to_string(),
        number => format!("{target}-{number}"),
    };
    (1..).map(name_of).find(|slot| !is_taken(slot)).unwrap_or_default()
}

/// What the lease of such a port is called.
pub(crate) fn lease_name(service: &str, slot: &str) -> String {
    format!("{service}/published{slot}")
}

/// Where the services of other programs are found, by their first port that is known; those of which the project has
/// one of its own name are left out.
pub(crate) fn siblings(external: &[External], services: &[Service]) -> Vec<Sibling> {
    let is_own = |one: &&External| services.iter().any(|service| service.name == one.name);
    external.iter().filter(|one| !is_own(one)).filter_map(sibling).collect()
}

fn sibling(external: &External) -> Option<Sibling> {
    let is_known = |one: &&Publication| {
        let is_single = one.host.as_ref().is_some_and(|host| host.start() == host.end());
        one.is_tcp() && is_single
    };
    let first = external.published.iter().find(is_known)?;
    let address = first.address.filter(|address| !address.is_unspecified());
    let host = match address {
        None => HOST.to_owned(),
        Some(IpAddr::V4(address)) => address.to_string(),
        Some(IpAddr::V6(address)) => format!("[{address}]"),
    };
    let port = *first.host.as_ref()?.start();
    let url = format!("http://{host}:{port}");
    let service = external.name.clone();
    Some(Sibling { service, instance: 1, host, port, direct_url: url.clone(), url })
}

/// Leases them for the first pilot. One that is in use is Docker's already, or somebody's who is in its way, which is
/// said.
pub(crate) async fn keep(link: &Link, wanted: &Wanted, pilot: &ProcessId) {
    let all = of(&wanted.external);
    // Without an answer all are asked for: at worst a warning is too much.
    let leases = link.snapshot().await.map(|snapshot| snapshot.leases).unwrap_or_default();
    let ports: Vec<Port> = all.iter().map(|published| published.port).collect();
    let sight = Sight::of(&wanted.project, leases.clone(), &ports).await;
    let project = PathText::new(&wanted.project.path);
    let agent = crate::agent::of_caller();
    leave_moved(link, &all, (&project, &wanted.project.worktree), &leases).await;
    for published in &all {
        let key = published.key(&project, &wanted.project.worktree);
        // An earlier `up` of this checkout keeps it already.
        if leases.iter().any(|lease| is_of(lease, &key) && lease.port == published.port) {
            continue;
        }
        let port = published.port;
        let lease = link.lease(&request(key, port, pilot, agent.clone())).await;
        let Err(report) = lease else { continue };
        match sight.in_the_way(&published.name, port) {
            Some(collision) => tell(published, &collision),
            // Docker has it already, or may have it.
            None if sight.container(port).is_some() => {}
            None if is_docker(port) || is_dockers_alone(port) => {}
            None => {
                let what = format!("Docker's `{}` publishes port {port}", published.name);
                narrate::warning(&format!("{what}: {}", report.what));
            }
        }
    }
}

/// Releases ports that the compose files have since given another number. All of them first: two may have changed
/// places.
async fn leave_moved(
    link: &Link,
    all: &[Published],
    (project, worktree): (&PathText, &str),
    leases: &[Lease],
) {
    for published in all {
        let key = published.key(project, worktree);
        let is_moved = |lease: &&Lease| is_of(lease, &key) && lease.port != published.port;
        for lease in leases.iter().filter(is_moved) {
            // The pilot that has it took it for the project, and knows no number but the old one.
            let by = match &lease.kind {
                LeaseKind::Process(owner) => Some(owner.clone()),
                LeaseKind::Ttl(_) => None,
            };
            let release = Released::Leases(vec![lease.id]);
            // Where it is gone by now, that is what was wanted.
            let _ = link.release(&ReleaseRequest { release, by }).await;
        }
    }
}

/// Says who is in the way of Docker's, where nothing of wharf's runs that could keep the ports.
pub(crate) async fn look(link: &Link, wanted: &Wanted) {
    let all = of(&wanted.external);
    let ports: Vec<Port> = all.iter().map(|published| published.port).collect();
    let leases = link.snapshot().await.map(|snapshot| snapshot.leases).unwrap_or_default();
    let sight = Sight::of(&wanted.project, leases, &ports).await;
    for published in &all {
        if let Some(collision) = sight.in_the_way(&published.name, published.port) {
            tell(published, &collision);
        }
    }
}

fn tell(published: &Published, collision: &Collision) {
    let Published { name, port, .. } = published;
    let Collision { who, help } = collision;
    narrate::warning(&format!(
        "Docker's `{name}` publishes port {port}, which is that of {who}: {help}"
    ));
}

/// Takes over what a pilot that has ended has left. Each of those that live asks for it, and the daemon grants it to one:
/// who is the first may have been started before the compose file named the port.
pub(crate) async fn take_over(
    link: &Link,
    own: &ServiceKey,
    published: &[Published],
    snapshot: &Snapshot,
) {
    for one in published {
        let key = one.key(&own.project, &own.worktree);
        // Another number is that of a later `up`, which has read the files anew.
        if !snapshot.leases.iter().any(|lease| is_of(lease, &key)) {
            // It may be Docker's by now, and nobody else's concern.
            let _ = link.lease(&request(key, one.port, &facts::own_process(), None)).await;
        }
    }
}

impl Published {
    fn key(&self, project: &PathText, worktree: &str) -> KeyRequest {
        KeyRequest {
            project: project.clone(),
            worktree: worktree.to_owned(),
            service: match self.slot.as_str() {
                "" => lease_name(&self.name, &self.port.to_string()),
                slot => lease_name(&self.name, slot),
            },
            instance: Some(1),
        }
    }
}

fn request(key: KeyRequest, port: Port, owner: &ProcessId, agent: Option<Agent>) -> LeaseRequest {
    LeaseRequest {
        request_id: link::request_id(),
        key: Some(key),
        request: PortRequest::Exactly(port),
        slots: 1,
        owner: LeaseKind::Process(owner.clone()),
        busy: Vec::new(),
        agent,
    }
}

fn is_of(lease: &Lease, asked: &KeyRequest) -> bool {
    lease.key.as_ref().is_some_and(|known| {
        known.project == asked.project
            && known.worktree == asked.worktree
            && known.service == asked.service
    })
}

/// Whether nobody has a port that Docker may bind and we may not.
pub(crate) fn is_dockers_alone(port: Port) -> bool {
    port.get() < FIRST_UNPRIVILEGED && is_free(port)
}

/// Whether nobody listens there.
pub(crate) fn is_free(port: Port) -> bool {
    wharf_os::diag::holding(port.get()).is_ok_and(|sockets| sockets.is_empty())
}

/// Whether it is Docker itself that listens there.
pub(crate) fn is_docker(port: Port) -> bool {
    let sockets = wharf_os::diag::holding(port.get()).unwrap_or_default();
    let command = facts::holder(&sockets).command;
    !sockets.is_empty() && command.is_none_or(|command| command.contains("docker"))
}

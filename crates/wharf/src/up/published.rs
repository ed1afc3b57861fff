//! Ports that another program publishes for a project, such as Docker's: nobody else is to be given them for as long as
//! anything of the project lives.

use wharf_control::api::{KeyRequest, LeaseRequest, Snapshot};
use wharf_model::{
    Agent, External, Lease, LeaseKind, PathText, Port, PortRequest, ProcessId, ServiceKey,
};

use super::order::Published;
use super::project::Wanted;
use crate::link::{self, Link};
use crate::{facts, narrate};

/// Those of a project.
pub(crate) fn of(external: &[External]) -> Vec<Published> {
    let ports = |one: &External| {
        let (name, ports) = (one.name.clone(), one.ports.clone());
        let port = move |port: u16| Some(Published { name: name.clone(), port: Port::new(port)? });
        ports.into_iter().filter_map(port)
    };
    external.iter().flat_map(ports).collect()
}

/// Leases them for the first pilot. One that is in use is Docker's already, or somebody's who is in its way.
pub(crate) async fn keep(link: &Link, wanted: &Wanted, pilot: &ProcessId) {
    // Without an answer all are asked for: at worst a warning is too much.
    let leases = link.snapshot().await.map(|snapshot| snapshot.leases).unwrap_or_default();
    let project = PathText::new(&wanted.project.path);
    let agent = crate::agent::of_caller();
    for external in &wanted.external {
        for published in of(std::slice::from_ref(external)) {
            let key = published.key(&project, &wanted.project.worktree);
            // An earlier `up` of this checkout keeps it already.
            if is_kept(&leases, &key) {
                continue;
            }
            let port = published.port;
            if let Err(report) = link.lease(&request(key, port, pilot, agent.clone())).await
                && !is_docker(port)
            {
                narrate::warning(&format!(
                    "`{}` ({}) publishes port {port}: {}",
                    external.name, external.by, report.what
                ));
            }
        }
    }
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
        if !is_kept(&snapshot.leases, &key) {
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
            service: format!("{}/published{}", self.name, self.port),
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

fn is_kept(leases: &[Lease], asked: &KeyRequest) -> bool {
    leases.iter().filter_map(|lease| lease.key.as_ref()).any(|known| {
        known.project == asked.project
            && known.worktree == asked.worktree
            && known.service == asked.service
    })
}

/// Whether it is Docker itself that listens there.
fn is_docker(port: Port) -> bool {
    let sockets = wharf_os::diag::holding(port.get()).unwrap_or_default();
    let command = facts::holder(&sockets).command;
    !sockets.is_empty() && command.is_none_or(|command| command.contains("docker"))
}

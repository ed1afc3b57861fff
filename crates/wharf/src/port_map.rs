//! The port map of the machine, joined: what the kernel says, what the daemon, the catalog, the container
//! engines and the files of projects know of it.

use std::collections::HashMap;
use std::net::IpAddr;

use wharf_facts::UserNames;
use wharf_facts::map::{self, Listening, PortMap, Process, Query};
use wharf_model::{Lease, Transport};
use wharf_plan::catalog::Framework;

use crate::choice;
use crate::engine::{Container, Engines};
use crate::report::Report;

mod about;
mod known;
mod origin;

pub(crate) use about::About;
pub(crate) use known::Known;
pub(crate) use origin::{agent_above, editor};

/// Programs that listen for a container: Docker's proxy, and what rootless engines have in its place.
const PUBLISHERS: [&str; 8] = [
    "docker-proxy",
    "rootlesskit",
    "rootlessport",
    "conmon",
    "slirp4netns",
    "pasta",
    "passt",
    "gvproxy",
];

/// What a listener is to wharf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It is the proxy's, by this scheme (`http`, `https`).
    Proxy(String),
    /// `wharf focus` or `wharf tcp` leads it there.
    Leads(String),
    /// It is the daemon's, which did not say what for.
    Daemon,
    /// It is an instance's.
    Instance(String),
    /// Its pilot holds it, before the server accepts.
    Held(String),
}

/// A moment of the machine.
#[derive(Debug, Default)]
pub(crate) struct Joined {
    pub(crate) map: PortMap,
    pub(crate) known: Known,
    pub(crate) engines: Engines,
    abouts: HashMap<u32, About>,
    /// The users' names.
    pub(crate) users: UserNames,
}

impl Joined {
    /// Looks. The kernel, the daemon and the engines are asked at the same time.
    ///
    /// # Errors
    /// The kernel does not tell. What the others do not tell is said to be missing.
    pub(crate) fn look(query: Query) -> Result<Joined, Report> {
        let asked = std::thread::Builder::new().name("asking".to_owned()).spawn(ask);
        let map = map::map(query)
            .map_err(|error| Report::bug("the kernel does not tell who listens", &error))?;
        let abouts = about::of(map.processes.values());
        let (known, engines) = match asked.map(std::thread::JoinHandle::join) {
            Ok(Ok(answers)) => answers,
            // There are threads enough for nobody: one after the other, then.
            _ => ask(),
        };
        Ok(Joined { map, known, engines, abouts, users: UserNames::default() })
    }

    /// What is known of a process beyond the kernel's word.
    pub(crate) fn about(&self, process: &Process) -> Option<&About> {
        self.abouts.get(&process.id.pid)
    }

    /// The process that a listener is known by: of several that share it, the first that started, since that is
    /// the one that opened it.
    pub(crate) fn first<'a>(&'a self, listener: &'a Listening) -> Option<&'a Process> {
        self.map.processes_of(listener).min_by_key(|one| (one.id.start_ticks, one.id.pid))
    }

    /// The framework of those that share a listener: of the first of them whose is known.
    pub(crate) fn framework(&self, listener: &Listening) -> Option<&'static Framework> {
        let mut processes = self.map.processes_of(listener);
        processes.find_map(|process| self.about(process)?.framework)
    }

    /// The lease on a port.
    pub(crate) fn lease(&self, port: u16) -> Option<&Lease> {
        self.known.leases.iter().find(|lease| lease.port.get() == port)
    }

    /// What a listener of this namespace is to wharf.
    pub(crate) fn role(&self, listener: &Listening) -> Option<Role> {
        if listener.transport == Transport::Udp {
            return None;
        }
        if self.known.daemon.is_some_and(|daemon| listener.pids.contains(&daemon)) {
            return Some(self.known.front(listener.address, listener.port));
        }
        self.map.processes_of(listener).find_map(|process| self.role_of(process))
    }

    fn role_of(&self, process: &Process) -> Option<Role> {
        let pid = process.id.pid;
        let live = self.known.instances.iter().filter(|instance| instance.state.is_live());
        live.into_iter().find_map(|instance| {
            let pilot = instance.pilot_pid;
            let name = choice::short_name(instance);
            match process.ancestry.iter().any(|ancestor| ancestor.pid == pilot) {
                true => Some(Role::Instance(name)),
                false => (pid == pilot).then_some(Role::Held(name)),
            }
        })
    }

    /// The container that the processes of a listener are in.
    pub(crate) fn container_within(&self, listener: &Listening) -> Option<&Container> {
        let mut processes = self.map.processes_of(listener);
        let within = processes.find_map(|process| process.container.as_ref())?;
        self.engines.by_id(&within.id)
    }

    /// The container that a listener is in, or that it leads to.
    pub(crate) fn container(&self, listener: &Listening) -> Option<&Container> {
        if let Some(found) = self.container_within(listener) {
            return Some(found);
        }
        let passes_on = |process: &Process| is_publisher(process);
        let seen = self.map.processes_of(listener).next().is_some();
        if seen && !self.map.processes_of(listener).any(passes_on) {
            return None;
        }
        self.engines.publishing(listener.transport, listener.address, listener.port)
    }

    /// Ports that engines publish and on which no socket of this namespace listens: the firewall leads them
    /// into the container.
    pub(crate) fn redirected(&self) -> Vec<Redirected<'_>> {
        let of = |container| published_by(container);
        let all = self.engines.containers.iter().flat_map(of);
        all.filter(|one| !self.listens(one.transport, one.port)).collect()
    }

    fn listens(&self, transport: Transport, port: u16) -> bool {
        self.map.listeners.iter().any(|one| (one.transport, one.port) == (transport, port))
    }
}

/// A published port without a socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Redirected<'a> {
    pub(crate) transport: Transport,
    pub(crate) address: IpAddr,
    pub(crate) port: u16,
    pub(crate) inner: u16,
    pub(crate) container: &'a Container,
}

fn published_by(container: &Container) -> impl Iterator<Item = Redirected<'_>> {
    container.published.iter().map(move |published| Redirected {
        transport: published.transport,
        address: published.address.unwrap_or(IpAddr::from([0, 0, 0, 0])),
        port: published.port,
        inner: published.inner,
        container,
    })
}

/// Whether a process listens on behalf of a container.
pub(crate) fn is_publisher(process: &Process) -> bool {
    PUBLISHERS.contains(&process.command.as_str())
}

/// The daemon and the engines.
fn ask() -> (Known, Engines) {
    let both = crate::cli::block_on(async { (Known::ask_or_say().await, Engines::ask().await) });
    both.unwrap_or_default()
}

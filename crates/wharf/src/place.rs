//! The place of an instance: its leased ports, and the sockets that keep them from others until the
//! server binds.
//!
//! The daemon says which port by the whole policy; the reservation, a plain bind by this process, is
//! what makes it true. Where a stranger was faster, the daemon is asked again with that port marked.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::Ipv4Addr;

use wharf_control::api::{BusyPort, KeyRequest, LeaseReply, LeaseRequest, ProxyPorts};
use wharf_model::lease::Displaced;
use wharf_model::policy::fallback_ports;
use wharf_model::{Holder, Instance, LaunchPlan, LeaseKind, Port, PortRange, PortRequest, Why};
use wharf_os::loopback_address::LoopbackAddress;
use wharf_os::reserve::{self, Occupancy, Reservation};

use crate::facts;
use crate::link::Link;
use crate::report::{Code, Report};

/// How often a granted port may turn out to be taken before something else must be wrong.
const ROUNDS: usize = 32;

/// How many ports are tried without a daemon.
const TRIES: usize = 4096;

/// What an instance needs.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// Whose port it is; nobody's for an anonymous one, which is not remembered.
    pub(crate) key: Option<KeyRequest>,
    pub(crate) request: PortRequest,
    /// How many ports; the first is the one that was asked for.
    pub(crate) count: usize,
    /// How to keep the ports by sockets, if at all.
    pub(crate) keep: Keep,
}

/// How a port is kept from others until the server binds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Not at all: for programs that bind without `SO_REUSEADDR`.
    Not,
    /// Over the socket a server may bind by itself.
    Shared,
    /// Nobody may bind it until whoever answers the server's calls lets it.
    Alone,
}

/// Ports that are held.
#[derive(Debug)]
pub(crate) struct Place {
    ports: Vec<Port>,
    instance: u32,
    label: Option<String>,
    why: Why,
    reservations: Vec<Reservation>,
    /// The name of the outer execution whose port this is.
    outer: Option<String>,
    address: Option<LoopbackAddress>,
    proxy: ProxyPorts,
}

impl Place {
    /// Takes the ports: by the daemon's policy, or by the kernel alone.
    ///
    /// # Errors
    /// The very port that was asked for is taken or forbidden, or no port is left.
    pub(crate) async fn take(link: Option<&Link>, wanted: &Wanted) -> Result<Place, Report> {
        match link {
            Some(link) => leased(link, wanted).await,
            None => alone(wanted),
        }
    }

    /// Holds what the daemon has granted; or says which of the ports is busy all the same.
    ///
    /// # Errors
    /// Nothing was granted, or the system forbids the bind.
    pub(crate) fn of_grant(
        reply: LeaseReply,
        keep: Keep,
    ) -> Result<Result<Place, BusyPort>, Report> {
        let LeaseReply { leases, label, proxy, .. } = reply;
        let ports: Vec<Port> = leases.iter().map(|lease| lease.port).collect();
        let Some(first) = leases.into_iter().next() else {
            return Err(Report::new(Code::Daemon, "the daemon granted nothing"));
        };
        let reservations = match reserve_all(&ports, keep) {
            Ok(reservations) => reservations,
            Err((port, occupancy)) => {
                return Ok(Err(BusyPort { port, holder: Some(blame(port, occupancy)?) }));
            }
        };
        let instance = first.key.map_or(1, |key| key.instance);
        let (why, outer, address) = (first.why, None, None);
        Ok(Ok(Place { ports, instance, label, why, reservations, outer, address, proxy }))
    }

    /// The ports of an outer wharf, inside which this one runs.
    pub(crate) fn of_outer(port: Port, instance: u32, id: String, label: Option<String>) -> Place {
        let outer = Some(id);
        let (ports, why) = (vec![port], Why::Asked);
        let (reservations, proxy) = (Vec::new(), ProxyPorts::default());
        Place { ports, instance, label, why, reservations, outer, address: None, proxy }
    }

    /// Ports on an address of the instance's own, where nobody is in the way: nothing is leased.
    pub(crate) async fn at_address(
        link: Option<&Link>,
        key: &KeyRequest,
        wanted: Port,
        count: usize,
    ) -> Result<Place, Report> {
        let instance = match (key.instance, link) {
            (Some(instance), _) => instance,
            (None, Some(link)) => lowest_idle(&link.snapshot().await?.instances, key),
            (None, None) => 1,
        };
        let address = LoopbackAddress::take(number(key, instance)).map_err(|error| {
            Report::new(Code::Failed, "no loopback address could be had").because(&error)
        })?;
        let ports = (wanted.get()..=u16::MAX).filter_map(Port::new).take(count).collect();
        let place = Place::of_outer(wanted, instance, String::new(), None);
        Ok(Place { ports, outer: None, address: Some(address), ..place })
    }

    /// Where clients find it.
    pub(crate) fn host(&self) -> String {
        self.address().unwrap_or(Ipv4Addr::LOCALHOST).to_string()
    }

    /// The address of the instance's own, where it has one.
    pub(crate) fn address(&self) -> Option<Ipv4Addr> {
        self.address.as_ref().map(LoopbackAddress::get)
    }

    /// The name of the outer execution that this one is a part of.
    pub(crate) fn outer(&self) -> Option<&str> {
        self.outer.as_deref()
    }

    /// The leased ports, the service's own first.
    pub(crate) fn ports(&self) -> Vec<Port> {
        self.ports.clone()
    }

    /// Which instance of the service this is.
    pub(crate) fn instance(&self) -> u32 {
        self.instance
    }

    /// The project's label in host names, where the daemon gave one.
    pub(crate) fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }

    /// Where names lead, where there is a proxy for them.
    pub(crate) fn proxy(&self) -> ProxyPorts {
        self.proxy
    }

    /// Why the first port is what it is.
    pub(crate) fn why(&self) -> &Why {
        &self.why
    }

    /// The sockets, for whoever holds them from now on.
    pub(crate) fn take_reservations(&mut self) -> Vec<Reservation> {
        std::mem::take(&mut self.reservations)
    }

    /// What a person should know of the choice: nothing when the port is the expected one.
    pub(crate) fn story(&self, plan: &LaunchPlan) -> Vec<String> {
        let port = self.ports[0];
        let mut lines = Vec::new();
        match &self.why {
            Why::NextFree(displaced) => lines.push(fallback(displaced, port)),
            // Whose home it is while nobody runs there is no news: this service has its own.
            Why::Home { instead_of: Some(displaced) } if is_idle(&displaced.holder) => {}
            Why::Home { instead_of: Some(displaced) } => lines.push(format!(
                "port {} is taken by {}; this service has its own, {port}",
                displaced.wanted, displaced.holder
            )),
            Why::LeftToMain { wanted } => lines.push(format!(
                "port {wanted} is left to the main checkout; this worktree has its own, {port}"
            )),
            Why::Asked | Why::Conventional | Why::Home { instead_of: None } => {}
        }
        if plan.request.wanted().is_browser_blocked() && self.ports[0] == plan.request.wanted() {
            lines.push(format!("browsers refuse port {port}; curl and other clients do not"));
        }
        lines
    }
}

/// The lowest number of which no instance of the service lives.
fn lowest_idle(instances: &[Instance], key: &KeyRequest) -> u32 {
    let lives = |number: &u32| {
        instances.iter().any(|instance| {
            let other = &instance.key;
            instance.state.is_live()
                && (&other.project, &other.worktree, &other.service)
                    == (&key.project, &key.worktree, &key.service)
                && other.instance == *number
        })
    };
    (1..).find(|number| !lives(number)).unwrap_or(1)
}

/// The number by which an instance finds the same address again.
fn number(key: &KeyRequest, instance: u32) -> u64 {
    let mut hasher = DefaultHasher::new();
    (key.project.as_str(), &key.worktree, &key.service, instance).hash(&mut hasher);
    hasher.finish()
}

/// A wharf service that does not run now.
fn is_idle(holder: &Holder) -> bool {
    holder.key.is_some() && holder.pid.is_none()
}

fn fallback(displaced: &Displaced, port: Port) -> String {
    let Displaced { wanted, holder, foreign } = displaced;
    // A service that does not run keeps its port for its next run, unless somebody insists.
    if is_idle(holder) {
        return format!(
            "port {wanted} is the home of {holder}; took {port} instead (`--port {wanted}` takes it)"
        );
    }
    let until = if *foreign { " for now" } else { "" };
    format!("port {wanted} is taken by {holder}; took {port} instead{until}")
}

async fn leased(link: &Link, wanted: &Wanted) -> Result<Place, Report> {
    let mut request = LeaseRequest {
        request_id: crate::link::request_id(),
        key: wanted.key.clone(),
        request: wanted.request,
        slots: u16::try_from(wanted.count).unwrap_or(u16::MAX),
        owner: LeaseKind::Process(facts::own_process()),
        busy: Vec::new(),
        agent: crate::agent::of_caller(),
    };
    for round in 0..ROUNDS {
        if round > 0 {
            request.request_id = crate::link::request_id();
        }
        match Place::of_grant(link.lease(&request).await?, wanted.keep)? {
            Ok(place) => return Ok(place),
            Err(busy) => request.busy.push(busy),
        }
    }
    Err(Report::new(Code::Conflict, "no port could be held")
        .why(format!("{ROUNDS} granted ports in a row were taken by others in the same moment"))
        .help("see who binds so many ports: `wharf who`"))
}

/// Holds every port or none.
fn reserve_all(ports: &[Port], keep: Keep) -> Result<Vec<Reservation>, (Port, Occupancy)> {
    if keep == Keep::Not {
        return Ok(Vec::new());
    }
    let reserve = |port: &Port| reserve(*port, keep).map_err(|occupancy| (*port, occupancy));
    ports.iter().map(reserve).collect()
}

fn reserve(port: Port, keep: Keep) -> Result<Reservation, Occupancy> {
    match keep {
        Keep::Alone => Reservation::take_exclusive(port.get()),
        Keep::Shared | Keep::Not => Reservation::take(port.get()),
    }
}

/// Who is in the way; a port that may not be bound at all is an error at once.
fn blame(port: Port, occupancy: Occupancy) -> Result<Holder, Report> {
    Ok(match occupancy {
        Occupancy::Taken(sockets) => facts::holder(&sockets),
        Occupancy::Redirected => facts::redirected(),
        Occupancy::Denied(error) => return Err(denied(port, &error)),
        Occupancy::Free | Occupancy::TimeWait => Holder::default(),
    })
}

/// The system forbids the bind: not the same as a port that is taken.
pub(crate) fn denied(port: Port, error: &std::io::Error) -> Report {
    let report =
        Report::new(Code::Permission, format!("port {port} may not be bound")).because(error);
    let start = reserve::unprivileged_start();
    if port.get() < start {
        return report
            .why(format!("ports below {start} need a privilege on this system"))
            .help(format!("use a port from {start} upwards, such as `--port 8080+`"))
            .help(
                "or allow it for all users: `sudo sysctl net.ipv4.ip_unprivileged_port_start=80`",
            );
    }
    report.help("a sandbox or a security module forbids it: see its settings")
}

/// Without a daemon: the kernel's word alone, with the same order of ports.
fn alone(wanted: &Wanted) -> Result<Place, Report> {
    let (first, last) = reserve::ephemeral_range();
    let ephemeral = PortRange { first, last };
    let start = wanted.request.wanted();
    let mut displaced = None;
    let mut ports = Vec::new();
    let mut reservations = Vec::new();
    let candidates = std::iter::once(start).chain(fallback_ports(start, ephemeral)).take(TRIES);
    for port in candidates {
        match reserve(port, wanted.keep) {
            Ok(reservation) => {
                ports.push(port);
                if wanted.keep != Keep::Not {
                    reservations.push(reservation);
                }
            }
            Err(Occupancy::Denied(_)) if privileged(port) && !wanted.request.is_exact() => {}
            Err(occupancy) if port == start => {
                let holder = blame(port, occupancy)?;
                if let PortRequest::Exactly(port) = wanted.request {
                    return Err(taken(port, &holder));
                }
                displaced = Some(Displaced { wanted: port, holder, foreign: true });
            }
            Err(_) => {}
        }
        if ports.len() == wanted.count {
            let why = match (displaced, wanted.request) {
                (Some(displaced), _) => Why::NextFree(Box::new(displaced)),
                (None, PortRequest::Conventional(_)) => Why::Conventional,
                (None, _) => Why::Asked,
            };
            let instance = wanted.key.as_ref().and_then(|key| key.instance).unwrap_or(1);
            return Ok(Place {
                ports,
                instance,
                label: None,
                why,
                reservations,
                outer: None,
                address: None,
                proxy: ProxyPorts::default(),
            });
        }
    }
    Err(Report::new(Code::Conflict, format!("no free port was found from {start} on"))
        .why(format!("{TRIES} ports were tried")))
}

/// Whether the port may be refused for want of a privilege alone, which others do not need.
fn privileged(port: Port) -> bool {
    port.get() < reserve::unprivileged_start()
}

/// The very port that was asked for is taken.
pub(crate) fn taken(port: Port, holder: &Holder) -> Report {
    Report::new(Code::Conflict, format!("port {port} is taken by {holder}"))
        .help(format!("`wharf who {port}` tells more about it"))
        .help(format!(
            "`--port {port}+` takes the next free port instead; `--port auto` sets aside a port that \
             stands in the command"
        ))
}

//! Services that do not speak HTTP, each with a port of its own: leased, listened on, led on.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use tokio::sync::watch;
use wharf_control::api::{NoticeKind, ProxyListener};
use wharf_control::names::TcpReport;
use wharf_lease::{Busy, KeyRequest, Ledger, Refusal, Request, Selection, Table, tcp_key};
use wharf_model::{
    Condition, Instance, Lease, LeaseKind, Owner, Port, PortRange, PortRequest, ProcessId,
    Protocol, TcpName, Upstream, alias, name,
};
use wharf_os::{front_socket, reserve};
use wharf_proxy::{Proxy, TcpFront};

use crate::clock;
use crate::eyes::Eyes;
use crate::inherited::{Inherited, PastOurs};
use crate::names;

/// What is added to a port for the first guess of its name's own: 5432 is 15432, which people recognise.
const LIKENESS: u16 = 10_000;
/// Where the search begins for the name of an instance, which may have any port.
const NEAR: u16 = 15_000;

/// Every name for TCP, as far as it has got.
#[derive(Debug)]
pub(crate) struct Services {
    /// Who leases.
    own: ProcessId,
    all: BTreeMap<String, Service>,
    inherited: Inherited,
    /// What the next daemon is given, once this one has closed them.
    left: Vec<TcpListener>,
}

#[derive(Debug)]
struct Service {
    upstream: Arc<Upstream>,
    state: Result<Open, String>,
}

#[derive(Debug)]
struct Open {
    lease: Lease,
    listeners: Vec<SocketAddr>,
    copies: Vec<TcpListener>,
    leads: watch::Sender<Arc<Upstream>>,
}

impl Services {
    /// None yet, but for what a daemon before this one has listened on.
    pub(crate) fn after(given: Vec<TcpListener>) -> Services {
        Services {
            own: wharf_facts::own_process(),
            all: BTreeMap::new(),
            inherited: Inherited::new(given),
            left: Vec::new(),
        }
    }

    /// How many leases the daemon holds for them: it does not stay for those alone.
    pub(crate) fn leases(&self) -> usize {
        self.all.values().filter(|service| service.state.is_ok()).count()
    }

    /// Whether one has no port yet, and is to be tried again.
    pub(crate) fn wait(&self) -> bool {
        self.leases() < self.all.len()
    }

    /// Whether one listens on this port.
    pub(crate) fn have(&self, port: u16) -> bool {
        self.all.values().filter_map(Service::port).any(|own| own == port)
    }

    /// Where they listen.
    pub(crate) fn listeners(&self) -> impl Iterator<Item = ProxyListener> {
        let open = self.all.values().filter_map(|service| service.state.as_ref().ok());
        open.flat_map(|open| &open.listeners).map(|address| ProxyListener {
            scheme: "tcp".to_owned(),
            address: address.ip(),
            port: address.port(),
        })
    }

    /// How one is.
    pub(crate) fn report(&self, named: &TcpName) -> TcpReport {
        let service = self.all.get(&named.name);
        let open = service.and_then(|service| service.state.as_ref().ok());
        TcpReport {
            name: named.name.clone(),
            port: open.map(|open| open.lease.port.get()),
            listeners: open.map(|open| open.listeners.clone()).unwrap_or_default(),
            to: named.to,
            addresses: service
                .map(|service| service.upstream.addresses.clone())
                .unwrap_or_default(),
            note: service.and_then(|service| service.state.as_ref().err()).cloned(),
            since: named.since,
        }
    }

    /// Makes them what the ledger says: opens, leads elsewhere, closes. Gives what is to be told.
    pub(crate) fn settle(
        &mut self,
        ledger: &mut Ledger,
        eyes: &mut Eyes,
        proxy: Option<&Proxy>,
    ) -> Vec<NoticeKind> {
        let mut told = Vec::new();
        let names: Vec<TcpName> = ledger.table().tcp_names().cloned().collect();
        let is_named = |name: &String| names.iter().any(|named| named.name == *name);
        let gone: Vec<String> = self.all.keys().filter(|name| !is_named(name)).cloned().collect();
        let gone: Vec<Service> = gone.iter().filter_map(|name| self.all.remove(name)).collect();
        for service in gone {
            if let Ok(open) = service.state {
                self.give_back(&open.lease, ledger, eyes);
                told.push(NoticeKind::LeaseReleased { lease: Box::new(open.lease) });
            }
        }
        for named in &names {
            let upstream = Arc::new(upstream(named, ledger.table()));
            if let Some(service) = self.all.get_mut(&named.name)
                && let Ok(open) = &service.state
            {
                service.upstream = upstream.clone();
                open.leads.send_if_modified(|leads| {
                    let changed = *leads != upstream;
                    *leads = upstream;
                    changed
                });
                continue;
            }
            let state = match proxy {
                Some(proxy) => self.begin(named, &upstream, ledger, eyes, proxy),
                None => Err("the proxy is off in settings.toml".to_owned()),
            };
            if let Ok(open) = &state {
                told.push(NoticeKind::LeaseGranted { lease: Box::new(open.lease.clone()) });
            }
            self.all.insert(named.name.clone(), Service { upstream, state });
        }
        if proxy.is_none() || !self.wait() {
            self.inherited.clear();
        }
        told
    }

    /// What the next daemon is given.
    pub(crate) fn left(&self) -> &[TcpListener] {
        &self.left
    }

    /// Gives every port back: the daemon ends, and the next one is to find them free, or to be given
    /// their listeners.
    pub(crate) fn close(&mut self, ledger: &mut Ledger, eyes: &mut Eyes) {
        for service in std::mem::take(&mut self.all).into_values() {
            if let Ok(open) = service.state {
                self.give_back(&open.lease, ledger, eyes);
                self.left.extend(open.copies);
            }
        }
    }

    fn begin(
        &mut self,
        named: &TcpName,
        upstream: &Arc<Upstream>,
        ledger: &mut Ledger,
        eyes: &mut Eyes,
        proxy: &Proxy,
    ) -> Result<Open, String> {
        let lease = self.lease(named, ledger, eyes).map_err(|refusal| waits(&refusal))?;
        match self.listen(lease.port.get(), upstream, proxy) {
            Ok((copies, leads)) => {
                self.inherited.forget(lease.port.get());
                let listeners = copies.iter().filter_map(|one| one.local_addr().ok()).collect();
                Ok(Open { lease, listeners, copies, leads })
            }
            Err(why) => {
                self.give_back(&lease, ledger, eyes);
                Err(why)
            }
        }
    }

    /// Accepts on the port: copies of the listeners, and the way to lead them elsewhere.
    fn listen(
        &self,
        port: u16,
        upstream: &Arc<Upstream>,
        proxy: &Proxy,
    ) -> Result<(Vec<TcpListener>, watch::Sender<Arc<Upstream>>), String> {
        let mut listeners = self.inherited.of(port);
        if listeners.is_empty() {
            let opened = front_socket::loopback_pair(port);
            listeners =
                opened.map_err(|error| format!("port {port} cannot be listened on: {error}"))?;
        }
        let copies = listeners.iter().filter_map(|one| one.try_clone().ok()).collect();
        let (leads, led) = watch::channel(upstream.clone());
        match proxy.open_tcp(TcpFront { listeners, upstream: led }) {
            Ok(()) => Ok((copies, leads)),
            Err(_) => Err("the proxy is busy; it is tried again".to_owned()),
        }
    }

    /// The port that the name had, and no other: it stands in files of settings. At first, any that is
    /// free, which becomes its home whatever kept it from a better one.
    fn lease(
        &self,
        named: &TcpName,
        ledger: &mut Ledger,
        eyes: &mut Eyes,
    ) -> Result<Lease, Refusal> {
        let home = ledger.table().home_of(&tcp_key(&named.name), clock::now().wall_s);
        if let Some(port) = home.map(|home| home.port) {
            return self.ask(named, PortRequest::Exactly(port), ledger, eyes);
        }
        let lease = self.ask(named, PortRequest::AtLeast(wanted(named)), ledger, eyes)?;
        let home = ledger.table().home_of(&tcp_key(&named.name), clock::now().wall_s);
        if home.is_some_and(|home| home.port == lease.port) {
            return Ok(lease);
        }
        self.give_back(&lease, ledger, eyes);
        self.ask(named, PortRequest::Exactly(lease.port), ledger, eyes)
    }

    fn ask(
        &self,
        named: &TcpName,
        request: PortRequest,
        ledger: &mut Ledger,
        eyes: &mut Eyes,
    ) -> Result<Lease, Refusal> {
        let key = tcp_key(&named.name);
        let (first, last) = reserve::ephemeral_range();
        let request = Request {
            request_id: format!("tcp {} {} {request:?}", named.name, self.own.pid),
            key: Some(KeyRequest {
                project: key.project,
                worktree: key.worktree,
                service: key.service,
                instance: Some(key.instance),
            }),
            request,
            slots: 1,
            owner: LeaseKind::Process(self.own.clone()),
            // Whatever it leads to may not listen yet, and must not find its port taken then.
            busy: named.to.into_iter().map(|port| Busy { port, holder: None }).collect(),
            agent: named.agent.clone(),
            ephemeral: PortRange { first, last },
        };
        let mut kernel = PastOurs { eyes, inherited: &self.inherited };
        let mut leases = ledger.request(&request, clock::now(), &mut kernel)?;
        Ok(leases.swap_remove(0))
    }

    fn give_back(&self, lease: &Lease, ledger: &mut Ledger, eyes: &mut Eyes) {
        let selection = Selection::Ids(vec![lease.id]);
        // Of our own leases none is refused to us; one that is gone is what was wanted.
        let _ = ledger.release(&selection, Some(&self.own), clock::now(), eyes);
    }
}

impl Service {
    fn port(&self) -> Option<u16> {
        self.state.as_ref().ok().map(|open| open.lease.port.get())
    }
}

fn waits(refusal: &Refusal) -> String {
    format!("{refusal}; it is listened on as soon as that is free")
}

/// Where the search for a first port begins.
fn wanted(named: &TcpName) -> Port {
    let (first, _) = reserve::ephemeral_range();
    let likeness = named.to.and_then(|port| port.get().checked_add(LIKENESS));
    let likeness = likeness.filter(|port| *port < first).unwrap_or(NEAR);
    Port::new(likeness).expect("it is far from 0")
}

/// Where a name leads now.
fn upstream(named: &TcpName, table: &Table) -> Upstream {
    let bare = |addresses, condition| Upstream {
        name: Arc::from(named.name.as_str()),
        instance: None,
        addresses,
        protocol: Protocol::Http1,
        owner: Owner::User,
        condition,
    };
    match named.to {
        Some(port) => bare(alias::either(None, port), Condition::Up),
        None => match instance(&named.name, table.instances()) {
            Some(instance) => names::upstream(instance, &named.name),
            None => {
                let ended =
                    Condition::Ended { exit_code: None, failed: false, last_lines: Vec::new() };
                bare(Vec::new(), ended)
            }
        },
    }
}

/// The instance with a name: of several the one that lives, then the one that was started last.
pub(crate) fn instance<'a>(
    wanted: &str,
    instances: impl Iterator<Item = &'a Instance>,
) -> Option<&'a Instance> {
    instances
        .filter(|instance| name::short_host(&instance.url) == Some(wanted))
        .max_by_key(|instance| (instance.state.is_live(), instance.started_at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(port: u16) -> TcpName {
        TcpName { name: "db".into(), to: Port::new(port), since: 1, agent: None }
    }

    #[test]
    fn a_name_begins_where_people_recognise_its_port() {
        assert_eq!(wanted(&to(5432)).get(), 15_432);
        assert_eq!(wanted(&to(6379)).get(), 16_379);
        assert_eq!(wanted(&to(27_017)).get(), NEAR, "that would be in the ephemeral range");
        assert_eq!(wanted(&to(65_000)).get(), NEAR);
        assert_eq!(wanted(&to(0)).get(), NEAR, "an instance may have any port");
    }
}

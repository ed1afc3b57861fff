//! Ports that lead to the checkout of the user's choice: leased, listened on, led on.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use tokio::sync::watch;
use wharf_control::api::{NoticeKind, ProxyListener};
use wharf_control::focus::FocusReport;
use wharf_control::{Code, ErrorBody};
use wharf_lease::{Kernel, KeyRequest, Ledger, Request, Selection, Table};
use wharf_model::{
    Condition, Focus, Instance, Lease, LeaseKind, Owner, Port, PortRange, PortRequest, ProcessId,
    Protocol, Route, ServiceKey, Upstream, focus, name,
};
use wharf_os::{front_socket, reserve};
use wharf_proxy::{Front, Proxy, TcpFront};

use crate::clock;
use crate::eyes::Eyes;
use crate::inherited::{Inherited, PastOurs};
use crate::names;
use crate::refusal;

/// What a listener of theirs is called when one daemon hands it to the next.
pub(crate) const SCHEME: &str = "focus";

/// Every such port, as far as it has got.
#[derive(Debug)]
pub(crate) struct Focuses {
    /// Who leases.
    own: ProcessId,
    all: BTreeMap<Port, Result<Open, ErrorBody>>,
    /// What a daemon before this one has given, and nobody has used yet.
    given: Inherited,
}

#[derive(Debug)]
struct Open {
    lease: Lease,
    /// Once more what the proxy listens at, for a daemon that follows.
    listeners: Vec<TcpListener>,
    leads: Leads,
}

/// How the proxy is told where connections lead. With its end the proxy accepts no more.
#[derive(Debug)]
enum Leads {
    /// By the table of routes.
    Http { _until: watch::Sender<()> },
    /// By this alone.
    Tcp(watch::Sender<Arc<Upstream>>),
}

impl Focuses {
    /// None yet, with what a daemon before this one listened at.
    pub(crate) fn after(given: Vec<TcpListener>) -> Focuses {
        Focuses {
            own: wharf_facts::own_process(),
            all: BTreeMap::new(),
            given: Inherited::new(given),
        }
    }

    /// How many leases the daemon holds for them: it does not stay for those alone.
    pub(crate) fn leases(&self) -> usize {
        self.open().count()
    }

    fn open(&self) -> impl Iterator<Item = &Open> {
        self.all.values().filter_map(|state| state.as_ref().ok())
    }

    /// Whether one does not listen yet, and is to be tried again.
    pub(crate) fn wait(&self) -> bool {
        self.leases() < self.all.len()
    }

    /// Whether one listens on this port.
    pub(crate) fn have(&self, port: u16) -> bool {
        self.open().any(|open| open.lease.port.get() == port)
    }

    /// Where they listen.
    pub(crate) fn listeners(&self) -> impl Iterator<Item = ProxyListener> {
        let addresses = self.open().flat_map(Open::addresses);
        addresses.map(|address| ProxyListener {
            scheme: SCHEME.to_owned(),
            address: address.ip(),
            port: address.port(),
        })
    }

    /// What they listen at.
    pub(crate) fn sockets(&self) -> impl Iterator<Item = (&str, &TcpListener)> {
        self.open().flat_map(|open| &open.listeners).map(|listener| (SCHEME, listener))
    }

    /// How one is.
    pub(crate) fn report(&self, focus: &Focus, table: &Table) -> FocusReport {
        let state = self.all.get(&focus.port);
        let instance = instance(&focus.key, table.instances());
        FocusReport {
            port: focus.port,
            listeners: state
                .and_then(|state| state.as_ref().ok())
                .map(|open| open.addresses().collect())
                .unwrap_or_default(),
            key: focus.key.clone(),
            tcp: focus.tcp,
            url: instance.map(|instance| instance.url.clone()),
            live: instance.is_some_and(|instance| instance.state.is_live()),
            addresses: upstream(focus, table).addresses,
            note: state.and_then(|state| state.as_ref().err()).map(why_not),
            since: focus.since,
        }
    }

    /// Why one does not listen.
    pub(crate) fn refused(&self, port: Port) -> Option<ErrorBody> {
        self.all.get(&port).and_then(|state| state.as_ref().err()).cloned()
    }

    /// Makes them what the ledger says: opens, leads elsewhere, closes. Gives what is to be told.
    pub(crate) fn settle(
        &mut self,
        ledger: &mut Ledger,
        eyes: &mut Eyes,
        proxy: Option<&Proxy>,
    ) -> Vec<NoticeKind> {
        let mut told = Vec::new();
        let focuses: Vec<Focus> = ledger.table().focuses().cloned().collect();
        let is_wanted = |port: &Port| focuses.iter().any(|focus| focus.port == *port);
        let gone: Vec<Port> = self.all.keys().filter(|port| !is_wanted(port)).copied().collect();
        for port in gone {
            if let Some(Ok(open)) = self.all.remove(&port) {
                let selection = Selection::Unused(focus::lease_key(port));
                // Of our own leases none is refused to us; one that is gone is what was wanted.
                let _ = ledger.release(&selection, Some(&self.own), clock::now(), eyes);
                told.push(NoticeKind::LeaseReleased { lease: Box::new(open.lease) });
            }
        }
        for focus in &focuses {
            let leads_to = upstream(focus, ledger.table());
            if let Some(Ok(open)) = self.all.get_mut(&focus.port) {
                open.lead(focus, leads_to, proxy);
                continue;
            }
            let state = match proxy {
                Some(proxy) => self.begin(focus, leads_to, ledger, eyes, proxy),
                None => {
                    let message = "the proxy is off in settings.toml";
                    Err(ErrorBody::new(Code::PermissionDenied, message))
                }
            };
            if let Ok(open) = &state {
                told.push(NoticeKind::LeaseGranted { lease: Box::new(open.lease.clone()) });
            }
            self.all.insert(focus.port, state);
        }
        self.given.clear();
        told
    }

    /// Gives every lease back: the daemon ends. What listens goes on until the next one has it.
    pub(crate) fn close(&mut self, ledger: &mut Ledger, eyes: &mut Eyes) {
        let ids: Vec<i64> = self.open().map(|open| open.lease.id).collect();
        if !ids.is_empty() {
            let _ = ledger.release(&Selection::Ids(ids), Some(&self.own), clock::now(), eyes);
        }
    }

    fn begin(
        &mut self,
        focus: &Focus,
        leads_to: Upstream,
        ledger: &mut Ledger,
        eyes: &mut Eyes,
        proxy: &Proxy,
    ) -> Result<Open, ErrorBody> {
        let port = focus.port.get();
        let mut listeners = self.given.of(port);
        let mut kernel = PastOurs { eyes, inherited: &self.given };
        let lease = self.lease(focus, ledger, &mut kernel)?;
        self.given.forget(port);
        let begun = match listeners.is_empty() {
            false => Ok(()),
            true => {
                front_socket::loopback_pair(port).map(|pair| listeners = pair).map_err(|error| {
                    let message = format!("port {port} cannot be listened on: {error}");
                    ErrorBody { port: Some(port), ..ErrorBody::new(Code::PortTaken, message) }
                })
            }
        };
        let begun = begun.and_then(|()| {
            let leads = start(focus, leads_to, &listeners, proxy);
            leads.ok_or_else(|| ErrorBody::new(Code::Busy, "the proxy is busy"))
        });
        match begun {
            Ok(leads) => Ok(Open { lease, listeners, leads }),
            Err(error) => {
                let selection = Selection::Ids(vec![lease.id]);
                let _ = ledger.release(&selection, Some(&self.own), clock::now(), eyes);
                Err(error)
            }
        }
    }

    fn lease(
        &self,
        focus: &Focus,
        ledger: &mut Ledger,
        kernel: &mut dyn Kernel,
    ) -> Result<Lease, ErrorBody> {
        let port = focus.port;
        let key = focus::lease_key(port);
        let (first, last) = reserve::ephemeral_range();
        let request = Request {
            request_id: format!("focus {port} {}", self.own.pid),
            key: Some(KeyRequest {
                project: key.project,
                worktree: key.worktree,
                service: key.service,
                instance: Some(key.instance),
            }),
            request: PortRequest::Exactly(port),
            slots: 1,
            owner: LeaseKind::Process(self.own.clone()),
            busy: Vec::new(),
            agent: focus.agent.clone(),
            ephemeral: PortRange { first, last },
        };
        let leases = ledger.request(&request, clock::now(), kernel);
        Ok(leases.map_err(refusal::of_request)?.swap_remove(0))
    }
}

impl Open {
    fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.listeners.iter().filter_map(|listener| listener.local_addr().ok())
    }

    /// Leads elsewhere; what is under way goes on.
    fn lead(&mut self, focus: &Focus, leads_to: Upstream, proxy: Option<&Proxy>) {
        match &self.leads {
            Leads::Tcp(leads) if focus.tcp => {
                leads.send_if_modified(|current| {
                    let changed = **current != leads_to;
                    if changed {
                        *current = Arc::new(leads_to);
                    }
                    changed
                });
            }
            Leads::Http { .. } if !focus.tcp => {}
            // The same sockets in another way: nobody is refused in between.
            _ => {
                let begun = proxy.and_then(|proxy| start(focus, leads_to, &self.listeners, proxy));
                self.leads = begun.unwrap_or_else(|| Leads::Http { _until: watch::channel(()).0 });
            }
        }
    }
}

fn why_not(error: &ErrorBody) -> String {
    match error.code {
        Code::PortTaken => {
            format!("{}; it is listened on as soon as that is free", error.message)
        }
        _ => error.message.clone(),
    }
}

/// Has the proxy accept there; nothing where it has too much to do.
fn start(
    focus: &Focus,
    leads_to: Upstream,
    listeners: &[TcpListener],
    proxy: &Proxy,
) -> Option<Leads> {
    let copies =
        listeners.iter().map(TcpListener::try_clone).collect::<Result<Vec<_>, _>>().ok()?;
    if focus.tcp {
        let (leads, led) = watch::channel(Arc::new(leads_to));
        proxy.open_tcp(TcpFront { listeners: copies, upstream: led }).ok()?;
        return Some(Leads::Tcp(leads));
    }
    let (until, ended) = watch::channel(());
    let only: Arc<str> = focus::host(focus.port.get()).into();
    for listener in copies {
        let front = Front { listener, tls: None, lan: false, only: Some(only.clone()) };
        proxy.open_until(front, ended.clone()).ok()?;
    }
    Some(Leads::Http { _until: until })
}

/// Where the requests to each of these ports go.
pub(crate) fn routes(table: &Table) -> Vec<Route> {
    table.focuses().filter(|focus| !focus.tcp).map(|focus| route(focus, table)).collect()
}

fn route(focus: &Focus, table: &Table) -> Route {
    let instance = instance(&focus.key, table.instances());
    let access = instance.map(|instance| instance.access.clone()).unwrap_or_default();
    let site = instance.and_then(|instance| name::label_in(&instance.url));
    let host = focus::host(focus.port.get());
    let own = siblings(&focus.key, table).into_iter().flat_map(focus::origins);
    Route {
        site: site.map_or_else(|| host.clone(), |label| format!("{label}.{}", name::TLD)),
        host,
        path: "/".to_owned(),
        origins: own.chain(access.origins).collect(),
        guarded: access.guarded,
        origin_form: access.origin_form,
        lan: false,
        upstream: upstream(focus, table),
    }
}

/// The ports whose pages are of the same project, as those of its names are: those that lead to it, and its
/// servers' own.
fn siblings(key: &ServiceKey, table: &Table) -> BTreeSet<u16> {
    let led = table.focuses().filter(|other| other.key.project == key.project);
    let live = table.instances().filter(|other| other.state.is_live());
    let own = live.filter(|other| other.key.project == key.project).map(|other| other.port);
    led.map(|other| other.port.get()).chain(own).collect()
}

/// Where one leads now.
fn upstream(focus: &Focus, table: &Table) -> Upstream {
    let called = focus.key.to_string();
    match instance(&focus.key, table.instances()) {
        Some(instance) => names::upstream(instance, &called),
        None => Upstream {
            name: called.into(),
            instance: None,
            addresses: Vec::new(),
            protocol: Protocol::Http1,
            owner: Owner::User,
            condition: Condition::Ended { exit_code: None, failed: false, last_lines: Vec::new() },
        },
    }
}

/// Of several executions the one that lives, then the one that was started last.
pub(crate) fn instance<'a>(
    key: &ServiceKey,
    instances: impl Iterator<Item = &'a Instance>,
) -> Option<&'a Instance> {
    instances
        .filter(|instance| instance.key == *key)
        .max_by_key(|instance| (instance.state.is_live(), instance.started_at))
}

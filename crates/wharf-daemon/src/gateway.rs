//! The proxy as the daemon has it: its fronts, and the routes that it is told.

use std::io;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{broadcast, watch};
use wharf_control::Paths;
use wharf_control::api::{
    NoticeKind, ProxyListener, ProxyPorts, ProxyStatus, ProxyWish, RouteReport, SCHEMA,
};
use wharf_lease::{Ledger, Table};
use wharf_model::{Condition, Route, RouteTable};
use wharf_os::handover;
use wharf_proxy::{Ca, CaError, Config, Proxy, Record, Tls, upstream_client_config};

use crate::eyes::Eyes;
use crate::focus::{self, Focuses};
use crate::fronts::Fronts;
use crate::inherited;
use crate::lan::{self, Lan};
use crate::names;
use crate::ownership::Kernel;
use crate::requests::Requests;
use crate::services::Services;

/// How many records of requests a slow reader may be behind before it misses some.
const MAX_RECORDS: usize = 1024;
/// How the note begins that says why there is no `https`.
const NO_TLS: &str = "no https: ";
/// Descriptors that are left for everything but the proxy's connections.
const SPARE_FILES: usize = 400;

/// The proxy, and what it was told last.
pub(crate) struct Gateway {
    proxy: Option<Proxy>,
    fronts: Fronts,
    lan: Lan,
    wish: ProxyWish,
    /// The folder of the local CA.
    ca: PathBuf,
    tls: watch::Sender<Option<Arc<rustls::ServerConfig>>>,
    routes: watch::Sender<Arc<RouteTable>>,
    records: broadcast::Sender<Arc<Record>>,
    pub(crate) requests: Requests,
    pub(crate) services: Services,
    pub(crate) focuses: Focuses,
}

impl Gateway {
    /// Starts the proxy and opens its fronts. What cannot be had is a note, and the rest goes on: leases
    /// do not need a proxy.
    pub(crate) fn open(
        wish: ProxyWish,
        paths: &Paths,
        activated: Vec<(String, TcpListener)>,
        files: usize,
        known: &Table,
    ) -> Gateway {
        // From the first connection on: it may come before anything else does.
        let (routes, table) = watch::channel(Arc::new(routes_of(known)));
        let (records, _) = broadcast::channel(MAX_RECORDS);
        let (tls, _) = watch::channel(None);
        let requests = Requests::new(records.clone());
        // A daemon that hands over gives what it listened on.
        let mut given = handover::take(&paths.handover);
        let lan = Lan::after(wish, of_scheme(&mut given, lan::SCHEME));
        let services = Services::after(of_scheme(&mut given, inherited::SCHEME));
        let focuses = Focuses::after(of_scheme(&mut given, focus::SCHEME));
        let fronts = Fronts::after(activated, given);
        let ca = paths.ca.clone();
        let mut gateway = Gateway {
            proxy: None,
            fronts,
            lan,
            wish,
            ca,
            tls,
            routes,
            records,
            requests,
            services,
            focuses,
        };
        if wish != ProxyWish::Off
            && let Err(error) = gateway.start(table, files)
        {
            gateway.fronts.notes.push(format!("the proxy does not start: {error}"));
        }
        gateway
    }

    fn start(&mut self, routes: watch::Receiver<Arc<RouteTable>>, files: usize) -> io::Result<()> {
        let proxy = Proxy::start(Config {
            routes,
            ownership: Arc::new(Kernel::default()),
            upstream_tls: Some(upstream_client_config()),
            records: self.records.clone(),
            max_connections: (files / 2).saturating_sub(SPARE_FILES).max(64),
        })?;
        for front in self.fronts.http(self.wish) {
            proxy.open(front)?;
        }
        self.proxy = Some(proxy);
        self.trust();
        Ok(())
    }

    /// Looks for the local CA: with one, `https` is spoken; without, it is not, or no longer.
    pub(crate) fn trust(&mut self) {
        let Some(proxy) = &self.proxy else { return };
        self.fronts.notes.retain(|note| !note.starts_with(NO_TLS));
        let ca = match Ca::load(&self.ca, SystemTime::now()) {
            Ok(ca) => ca,
            Err(error) => {
                self.tls.send_replace(None);
                self.fronts.forget("https");
                if !matches!(error, CaError::Missing { .. }) {
                    self.fronts.notes.push(format!("{NO_TLS}{error}"));
                }
                return;
            }
        };
        let routes = self.routes.subscribe();
        let tls = Tls::new(ca, move |host| routes.borrow().knows(host));
        self.tls.send_replace(Some(tls.server_config()));
        if self.fronts.ports().https.is_some() {
            return;
        }
        for front in self.fronts.https(self.wish, &self.tls) {
            if let Err(error) = proxy.open(front) {
                self.fronts.notes.push(format!("{NO_TLS}{error}"));
            }
        }
    }

    /// Where URLs lead.
    pub(crate) fn ports(&self) -> ProxyPorts {
        self.fronts.ports()
    }

    /// Whether the proxy listens on this port itself.
    pub(crate) fn has(&self, port: u16) -> bool {
        self.fronts.open.iter().any(|front| front.port == port)
            || self.services.have(port)
            || self.focuses.have(port)
    }

    /// The routes of what is known from now on.
    pub(crate) fn route(&mut self, known: &Table) {
        let table = routes_of(known);
        let lan = names::lan_hosts(&table);
        self.routes.send_if_modified(|current| {
            let changed = **current != table;
            if changed {
                *current = Arc::new(table);
            }
            changed
        });
        if let Some(proxy) = &self.proxy {
            self.lan.serve(lan, proxy);
        }
    }

    /// Looks for what may have changed without a word.
    pub(crate) fn tick(&mut self) {
        if let Some(proxy) = &self.proxy {
            self.lan.look(proxy);
        }
    }

    /// Makes what has a port of its own what the ledger says. Gives what is to be told.
    pub(crate) fn settle_services(
        &mut self,
        ledger: &mut Ledger,
        eyes: &mut Eyes,
    ) -> Vec<NoticeKind> {
        let mut told = self.services.settle(ledger, eyes, self.proxy.as_ref());
        told.extend(self.focuses.settle(ledger, eyes, self.proxy.as_ref()));
        told
    }

    /// How many leases the daemon holds itself.
    pub(crate) fn leases(&self) -> usize {
        self.services.leases() + self.focuses.leases()
    }

    /// How many connections of clients are open.
    pub(crate) fn connections(&self) -> usize {
        self.proxy.as_ref().map_or(0, Proxy::connections)
    }

    pub(crate) fn status(&self) -> ProxyStatus {
        let table = self.routes.borrow().clone();
        let mut routes: Vec<RouteReport> = table.routes().map(|route| report(route)).collect();
        routes.sort_by(|one, other| (&one.host, &one.path).cmp(&(&other.host, &other.path)));
        ProxyStatus {
            schema: SCHEMA,
            listeners: self.listening(),
            routes,
            connections: self.connections(),
            notes: self.fronts.notes.iter().cloned().chain(self.lan.notes()).collect(),
        }
    }

    fn listening(&self) -> Vec<ProxyListener> {
        let fronts = self.fronts.open.iter().cloned();
        fronts
            .chain(self.lan.told())
            .chain(self.services.listeners())
            .chain(self.focuses.listeners())
            .collect()
    }

    /// Ends the proxy: what is under way is answered within the limit.
    pub(crate) async fn close(mut self, limit: Duration) {
        // Whoever connects from here on is refused, or comes to the next daemon.
        drop(self.fronts);
        drop(self.services);
        drop(self.focuses);
        self.lan.close();
        if let Some(proxy) = self.proxy {
            proxy.drain(limit).await;
        }
    }

    /// What is listened on, each with its scheme.
    pub(crate) fn listeners(&self) -> Vec<(String, TcpListener)> {
        let loopback = self.fronts.listeners.iter().map(|(scheme, one)| (scheme.as_str(), one));
        let services = self.services.left().iter().map(|one| (inherited::SCHEME, one));
        let all = loopback.chain(self.lan.listeners()).chain(services);
        let all = all.chain(self.focuses.sockets());
        all.filter_map(|(scheme, one)| Some((scheme.to_owned(), one.try_clone().ok()?))).collect()
    }
}

/// Takes those that were given for this scheme.
fn of_scheme(given: &mut Vec<(String, TcpListener)>, scheme: &str) -> Vec<TcpListener> {
    given.extract_if(.., |(name, _)| name == scheme).map(|(_, listener)| listener).collect()
}

fn routes_of(known: &Table) -> RouteTable {
    names::table(known.instances(), known.aliases(), focus::routes(known))
}

fn report(route: &Route) -> RouteReport {
    let condition = match route.upstream.condition {
        Condition::Up => "up",
        Condition::Starting => "starting",
        Condition::Dormant => "dormant",
        Condition::Ended { .. } => "ended",
    };
    RouteReport {
        host: route.host.clone(),
        path: route.path.clone(),
        upstream: route.upstream.name.to_string(),
        addresses: route.upstream.addresses.clone(),
        condition: condition.to_owned(),
        lan: route.lan,
        alias: route.upstream.instance.is_none() && route.upstream.condition == Condition::Up,
    }
}

//! The proxy as the daemon has it: its fronts, and the routes that it is told.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, watch};
use wharf_control::api::{NoticeKind, ProxyPorts, ProxyStatus, ProxyWish, RouteReport, SCHEMA};
use wharf_lease::Ledger;
use wharf_model::{Alias, Condition, Instance, Route, RouteTable};
use wharf_proxy::{Config, Proxy, Record};

use crate::eyes::Eyes;
use crate::fronts::Fronts;
use crate::names;
use crate::ownership::Kernel;
use crate::requests::Requests;
use crate::services::Services;

/// How many records of requests a slow reader may be behind before it misses some.
const MAX_RECORDS: usize = 1024;
/// Descriptors that are left for everything but the proxy's connections.
const SPARE_FILES: usize = 400;

/// The proxy, and what it was told last.
pub(crate) struct Gateway {
    proxy: Option<Proxy>,
    fronts: Fronts,
    routes: watch::Sender<Arc<RouteTable>>,
    records: broadcast::Sender<Arc<Record>>,
    pub(crate) requests: Requests,
    pub(crate) services: Services,
}

impl Gateway {
    /// Starts the proxy and opens its fronts. What cannot be had is a note, and the rest goes on: leases
    /// do not need a proxy.
    pub(crate) async fn open(wish: ProxyWish, files: usize) -> Gateway {
        let (routes, table) = watch::channel(Arc::new(RouteTable::default()));
        let (records, _) = broadcast::channel(MAX_RECORDS);
        let requests = Requests::new(records.clone());
        let services = Services::new();
        let fronts = Fronts::default();
        let mut gateway = Gateway { proxy: None, fronts, routes, records, requests, services };
        if wish != ProxyWish::Off
            && let Err(error) = gateway.start(wish, table, files).await
        {
            gateway.fronts.notes.push(format!("the proxy does not start: {error}"));
        }
        gateway
    }

    async fn start(
        &mut self,
        wish: ProxyWish,
        routes: watch::Receiver<Arc<RouteTable>>,
        files: usize,
    ) -> io::Result<()> {
        let proxy = Proxy::start(Config {
            routes,
            ownership: Arc::new(Kernel::default()),
            upstream_tls: Some(wharf_proxy::upstream_client_config()),
            records: self.records.clone(),
            max_connections: (files / 2).saturating_sub(SPARE_FILES).max(64),
        })?;
        for front in self.fronts.http(wish) {
            proxy.open(front).await;
        }
        self.proxy = Some(proxy);
        Ok(())
    }

    /// Where URLs lead.
    pub(crate) fn ports(&self) -> ProxyPorts {
        self.fronts.ports()
    }

    /// Whether the proxy listens on this port itself.
    pub(crate) fn has(&self, port: u16) -> bool {
        self.fronts.open.iter().any(|front| front.port == port) || self.services.have(port)
    }

    /// The routes of these instances and aliases from now on.
    pub(crate) fn route<'a>(
        &self,
        instances: impl Iterator<Item = &'a Instance>,
        aliases: impl Iterator<Item = &'a Alias>,
    ) {
        let table = names::table(instances, aliases);
        self.routes.send_if_modified(|current| {
            let changed = **current != table;
            if changed {
                *current = Arc::new(table);
            }
            changed
        });
    }

    /// Makes the services that do not speak HTTP what the ledger says. Gives what is to be told.
    pub(crate) fn settle_services(
        &mut self,
        ledger: &mut Ledger,
        eyes: &mut Eyes,
    ) -> Vec<NoticeKind> {
        self.services.settle(ledger, eyes, self.proxy.as_ref())
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
            listeners: self.fronts.open.iter().cloned().chain(self.services.listeners()).collect(),
            routes,
            connections: self.connections(),
            notes: self.fronts.notes.clone(),
        }
    }

    /// Ends the proxy: what is under way is answered within the limit.
    pub(crate) async fn close(&mut self, limit: Duration) {
        if let Some(proxy) = self.proxy.take() {
            proxy.drain(limit).await;
        }
    }
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
        alias: route.upstream.instance.is_none(),
    }
}

//! The proxy as a whole: one thread, given listeners and routes.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::LocalSet;
use tokio_rustls::TlsConnector;
use wharf_model::RouteTable;

use crate::front::{self, Capacity, Ended, Front};
use crate::limits::SWEEP;
use crate::record::{Log, Record};
use crate::shared::Shared;
use crate::tcp::{self, TcpFront};
use crate::upstream::{Ownership, Upstreams};

/// How many fronts may be on their way to the thread.
const MAX_FRONTS: usize = 32;

/// What a proxy needs.
pub struct Config {
    /// The routes, whenever they change.
    pub routes: watch::Receiver<Arc<RouteTable>>,
    /// Who says whether a listener is the right one.
    pub ownership: Arc<dyn Ownership>,
    /// How upstreams that want TLS are spoken to.
    pub upstream_tls: Option<Arc<rustls::ClientConfig>>,
    /// Where answered requests are told of, as long as somebody listens there.
    pub records: broadcast::Sender<Arc<Record>>,
    /// How many connections of clients may be open. Each may need a descriptor for its upstream too.
    pub max_connections: usize,
}

/// What is to be accepted at.
enum Opening {
    /// As long as the other side is there, where one is.
    Http(Front, Option<Ended>),
    Tcp(TcpFront),
}

/// A proxy that runs. Dropped, it ends at once.
#[derive(Debug)]
pub struct Proxy {
    fronts: mpsc::Sender<Opening>,
    draining: watch::Sender<bool>,
    open: watch::Receiver<usize>,
    ended: watch::Receiver<bool>,
}

impl Proxy {
    /// Starts the thread. It has no front yet.
    ///
    /// # Errors
    /// The system gives no thread or no event queue.
    pub fn start(config: Config) -> io::Result<Proxy> {
        let (fronts, received) = mpsc::channel(MAX_FRONTS);
        let (draining, drain) = watch::channel(false);
        let (count, open) = watch::channel(0);
        let (end, ended) = watch::channel(false);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name("wharf-proxy".into()).spawn(move || {
            LocalSet::new().block_on(&runtime, run(config, received, drain, count));
            end.send_replace(true);
        })?;
        Ok(Proxy { fronts, draining, open, ended })
    }

    /// Accepts at one more front.
    ///
    /// # Errors
    /// The thread has ended, or has not looked at the last 32 fronts yet.
    pub fn open(&self, front: Front) -> io::Result<()> {
        self.send(Opening::Http(front, None))
    }

    /// Accepts at one more front, as long as the other side of `ended` is there. What has been accepted
    /// is served on: its routes say for how long.
    ///
    /// # Errors
    /// As with [`Proxy::open`].
    pub fn open_until(&self, front: Front, ended: Ended) -> io::Result<()> {
        self.send(Opening::Http(front, Some(ended)))
    }

    /// Accepts for one more service that does not speak HTTP.
    ///
    /// # Errors
    /// As with [`Proxy::open`].
    pub fn open_tcp(&self, front: TcpFront) -> io::Result<()> {
        self.send(Opening::Tcp(front))
    }

    fn send(&self, opening: Opening) -> io::Result<()> {
        self.fronts.try_send(opening).map_err(|_| io::ErrorKind::WouldBlock.into())
    }

    /// How many connections of clients are open.
    pub fn connections(&self) -> usize {
        *self.open.borrow()
    }

    /// Accepts no more, answers what is under way and ends; at the latest after `limit`.
    pub async fn drain(mut self, limit: Duration) {
        self.draining.send_replace(true);
        let _ = tokio::time::timeout(limit, self.ended.wait_for(|ended| *ended)).await;
    }
}

async fn run(
    config: Config,
    mut fronts: mpsc::Receiver<Opening>,
    draining: watch::Receiver<bool>,
    count: watch::Sender<usize>,
) {
    let upstreams = Upstreams::new(config.ownership, config.upstream_tls.map(TlsConnector::from));
    let log = Log::new(config.records);
    let shared = Rc::new(Shared::new(config.routes, upstreams, log, draining.clone()));
    let capacity = Rc::new(Capacity::new(config.max_connections));
    let mut sweep = tokio::time::interval(SWEEP);
    let mut drain = draining;
    loop {
        tokio::select! {
            front = fronts.recv() => match front {
                Some(Opening::Http(front, ended)) => open(front, ended, &shared, &capacity),
                Some(Opening::Tcp(front)) => tcp::open(front, &shared, &capacity),
                // Dropped.
                None => return,
            },
            _ = sweep.tick() => {
                shared.upstreams.sweep();
                shared.pipes.clear();
                count.send_replace(capacity.open());
            }
            _ = drain.wait_for(|draining| *draining) => break,
        }
    }
    tokio::select! {
        () = capacity.emptied() => {}
        () = closed(&mut fronts) => {}
    }
}

/// Until nobody can send a front any more.
async fn closed(fronts: &mut mpsc::Receiver<Opening>) {
    while fronts.recv().await.is_some() {}
}

fn open(front: Front, ended: Option<Ended>, shared: &Rc<Shared>, capacity: &Rc<Capacity>) {
    let Ok(address) = front.listener.local_addr() else { return };
    let known = (address.port(), front.tls.is_some());
    let is_for_names = front.only.is_none();
    if is_for_names {
        shared.fronts.borrow_mut().push(known);
    }
    let (shared, capacity) = (shared.clone(), capacity.clone());
    tokio::task::spawn_local(async move {
        // A listener that cannot be watched serves nobody; the others go on.
        let _ = front::accept(front, ended, shared.clone(), capacity).await;
        let mut fronts = shared.fronts.borrow_mut();
        if is_for_names && let Some(at) = fronts.iter().position(|front| *front == known) {
            fronts.remove(at);
        }
    });
}

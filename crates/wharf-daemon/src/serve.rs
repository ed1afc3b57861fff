//! From nothing to serving, and back.

use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use rustix::fs::Mode;
use rustix::process::{Resource, getrlimit};
use tokio::sync::{broadcast, mpsc, watch};
use wharf_control::Paths;
use wharf_control::api::ProxyWish;
use wharf_lease::{Ledger, StoreError};
use wharf_model::Instance;
use wharf_os::handover::Offer;
use wharf_os::{limits, process};

use crate::accept::{Acceptor, MAX_CONNECTIONS};
use crate::clock;
use crate::coordinator::{Coordinator, Identity, MAX_EVENTS, MAX_NOTICES, Wires};
use crate::gateway::Gateway;
use crate::journal::Journal;
use crate::port_server::PortServer;
use crate::singleton::{Singleton, SingletonError};
use crate::socket::{ControlSocket, SocketError};

/// How long the daemon stays without anybody needing it, unless said otherwise.
pub const IDLE: Duration = Duration::from_secs(600);

/// How long what the proxy has under way may take when the daemon ends.
const DRAIN: Duration = Duration::from_secs(1);
/// How long the next daemon is waited for by one that hands over.
const SUCCESSOR: Duration = Duration::from_secs(5);
/// How long a daemon that has handed over stays for its last connections.
const LAST_CONNECTION: Duration = Duration::from_secs(3600);

/// What the daemon needs to know.
pub struct Config<R: FnOnce()> {
    /// Where its files are.
    pub paths: Paths,
    /// The version that it tells.
    pub version: String,
    /// How long it stays without anybody needing it.
    pub idle: Duration,
    /// Which ports the proxy is to have.
    pub proxy: ProxyWish,
    /// Listeners that were opened for it, each with a name: `https` in it says that TLS is spoken there.
    pub activated: Vec<(String, TcpListener)>,
    /// Has the pilot of an instance made again. The daemon itself starts nothing.
    pub revive: fn(&Instance),
    /// Called once, when the socket accepts connections.
    pub ready: R,
}

/// Why the daemon does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Another daemon does, or the folders are not fit.
    #[error(transparent)]
    Singleton(#[from] SingletonError),
    /// The socket's place is taken.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The database is a later version's.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The event loop does not start.
    #[error("the event loop does not start")]
    Runtime(#[source] io::Error),
}

/// Is the daemon until it is told to end, is superseded, or is idle.
///
/// It changes this process: umask 077, the folder `/`, and as many open files as are allowed.
///
/// # Errors
/// Before `ready` is called: why this process cannot be the daemon.
pub fn serve<R: FnOnce()>(config: Config<R>) -> Result<(), ServeError> {
    rustix::process::umask(Mode::from_raw_mode(0o077));
    // Neither matters enough to give up: a pinned folder, a low limit.
    let _ = std::env::set_current_dir("/");
    let _ = limits::raise_open_files();
    let singleton = Singleton::claim(&config.paths)?;
    let ledger = Ledger::open(&config.paths.database, clock::now(), &process::boot_id())?;
    let journal = Journal::open(&config.paths.logs);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(ServeError::Runtime)?;
    runtime.block_on(run(config, singleton, ledger, journal))
}

/// Lets go of standard output: whoever waited for the first word there must not wait for the last.
pub fn leave_stdout() {
    if let Ok(null) = std::fs::OpenOptions::new().write(true).open("/dev/null") {
        // A pipe that stays is a nuisance to its reader, no more.
        let _ = rustix::stdio::dup2_stdout(null);
    }
}

async fn run<R: FnOnce()>(
    config: Config<R>,
    singleton: Singleton,
    ledger: Ledger,
    journal: Journal,
) -> Result<(), ServeError> {
    let files = open_files();
    let (events, mut received) = mpsc::channel(MAX_EVENTS);
    let (notices, _) = broadcast::channel(MAX_NOTICES);
    let (end, ending) = watch::channel(false);
    let (open, connections) = watch::channel(0);
    let socket = ControlSocket::bind(&config.paths.socket)?;
    let identity = Identity {
        version: config.version,
        socket: config.paths.socket.display().to_string(),
        idle: config.idle,
        watches: files / 3,
        revive: config.revive,
    };
    let known = ledger.table();
    let gateway = Gateway::open(config.proxy, &config.paths, config.activated, files, known);
    let requests = gateway.requests.clone();
    let wires = Wires { events: events.clone(), notices: notices.clone(), open: connections };
    let mut coordinator = Coordinator::new(identity, ledger, journal, gateway, wires);
    let most = MAX_CONNECTIONS.min(files / 4);
    let paths = config.paths;
    let handover = paths.handover.clone();
    let port_server = PortServer::open(&paths.port_server, &events);
    let serving_ports = port_server.map(|server| tokio::spawn(server.run(ending.clone())));
    let acceptor = Acceptor { socket, singleton, paths, events, notices, requests, most, open };
    let accepting = tokio::spawn(acceptor.run(ending));
    (config.ready)();
    let outcome = coordinator.run(&mut received).await.map_err(ServeError::Runtime);
    let _ = end.send(true);
    let singleton = tokio::select! {
        joined = accepting => joined.ok(),
        () = coordinator.refuse_all(&mut received) => None,
    };
    // Its path goes while the locks are held: the next daemon has it next.
    if let Some(serving) = serving_ports {
        let _ = serving.await;
    }
    // The database is closed before the locks are released: the next daemon may wait for them.
    let (gateway, hands_over) = coordinator.end();
    match hands_over {
        true => hand_over(gateway, singleton, &handover).await,
        false => {
            gateway.close(DRAIN).await;
            drop(singleton);
        }
    }
    outcome
}

/// Gives the listeners to the next daemon, and then carries to its end what is under way: it may be a
/// WebSocket, or a request that somebody debugs.
async fn hand_over(gateway: Gateway, singleton: Option<Singleton>, path: &Path) {
    let offer = Offer::open(path);
    // From here on another daemon may be.
    drop(singleton);
    let given = offer.and_then(|offer| offer.give(&gateway.listeners(), SUCCESSOR));
    let limit = if given.unwrap_or(false) { LAST_CONNECTION } else { DRAIN };
    gateway.close(limit).await;
}

/// How many files this process may have open. A third is for watching processes, a quarter for
/// connections, the rest for the database, for looking into `/proc` and for probing ports.
fn open_files() -> usize {
    let limit = getrlimit(Resource::Nofile).current;
    limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX)
}

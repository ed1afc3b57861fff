//! A stage for the proxy: a client that sends exact bytes in front of it, a server that does exactly
//! what it is told behind it. All of it on loopback, on ports that the tests hold themselves.

#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    missing_docs,
    reason = "each test uses the part it needs"
)]

pub mod client;
pub mod message;
pub mod tls;
pub mod upstream;

use std::cell::Cell;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use tokio::sync::{broadcast, watch};
use wharf_model::{Condition, OriginForm, Owner, Protocol, Route, RouteTable, Upstream as Target};
use wharf_proxy::{Config, Front, Ownership, Proxy, Record};

pub use client::{Client, get};
pub use message::{Fault, Message};
pub use upstream::{Line, Log, Upstream};

/// How long anything may take that a test waits for. Only a failure takes so long.
pub const LIMIT: Duration = Duration::from_secs(20);
/// The name that is served.
pub const HOST: &str = "shop.localhost";
const MAX_CONNECTIONS: usize = 8192;
const MAX_RECORDS: usize = 64;

/// Nobody else listens on loopback during a test.
struct Anybody;

impl Ownership for Anybody {
    fn verify(&self, _: &Target, _: SocketAddr) -> Result<(), String> {
        Ok(())
    }
}

/// A proxy that runs, and its front.
#[derive(Debug)]
pub struct House {
    pub port: u16,
    pub routes: watch::Sender<Arc<RouteTable>>,
    pub records: broadcast::Receiver<Arc<Record>>,
    proxy: Proxy,
}

impl House {
    pub fn new(routes: impl IntoIterator<Item = Route>) -> House {
        House::with(routes, Arc::new(Anybody))
    }

    pub fn with(routes: impl IntoIterator<Item = Route>, ownership: Arc<dyn Ownership>) -> House {
        House::open(TcpListener::bind("127.0.0.1:0").unwrap(), routes, ownership)
    }

    /// A proxy whose front is this one.
    pub fn at(listener: TcpListener, routes: impl IntoIterator<Item = Route>) -> House {
        House::open(listener, routes, Arc::new(Anybody))
    }

    fn open(
        listener: TcpListener,
        routes: impl IntoIterator<Item = Route>,
        ownership: Arc<dyn Ownership>,
    ) -> House {
        let (routes, table) = watch::channel(Arc::new(RouteTable::new(routes)));
        let (sender, records) = broadcast::channel(MAX_RECORDS);
        let proxy = Proxy::start(Config {
            routes: table,
            ownership,
            upstream_tls: None,
            records: sender,
            max_connections: MAX_CONNECTIONS,
        })
        .unwrap();
        let port = listener.local_addr().unwrap().port();
        let house = House { port, routes, records, proxy };
        house.front(listener, false);
        house
    }

    fn front(&self, listener: TcpListener, lan: bool) {
        self.proxy.open(Front { listener, tls: None, lan, only: None }).expect("a proxy that runs");
    }

    /// Another front, by TLS: its port.
    pub fn tls(&self) -> u16 {
        self.front_by_tls(false)
    }

    /// Another front by TLS, which could be reached from beyond this machine: its port.
    pub fn lan_tls(&self) -> u16 {
        self.front_by_tls(true)
    }

    fn front_by_tls(&self, lan: bool) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let tls = Some(tls::shown().config.subscribe());
        self.proxy.open(Front { listener, tls, lan, only: None }).expect("a proxy that runs");
        port
    }

    /// Another front, which could be reached from beyond this machine: its port.
    pub fn lan(&self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        self.front(listener, true);
        port
    }

    pub fn client(&self) -> Client {
        Client::new(self.port)
    }

    pub fn set(&self, routes: impl IntoIterator<Item = Route>) {
        self.routes.send_replace(Arc::new(RouteTable::new(routes)));
    }
}

thread_local! {
    static BY_TLS: Cell<bool> = const { Cell::new(false) };
}

/// Runs a test whose clients of a [`Stage`] come by TLS.
pub fn by_tls(test: fn()) {
    BY_TLS.set(true);
    test();
    BY_TLS.set(false);
}

/// A proxy with one route to one scripted server.
pub struct Stage {
    pub house: House,
    pub upstream: Upstream,
}

impl Stage {
    pub fn new(script: impl Fn(&mut Line) + Send + Sync + 'static) -> Stage {
        let upstream = Upstream::new(Arc::new(script));
        let house = House::new([route(HOST, upstream.address)]);
        Stage { house, upstream }
    }

    /// Its server answers every request with its method and target.
    pub fn echo() -> Stage {
        Stage::new(Line::echo)
    }

    pub fn client(&self) -> Client {
        if BY_TLS.get() { self.client_by_tls() } else { self.house.client() }
    }

    /// A client by TLS, for the name that is served.
    pub fn client_by_tls(&self) -> Client {
        tls::http1(self.house.tls())
    }

    /// Ends the proxy; gives everything that the server was ever sent.
    pub fn end(self) -> Log {
        drop(self.house);
        self.upstream.end()
    }
}

/// A guarded route of a host to an address.
pub fn route(host: &str, address: SocketAddr) -> Route {
    Route {
        host: host.into(),
        path: "/".into(),
        site: HOST.into(),
        origins: Vec::new(),
        guarded: true,
        origin_form: OriginForm::Plain,
        lan: false,
        upstream: Target {
            name: host.into(),
            instance: None,
            addresses: vec![address],
            protocol: Protocol::Http1,
            owner: Owner::User,
            condition: Condition::Up,
        },
    }
}

/// A signal from a test to its server; one message is ever under way.
pub fn signal() -> (mpsc::SyncSender<()>, Mutex<mpsc::Receiver<()>>) {
    let (sender, receiver) = mpsc::sync_channel(1);
    (sender, Mutex::new(receiver))
}

/// Lets this process have as many descriptors as the system allows: one that tests many connections
/// holds both of their ends, and the proxy between them.
pub fn many() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}

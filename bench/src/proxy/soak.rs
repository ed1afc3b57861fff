//! What takes long: memory after a million requests, as many WebSockets as there are files for, and a
//! thousand routes.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{broadcast, watch};
use wharf_model::{Condition, OriginForm, Owner, Protocol, Route, RouteTable, Upstream};
use wharf_proxy::{Config, Front, Ownership, Proxy};

use super::contenders::{Contender, OURS, UPSTREAM, resident};
use super::load::{Load, get};
use super::place::Pinned;
use super::{NEVER, Stage, idle};
use crate::Failure;
use crate::figures::{self, Aim, Table};

const REQUESTS: u64 = 1_000_000;
const WARM_UP: u64 = 100_000;
const CROWD: usize = 32;
const ROUTES: usize = 1000;
/// Nobody reads them.
const MAX_RECORDS: usize = 1;
const SOCKETS: u16 = 9000;
/// A client, the proxy and the server have these open; the proxy twice, and others besides.
const FILES: u64 = 20_000;
/// After this long a process that has nothing to do holds what it will go on holding.
const SETTLED: Duration = Duration::from_secs(3);
/// No request takes so long.
const LONG: Duration = Duration::from_secs(600);

/// Measures.
pub(crate) fn run(stage: &Stage<'_>) -> Result<Vec<Table>, Failure> {
    let ours = stage.start(OURS)?.ok_or("the daemon has no proxy")?;
    let mut tables = vec![routes(stage)?];
    let _pinned = Pinned::to(stage.places.load)?;
    tables.push(many_requests(&ours)?);
    match stage.files.most {
        FILES.. => tables.push(many_sockets(&ours)?),
        most => println!("WebSockets: not measured, only {most} files may be open\n"),
    }
    Ok(tables)
}

fn memory(contender: &Contender) -> Result<f64, Failure> {
    std::thread::sleep(SETTLED);
    Ok(resident(contender)?.ok_or("the process is gone")?)
}

fn many_requests(ours: &Contender) -> Result<Table, Failure> {
    let load = ours.load("/", CROWD);
    load.run(LONG, WARM_UP)?;
    let before = memory(ours)?;
    load.run(LONG, REQUESTS)?;
    let after = memory(ours)?;
    let mut table = Table::new(
        &format!("proxy: memory after {REQUESTS} requests (MiB)"),
        vec![
            figures::Contender::new("before"),
            figures::Contender::new("after").aim(Aim::Adds(5.0)),
        ],
    );
    table.add(0, before);
    table.add(1, after);
    Ok(table)
}

fn many_sockets(ours: &Contender) -> Result<Table, Failure> {
    let before = memory(ours)?;
    let begun = Instant::now();
    let mut sockets = idle::open(ours, SOCKETS)?;
    let opened = begun.elapsed();
    let each = (memory(ours)? - before) * 1048.576 / f64::from(SOCKETS);
    for socket in &mut sockets {
        idle::echo(socket)?;
    }
    let mut asked = ours.load("/", CROWD).run(Duration::from_secs(1), NEVER)?;
    let mut table = Table::new(
        &format!("proxy: {SOCKETS} WebSockets at once"),
        vec![
            figures::Contender::new("memory for each (kB)").aim(Aim::Under(40.0)),
            figures::Contender::new("to open one (ms)"),
            figures::Contender::new("99 of 100 requests beside them take at most (ms)"),
        ],
    );
    table.add(0, each);
    table.add(1, opened.as_secs_f64() * 1e3 / f64::from(SOCKETS));
    table.add(2, asked.latency(99) / 1e3);
    Ok(table)
}

struct Anybody;

impl Ownership for Anybody {
    fn verify(&self, _: &Upstream, _: SocketAddr) -> Result<(), String> {
        Ok(())
    }
}

fn route(number: usize) -> Route {
    let host = format!("shop-{number}.localhost");
    Route {
        site: host.clone(),
        path: "/".into(),
        origins: Vec::new(),
        guarded: true,
        origin_form: OriginForm::Plain,
        lan: false,
        upstream: Upstream {
            name: host.as_str().into(),
            instance: None,
            addresses: vec![(Ipv4Addr::LOCALHOST, UPSTREAM).into()],
            protocol: Protocol::Http1,
            owner: Owner::User,
            condition: Condition::Up,
        },
        host,
    }
}

/// The data plane alone, in this process: from a new route to the first answer by its name.
fn routes(stage: &Stage<'_>) -> Result<Table, Failure> {
    let (routes, table) = watch::channel(Arc::new(RouteTable::default()));
    let (records, _) = broadcast::channel(MAX_RECORDS);
    let pinned = Pinned::to(stage.places.proxy)?;
    let proxy = Proxy::start(Config {
        routes: table,
        ownership: Arc::new(Anybody),
        upstream_tls: None,
        records,
        max_connections: 4096,
    })?;
    drop(pinned);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    proxy.open(Front { listener, tls: None, lan: false, only: None })?;
    let _pinned = Pinned::to(stage.places.load)?;
    let load = |number: usize, connections| Load {
        address,
        request: get(&format!("shop-{number}.localhost:{}", address.port()), "/"),
        connections,
    };
    let mut took = Vec::with_capacity(ROUTES);
    for number in 0..ROUTES {
        let begun = Instant::now();
        routes.send_replace(Arc::new(RouteTable::new((0..=number).map(route))));
        load(number, 1).run(Duration::ZERO, 1)?;
        took.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    let mut asked = load(ROUTES / 2, CROWD).run(Duration::from_secs(2), NEVER)?;
    took.sort_by(f64::total_cmp);
    let mut table = Table::new(
        &format!("proxy: {ROUTES} routes (ms)"),
        vec![
            figures::Contender::new("from a new route to its first answer, half"),
            figures::Contender::new("the longest").aim(Aim::Under(20.0)),
            figures::Contender::new("99 of 100 requests take at most").aim(Aim::Under(50.0)),
        ],
    );
    table.add(0, took[ROUTES / 2]);
    table.add(1, took[ROUTES - 1]);
    table.add(2, asked.latency(99) / 1e3);
    Ok(table)
}

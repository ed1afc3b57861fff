//! The proxy: requests, latency, bodies, memory and events, its own and its peers', in front of the same
//! server. The proxy has one processor, the load and the server have the other.

mod contenders;
mod idle;
mod load;
mod place;
mod soak;
pub(crate) mod upstream;

use std::time::Duration;

use contenders::{
    CADDY_ROW, Contender, DIRECT, HAPROXY_ROW, NAMES, NGINX_ROW, OURS, PORTLESS_ROW, Upstream,
};
use place::{ManyFiles, Pinned, Places};

use crate::Failure;
use crate::clock::Rounds;
use crate::figures::{self, Aim, Table};
use crate::world::World;

/// How many connections ask at once.
const CROWDS: [usize; 3] = [1, 32, 256];
/// How long one contender is asked before it is the next one's turn.
const TURN: Duration = Duration::from_millis(700);
/// The same with bodies.
const BODY_TURN: Duration = Duration::from_millis(500);
const NEVER: u64 = u64::MAX;
/// How often a turn is tried.
const ATTEMPTS: usize = 3;

/// What all measurements need.
pub(crate) struct Stage<'a> {
    world: &'a World,
    places: Places,
    files: ManyFiles,
    _upstream: Upstream,
}

impl Stage<'_> {
    fn set(world: &World) -> Result<Stage<'_>, Failure> {
        let (places, files) = (Places::find()?, ManyFiles::allow()?);
        let upstream = contenders::upstream(world, places)?;
        Ok(Stage { world, places, files, _upstream: upstream })
    }

    /// Everybody who is installed, by row.
    fn all(&self) -> Result<Vec<Option<Contender>>, Failure> {
        (0..NAMES.len()).map(|row| self.start(row)).collect()
    }

    /// Starts one. Of a peer that does not start it is said why, and the others are measured.
    fn start(&self, row: usize) -> Result<Option<Contender>, Failure> {
        match contenders::start(self.world, self.places, row) {
            Err(failure) if row > OURS => {
                println!("{}: {failure}\n", NAMES[row]);
                Ok(None)
            }
            outcome => outcome,
        }
    }
}

/// Measures.
pub(crate) fn run(world: &World) -> Result<Vec<Table>, Failure> {
    let stage = Stage::set(world)?;
    let idle = idle::memory(&stage)?;
    let all = stage.all()?;
    let pinned = Pinned::to(stage.places.load)?;
    let mut tables = Vec::new();
    for connections in CROWDS {
        tables.extend(requests(&all, connections)?);
    }
    tables.push(bodies(&all, "64 KiB", "/64k", 32, 5)?);
    tables.push(bodies(&all, "100 MB", "/100m", 1, 5)?);
    tables.extend(idle::events(&all)?);
    drop(pinned);
    tables.extend(idle);
    world.stop_portless();
    Ok(tables)
}

/// Measures what takes long.
pub(crate) fn soak(world: &World) -> Result<Vec<Table>, Failure> {
    soak::run(&Stage::set(world)?)
}

fn table(title: &str) -> Table {
    Table::new(title, NAMES.map(figures::Contender::new).into())
}

/// Requests per second, the processor's time for each, and at one connection how long each takes.
fn requests(all: &[Option<Contender>], connections: usize) -> Result<Vec<Table>, Failure> {
    let title = format!("proxy: {connections} connections, small answers");
    let title = title.replace("1 connections", "1 connection");
    let mut rate = table(&format!("{title} (requests per second)")).decimals(0);
    rate = match connections {
        1 => rate.compare(OURS, NGINX_ROW),
        _ => rate.compare_for(OURS, NGINX_ROW, Aim::Times(1.0)),
    };
    rate = rate.compare(OURS, HAPROXY_ROW).compare(OURS, CADDY_ROW);
    rate = match connections {
        1 => rate.compare(OURS, PORTLESS_ROW),
        _ => rate.compare_for(OURS, PORTLESS_ROW, Aim::Times(12.0)),
    };
    let proxies = NAMES[OURS..].iter().map(|name| figures::Contender::new(*name)).collect();
    let cost = format!("{title}: the proxy's processor time (µs per request)");
    let mut cost = Table::new(&cost, proxies);
    let (ours, nginx, haproxy) = (0, NGINX_ROW - OURS, HAPROXY_ROW - OURS);
    cost = cost.compare_for(ours, nginx, Aim::AtMost(1.0)).compare(ours, haproxy);
    let p50 = table(&format!("{title}: half of the requests take at most (µs)"));
    let mut p50 = p50.compare_for(OURS, HAPROXY_ROW, Aim::AtMost(1.0)).compare(OURS, NGINX_ROW);
    let p99 = table(&format!("{title}: 99 of 100 take at most (µs)"));
    let mut p99 = p99.compare(OURS, HAPROXY_ROW).compare(OURS, NGINX_ROW);
    let mut out = Vec::new();
    for _ in Rounds::new(3, 9, Duration::from_secs(28)) {
        for (row, contender) in rows(all) {
            let asked = turn(row, &mut out, || {
                let before = contender.processor_time()?;
                let outcome = contender.load("/", connections).run(TURN, NEVER)?;
                Ok((outcome, contender.processor_time()? - before))
            })?;
            let Some((mut outcome, took)) = asked else { continue };
            rate.add(row, outcome.rate());
            if row != DIRECT {
                // What was asked to warm up, and what was under way, has its share.
                let elapsed = outcome.elapsed + load::WARM_UP;
                cost.add(
                    row - OURS,
                    took.as_secs_f64() * 1e6 / (outcome.rate() * elapsed.as_secs_f64()),
                );
            }
            p50.add(row, outcome.latency(50));
            p99.add(row, outcome.latency(99));
        }
    }
    Ok(if connections == 1 { vec![rate, p50, p99] } else { vec![rate, cost] })
}

/// Lets somebody have a turn. A peer that fails again and again is left out from then on, and it is said.
fn turn<T>(
    row: usize,
    out: &mut Vec<usize>,
    take: impl Fn() -> Result<T, Failure>,
) -> Result<Option<T>, Failure> {
    if out.contains(&row) {
        return Ok(None);
    }
    let again = (0..ATTEMPTS).find_map(|attempt| match take() {
        Err(_) if attempt + 1 < ATTEMPTS => None,
        outcome => Some(outcome),
    });
    match again {
        Some(Err(failure)) if row > OURS => {
            println!("{} is left out: {failure}\n", NAMES[row]);
            out.push(row);
            Ok(None)
        }
        outcome => outcome.transpose(),
    }
}

/// Those that are there, by row.
fn rows(all: &[Option<Contender>]) -> impl Iterator<Item = (usize, &Contender)> {
    all.iter().enumerate().filter_map(|(row, contender)| Some((row, contender.as_ref()?)))
}

fn bodies(
    all: &[Option<Contender>],
    size: &str,
    path: &str,
    connections: usize,
    rounds: usize,
) -> Result<Table, Failure> {
    let mut rate = table(&format!("proxy: bodies of {size} (MB per second)")).decimals(0);
    rate = rate.compare_for(OURS, NGINX_ROW, Aim::Times(1.0)).compare(OURS, HAPROXY_ROW);
    rate = rate.compare(OURS, PORTLESS_ROW);
    let mut out = Vec::new();
    for _ in Rounds::new(3, rounds, Duration::from_secs(25)) {
        for (row, contender) in rows(all) {
            let load = contender.load(path, connections);
            if let Some(outcome) = turn(row, &mut out, || load.run(BODY_TURN, NEVER))? {
                rate.add(row, outcome.throughput());
            }
        }
    }
    Ok(rate)
}

/// The load by hand: prints the rate, and how long half and 99 of 100 take.
pub(crate) fn ask(
    address: &str,
    host: &str,
    path: &str,
    connections: &str,
    seconds: &str,
) -> Result<(), Failure> {
    let request = load::get(host, path);
    let load = load::Load { address: address.parse()?, request, connections: connections.parse()? };
    let mut outcome = load.run(Duration::from_secs_f64(seconds.parse()?), NEVER)?;
    let (rate, throughput) = (outcome.rate(), outcome.throughput());
    let (p50, p99) = (outcome.latency(50), outcome.latency(99));
    println!("{rate:.0} {throughput:.1} {p50:.1} {p99:.1} {}", outcome.requests);
    Ok(())
}

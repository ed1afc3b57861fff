//! How long a lease takes over the control socket, its connection included.

use std::path::Path;
use std::process::id;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use wharf_control::Client;
use wharf_control::api::{KeyRequest, LeaseRequest, ProxyStatus, ReleaseRequest, Released};
use wharf_model::{LeaseKind, PathText, Port, PortRequest};

use crate::Failure;
use crate::clock::{self, Rounds};
use crate::figures::{Aim, Contender, Table};
use crate::world::World;

/// Requests in all, for each way of asking.
const REQUESTS: usize = 1000;
/// Askers at once.
const ASKERS: usize = 8;
/// Services that ask: each has its own port, which the daemon remembers.
const SERVICES: usize = 40;
/// Longer than the run.
const TTL_S: u64 = 3600;
/// The conventional ports of these services.
const CONVENTIONAL: [u16; 5] = [8000, 5173, 3000, 8080, 4200];

const LEASE: usize = 0;
const RELEASE: usize = 1;
const BIND: usize = 2;

/// Measures.
pub(crate) fn run(world: &World) -> Result<Vec<Table>, Failure> {
    world.start_daemon()?;
    let socket = world.socket();
    let alone = Contender::new("lease by the daemon").aim(Aim::Under(2.0));
    let mut single = table("lease: one request at a time (ms)", alone);
    let mut asker = Asker::new(&socket, 0)?;
    for round in Rounds::new(100, REQUESTS, Duration::from_secs(12)) {
        let sample = asker.once(round)?;
        single.add(LEASE, sample.lease);
        single.add(RELEASE, sample.release);
        single.add(BIND, bind_any()?);
    }
    // Without an aim: each waits for the others, and all of them share the cores with the daemon.
    let crowded = Contender::new("lease by the daemon");
    let mut many = table(&format!("lease: {ASKERS} askers at once (ms)"), crowded);
    for sample in crowd(&socket)? {
        many.add(LEASE, sample.lease);
        many.add(RELEASE, sample.release);
        many.add(BIND, bind_any()?);
    }
    Ok(vec![single, many])
}

fn table(title: &str, lease: Contender) -> Table {
    Table::new(
        title,
        vec![
            lease,
            Contender::new("release by the daemon"),
            Contender::new("bind(0) in the process itself"),
        ],
    )
    .decimals(3)
    .compare(LEASE, BIND)
}

/// Grants `count` leases that outlive the run.
pub(crate) fn keep(world: &World, count: usize) -> Result<(), Failure> {
    let mut asker = Asker::new(&world.socket(), 0)?;
    for service in 0..count {
        asker.lease(service)?;
    }
    Ok(())
}

/// The number of the daemon's process.
pub(crate) fn daemon_pid(world: &World) -> Result<u32, Failure> {
    let asker = Asker::new(&world.socket(), 0)?;
    Ok(asker.runtime.block_on(asker.client.status())?.pid)
}

/// How the daemon's proxy is.
pub(crate) fn proxy_status(world: &World) -> Result<ProxyStatus, Failure> {
    let asker = Asker::new(&world.socket(), 0)?;
    Ok(asker.runtime.block_on(asker.client.proxy())?)
}

/// All askers' samples.
fn crowd(socket: &Path) -> Result<Vec<Sample>, Failure> {
    std::thread::scope(|scope| {
        let ask = |number| {
            move || -> Result<Vec<Sample>, Failure> {
                let mut asker = Asker::new(socket, number)?;
                Rounds::new(20, REQUESTS / ASKERS, Duration::from_secs(12))
                    .map(|round| asker.once(round))
                    .collect()
            }
        };
        let askers: Vec<_> = (1..=ASKERS).map(|number| scope.spawn(ask(number))).collect();
        let mut samples = Vec::new();
        for asker in askers {
            samples.extend(asker.join().map_err(|_| "an asker panicked")??);
        }
        Ok(samples)
    })
}

/// Milliseconds of one lease and its release.
#[derive(Clone, Copy, Debug)]
struct Sample {
    lease: f64,
    release: f64,
}

/// One client, with the services of one project.
struct Asker {
    client: Client,
    runtime: Runtime,
    number: usize,
    asked: usize,
}

impl Asker {
    fn new(socket: &Path, number: usize) -> Result<Asker, Failure> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Asker { client: Client::new(socket), runtime, number, asked: 0 })
    }

    fn request(&mut self, service: usize) -> Result<LeaseRequest, Failure> {
        self.asked += 1;
        let project = format!("/home/someone/code/project-{}", self.number);
        let wanted = CONVENTIONAL[service % CONVENTIONAL.len()];
        Ok(LeaseRequest {
            request_id: format!("bench-{}-{}-{}", id(), self.number, self.asked),
            key: Some(KeyRequest {
                project: PathText::new(project.as_ref()),
                worktree: String::new(),
                service: format!("service-{service}"),
                instance: None,
            }),
            request: PortRequest::Conventional(Port::new(wanted).ok_or("no such port")?),
            slots: 1,
            owner: LeaseKind::Ttl(TTL_S),
            busy: Vec::new(),
            agent: None,
        })
    }

    /// Takes a lease; gives its number and how long it took.
    fn lease(&mut self, service: usize) -> Result<(i64, f64), Failure> {
        let request = self.request(service)?;
        let before = clock::now();
        let reply = self.runtime.block_on(self.client.lease(&request))?;
        let took = clock::ms(before, clock::now());
        let lease = reply.leases.first().ok_or("the daemon granted nothing")?;
        Ok((lease.id, took))
    }

    /// Takes a lease and gives it back.
    fn once(&mut self, round: usize) -> Result<Sample, Failure> {
        let (number, lease) = self.lease(round % SERVICES)?;
        let request = ReleaseRequest { release: Released::Leases(vec![number]), by: None };
        let before = clock::now();
        self.runtime.block_on(self.client.release(&request))?;
        Ok(Sample { lease, release: clock::ms(before, clock::now()) })
    }
}

/// What a program does that takes any free port: nobody remembers it, and nobody else knows.
fn bind_any() -> Result<f64, Failure> {
    let before = clock::now();
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let took = clock::ms(before, clock::now());
    assert_ne!(port, 0, "the kernel gives a number");
    Ok(took)
}

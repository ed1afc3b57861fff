//! How much memory the lasting processes hold, and how large the program is.

use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::figures::{Aim, Contender, Table};
use crate::lease;
use crate::world::{PATIENCE, Running, World};

const ROUNDS: usize = 5;
const LEASES: usize = 100;
const PORT: u16 = 9160;
const PEER_PORT: u16 = 9170;
/// The pause between two looks at something that is about to happen.
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);
/// After this long a process that has nothing to do holds what it will go on holding.
const SETTLED: Duration = Duration::from_millis(700);
/// The same for the daemon, whose clock ticks every two seconds.
const DAEMON_SETTLED: Duration = Duration::from_millis(2500);

/// What `/proc` says of one process, in MiB.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resident {
    all: f64,
    anonymous: f64,
}

impl Resident {
    pub(crate) fn all(self) -> f64 {
        self.all
    }
}

/// Measures.
pub(crate) fn run(world: &World) -> Result<Vec<Table>, Failure> {
    let mut pilot = Table::new(
        "memory of what waits beside a server (MiB)",
        vec![
            Contender::new("wharf's pilot, resident").aim(Aim::Under(6.0)),
            Contender::new("of it anonymous"),
            Contender::new("the pilot's guard, resident"),
            Contender::new("of it anonymous"),
            Contender::new("`portless`, resident"),
            Contender::new("of it anonymous"),
            Contender::new("`node` that does nothing, resident"),
        ],
    )
    .compare(4, 0);
    let mut daemon = Table::new(
        &format!("memory of the daemon, idle after {LEASES} leases (MiB)"),
        vec![
            Contender::new("wharf's daemon, resident").aim(Aim::Under(12.0)),
            Contender::new("of it anonymous"),
            Contender::new("`portless`' proxy, resident"),
            Contender::new("of it anonymous"),
        ],
    )
    .compare(2, 0);
    for _ in 0..ROUNDS {
        world.stop_daemon();
        world.start_daemon()?;
        lease::keep(world, LEASES)?;
        std::thread::sleep(DAEMON_SETTLED);
        add(&mut daemon, 0, resident(lease::daemon_pid(world)?)?);
        let (own, guard) = of_pilot(world)?;
        add(&mut pilot, 0, own);
        if let Some(guard) = guard {
            add(&mut pilot, 2, guard);
        }
        if let Some((own, proxy)) = of_portless(world)? {
            add(&mut pilot, 4, own);
            add(&mut daemon, 2, proxy);
        }
        let mut node = world.command("node");
        if let Ok(node) = Running::start(node.args(["-e", "setTimeout(() => {}, 1e9)"])) {
            std::thread::sleep(SETTLED);
            pilot.add(6, resident(node.pid())?.all);
        }
    }
    Ok(vec![pilot, daemon, size(world)?])
}

pub(crate) fn add(table: &mut Table, first: usize, resident: Resident) {
    table.add(first, resident.all);
    table.add(first + 1, resident.anonymous);
}

/// The pilot of a server that serves, and the guard between them.
fn of_pilot(world: &World) -> Result<(Resident, Option<Resident>), Failure> {
    let mut command = world.wharf(&["run", "--port", &PORT.to_string()]);
    let running = serve(world, &mut command, PORT)?;
    let children = format!("/proc/{0}/task/{0}/children", running.pid());
    let children = std::fs::read_to_string(children).unwrap_or_default();
    let guard = children.split_ascii_whitespace().next().and_then(|pid| pid.parse().ok());
    Ok((resident(running.pid())?, guard.map(resident).transpose()?))
}

/// The peer's process beside a server, and its proxy.
fn of_portless(world: &World) -> Result<Option<(Resident, Resident)>, Failure> {
    let port = PEER_PORT.to_string();
    let Some(mut command) = world.portless(&["--name", "bench", "--app-port", &port]) else {
        return Ok(None);
    };
    let running = serve(world, &mut command, PEER_PORT)?;
    let proxy = std::fs::read_to_string(world.path("home/.portless/proxy.pid"))?;
    let both = (resident(running.pid())?, resident(proxy.trim().parse()?)?);
    drop(running);
    world.stop_portless();
    Ok(Some(both))
}

/// Starts a server under the command and waits until it serves and all is quiet.
pub(crate) fn serve(world: &World, command: &mut Command, port: u16) -> Result<Running, Failure> {
    let stamp = world.path("stamp");
    command.args(world.role("server")).arg(stamp).args(["0", "true"]);
    let running = Running::start(command)?;
    let end = Instant::now() + PATIENCE;
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        if Instant::now() > end {
            return Err(format!("nothing came to serve on port {port}").into());
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
    std::thread::sleep(SETTLED);
    Ok(running)
}

pub(crate) fn resident(pid: u32) -> Result<Resident, Failure> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| -> Result<f64, Failure> {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|rest| rest.split_ascii_whitespace().next());
        Ok(number.ok_or("no memory in the status")?.parse::<f64>()? / 1024.0)
    };
    Ok(Resident { all: field("VmRSS:")?, anonymous: field("RssAnon:")? })
}

/// The size of the program; the peer's includes the runtime without which it does nothing.
fn size(world: &World) -> Result<Table, Failure> {
    let mut table = Table::new(
        "size of the program (MiB)",
        vec![
            Contender::new("wharf's release binary").aim(Aim::Under(12.0)),
            Contender::new("`portless` and its `node`"),
        ],
    );
    table.add(0, mebibytes(std::fs::metadata(world.wharf_binary())?.len()));
    if let (Some(package), Some(node)) = (world.portless_package(), node_binary(world)) {
        let bytes = bytes_below(package)? + std::fs::metadata(node)?.len();
        table.add(1, mebibytes(bytes));
    }
    Ok(table)
}

fn node_binary(world: &World) -> Option<String> {
    let mut node = world.command("node");
    let asked = node.args(["-p", "process.execPath"]).stdout(std::process::Stdio::piped());
    let output = asked.output().ok()?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

fn bytes_below(folder: &Path) -> Result<u64, Failure> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        bytes += match entry.file_type()?.is_dir() {
            true => bytes_below(&entry.path())?,
            false => entry.metadata()?.len(),
        };
    }
    Ok(bytes)
}

fn mebibytes(bytes: u64) -> f64 {
    // Programs are far smaller than 2^53 bytes.
    #[expect(clippy::cast_precision_loss, reason = "see above")]
    let bytes = bytes as f64;
    bytes / 1024.0 / 1024.0
}

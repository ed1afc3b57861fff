//! How long from the spawn to the first instruction of the child's `main`: bare, and by way of others.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::Failure;
use crate::clock::{self, Rounds};
use crate::figures::{Aim, Contender, Table};
use crate::world::{World, finish};

const BARE: usize = 0;
const WARM: usize = 1;
const ALONE: usize = 2;
const COLD: usize = 3;
const PEER_WARM: usize = 4;
const PEER_COLD: usize = 5;

/// Starting the peer's proxy takes seconds, so it is done in the first rounds only.
const PEER_COLD_ROUNDS: usize = 5;

/// Measures.
pub(crate) fn run(world: &World) -> Result<Vec<Table>, Failure> {
    let mut table = Table::new(
        "exec: from the spawn to the child's start (ms)",
        vec![
            Contender::new("bare"),
            Contender::new("`wharf run`, daemon up").aim(Aim::Adds(15.0)),
            Contender::new("`wharf run --no-daemon`"),
            Contender::new("`wharf run`, starts the daemon").aim(Aim::Adds(40.0)),
            Contender::new("`portless`, proxy up"),
            Contender::new("`portless`, starts the proxy"),
        ],
    )
    .compare(PEER_WARM, WARM)
    .compare(PEER_COLD, COLD);
    world.start_daemon()?;
    // The first run of all makes the database and warms the page cache: not counted.
    start(world, world.wharf(&["run"]))?;
    for round in Rounds::new(5, 40, Duration::from_secs(45)) {
        table.add(BARE, bare(world)?);
        table.add(WARM, start(world, world.wharf(&["run"]))?);
        table.add(ALONE, start(world, world.wharf(&["run", "--no-daemon"]))?);
        if round < PEER_COLD_ROUNDS {
            world.stop_portless();
            if let Some(peer) = world.portless(&["--name", "bench"]) {
                table.add(PEER_COLD, start(world, peer)?);
            }
        }
        if let Some(peer) = world.portless(&["--name", "bench"]) {
            table.add(PEER_WARM, start(world, peer)?);
        }
        world.stop_daemon();
        table.add(COLD, start(world, world.wharf(&["run"]))?);
    }
    world.stop_portless();
    Ok(vec![table])
}

fn bare(world: &World) -> Result<f64, Failure> {
    let stamp = world.path("stamp");
    measure(world.actor("child").arg(&stamp), &stamp)
}

/// The command, followed by the child's own words.
fn start(world: &World, mut command: Command) -> Result<f64, Failure> {
    let stamp = world.path("stamp");
    measure(command.args(world.role("child")).arg(&stamp), &stamp)
}

fn measure(command: &mut Command, stamp: &Path) -> Result<f64, Failure> {
    let _ = std::fs::remove_file(stamp);
    let before = clock::now();
    let status = finish(command.spawn()?)?;
    let began = std::fs::read_to_string(stamp)
        .map_err(|error| format!("{command:?} did not run its child ({status}): {error}"))?;
    Ok(clock::ms(before, began.parse()?))
}

//! How long it takes to say who holds a port, on a machine with many sockets and processes.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use crate::Failure;
use crate::clock::{self, Rounds};
use crate::figures::{Aim, Contender, Table};
use crate::world::World;

const PROCESSES: u16 = 200;
const LISTENERS_EACH: u16 = 5;
const LISTENERS: u16 = PROCESSES * LISTENERS_EACH;
const FIRST_PORT: u16 = 20_000;

const WHO: usize = 0;
const VERSION: usize = 1;
const LSOF: usize = 2;
const SS: usize = 3;
const WHISPERER: usize = 4;

/// In so many rounds this peer is asked too: some ten seconds for a port, one for all of them.
const WHISPERS_PORT: usize = 2;
const WHISPERS_MAP: usize = 8;

/// Measures.
pub(crate) fn run(world: &World) -> Result<Vec<Table>, Failure> {
    let title = format!("who: one port of {LISTENERS}, {PROCESSES} processes (ms)");
    let mut table = Table::new(
        &title,
        vec![
            Contender::new("`wharf who PORT`"),
            Contender::new("`wharf --version`, the floor"),
            Contender::new("`lsof -nP -iTCP:PORT -sTCP:LISTEN`").aim(Aim::Times(5.0)),
            Contender::new("`ss -Hltnp sport = :PORT`"),
            Contender::new("port-whisperer, `ports PORT`"),
        ],
    );
    world.start_daemon()?;
    let holders: Vec<Holder> = (0..PROCESSES)
        .map(|number| Holder::start(world, FIRST_PORT + number * LISTENERS_EACH))
        .collect::<Result<_, _>>()?;
    for round in Rounds::new(5, 40, Duration::from_secs(40)) {
        let offset = u16::try_from(round)? * 137 % LISTENERS;
        let port = FIRST_PORT + offset;
        let holder = holders[usize::from(offset / LISTENERS_EACH)].child.id().to_string();
        let number = port.to_string();
        let who = time(&mut world.wharf(&["who", &number]), &holder)?;
        table.add(WHO, who.ok_or("wharf did not start")?);
        let version = time(&mut world.wharf(&["--version"]), "wharf")?;
        table.add(VERSION, version.ok_or("wharf did not start")?);
        let filter = format!("-iTCP:{port}");
        let mut lsof = world.command("lsof");
        if let Some(ms) = time(lsof.args(["-nP", &filter, "-sTCP:LISTEN"]), &holder)? {
            table.add(LSOF, ms);
        }
        let mut ss = world.command("ss");
        let sport = format!(":{port}");
        if let Some(ms) = time(ss.args(["-Hltnp", "sport", "=", &sport]), &holder)? {
            table.add(SS, ms);
        }
        if round < WHISPERS_PORT
            && let Some(ms) = whisper(world, &number, &holder)?
        {
            table.add(WHISPERER, ms);
        }
    }
    let map = map(world, &holders)?;
    Ok(vec![table, map])
}

/// Every listener of the machine at once.
fn map(world: &World, holders: &[Holder]) -> Result<Table, Failure> {
    let title = format!("who: all {LISTENERS} ports, {PROCESSES} processes (ms)");
    let mut table = Table::new(
        &title,
        vec![
            Contender::new("`wharf who`"),
            Contender::new("`wharf --version`, the floor"),
            Contender::new("`lsof -nP -iTCP -sTCP:LISTEN`").aim(Aim::Times(1.0)),
            Contender::new("`ss -Hltnp`"),
            Contender::new("port-whisperer, `ports --all`"),
        ],
    );
    let last = holders.last().ok_or("nobody listens")?.child.id().to_string();
    for round in Rounds::new(3, 20, Duration::from_secs(30)) {
        let who = time(&mut world.wharf(&["who"]), &last)?;
        table.add(WHO, who.ok_or("wharf did not start")?);
        let version = time(&mut world.wharf(&["--version"]), "wharf")?;
        table.add(VERSION, version.ok_or("wharf did not start")?);
        let mut lsof = world.command("lsof");
        if let Some(ms) = time(lsof.args(["-nP", "-iTCP", "-sTCP:LISTEN"]), &last)? {
            table.add(LSOF, ms);
        }
        if let Some(ms) = time(world.command("ss").arg("-Hltnp"), &last)? {
            table.add(SS, ms);
        }
        if round < WHISPERS_MAP
            && let Some(ms) = whisper(world, "--all", &last)?
        {
            table.add(WHISPERER, ms);
        }
    }
    Ok(table)
}

/// The peer port-whisperer, if it is installed.
fn whisper(world: &World, asked: &str, pid: &str) -> Result<Option<f64>, Failure> {
    let Some(program) = world.peer("node_modules/port-whisperer/src/index.js") else {
        return Ok(None);
    };
    time(world.command("node").arg(program).arg(asked), pid)
}

/// From the spawn to the end of a command whose answer holds `expected`; `None` if it is not installed.
fn time(command: &mut Command, expected: &str) -> Result<Option<f64>, Failure> {
    let before = clock::now();
    let output = match command.stdout(Stdio::piped()).output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let took = clock::ms(before, clock::now());
    let text = String::from_utf8_lossy(&output.stdout);
    match text.contains(expected) {
        true => Ok(Some(took)),
        false => Err(format!("{command:?} did not find {expected}: {text}").into()),
    }
}

/// A process with listeners; it ends with its standard input.
struct Holder {
    child: Child,
    input: Option<ChildStdin>,
}

impl Holder {
    fn start(world: &World, first: u16) -> Result<Holder, Failure> {
        let mut command = world.actor("holder");
        command.args([first.to_string(), LISTENERS_EACH.to_string()]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take();
        let output = child.stdout.take().ok_or("no pipe")?;
        let holder = Holder { child, input };
        let mut word = String::new();
        BufReader::new(output).read_line(&mut word)?;
        match word.trim() {
            "ok" => Ok(holder),
            _ => Err(format!("ports from {first} on could not be bound").into()),
        }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

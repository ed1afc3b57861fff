//! What remapping costs: the calls that it answers, those that it does not, requests, memory; and, by
//! itself, how soon a `listen` is known.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::io::{FdFlags, fcntl_setfd};

use crate::clock::{self, Rounds};
use crate::figures::{Aim, Contender, Table};
use crate::memory;
use crate::world::{PATIENCE, Running, World, finish};
use crate::{Failure, remap_supervisor};

/// The pause between two looks at something that is about to happen.
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);
/// The port that the programs name: taken, so that each is on another and its connects are answered too.
const NAMED: u16 = 9180;
/// Where the bare ones are.
const BARE: u16 = 9190;
/// How many requests make a sample, over one connection and over one each.
const KEPT: u32 = 1000;
const EACH: u32 = 300;

/// A small server in Node, on the port that it is told by its argument.
const NODE_SERVER: &str = r#"
require("http").createServer((request, response) => response.end("ok"))
  .listen(+process.argv[1], "127.0.0.1");
"#;

/// The calls that are timed, in the order in which the role writes them.
const CALLS: [&str; 5] = [
    "`bind`",
    "`listen`",
    "`connect`, blocking",
    "`connect`, non-blocking",
    "`getpid`, which is not answered",
];

/// Measures.
pub(crate) fn run(world: &World) -> Result<Vec<Table>, Failure> {
    let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, NAMED))?;
    let mut tables = calls(world)?;
    tables.extend(requests(world, "Rust", &|port| role(world, &["http", port]))?);
    if finish(world.command("node").arg("--version").spawn()?).is_ok() {
        let node = |port: &str| vec!["node".into(), "-e".into(), NODE_SERVER.into(), port.into()];
        tables.extend(requests(world, "Node", &node)?);
    }
    tables.push(resident(world)?);
    Ok(tables)
}

type Words = Vec<std::ffi::OsString>;

fn role(world: &World, args: &[&str]) -> Words {
    let [own, word, role] = world.role(args[0]).map(ToOwned::to_owned);
    [own, word, role].into_iter().chain(args[1..].iter().map(Into::into)).collect()
}

fn bare(world: &World, words: &Words) -> Command {
    let mut command = world.command(&words[0]);
    command.args(&words[1..]);
    command
}

/// Under wharf, on another port than the one that is named.
fn remapped(world: &World, options: &[&str], words: &Words) -> Command {
    let mut command = world.wharf(&["run", "--port", &format!("{NAMED}+")]);
    command.args(options).arg("--").args(words);
    command
}

/// Each call, bare and in two modes; a sample is the median of one process.
fn calls(world: &World) -> Result<Vec<Table>, Failure> {
    let contenders = || {
        let name = ["bare", "`wharf run`", "`wharf run --remap rewrite`"];
        name.map(Contender::new).into()
    };
    let mut tables: Vec<Table> =
        CALLS.iter().map(|call| Table::new(&format!("remap: {call} (µs)"), contenders())).collect();
    let file = world.path("calls");
    let name = file.to_string_lossy().into_owned();
    world.start_daemon()?;
    for _ in Rounds::new(3, 15, Duration::from_secs(20)) {
        let (own, other) = (BARE.to_string(), NAMED.to_string());
        let words = role(world, &["calls", &name, &other]);
        let commands = [
            bare(world, &role(world, &["calls", &name, &own])),
            remapped(world, &[], &words),
            remapped(world, &["--remap", "rewrite"], &words),
        ];
        for (contender, mut command) in commands.into_iter().enumerate() {
            if !finish(command.spawn()?)?.success() {
                return Err("the calls could not be timed".into());
            }
            let text = std::fs::read_to_string(&file)?;
            for (table, sample) in tables.iter_mut().zip(text.split(' ')) {
                table.add(contender, sample.parse()?);
            }
        }
    }
    Ok(tables)
}

/// Requests per second of one server bare and of one under wharf, which both run all the time.
fn requests(
    world: &World,
    what: &str,
    words: &dyn Fn(&str) -> Words,
) -> Result<Vec<Table>, Failure> {
    let contenders =
        || vec![Contender::new("bare"), Contender::new("`wharf run`").aim(Aim::Times(0.97))];
    let title = |how: &str| format!("remap: {what} server, {how} (requests per second)");
    let mut kept = Table::new(&title("one connection"), contenders()).decimals(0);
    let mut each = Table::new(&title("a connection each"), contenders()).decimals(0);
    world.start_daemon()?;
    let _place = OneProcessor::take()?;
    let _servers = [
        Running::start(&mut bare(world, &words(&BARE.to_string())))?,
        Running::start(&mut remapped(world, &[], &words(&NAMED.to_string())))?,
    ];
    // The next one after the one that is taken.
    let ports = [BARE, NAMED + 1];
    for port in ports {
        until_it_answers(port)?;
    }
    for round in Rounds::new(10, 100, Duration::from_secs(9)) {
        // Each of the two is the first one as often as the other.
        for contender in if round % 2 == 0 { [0, 1] } else { [1, 0] } {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports[contender]));
            kept.add(contender, rate(KEPT, || one_connection(address, KEPT))?);
            each.add(
                contender,
                rate(EACH, || (0..EACH).try_for_each(|_| one_connection(address, 1)))?,
            );
        }
    }
    Ok(vec![kept, each])
}

/// All of it on one processor: whether a client and its server share one changes the rate tenfold, and is
/// the scheduler's whim.
struct OneProcessor(rustix::thread::CpuSet);

impl OneProcessor {
    fn take() -> Result<OneProcessor, Failure> {
        let before = rustix::thread::sched_getaffinity(None)?;
        let mut one = rustix::thread::CpuSet::new();
        let first = (0..rustix::thread::CpuSet::MAX_CPU).find(|cpu| before.is_set(*cpu));
        one.set(first.ok_or("there is no processor")?);
        rustix::thread::sched_setaffinity(None, &one)?;
        Ok(OneProcessor(before))
    }
}

impl Drop for OneProcessor {
    fn drop(&mut self) {
        let _ = rustix::thread::sched_setaffinity(None, &self.0);
    }
}

fn rate(requests: u32, ask: impl FnOnce() -> Result<(), Failure>) -> Result<f64, Failure> {
    let start = Instant::now();
    ask()?;
    Ok(f64::from(requests) / start.elapsed().as_secs_f64())
}

fn one_connection(address: SocketAddr, requests: u32) -> Result<(), Failure> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    for _ in 0..requests {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
        // The answers are short: each comes in one piece.
        if stream.read(&mut [0u8; 1024])? == 0 {
            return Err("the server closed".into());
        }
    }
    Ok(())
}

fn until_it_answers(port: u16) -> Result<(), Failure> {
    let end = Instant::now() + PATIENCE;
    while one_connection((Ipv4Addr::LOCALHOST, port).into(), 1).is_err() {
        if Instant::now() > end {
            return Err(format!("nothing came to serve on port {port}").into());
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
    Ok(())
}

/// From the call of `listen` to whoever wants to know.
pub(crate) fn listening(world: &World) -> Result<Vec<Table>, Failure> {
    let mut table = Table::new(
        "remap: from the call of `listen` to knowing of it (ms)",
        vec![
            Contender::new("the thread that answers has the call"),
            Contender::new("the supervisor's update").aim(Aim::Under(0.1)),
            Contender::new("the reader of `--events`"),
        ],
    )
    .decimals(3);
    let stamp = world.path("stamp");
    // A supervisor leaves the calls of its own program alone.
    let actor = world.path("actor");
    std::fs::copy(std::env::current_exe()?, &actor)?;
    world.start_daemon()?;
    for round in Rounds::new(5, 40, Duration::from_secs(15)) {
        let delay = (60 + round * 37 % 100).to_string();
        let name = stamp.to_string_lossy().into_owned();
        let mut words = role(world, &["listener", &name, &delay, &NAMED.to_string()]);
        words[0] = actor.clone().into();
        let _ = std::fs::remove_file(&stamp);
        let seen = remap_supervisor::seen(&words, &world.path("project"), || stamped(&stamp))?;
        // A round without all samples is none.
        let Some(in_hand) = seen.in_hand else { continue };
        table.add(0, clock::ms(seen.called, in_hand));
        table.add(1, clock::ms(seen.called, seen.told));
        let _ = std::fs::remove_file(&stamp);
        let (seen, called) = by_events(world, &words, || stamped(&stamp))?;
        table.add(2, clock::ms(called, seen));
    }
    Ok(vec![table])
}

fn by_events(
    world: &World,
    words: &Words,
    stamped: impl FnOnce() -> Result<i64, Failure>,
) -> Result<(i64, i64), Failure> {
    // Inherited on purpose: wharf is told the number.
    let (events, theirs) = rustix::pipe::pipe()?;
    fcntl_setfd(&events, FdFlags::CLOEXEC)?;
    let number = theirs.as_raw_fd().to_string();
    let _running = Running::start(&mut remapped(world, &["--events", &number], words))?;
    drop(theirs);
    let mut lines = BufReader::new(File::from(events));
    let mut line = String::new();
    while lines.read_line(&mut line)? > 0 {
        let seen = clock::now();
        if line.contains("\"listening\"") {
            return Ok((seen, stamped()?));
        }
        line.clear();
    }
    Err("the events ended without `listening`".into())
}

fn stamped(stamp: &std::path::Path) -> Result<i64, Failure> {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        let text = std::fs::read_to_string(stamp).unwrap_or_default();
        if let Some(number) = text.strip_suffix('\n') {
            return Ok(number.parse()?);
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
    Err("the program wrote nothing down".into())
}

/// The pilot with the thread that answers, and without.
fn resident(world: &World) -> Result<Table, Failure> {
    let mut table = Table::new(
        "remap: memory of the pilot (MiB)",
        vec![
            Contender::new("`wharf run --remap off`, resident"),
            Contender::new("of it anonymous"),
            Contender::new("`wharf run`, resident").aim(Aim::Under(6.0)),
            Contender::new("of it anonymous"),
        ],
    );
    for _ in 0..5 {
        for (first, mode) in [(0, "off"), (2, "auto")] {
            let port = format!("{}", BARE + 1);
            let mut command = world.wharf(&["run", "--port", &port, "--remap", mode]);
            let running = memory::serve(world, &mut command, BARE + 1)?;
            memory::add(&mut table, first, memory::resident(running.pid())?);
        }
    }
    Ok(table)
}

//! Several servers at once: how long until all of them answer, and what stays beside them.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::Failure;
use crate::clock::{self, Rounds};
use crate::figures::{Aim, Contender, Table};
use crate::lease;
use crate::runners::{self, ALL, Runner, Servers};
use crate::world::World;

/// How many servers start at once.
const SERVERS: usize = 10;
/// How many are idle at once.
const IDLE: usize = 100;
/// After this long whoever has nothing to do does nothing; wharf looks at a young server more often.
const SETTLED: Duration = Duration::from_secs(4);
const LONG_SETTLED: Duration = Duration::from_secs(32);
/// How long idle processes are watched.
const WATCHED: Duration = Duration::from_secs(15);

/// A small server in Node.
const NODE: &str = "node -e 'require(\"http\").createServer((q, a) => a.end(\"ok\"))\
                    .listen(+process.env.PORT, \"127.0.0.1\")'";

/// Measures.
pub(crate) fn run(world: &World) -> Result<Vec<Table>, Failure> {
    let own: Vec<String> = (0..IDLE).map(|number| server(world, number)).collect();
    let few = Servers::new(world, "few", 9200, own[..SERVERS].to_vec())?;
    let many = Servers::new(world, "many", 9300, own)?;
    world.start_daemon()?;
    let mut tables = vec![until_ready(world, "of the bench", &few, &ALL)?];
    // The words of Node's program are more than `mprocs` takes within its own quotes.
    let node = vec![node(world)?; SERVERS];
    let node = Servers::new(world, "node", 9220, node)?;
    tables.push(until_ready(world, "in Node", &node, &ALL)?);
    tables.extend(beside(world, &few, &many)?);
    Ok(tables)
}

/// A server of our own, which does nothing but listen and answer.
fn server(world: &World, number: usize) -> String {
    let stamp = world.path(&format!("stamp-{number}"));
    format!("{} role server {} 0 true", world.own_binary().display(), stamp.display())
}

/// The server in Node, as a file, so that every runner is given plain words.
fn node(world: &World) -> Result<String, Failure> {
    let file = world.path("server.sh");
    std::fs::write(&file, format!("exec {NODE}\n"))?;
    Ok(format!("sh {}", file.display()))
}

fn table(title: &str, aim: Option<Aim>) -> Table {
    let mut contenders: Vec<Contender> =
        ALL.iter().map(|runner| Contender::new(runner.name())).collect();
    if let Some(aim) = aim {
        contenders[0] = Contender::new(ALL[0].name()).aim(aim);
    }
    (1..ALL.len()).fold(Table::new(title, contenders), |table, peer| table.compare(peer, 0))
}

fn until_ready(
    world: &World,
    what: &str,
    servers: &Servers,
    runners: &[Runner],
) -> Result<Table, Failure> {
    let title = format!("up: from the spawn until {SERVERS} servers {what} have answered (ms)");
    let mut table = table(&title, None);
    // The first start of all warms the page cache and wharf's memory of what works here: not counted.
    for round in Rounds::new(4, 13, Duration::from_secs(40)) {
        for (row, runner) in runners.iter().enumerate() {
            let before = runners::processes()?;
            let began = clock::now();
            let Some(running) = runner.start(world, servers)? else { continue };
            servers.answer().map_err(|why| format!("{}: {why}", runner.name()))?;
            let took = clock::ms(began, clock::now());
            runners::end(*runner, running, &before)?;
            if round > 0 {
                table.add(row, took);
            }
        }
    }
    Ok(table)
}

/// What lives beside the servers: the memory of it, and the processor's time while nothing happens.
fn beside(world: &World, few: &Servers, many: &Servers) -> Result<Vec<Table>, Failure> {
    let for_each = |count| format!("up: memory beside {count} idle servers, for each (MiB, PSS)");
    let mut memory = [table(&for_each(SERVERS), None), table(&for_each(IDLE), None)];
    let seconds = WATCHED.as_secs();
    let title = format!("up: processor's time beside {IDLE} idle servers (ms in {seconds} s)");
    let mut idle = table(&title, None);
    for (at, servers, count) in [(0, few, SERVERS), (1, many, IDLE)] {
        for (row, runner) in ALL.iter().enumerate() {
            let before = runners::processes()?;
            let Some(running) = runner.start(world, servers)? else { continue };
            servers.answer().map_err(|why| format!("{}: {why}", runner.name()))?;
            std::thread::sleep(if at == 1 { LONG_SETTLED } else { SETTLED });
            let mut own: BTreeSet<u32> = runners::beside(world, &before)?.into_iter().collect();
            if *runner == Runner::Wharf {
                own.insert(lease::daemon_pid(world)?);
            }
            let pss: Result<Vec<f64>, Failure> = own.iter().map(|pid| pss(*pid)).collect();
            #[expect(clippy::cast_precision_loss, reason = "a hundred at most")]
            memory[at].add(row, pss?.iter().sum::<f64>() / count as f64);
            if at == 1 {
                let began = time(&own)?;
                std::thread::sleep(WATCHED);
                idle.add(row, time(&own)? - began);
            }
            runners::end(*runner, running, &before)?;
        }
    }
    let [few, many] = memory;
    Ok(vec![few, many, idle])
}

/// The process's share of memory, in MiB: what others hold too counts in parts.
fn pss(pid: u32) -> Result<f64, Failure> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    let number = line.and_then(|rest| rest.split_ascii_whitespace().next());
    Ok(number.ok_or("no share of memory is told")?.parse::<f64>()? / 1024.0)
}

/// The processor's time of all threads so far, in milliseconds.
fn time(pids: &BTreeSet<u32>) -> Result<f64, Failure> {
    let mut sum = 0.0;
    for pid in pids {
        for thread in std::fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
            let text = std::fs::read_to_string(thread.path().join("schedstat"))?;
            let number = text.split_ascii_whitespace().next().ok_or("no time is told")?;
            sum += number.parse::<f64>()? / 1e6;
        }
    }
    Ok(sum)
}

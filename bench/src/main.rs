//! The figures of wharf and its peers, taken in alternation in one run. `bench/run` starts this in
//! namespaces of its own, so that nothing is left behind and nobody else's sockets are counted.
//!
//! Nothing here judges: an aim that is missed is printed as missed, and the exit code stays 0. It is 1
//! when something could not be measured.

#![forbid(unsafe_code)]

mod clock;
mod exec;
mod figures;
mod lease;
mod memory;
mod proxy;
mod ready;
mod remap;
mod remap_roles;
mod remap_supervisor;
mod roles;
mod runners;
mod up;
mod who;
mod world;

use std::process::ExitCode;

use figures::Table;
use world::World;

/// Why something could not be measured.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

type Benchmark = fn(&World) -> Result<Vec<Table>, Failure>;

const BENCHMARKS: &[(&str, Benchmark)] = &[
    ("exec", exec::run),
    ("ready", ready::run),
    ("lease", lease::run),
    ("who", who::run),
    ("memory", memory::run),
    ("remap", remap::run),
    ("listen", remap::listening),
    ("proxy", proxy::run),
];

/// Those that are taken only where they are named: they take minutes.
const NAMED_ONLY: &[(&str, Benchmark)] = &[("soak", proxy::soak), ("up", up::run)];

const USAGE: &str = "usage: wharf-bench WHARF PEERS FOLDER [exec|ready|lease|who|memory|remap|listen|proxy|soak|up]...";

fn main() -> ExitCode {
    // First of all, since it is what `exec` measures.
    let began = clock::now();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["role", role, ref rest @ ..] => roles::play(role, rest, began).map(|()| true),
        [wharf, peers, folder, ref names @ ..] => measure(wharf, peers, folder, names),
        _ => Err(USAGE.into()),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("wharf-bench: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Takes the named figures, or all of them. Says whether each could be taken.
fn measure(wharf: &str, peers: &str, folder: &str, names: &[&str]) -> Result<bool, Failure> {
    let all = || BENCHMARKS.iter().chain(NAMED_ONLY);
    if let Some(unknown) = names.iter().find(|name| !all().any(|(known, _)| known == *name)) {
        return Err(format!("there is no benchmark `{unknown}`\n{USAGE}").into());
    }
    let world = World::new(wharf.as_ref(), peers.as_ref(), folder.as_ref())?;
    let mut complete = true;
    let usual = if names.is_empty() { BENCHMARKS.len() } else { 0 };
    for (at, (name, run)) in all().enumerate() {
        if at >= usual && !names.contains(name) {
            continue;
        }
        match run(&world) {
            Ok(tables) => tables.iter().for_each(|table| println!("{table}")),
            Err(failure) => {
                println!("### {name}: not measured\n\n{failure}\n");
                complete = false;
            }
        }
        world.stop_daemon();
    }
    Ok(complete)
}

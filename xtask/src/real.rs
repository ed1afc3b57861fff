//! `cargo xtask real`: the proof with real frameworks. For every entry of `tests/real/runs.toml`, two
//! copies of a project are started at once under wharf, from unchanged files, in a network of their
//! own; each must answer its own text on its own port, and leave nothing behind. With `--hard-coded`,
//! three copies of each entry of `tests/real/hard-coded.toml`, which all name the same port. With `--names`,
//! the servers of `tests/real/names.toml` behind their names, in a browser. With `--up`, the projects of
//! `tests/real/up.toml`, each run by `wharf up`.

mod control;
mod copies;
mod copy;
mod daemon;
pub mod environment;
mod events;
mod hard_coded;
mod http;
mod names;
mod on_demand;
mod own_ports;
pub mod parts;
pub mod place;
mod processes;
mod restarted;
pub mod sandbox;
mod signals;
mod sockets;
mod spec;
mod started;
mod terminal;
mod up;
pub mod wait;
mod worktrees;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use place::Place;
use spec::{Book, By, Expect, Run, Stage};

use crate::repo;

const USAGE: &str = "\
usage: cargo xtask real [NAME…] [--hard-coded | --names | --up] [--list] [--jobs N] [--control] [--keep]
  NAME…         only these runs
  --hard-coded  the runs of programs with a literal port, three copies each
  --names       the runs of servers behind their names, over http and https
  --up          the runs of whole projects, by `wharf up`
  --list        the runs, and what each of them starts
  --jobs N      so many runs at once (2)
  --control     each project once and without wharf: where does it listen by itself?
  --keep        leave the folders of the runs where they are
The parts come from script/parts; WHARF_PARTS says where they are, WHARF_BIN which wharf is tested.";

/// What the caller wants.
#[derive(Debug, Default)]
struct Wanted {
    names: Vec<String>,
    stage: Stage,
    jobs: usize,
    list: bool,
    control: bool,
    keep: bool,
}

/// Does what `cargo xtask real ARGS…` says.
pub fn run(args: &[String]) -> Result<(), String> {
    if let [mode @ ("--inside" | "--inside-control"), name, root, wharf] =
        &args.iter().map(String::as_str).collect::<Vec<_>>()[..]
    {
        return inside(mode, name, root.into(), wharf.into());
    }
    let wanted = read(args)?;
    let book = Book::read(&repo::root()?)?;
    let runs = book.select(&wanted.names, wanted.stage)?;
    if wanted.list {
        list(&runs);
        return Ok(());
    }
    let place = Place::find(!wanted.control)?;
    sandbox::check()?;
    let missing = parts::missing(&runs, &place)?;
    if !wanted.control {
        println!("wharf: {}", place.wharf.display());
    }
    let failed = all(&runs, &place, &missing, &wanted);
    if wanted.keep {
        println!("kept: {}", place.root.display());
    } else {
        let _ = fs::remove_dir_all(&place.root);
    }
    let kind = match wanted.stage {
        Stage::Frameworks => "framework",
        Stage::HardCoded => "hard-coded",
        Stage::Names => "name",
        Stage::Up => "project",
    };
    println!("{kind} runs: {} passed, {failed} failed", runs.len() - failed);
    if failed == 0 { Ok(()) } else { Err(format!("{failed} of the {kind} runs failed")) }
}

fn read(args: &[String]) -> Result<Wanted, String> {
    let mut wanted = Wanted { jobs: 2, ..Wanted::default() };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--hard-coded" => wanted.stage = Stage::HardCoded,
            "--names" => wanted.stage = Stage::Names,
            "--up" => wanted.stage = Stage::Up,
            "--list" => wanted.list = true,
            "--control" => wanted.control = true,
            "--keep" => wanted.keep = true,
            "--jobs" => {
                let jobs = args.next().and_then(|text| text.parse().ok()).filter(|&jobs| jobs > 0);
                wanted.jobs = jobs.ok_or("--jobs needs a number from 1")?;
            }
            option if option.starts_with('-') => {
                return Err(format!("unknown option `{option}`\n{USAGE}"));
            }
            name => wanted.names.push(name.to_owned()),
        }
    }
    Ok(wanted)
}

fn list(runs: &[&Run]) {
    for run in runs {
        println!(
            "{:22} {:20} {:5} {}",
            run.name,
            run.framework.as_deref().unwrap_or("-"),
            run.port,
            run.typed()
        );
    }
}

/// Makes all the runs, some at a time, and counts those that failed.
fn all(runs: &[&Run], place: &Place, missing: &BTreeSet<String>, wanted: &Wanted) -> usize {
    let (next, failed, printing) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new(()));
    let work = || {
        while let Some(run) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let began = Instant::now();
            let result = one(run, place, missing, wanted);
            let took = began.elapsed().as_secs_f32();
            let _alone = printing.lock();
            match result {
                Ok(said) => println!("ok    {:22} {took:5.1} s  {}", run.name, said.trim_end()),
                Err(why) => {
                    failed.fetch_add(1, Ordering::Relaxed);
                    println!(
                        "FAIL  {:22} {took:5.1} s  {}\n{}",
                        run.name,
                        run.typed(),
                        why.trim_end()
                    );
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..wanted.jobs.min(runs.len()) {
            scope.spawn(work);
        }
    });
    failed.into_inner()
}

fn one(
    run: &Run,
    place: &Place,
    missing: &BTreeSet<String>,
    wanted: &Wanted,
) -> Result<String, String> {
    if let Some(why) = parts::why_not(run, missing) {
        return Err(why);
    }
    let place = Place { root: place.root.join(&run.name), ..place.clone() };
    let mode = if wanted.control { "--inside-control" } else { "--inside" };
    let result = sandbox::enter(run, &place, mode)
        .and_then(|(status, said)| if status.success() { Ok(said) } else { Err(said) });
    if !wanted.keep {
        let _ = fs::remove_dir_all(&place.root);
    }
    result
}

/// The part that runs in the sandbox: its report goes to stdout, and its exit says how it went.
fn inside(mode: &str, name: &str, root: PathBuf, wharf: PathBuf) -> Result<(), String> {
    let place = Place::find(false)?;
    let book = Book::read(&place.repo)?;
    let run = book.find(name)?;
    let place = Place { root, wharf, ordinary: run.by == By::Ordinary, ..place };
    environment::make_home(&place)?;
    let proof = match (mode, run.expect) {
        ("--inside-control", _) => control::look(&book, run, &place),
        _ if run.stage == Stage::Names => names::prove(&book, run, &place),
        _ if run.stage == Stage::Up => up::prove(&book, run, &place),
        (_, Expect::OnDemand) => on_demand::prove(&book, run, &place),
        (_, Expect::HardCoded) => hard_coded::prove(&book, run, &place),
        (_, Expect::Ready | Expect::Remapped | Expect::Addressed) => {
            own_ports::prove(&book, run, &place)
        }
        (_, Expect::Worktrees | Expect::BrowserInside) => worktrees::prove(&book, run, &place),
    };
    match proof {
        Ok(said) => println!("{said}"),
        Err(why) => {
            println!("{why}");
            // The report is all there is to say; whoever started this adds the name and counts.
            std::process::exit(1);
        }
    }
    Ok(())
}

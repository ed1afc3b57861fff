//! `cargo xtask load`: 64 processes at a time ask for 10,000 leases, and no port is given twice. It is
//! for the program as it is released: unoptimised, the search for free ports is most of the work.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::real::place::Place;
use crate::real::sandbox;

const ASKERS: usize = 64;
const LEASES: usize = 10_000;

/// How long all of it may take: twenty times what two cores need.
const LIMIT: Duration = Duration::from_secs(300);

#[derive(Deserialize)]
struct Status {
    leases: usize,
}

/// Does what `cargo xtask load ARGS…` says.
pub fn run(args: &[String]) -> Result<(), String> {
    match args {
        [] => outside(),
        [inside, root, wharf] if inside == "--inside" => ask(Path::new(root), Path::new(wharf)),
        _ => Err("`cargo xtask load` takes no arguments".to_owned()),
    }
}

/// Runs this program again in a network in which no port is taken, and of which nothing is left.
fn outside() -> Result<(), String> {
    sandbox::check()?;
    let place = Place::find(true)?;
    fs::create_dir_all(&place.root)
        .map_err(|error| format!("cannot make {}: {error}", place.root.display()))?;
    let own = env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let mut command = sandbox::command(own);
    command.args(["load", "--inside"]).args([&place.root, &place.wharf]);
    let outcome = sandbox::succeed(&mut command, LIMIT, "the load test failed");
    let _ = fs::remove_dir_all(&place.root);
    outcome
}

fn ask(root: &Path, wharf: &Path) -> Result<(), String> {
    let begun = Instant::now();
    let next = AtomicUsize::new(0);
    let ports = Mutex::new(BTreeSet::new());
    let work = || {
        while next.fetch_add(1, Ordering::Relaxed) < LEASES {
            let port = say(root, wharf, &["port", "--ttl", "3600"])?;
            let port: u16 = port.trim().parse().map_err(|_| format!("no port: {port}"))?;
            let mut ports = ports.lock().map_err(|_| "another asker has failed")?;
            if !ports.insert(port) {
                return Err(format!("{port} was given twice"));
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        let askers: Vec<_> = (0..ASKERS).map(|_| scope.spawn(work)).collect();
        let ended =
            askers.into_iter().map(|asker| asker.join().map_err(|_| "an asker panicked")?);
        ended.collect::<Result<(), String>>()
    })?;
    let took = begun.elapsed().as_secs_f64();
    let status = say(root, wharf, &["daemon", "status", "--json"])?;
    let status: Status = serde_json::from_str(&status).map_err(|error| error.to_string())?;
    if status.leases != LEASES {
        return Err(format!("{LEASES} leases were given, the daemon knows {}", status.leases));
    }
    let rate = LEASES as f64 / took;
    println!(
        "{LEASES} leases by {ASKERS} processes at once: no port twice, {took:.1} s, {rate:.0}/s"
    );
    Ok(())
}

/// What one command answers.
fn say(root: &Path, wharf: &Path, args: &[&str]) -> Result<String, String> {
    let output = Command::new(wharf)
        .args(args)
        .env_clear()
        .env("HOME", root)
        .current_dir(root)
        .output()
        .map_err(|error| format!("cannot start {}: {error}", wharf.display()))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(format!("`wharf {}` failed ({}): {said}", args.join(" "), output.status))
        }
    }
}

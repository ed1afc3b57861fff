//! The daemon that both copies share: who it is, and its end.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::environment;
use super::place::Place;
use super::processes;
use super::wait;

/// How long the daemon and whatever else is left may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
struct Status {
    pid: u32,
}

/// The process id of the daemon.
pub fn pid(place: &Place) -> Result<u32, String> {
    let done = wharf(place, &["daemon", "status", "--json"])?;
    let said = String::from_utf8_lossy(&done.stdout);
    serde_json::from_str(&said).map(|status: Status| status.pid).map_err(|error| {
        let wrong = String::from_utf8_lossy(&done.stderr);
        format!(
            "`wharf daemon status --json` gave no pid ({error}): {}{}",
            said.trim(),
            wrong.trim()
        )
    })
}

/// Stops the daemon, and checks that nothing at all is left in the sandbox.
pub fn stop(place: &Place) -> Result<(), String> {
    let done = wharf(place, &["daemon", "stop"])?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        return Err(format!("`wharf daemon stop` failed ({}): {}", done.status, said.trim()));
    }
    let left = || {
        let left = processes::others();
        left.is_empty().then_some(())
    };
    wait::until(Instant::now() + GONE_WITHIN, left).ok_or_else(|| {
        let left: Vec<String> = processes::others().iter().map(ToString::to_string).collect();
        format!("left over after `wharf daemon stop`: {}", left.join(", "))
    })
}

/// A command of wharf's, in the sandbox, by the user of the place.
pub fn wharf(place: &Place, arguments: &[&str]) -> Result<Output, String> {
    let command = place.wharf_command();
    Command::new(&command[0])
        .args(&command[1..])
        .args(arguments)
        .current_dir(&place.root)
        .env_clear()
        .envs(environment::common(place))
        .output()
        .map_err(|error| format!("cannot start {}: {error}", place.wharf.display()))
}

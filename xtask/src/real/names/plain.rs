//! Servers that answer by name, as a program asks them.

use std::process::Command;

use super::SCHEMES;
use super::world::World;

/// How many seconds one request may take.
const ANSWER_WITHIN_S: &str = "60";

/// Where the local CA is, in the home of the place.
const CA: &str = "home/.local/share/wharf/ca/ca.pem";

pub fn prove(world: &mut World<'_>) -> Result<String, String> {
    for run in world.runs()? {
        let folder = run.project.rsplit('/').next().unwrap_or(&run.project);
        // A name of two labels is the harder case for a check of hosts.
        world.start(run, folder, &["--name", "api"])?;
    }
    world.ready()?;
    let mut hosts = Vec::new();
    for site in &world.sites {
        for scheme in SCHEMES {
            let url = site.url(scheme, &site.run.path);
            let answer = get(world, &url)?;
            if !answer.contains(site.identity()) || !answer.ends_with(" 200") {
                return Err(format!("{url} gave: {answer:.600}"));
            }
        }
        hosts.push(site.host.clone());
    }
    Ok(hosts.join(", "))
}

/// The body and, after it, the status.
fn get(world: &World<'_>, url: &str) -> Result<String, String> {
    let done = Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", ANSWER_WITHIN_S])
        .args(["--write-out", " %{http_code}", "--cacert"])
        .arg(world.place.root.join(CA))
        .arg(url)
        .output()
        .map_err(|error| format!("cannot run curl: {error}"))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    Err(format!("{url}: {}", String::from_utf8_lossy(&done.stderr).trim()))
}

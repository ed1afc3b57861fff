//! The page that a browser sees until there is a server: it becomes the site by itself, or says how the
//! server ended. Nobody presses anything.

use std::fs;
use std::process::Command;
use std::time::Instant;

use super::SCHEMES;
use super::browser::Tab;
use super::world::World;

/// The named pipe that the server of the project waits for.
const GATE: &str = "gate";

pub fn prove(world: &mut World<'_>) -> Result<String, String> {
    let run = world.run;
    let mut said = Vec::new();
    for scheme in SCHEMES {
        let slow = launch(world, &format!("slow-{scheme}"), &[])?;
        let tab = go(world, slow, scheme)?;
        let host = world.sites[slow].host.clone();
        world.browser()?.until(&tab, "document.title.endsWith('is starting')")?;
        open_gate(world, slow, "go")?;
        shows_itself(world, slow, &tab)?;
        said.push(host);
    }
    let failing = launch(world, "failing", &[])?;
    let tab = go(world, failing, "https")?;
    world.browser()?.until(&tab, "document.title.endsWith('is starting')")?;
    open_gate(world, failing, "fail")?;
    // The page that waits is the one that tells.
    world.browser()?.shows(&tab, "exit code 7")?;
    said.push("exit code 7".to_owned());
    world.start(run, "sleeping", &["--on-demand"])?;
    let sleeping = world.sites.len() - 1;
    let deadline = Instant::now() + run.ready_within();
    make_gate(world, sleeping)?;
    world.sites[sleeping].started.event("dormant", deadline)?;
    world.sites[sleeping].host = "sleeping.localhost".to_owned();
    let seen = world.sites[sleeping].started.events()?;
    if seen.iter().any(|event| event.event == "launched") {
        return Err("it was launched before anybody asked".to_owned());
    }
    // The navigation itself is kept until the server answers it, so nobody waits for that here.
    let url = world.sites[sleeping].url("https", "/");
    let tab = world.browser()?.tab()?;
    let visit = format!("setTimeout(() => {{ location.href = '{url}' }}); true");
    world.browser()?.value(&tab, &visit)?;
    world.sites[sleeping].started.event("launched", deadline)?;
    open_gate(world, sleeping, "go")?;
    shows_itself(world, sleeping, &tab)?;
    said.push("started on demand".to_owned());
    Ok(said.join(", "))
}

/// Starts a copy that waits at its gate, and gives its place.
fn launch(world: &mut World<'_>, folder: &str, options: &[&str]) -> Result<usize, String> {
    let run = world.run;
    world.start(run, folder, options)?;
    let index = world.sites.len() - 1;
    make_gate(world, index)?;
    let deadline = Instant::now() + run.ready_within();
    world.sites[index].started.event("launched", deadline)?;
    world.sites[index].host = format!("{folder}.localhost");
    Ok(index)
}

fn make_gate(world: &World<'_>, index: usize) -> Result<(), String> {
    let gate = world.sites[index].started.copy.folder.join(GATE);
    let made = Command::new("mkfifo").arg(&gate).status();
    match made {
        Ok(status) if status.success() => Ok(()),
        _ => Err(format!("cannot make {}", gate.display())),
    }
}

/// Returns once the server has read the word.
fn open_gate(world: &World<'_>, index: usize, word: &str) -> Result<(), String> {
    let gate = world.sites[index].started.copy.folder.join(GATE);
    fs::write(gate, format!("{word}\n")).map_err(|error| format!("the gate is shut: {error}"))
}

fn go(world: &mut World<'_>, index: usize, scheme: &str) -> Result<Tab, String> {
    let url = world.sites[index].url(scheme, "/");
    let browser = world.browser()?;
    let tab = browser.tab()?;
    browser.go(&tab, &url)?;
    Ok(tab)
}

fn shows_itself(world: &mut World<'_>, index: usize, tab: &Tab) -> Result<(), String> {
    let identity = world.sites[index].identity().to_owned();
    world.browser()?.shows(tab, &identity)
}

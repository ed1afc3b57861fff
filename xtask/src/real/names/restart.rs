//! A restart refuses nobody who asks by the name: neither one that asks over new connections, nor a page
//! over its one connection of HTTP/2.

use std::sync::atomic::{AtomicBool, Ordering};

use super::load;
use super::world::{World, wharf};

/// The least that a client must have asked, so that its count means something.
const LEAST: usize = 10;

pub fn prove(world: &mut World<'_>) -> Result<String, String> {
    for run in world.runs()? {
        let folder = run.project.rsplit('/').next().unwrap_or(&run.project);
        world.start(run, folder, &[])?;
        world.start(run, &format!("{folder}-held"), &["--hold"])?;
    }
    world.ready()?;
    let mut said = Vec::new();
    for index in 0..world.sites.len() {
        let host = world.sites[index].host.clone();
        said.push(under_load(world, &host).map_err(|why| format!("{host}: {why}"))?);
    }
    Ok(said.join(", "))
}

fn under_load(world: &mut World<'_>, host: &str) -> Result<String, String> {
    let place = world.place;
    let browser = world.browser()?;
    let tab = browser.tab()?;
    browser.go(&tab, &format!("https://{host}/"))?;
    browser.shows(&tab, "identity-")?;
    browser.value(&tab, load::ASK_IN_PAGE)?;
    browser.until(&tab, "asking.good > 3")?;
    let name = host.trim_end_matches(".localhost");
    let over = AtomicBool::new(false);
    let (restarted, plain) = std::thread::scope(|scope| {
        let client = scope.spawn(|| load::ask(host, &over));
        let restarted = wharf(place, &["restart", name]);
        // And a while with the new server.
        let again =
            browser.value(&tab, "asking.good + asking.bad.length + 20").and_then(|enough| {
                browser.until(&tab, &format!("asking.good + asking.bad.length > {enough}"))
            });
        over.store(true, Ordering::Relaxed);
        (restarted.and(again), client.join().unwrap_or_default())
    });
    restarted?;
    let page = browser.value(&tab, load::END_IN_PAGE)?;
    if !plain.bad.is_empty() || page["bad"] != serde_json::json!([]) {
        return Err(format!(
            "{} of http failed: {:?}; of https: {page}",
            plain.bad.len(),
            plain.bad
        ));
    }
    let good = page["good"].as_u64().unwrap_or(0);
    if plain.good < LEAST || good < LEAST as u64 {
        return Err(format!("only {} and {good} were asked", plain.good));
    }
    Ok(format!("{host} 0 of {} and {good}", plain.good))
}

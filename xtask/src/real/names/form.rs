//! A form that is filled in and sent: the framework's own check of the origin must take it, whichever
//! scheme the page came by.

use super::SCHEMES;
use super::world::World;

pub fn prove(world: &mut World<'_>) -> Result<String, String> {
    let run = world.run;
    let folder = run.project.rsplit('/').next().unwrap_or(&run.project);
    world.start(run, folder, &[])?;
    world.ready()?;
    for scheme in SCHEMES {
        send(world, scheme).map_err(|why| format!("{scheme}: {why}"))?;
    }
    Ok(format!("sent to {} over http and https", world.sites[0].host))
}

fn send(world: &mut World<'_>, scheme: &str) -> Result<(), String> {
    let site = &world.sites[0];
    let (run, url) = (site.run, site.url(scheme, &site.run.path));
    let filled = [("{scheme}", scheme), ("{host}", &site.host), ("{identity}", site.identity())];
    let wanted =
        filled.iter().fold(run.shows.clone(), |text, (name, value)| text.replace(name, value));
    let browser = world.browser()?;
    let tab = browser.tab()?;
    browser.go(&tab, &url)?;
    browser.until(&tab, "document.readyState === 'complete' && document.forms.length === 1")?;
    for (name, value) in &run.fill {
        let (name, value) = (serde_json::json!(name), serde_json::json!(value));
        browser.value(&tab, &format!("document.forms[0].elements[{name}].value = {value}"))?;
    }
    browser.value(&tab, "document.forms[0].requestSubmit()")?;
    browser.shows(&tab, &wanted)?;
    let left = browser.value(&tab, "location.origin")?;
    let document = browser.document(&tab).ok_or("no answer was seen")?;
    if document.status != 200 || left != format!("{scheme}://{}", world.sites[0].host) {
        return Err(format!("the form led to {left}, {document:?}"));
    }
    Ok(())
}

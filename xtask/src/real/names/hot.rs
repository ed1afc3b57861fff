//! Pages that are open show what was edited. Each project has a page by http and one by https at once,
//! and so have all projects of the run in the same browser.

use std::time::{Duration, Instant};

use super::super::wait;
use super::SCHEMES;
use super::browser::{Browser, Socket, Tab};
use super::world::World;

/// What every project shows before its own text, and what it shows after the edit.
const WORDS: [&str; 2] = ["Welcome", "Good evening"];

/// How long a page may take to open its socket, which may be after a first try of its own.
const OPEN_WITHIN: Duration = Duration::from_secs(30);

/// Marks the page as it was loaded: it is gone when the page loads itself again.
const MARK: &str = "window.marked = true";

/// One open page.
struct Open {
    site: usize,
    scheme: &'static str,
    tab: Tab,
    socket: String,
}

pub fn prove(world: &mut World<'_>) -> Result<String, String> {
    for run in world.runs()? {
        let folder = run.project.rsplit('/').next().unwrap_or(&run.project);
        world.start(run, folder, &[])?;
    }
    world.ready()?;
    let mut open = Vec::new();
    world.browser()?;
    for index in 0..world.sites.len() {
        for scheme in SCHEMES {
            open.push(visit(world, index, scheme)?);
        }
    }
    // A client that has not yet said which state it is in is told to load the page again (Next.js).
    for page in &open {
        world.browser()?.settled(&page.tab)?;
    }
    for site in &mut world.sites {
        let file = site.run.edit.as_deref().ok_or("the table names no file to edit")?;
        site.edit(file, WORDS[0], WORDS[1])?;
    }
    let mut said = Vec::new();
    for page in &open {
        let changed = changed(world, page);
        let told = match &changed {
            Ok(_) => String::new(),
            Err(_) => world.browser()?.told(&page.tab),
        };
        said.push(changed.map_err(|why| format!("{}: {why}{told}", page.socket))?);
    }
    Ok(said.join(", "))
}

/// Opens the page, and waits until it is whole and listens for changes.
fn visit(world: &mut World<'_>, index: usize, scheme: &'static str) -> Result<Open, String> {
    let site = &world.sites[index];
    let (url, wanted) = (site.url(scheme, &site.run.path), site.identity().to_owned());
    let socket = site.url(if scheme == "https" { "wss" } else { "ws" }, "/");
    let browser = world.browser()?;
    let tab = browser.tab()?;
    browser.go(&tab, &url)?;
    let page = Open { site: index, scheme, tab, socket };
    let seen = seen(browser, &page, &wanted);
    seen.map_err(|why| format!("{url}: {why}"))?;
    Ok(page)
}

fn seen(browser: &mut Browser, page: &Open, wanted: &str) -> Result<(), String> {
    browser.shows(&page.tab, WORDS[0])?;
    browser.shows(&page.tab, wanted)?;
    let document = browser.document(&page.tab).ok_or("no answer was seen")?;
    let protocol = if page.scheme == "https" { "h2" } else { "http/1.1" };
    if document.status != 200 || document.protocol != protocol {
        return Err(format!("it answered {document:?} and not 200 by {protocol}"));
    }
    socket_of(browser, page)?;
    browser.value(&page.tab, MARK).map(drop)
}

/// The socket that is open; none may have been tried that leads elsewhere.
fn socket_of(browser: &mut Browser, page: &Open) -> Result<Socket, String> {
    let deadline = Instant::now() + OPEN_WITHIN;
    let opened = wait::until(deadline, || {
        let sockets = browser.sockets(&page.tab);
        sockets.into_iter().rev().find(|socket| {
            !socket.closed && [101, 200].contains(&socket.status) && socket.received > 0
        })
    });
    let sockets = browser.sockets(&page.tab);
    if let Some(other) = sockets.iter().find(|socket| !socket.url.starts_with(&page.socket)) {
        return Err(format!("a socket leads elsewhere: {other:?}"));
    }
    opened.ok_or_else(|| format!("no socket is open: {sockets:?}"))
}

/// Waits until the page shows what was edited, over the socket that it had.
fn changed(world: &mut World<'_>, page: &Open) -> Result<String, String> {
    let site = &world.sites[page.site];
    let (wanted, reloads) = (site.identity().to_owned(), site.run.reloads);
    let browser = world.browser()?;
    browser.shows(&page.tab, WORDS[1])?;
    browser.shows(&page.tab, &wanted)?;
    let kept = browser.value(&page.tab, "window.marked === true")?;
    if kept == reloads {
        return Err(format!("the page kept what it held: {kept}, loads itself anew: {reloads}"));
    }
    let socket = socket_of(browser, page)?;
    Ok(format!("{} ({})", socket.url.split('?').next().unwrap_or_default(), socket.status))
}

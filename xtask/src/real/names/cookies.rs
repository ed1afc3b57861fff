//! Who gets which cookie: worktrees of one project are apart, and what is set for the project's whole
//! domain is for all of its services.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::environment;
use super::super::worktrees::git;
use super::SCHEMES;
use super::browser::{Browser, Tab};
use super::world::World;

/// The servers, in the order in which they are started.
const MAIN: usize = 0;
const API: usize = 1;
const SALE: usize = 2;
const OTHER: usize = 3;

pub fn prove(world: &mut World<'_>) -> Result<String, String> {
    let run = world.run;
    start(world)?;
    world.ready()?;
    let hosts: Vec<String> = world.sites.iter().map(|site| site.host.clone()).collect();
    let expected = ["shop.localhost", "api.shop.localhost", "sale.shop.localhost"];
    if hosts[..OTHER] != expected {
        return Err(format!("the hosts are {hosts:?}, not {expected:?}"));
    }
    for scheme in SCHEMES {
        let browser = world.browser()?;
        let tab = browser.tab()?;
        let mut page = |index: usize| format!("{scheme}://{}{}", hosts[index], run.path);
        let jar = Jar { browser, tab: &tab, page: &mut page };
        bake(jar).map_err(|why| format!("{scheme}: {why}"))?;
    }
    Ok(hosts.join(", "))
}

/// The main checkout with a service besides its first one, a worktree of it, and another project.
fn start(world: &mut World<'_>) -> Result<(), String> {
    let (run, place) = (world.run, world.place);
    world.start(run, "shop", &[])?;
    let main = world.sites[MAIN].started.copy.clone();
    let env = environment::common(place);
    let git = |arguments: &[&str]| git(&place.command("git"), &main.folder, &env, arguments);
    git(&["init", "--quiet"])?;
    git(&["add", "main.py"])?;
    let author = ["-c", "user.name=shop", "-c", "user.email=shop@example.com"];
    git(&[&author[..], &["commit", "--quiet", "--message", "The shop"]].concat())?;
    let sale = main.elsewhere(run, place, 'c', "sale")?;
    git(&["worktree", "add", "--quiet", "-b", "sale", &sale.folder_text()])?;
    sale.identify(run)?;
    world.start_in(run, main.output_of("api"), &["--name", "api"])?;
    world.start_in(run, sale, &[])?;
    world.start(run, "other", &[])?;
    Ok(())
}

/// One browser's cookies, asked by its pages.
struct Jar<'a> {
    browser: &'a mut Browser,
    tab: &'a Tab,
    page: &'a mut dyn FnMut(usize) -> String,
}

impl Jar<'_> {
    /// A page of this server sets a cookie, as its server says.
    fn set(&mut self, index: usize, name: &str, domain: Option<&str>) -> Result<(), String> {
        self.visit(index)?;
        let domain = domain.map_or(String::new(), |domain| format!("&domain={domain}"));
        let url = format!("/cookies?name={name}&value=from-{index}{domain}");
        let baked = format!("fetch({}, {{ method: 'POST' }}).then((a) => a.ok)", Value::from(url));
        match self.browser.value(self.tab, &baked)? {
            Value::Bool(true) => Ok(()),
            other => Err(format!("no cookie was set: {other}")),
        }
    }

    /// What a server is sent.
    fn sent(&mut self, index: usize) -> Result<BTreeSet<String>, String> {
        self.visit(index)?;
        let asked = "fetch('/cookies').then((a) => a.json())";
        let sent = self.browser.value(self.tab, asked)?;
        let pairs = sent.as_object().into_iter().flatten();
        Ok(pairs.map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or("?"))).collect())
    }

    fn visit(&mut self, index: usize) -> Result<(), String> {
        let url = (self.page)(index);
        self.browser.go(self.tab, &url)?;
        self.browser.until(self.tab, "document.title === 'Shop'")
    }

    fn must(&mut self, index: usize, expected: &[&str]) -> Result<(), String> {
        let expected: BTreeSet<String> = expected.iter().map(|&pair| pair.to_owned()).collect();
        let sent = self.sent(index)?;
        if sent == expected {
            return Ok(());
        }
        Err(format!("{} was sent {sent:?}, not {expected:?}", (self.page)(index)))
    }
}

fn bake(mut jar: Jar<'_>) -> Result<(), String> {
    for index in [MAIN, API, SALE, OTHER] {
        jar.set(index, "session", None)?;
    }
    // Each has its own, though they are called alike: nobody is logged out by another worktree.
    for (index, own) in ["session=from-0", "session=from-1", "session=from-2", "session=from-3"]
        .into_iter()
        .enumerate()
    {
        jar.must(index, &[own])?;
    }
    // What names the domain of the project is for all that is below it, and for nobody else.
    jar.set(API, "shared", Some("shop.localhost"))?;
    jar.must(MAIN, &["session=from-0", "shared=from-1"])?;
    jar.must(API, &["session=from-1", "shared=from-1"])?;
    jar.must(SALE, &["session=from-2", "shared=from-1"])?;
    jar.must(OTHER, &["session=from-3"])?;
    // Nobody sets one for every name: a browser takes `localhost` for a public suffix.
    jar.set(OTHER, "all", Some("localhost"))?;
    jar.must(OTHER, &["session=from-3"])?;
    jar.must(MAIN, &["session=from-0", "shared=from-1"])
}

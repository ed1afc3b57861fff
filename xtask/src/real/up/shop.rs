//! Five checkouts of a shop at once: a front made with Vite, an API with a login, and its own PostgreSQL in each.
//! One browser with one profile is logged in to all of them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::names::browser::{Browser, Tab};
use super::super::place::Place;
use super::super::spec::{Book, Run};
use super::checkout::Checkout;
use super::document::Document;
use super::repository;

/// The services that serve.
const SERVERS: [&str; 3] = ["db", "api", "web"];

pub fn prove<'a>(
    book: &Book,
    run: &Run,
    place: &'a Place,
    checkouts: &mut Vec<Checkout<'a>>,
) -> Result<String, String> {
    *checkouts = repository::make(book, run, place)?;
    let began = std::time::Instant::now();
    let coming: Result<Vec<_>, _> = checkouts.iter().map(|checkout| checkout.up(run)).collect();
    let ready: Result<Vec<Document>, _> = coming?.into_iter().map(|one| one.ready(run)).collect();
    let (ready, took) = (ready?, began.elapsed());
    check_ports(&ready)?;
    let mut browser = Browser::open(place)?;
    let shown = show(&mut browser, &ready, checkouts);
    browser.close()?;
    shown?;
    for (index, checkout) in checkouts.iter().enumerate() {
        checkout.down(run).map_err(|why| format!("down: {why}"))?;
        // Those that were not meant go on.
        for (other, ready) in checkouts.iter().zip(&ready).skip(index + 1) {
            other.ask(run, ready.ready("web")?)?;
        }
    }
    let count = checkouts.len();
    Ok(format!("{count} checkouts of front, API and database after {took:.1?}, one browser in all"))
}

/// No two servers have one port.
fn check_ports(all: &[Document]) -> Result<(), String> {
    let mut ports = BTreeSet::new();
    for document in all {
        for service in SERVERS {
            let port = document.ready(service)?.port;
            if !ports.insert(port) {
                return Err(format!("port {port} was given twice"));
            }
        }
    }
    Ok(())
}

/// Each front in a page of the same profile: a login in one logs nobody out of another.
fn show(
    browser: &mut Browser,
    ready: &[Document],
    checkouts: &[Checkout<'_>],
) -> Result<(), String> {
    let mut pages: Vec<(Tab, String)> = Vec::new();
    for (document, checkout) in ready.iter().zip(checkouts) {
        let tab = browser.tab_of_profile()?;
        browser.go(&tab, &document.ready("web")?.url)?;
        browser.shows(&tab, "logged out (401)")?;
        browser.value(&tab, LOGIN)?;
        pages.push((tab, expected(checkout)));
        // Also those that were logged in before, asked anew.
        for (tab, expected) in &pages {
            browser.value(tab, "location.reload()")?;
            let expected = Value::from(expected.as_str());
            browser
                .until(tab, &format!("document.querySelector('#shown')?.innerText === {expected}"))
                .map_err(|why| format!("{why}{}", browser.told(tab)))?;
        }
    }
    Ok(())
}

/// Fills the form in and sends it, as a person does; waits for what it leads to.
const LOGIN: &str = "(async () => {
    const fill = (name, value) => { document.querySelector(`[name=${name}]`).value = value };
    fill('name', 'anna');
    fill('password', 'tea');
    document.querySelector('button').click();
    const seen = () => document.querySelector('#shown').innerText.startsWith('anna sees');
    const shown = document.querySelector('#shown');
    if (!seen()) await new Promise((resolve) => {
        new MutationObserver(() => seen() && resolve()).observe(shown, { childList: true });
    });
})()";

/// What only this checkout's database holds.
fn expected(checkout: &Checkout<'_>) -> String {
    let folder = checkout.copy.folder.file_name().unwrap_or_default();
    format!("anna sees: kettle of {}", folder.to_string_lossy())
}

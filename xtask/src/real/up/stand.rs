//! Ten worktrees of a front and an API with literal ports, brought up at the same time. Then the folder of one
//! is deleted: what runs of it ends by itself, and nothing else does.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use super::super::copies::is_free;
use super::super::place::Place;
use super::super::spec::{Book, Run};
use super::super::wait;
use super::checkout::Checkout;
use super::document::{Document, Instance};
use super::repository::{self, git_of};

/// How long what runs in a deleted folder may go on.
const GONE_WITHIN: Duration = Duration::from_secs(60);

/// Their services.
const SERVICES: [&str; 2] = ["front", "api"];

pub fn prove<'a>(
    book: &Book,
    run: &Run,
    place: &'a Place,
    checkouts: &mut Vec<Checkout<'a>>,
) -> Result<String, String> {
    *checkouts = repository::make(book, run, place)?;
    let began = Instant::now();
    let coming: Result<Vec<_>, _> = checkouts.iter().map(|checkout| checkout.up(run)).collect();
    let ready: Result<Vec<Document>, _> = coming?.into_iter().map(|one| one.ready(run)).collect();
    let (mut ready, took) = (ready?, began.elapsed());
    ask_all(run, checkouts, &ready)?;
    let (deleted, of_deleted) = checkouts.pop().zip(ready.pop()).ok_or("there is no worktree")?;
    let gone = delete(place, &checkouts[0], &deleted, &of_deleted)?;
    ask_all(run, checkouts, &ready)?;
    for (checkout, before) in checkouts.iter().zip(&ready) {
        same(before, &checkout.list()?)?;
        checkout.down(run)?;
    }
    let count = ready.len() + 1;
    Ok(format!("{count} worktrees ready after {took:.1?}; a deleted one was gone after {gone:.1?}"))
}

/// Each front shows what its own API says, at its address and by its name.
fn ask_all(run: &Run, checkouts: &[Checkout<'_>], ready: &[Document]) -> Result<(), String> {
    for (checkout, document) in checkouts.iter().zip(ready) {
        for service in SERVICES {
            checkout.ask(run, document.ready(service)?)?;
            checkout.ask_by_name(run, document.ready(service)?)?;
        }
    }
    Ok(())
}

/// Deletes a worktree under its running servers. Gives how long they went on.
fn delete(
    place: &Place,
    main: &Checkout<'_>,
    deleted: &Checkout<'_>,
    before: &Document,
) -> Result<Duration, String> {
    let ports: Vec<u16> = before.instances.iter().map(|instance| instance.port).collect();
    let began = Instant::now();
    let folder = deleted.copy.folder_text();
    git_of(place, &main.copy, &["worktree", "remove", "--force", &folder])?;
    let gone = || {
        let all = Document::parse(&main.wharf(&["ls", "--json"]).ok()?).ok()?;
        let is_there = |port| all.leases.iter().any(|lease| lease.port == port);
        (!ports.iter().copied().any(is_there) && deleted.processes().is_empty()).then_some(())
    };
    wait::until(began + GONE_WITHIN, gone).ok_or_else(|| {
        format!("{folder} is deleted, and after {GONE_WITHIN:?}: {:?}", deleted.processes())
    })?;
    for port in ports {
        is_free(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))?;
    }
    Ok(began.elapsed())
}

/// The very executions that ran before.
fn same(before: &Document, now: &Document) -> Result<(), String> {
    let of = |document: &Document| -> Vec<(String, u32)> {
        let pair = |one: &Instance| (one.id.clone(), one.pilot_pid);
        let mut all: Vec<_> = document.instances.iter().map(pair).collect();
        all.sort();
        all
    };
    let (before, now) = (of(before), of(now));
    if before == now { Ok(()) } else { Err(format!("{now:?} run, and not {before:?}")) }
}

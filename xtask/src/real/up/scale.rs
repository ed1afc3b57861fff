//! `wharf up --scale web=N` of a framework's project: N instances of one service, side by side.

use std::collections::BTreeSet;

use super::super::copy::Copy;
use super::super::place::Place;
use super::super::spec::{Book, Run};
use super::checkout::Checkout;
use super::document::Instance;

pub fn prove<'a>(
    book: &Book,
    run: &Run,
    place: &'a Place,
    checkouts: &mut Vec<Checkout<'a>>,
) -> Result<String, String> {
    checkouts.push(Checkout::of(book, run, place, Copy::make(run, place, 'a')?));
    let checkout = &checkouts[0];
    checkout.prepare(run)?;
    let began = std::time::Instant::now();
    let document = checkout.up(run)?.ready(run)?;
    let took = began.elapsed();
    let all = document.of("web");
    let ports: Vec<u16> = all.iter().map(|one| one.port).collect();
    if ports != run.ports {
        return Err(format!("the ports are {ports:?}, not {:?}", run.ports));
    }
    if let Some(other) = all.iter().find(|one| one.state != "ready") {
        return Err(format!("instance {} is {}", other.instance, other.state));
    }
    check_names(&all)?;
    for instance in &all {
        checkout.ask(run, instance)?;
        let answer = checkout.ask_by_name(run, instance)?;
        let by = answer.field("x-wharf-instance").unwrap_or("nobody");
        if by != instance.id {
            return Err(format!("{} was answered by {by}, not {}", instance.url, instance.id));
        }
    }
    checkout.down(run)?;
    Ok(format!("{} instances after {took:.1?}, each by its name and at its address", all.len()))
}

/// Each has a name and processes of its own.
fn check_names(all: &[&Instance]) -> Result<(), String> {
    let names: BTreeSet<&str> = all.iter().map(|one| one.url.as_str()).collect();
    if names.len() != all.len() {
        return Err(format!("there are only {} names: {names:?}", names.len()));
    }
    let mut seen = BTreeSet::new();
    for instance in all {
        let pids = instance.pids();
        if pids.is_empty() || !seen.is_disjoint(&pids) {
            return Err(format!("{} is served by {pids:?}, as others are", instance.url));
        }
        seen.extend(pids);
    }
    Ok(())
}

//! `cargo xtask real --up`: whole projects, run by `wharf up` from unchanged files in a network of their own.

mod checkout;
mod document;
mod repository;
mod scale;
mod shop;
mod stand;

use super::copies::Problems;
use super::place::Place;
use super::spec::{Book, Run, Up};
use super::{daemon, processes, sockets};
use checkout::Checkout;

/// What a run that went well says of itself, or everything that is wrong.
pub fn prove(book: &Book, run: &Run, place: &Place) -> Result<String, String> {
    let mut checkouts = Vec::new();
    let said = match run.up {
        Some(Up::Scale) => scale::prove(book, run, place, &mut checkouts),
        Some(Up::Shop) => shop::prove(book, run, place, &mut checkouts),
        Some(Up::Stand) => stand::prove(book, run, place, &mut checkouts),
        None => Err("the table does not say what is proved".to_owned()),
    };
    let mut problems = Problems::new();
    if let Err(why) = &said {
        problems.push(why.clone());
        problems.extend(evidence(&checkouts));
    }
    // What is proved of the end is proved by each itself; here nothing may be left of a failure either.
    problems.extend(checkouts.iter().filter_map(|checkout| checkout.down(run).err()));
    problems.extend(daemon::stop(place).err());
    for checkout in &checkouts {
        let changed = checkout.copy.changed(run, place);
        problems.extend(changed.iter().map(|file| format!("{file} is not what it was")));
    }
    match said {
        Ok(said) if problems.is_empty() => Ok(said),
        _ => Err(problems.iter().map(|one| format!("  - {one}\n")).collect()),
    }
}

/// What helps to see why it went wrong.
fn evidence(checkouts: &[Checkout<'_>]) -> Vec<String> {
    let listening = sockets::listening().unwrap_or_default();
    let running =
        processes::others().into_iter().map(|one| format!("running: {:.200}", one.to_string()));
    let mut text = vec![format!("listening: {listening:?}")];
    text.extend(running);
    for checkout in checkouts {
        let said = checkout.wharf(&["logs", "-n", "30"]).unwrap_or_else(|why| why);
        text.push(format!("{}: the last lines:\n{said}", checkout.copy.folder_text()));
    }
    text
}

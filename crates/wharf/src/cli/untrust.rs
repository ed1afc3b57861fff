//! `wharf untrust`: takes the local CA out of every store and deletes it.

use wharf_os::trust::{Presence, Store, StoreError};

use super::Outcome;
use super::trust;
use crate::authority::{Authority, Record};
use crate::render;
use crate::render::trust::{State, StoreLine, Untrusted};
use crate::report::Report;

/// Take the local CA out of every store, and delete it.
///
/// Its key is deleted first. Where a store needs root, the command for it is printed, and the certificate
/// is kept until `wharf untrust` finds that it was done.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Undoes what `wharf trust` did.
pub(crate) fn run(args: &Args) -> Outcome {
    let (lines, deleted) = undo(&Authority::of_user()?)?;
    let code = trust::code(&lines);
    let document = Untrusted::new(lines, deleted);
    match args.json {
        true => render::json(&document)?,
        false => render::text(&document.text())?,
    }
    Ok(code)
}

/// Takes it out of every store; says what became of each, and whether nothing of it is left.
pub(super) fn undo(authority: &Authority) -> Result<(Vec<StoreLine>, bool), Report> {
    let existed = authority.exists();
    let mut record = authority.record()?;
    authority.delete_key()?;
    trust::tell_daemon();
    let stores = authority.stores(&record);
    let lines: Vec<StoreLine> =
        stores.iter().filter_map(|store| remove(authority, store, &record)).collect();
    let is_left = lines.iter().any(StoreLine::is_left);
    if is_left {
        let done = |store: &&Store| !lines.iter().any(|line| line.is_left() && line.is_of(store));
        stores.iter().filter(done).for_each(|store| record.forget(store));
        // Where even the folder is gone there is nothing to remember by.
        if existed {
            authority.remember(&record)?;
        }
    } else {
        authority.delete()?;
    }
    Ok((lines, existed && !is_left))
}

/// Nothing where it never was.
fn remove(authority: &Authority, store: &Store, record: &Record) -> Option<StoreLine> {
    let Authority { places, anchor, .. } = authority;
    let known = record.stores().contains(store);
    let done = match places.presence(store, anchor) {
        Ok(Presence::Absent) => return known.then(|| StoreLine::new(store, State::Absent)),
        Ok(Presence::Part | Presence::Whole) => places.remove(store, anchor),
        // What cannot be looked into without its tool was not filled without it either.
        Err(StoreError::NoTool { .. }) if !known => return None,
        Err(error) => Err(error),
    };
    Some(match done {
        Ok(()) => StoreLine::new(store, State::Removed),
        Err(error) => trust::left(store, &error, &places.remove_commands(store, anchor)),
    })
}

//! `wharf trust`: makes the local CA and puts it into the stores of this user and this machine.

use std::process::ExitCode;
use std::time::SystemTime;

use clap::ValueEnum;
use wharf_os::trust::{Command, Kind, Presence, Store, StoreError};

use super::Outcome;
use crate::authority::Authority;
use crate::link::{self, Link};
use crate::narrate;
use crate::render;
use crate::render::trust::{State, StoreLine, Trusted};
use crate::report::{Code, Report};

/// Make the local CA and have browsers and programs trust it, for https.
///
/// It can sign names of this machine alone: `localhost`, what ends in `.localhost`, and loopback addresses.
/// What needs root is not done: the command for it is printed. Again when it is about to expire: a new one
/// is made. `wharf untrust` undoes all of it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only this kind of store
    #[arg(long, value_name = "KIND")]
    store: Option<StoreKind>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// A kind of store on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum StoreKind {
    /// The store of the whole system: curl, Python, Go and others
    System,
    /// The databases of Firefox, Chromium and their kin
    Nss,
}

impl StoreKind {
    fn includes(self, kind: Kind) -> bool {
        matches!((self, kind), (StoreKind::System, Kind::System) | (StoreKind::Nss, Kind::Nss))
    }
}

/// Makes it, puts it in, tells.
pub(crate) fn run(args: &Args) -> Outcome {
    let authority = Authority::of_user()?;
    let wanted = |store: &Store| args.store.is_none_or(|kind| kind.includes(store.kind));
    let stores: Vec<Store> = authority.places.stores().into_iter().filter(wanted).collect();
    if stores.is_empty() && args.store.is_some() {
        return Err(Report::new(Code::NotFound, "there is no store of that kind here")
            .why("none of the known places has one")
            .help("start the browser once, which makes its own, and run `wharf trust` again"));
    }
    let valid = authority.ensure(SystemTime::now())?;
    let mut record = authority.record()?;
    // Before anything is done, since a crash must not leave what nobody remembers; also where root is
    // needed, since somebody may type what is printed.
    stores.iter().for_each(|store| record.add(store));
    authority.remember(&record)?;
    let lines: Vec<StoreLine> = stores.iter().map(|store| install(&authority, store)).collect();
    tell_daemon();
    let code = code(&lines);
    let document = Trusted::new(&authority, valid, lines);
    match args.json {
        true => render::json(&document)?,
        false => render::text(&document.text())?,
    }
    Ok(code)
}

/// A daemon that runs speaks https from now on, or no longer; one that does not will look by itself.
pub(super) fn tell_daemon() {
    let told = super::block_on(async { Link::open_running().await?.trust().await });
    match told.and_then(|told| told) {
        Err(report) if report.what != link::NO_DAEMON => {
            narrate::warning(&format!("the daemon was not told: {}", report.what));
            narrate::line("  `wharf daemon stop` ends it; the next one looks by itself");
        }
        Ok(()) | Err(_) => {}
    }
}

fn install(authority: &Authority, store: &Store) -> StoreLine {
    let Authority { places, anchor, .. } = authority;
    let done = match places.presence(store, anchor) {
        Ok(Presence::Whole) => return StoreLine::new(store, State::Unchanged),
        Ok(Presence::Absent | Presence::Part) => places.install(store, anchor),
        Err(error) => Err(error),
    };
    match done {
        Ok(()) => StoreLine::new(store, State::Installed),
        Err(error) => left(store, &error, &places.install_commands(store, anchor)),
    }
}

/// A store that was left as it is, with what can be typed.
pub(super) fn left(store: &Store, error: &StoreError, commands: &[Command]) -> StoreLine {
    match error {
        StoreError::NeedsRoot { .. } => {
            StoreLine::new(store, State::NeedsRoot).why(error).typed_by_root(commands)
        }
        StoreError::NoTool { commands, .. } => {
            StoreLine::new(store, State::Impossible).why(error).typed_by_root(commands)
        }
        // A database behind a password opens to whoever types it.
        StoreError::Tool { .. } if store.kind == Kind::Nss => {
            StoreLine::new(store, State::Impossible).why(error).typed_by_user(commands)
        }
        StoreError::Tool { .. } | StoreError::Run { .. } => {
            StoreLine::new(store, State::Impossible).why(error)
        }
    }
}

/// Done, or what stood in the way of it.
pub(super) fn code(lines: &[StoreLine]) -> ExitCode {
    let has = |state| lines.iter().any(|line| line.is(state));
    if has(State::Impossible) {
        return ExitCode::from(Code::Failed.number());
    }
    match has(State::NeedsRoot) {
        true => ExitCode::from(Code::Permission.number()),
        false => ExitCode::SUCCESS,
    }
}

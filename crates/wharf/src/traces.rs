//! Everything that wharf has left on this machine for this user.

use std::path::{Path, PathBuf};

use wharf_model::Instance;
use wharf_os::trust::{Presence, Store};

use crate::authority::Authority;
use crate::link::{self, Link};
use crate::report::Report;

/// How deep and how much is counted of a folder.
const ENTRIES_MAX: usize = 100_000;

/// One folder of wharf's own.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    /// What is in it, for people.
    pub(crate) what: &'static str,
    /// Bytes of the files in it.
    pub(crate) bytes: u64,
}

/// What there is to undo.
#[derive(Debug, Default)]
pub(crate) struct Traces {
    /// What runs.
    pub(crate) instances: Vec<Instance>,
    /// The daemon's process number, where one runs.
    pub(crate) daemon: Option<u32>,
    /// Stores that have the local CA, or may have.
    pub(crate) stores: Vec<Store>,
    /// Folders to delete.
    pub(crate) folders: Vec<Folder>,
    /// The folder of settings that a person wrote, which stays unless asked for.
    pub(crate) settings: Option<PathBuf>,
}

impl Traces {
    /// Looks for all of it. Starts a daemon only where there is a database, which knows what runs.
    pub(crate) fn find() -> Result<Traces, Report> {
        let paths = link::paths()?;
        let (instances, daemon) = match paths.database.exists() || paths.socket.exists() {
            true => crate::cli::block_on(running())??,
            false => (Vec::new(), None),
        };
        // Looked at before the authority's lock makes the folder of sockets.
        let ca = paths.ca.symlink_metadata().is_ok();
        let stores = if ca { stores()? } else { Vec::new() };
        let mut folders = vec![
            folder(&paths.runtime_dir, "sockets and locks"),
            folder(&paths.state_dir, "leases, logs and what belongs to instances"),
            folder(&paths.ca, "the local CA"),
        ];
        folders.retain(|folder| folder.path.symlink_metadata().is_ok());
        let settings = Some(paths.config).filter(|dir| dir.is_dir());
        Ok(Traces { instances, daemon, stores, folders, settings })
    }

    /// Whether there is nothing to undo.
    pub(crate) fn is_empty(&self) -> bool {
        self.instances.is_empty()
            && self.daemon.is_none()
            && self.stores.is_empty()
            && self.folders.is_empty()
    }
}

async fn running() -> Result<(Vec<Instance>, Option<u32>), Report> {
    let link = Link::open().await?;
    let mut instances = link.snapshot().await?.instances;
    instances.retain(|instance| instance.state.is_live());
    Ok((instances, Some(link.status().await?.pid)))
}

/// What cannot be looked into may have it.
fn stores() -> Result<Vec<Store>, Report> {
    let authority = Authority::of_user()?;
    let record = authority.record()?;
    let has = |store: &Store| {
        !matches!(authority.places.presence(store, &authority.anchor), Ok(Presence::Absent))
            && (record.stores().contains(store)
                || authority.places.presence(store, &authority.anchor).is_ok())
    };
    Ok(authority.stores(&record).into_iter().filter(has).collect())
}

fn folder(path: &Path, what: &'static str) -> Folder {
    let bytes = files(path).map(|facts| facts.len()).sum();
    Folder { path: path.to_owned(), what, bytes }
}

/// The files below a folder; links are not followed.
fn files(path: &Path) -> impl Iterator<Item = std::fs::Metadata> {
    let mut folders = vec![path.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(facts) if facts.is_dir() => folders.push(entry.path()),
                Ok(facts) => found.push(facts),
                Err(_) => {}
            }
        }
        if found.len() + folders.len() > ENTRIES_MAX {
            break;
        }
    }
    found.into_iter()
}

//! The database: everything that the table holds, on disk before the answer goes out.
//!
//! The table in memory is the truth while the daemon lives; the store is how the next daemon learns
//! of it. So a disk that is full or read-only costs no lease: the store says so, and writes the whole
//! table again as soon as it can.

use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::change::Change;
use crate::load::{Loaded, load};
use crate::moment::Moment;
use crate::table::Table;
use crate::write::{write_all, write_changes};
use crate::{quarantine, schema};

/// How long another program may lock the database before this one goes on from memory.
const BUSY_TIMEOUT: Duration = Duration::from_millis(250);
/// How long after a failed write the next one is tried, in milliseconds.
const RETRY_MS: u64 = 1000;
/// The most news kept for whoever asks next.
const MAX_NEWS: usize = 16;

/// Why there is no store at all.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file was written by a later wharf; it has not been touched.
    #[error(
        "the database {} has schema version {found}, this wharf knows {known}",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The version that this program writes.
        known: u32,
    },
}

/// How the store is, for `wharf daemon status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreStatus {
    /// The file.
    pub path: PathBuf,
    /// Whether the file holds what the daemon knows. If not, leases live in memory only.
    pub writable: bool,
    /// What the user should know, whole sentences.
    pub warnings: Vec<String>,
}

/// The open database, or the memory of why there is none.
pub(crate) struct Store {
    path: PathBuf,
    connection: Option<Connection>,
    /// Which file is open, so that a deleted one is noticed.
    file: Option<(u64, u64)>,
    /// Why the file is behind the table; `None` while it is not.
    problem: Option<String>,
    retry_at: u64,
    /// What happened to earlier files, for the life of the daemon.
    notes: Vec<String>,
    news: Vec<String>,
}

/// Why the file could not be used.
enum Failure {
    Newer(u32),
    Damaged(String),
    Unusable(String),
}

impl Store {
    /// Opens the file, whatever state it is in, and gives what it held.
    pub(crate) fn open(
        path: &Path,
        now: Moment,
        boot_id: &str,
    ) -> Result<(Store, Loaded), StoreError> {
        let mut store = Store {
            path: path.to_owned(),
            connection: None,
            file: None,
            problem: None,
            retry_at: 0,
            notes: Vec::new(),
            news: Vec::new(),
        };
        let loaded = match store.connect() {
            Ok(connection) => {
                let loaded = load(&connection, now, boot_id);
                store.adopt(connection);
                if loaded.unreadable > 0 {
                    let reason = format!("{} of its rows cannot be read", loaded.unreadable);
                    store.start_afresh(&reason, &loaded, now);
                }
                loaded
            }
            Err(Failure::Newer(found)) => {
                return Err(StoreError::Newer { path: store.path, found, known: schema::VERSION });
            }
            Err(Failure::Damaged(reason)) => {
                let loaded = store.salvage(now, boot_id);
                store.start_afresh(&reason, &loaded, now);
                loaded
            }
            Err(Failure::Unusable(reason)) => {
                let loaded = store.salvage(now, boot_id);
                store.fail(&reason, now);
                loaded
            }
        };
        Ok((store, loaded))
    }

    /// How it is.
    pub(crate) fn status(&self) -> StoreStatus {
        let problem = self.problem.iter().cloned();
        StoreStatus {
            path: self.path.clone(),
            writable: self.problem.is_none(),
            warnings: problem.chain(self.notes.iter().cloned()).collect(),
        }
    }

    /// What has happened since the last call, each thing once.
    pub(crate) fn take_news(&mut self) -> Vec<String> {
        std::mem::take(&mut self.news)
    }

    /// Makes the file follow the table, to which `changes` were just applied. A failure is kept as
    /// the problem, not returned: the leases stand, in memory.
    pub(crate) fn write(&mut self, changes: &[Change], table: &Table, next_id: i64, now: Moment) {
        if self.problem.is_some() {
            self.catch_up(table, next_id, now);
            return;
        }
        let Some(connection) = &mut self.connection else {
            self.catch_up(table, next_id, now);
            return;
        };
        if let Err(error) = write_changes(connection, changes, next_id) {
            self.write_failed(&error, table, next_id, now);
        }
    }

    /// Tries again what could not be written, and notices a file that was deleted or replaced.
    pub(crate) fn check(&mut self, table: &Table, next_id: i64, now: Moment) {
        if self.problem.is_none() && identity(&self.path) != self.file {
            let reason = "the file was deleted or replaced while it was in use";
            self.connection = None;
            self.fail(reason, now);
            self.retry_at = now.boot_ms;
        }
        if self.problem.is_some() {
            self.catch_up(table, next_id, now);
        }
    }

    fn catch_up(&mut self, table: &Table, next_id: i64, now: Moment) {
        if now.boot_ms < self.retry_at {
            return;
        }
        self.retry_at = now.boot_ms.saturating_add(RETRY_MS);
        if self.connection.is_none() {
            match self.connect() {
                Ok(connection) => self.adopt(connection),
                Err(Failure::Damaged(reason)) => {
                    self.put_aside(&reason, now);
                    return;
                }
                Err(Failure::Unusable(reason)) => return self.fail(&reason, now),
                // A newer file that appeared under a running daemon is left alone as well.
                Err(Failure::Newer(found)) => {
                    return self.fail(&format!("it has the newer schema version {found}"), now);
                }
            }
        }
        let Some(connection) = &mut self.connection else { return };
        match write_all(connection, table, next_id) {
            Ok(()) => {
                self.problem = None;
                self.tell(format!("the database {} is written again", self.path.display()));
            }
            Err(error) if is_damage(&error) => {
                self.connection = None;
                self.put_aside(&error.to_string(), now);
            }
            // A connection that has met an I/O error may keep failing after the disk has recovered.
            Err(error) => {
                self.connection = None;
                self.fail(&error.to_string(), now);
            }
        }
    }

    fn write_failed(&mut self, error: &rusqlite::Error, table: &Table, next_id: i64, now: Moment) {
        self.connection = None;
        self.fail(&error.to_string(), now);
        if is_damage(error) {
            self.put_aside(&error.to_string(), now);
        }
        // Once at once: writing everything anew also mends a file that disagrees with the table.
        self.retry_at = now.boot_ms;
        self.catch_up(table, next_id, now);
    }

    fn fail(&mut self, reason: &str, now: Moment) {
        let problem = format!(
            "the database {} cannot be written ({reason}): leases are held in memory only",
            self.path.display()
        );
        self.retry_at = now.boot_ms.saturating_add(RETRY_MS);
        if self.problem.replace(problem.clone()).is_none() {
            self.tell(problem);
        }
    }

    /// Puts the damaged file aside and writes what was saved of it into a new one.
    fn start_afresh(&mut self, reason: &str, loaded: &Loaded, now: Moment) {
        self.connection = None;
        if !self.put_aside(reason, now) {
            return;
        }
        self.problem = Some("a new database is being written".to_owned());
        self.retry_at = 0;
        self.catch_up(&loaded.table, loaded.next_id, now);
    }

    /// Whether the file is out of the way.
    fn put_aside(&mut self, reason: &str, now: Moment) -> bool {
        match quarantine::put_aside(&self.path, now.wall_s) {
            Ok(aside) => {
                let note = format!(
                    "the database was damaged ({reason}); it was kept as {} and a new one was begun",
                    aside.display()
                );
                self.notes.push(note.clone());
                self.tell(note);
                true
            }
            Err(error) => {
                self.fail(&format!("{reason}; putting it aside failed: {error}"), now);
                false
            }
        }
    }

    fn tell(&mut self, news: String) {
        if self.news.len() < MAX_NEWS {
            self.news.push(news);
        }
    }

    fn adopt(&mut self, connection: Connection) {
        self.file = identity(&self.path);
        self.connection = Some(connection);
    }

    fn connect(&self) -> Result<Connection, Failure> {
        if let Some(found) = self.newer_version_in_file() {
            return Err(Failure::Newer(found));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(&self.path, flags)?;
        let found = schema::version(&connection)?;
        if found > schema::VERSION {
            return Err(Failure::Newer(found));
        }
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY;
             PRAGMA cache_size = -512; PRAGMA journal_size_limit = 1048576;",
        )?;
        schema::migrate(&mut connection)?;
        let verdict: String =
            connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        if verdict != "ok" {
            return Err(Failure::Damaged(verdict.replace('\n', " ")));
        }
        // Nothing proves that a file can be written but writing it.
        connection.execute(
            "INSERT INTO meta VALUES ('opened', 1)
             ON CONFLICT (name) DO UPDATE SET value = value + 1",
            [],
        )?;
        Ok(connection)
    }

    fn newer_version_in_file(&self) -> Option<u32> {
        let mut header = Vec::with_capacity(100);
        let file = std::fs::File::open(&self.path).ok()?;
        file.take(100).read_to_end(&mut header).ok()?;
        schema::version_in_header(&header).filter(|found| *found > schema::VERSION)
    }

    /// What can be read of a file that cannot be used: with its write-ahead log, which after a kill may
    /// hold everything, else without locks and without the log.
    fn salvage(&self, now: Moment, boot_id: &str) -> Loaded {
        let mut uri = String::from("file:");
        for byte in self.path.as_os_str().as_encoded_bytes() {
            uri.push_str(&format!("%{byte:02x}"));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let read = |query: &str| {
            let connection = Connection::open_with_flags(format!("{uri}{query}"), flags).ok()?;
            Some(load(&connection, now, boot_id))
        };
        read("?mode=ro")
            .filter(|loaded| loaded.unreadable == 0)
            .or_else(|| read("?immutable=1"))
            .unwrap_or_else(|| Loaded { next_id: 1, ..Loaded::default() })
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Failure {
        if is_damage(&error) {
            Failure::Damaged(error.to_string())
        } else {
            Failure::Unusable(error.to_string())
        }
    }
}

/// Whether the file is at fault, not the disk: only then is it put aside. A missing table or column
/// in a file of the right version is damage as well, and SQLite calls that an unknown error.
fn is_damage(error: &rusqlite::Error) -> bool {
    match error.sqlite_error_code() {
        Some(code) => matches!(
            code,
            ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::TypeMismatch
                | ErrorCode::Unknown
        ),
        None => true,
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let read: io::Result<std::fs::Metadata> = std::fs::metadata(path);
    read.ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

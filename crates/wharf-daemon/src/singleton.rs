//! Being the only daemon of this user.
//!
//! A lock decides, not the socket: the kernel releases it with its holder. One lies in the runtime
//! folder, which is always there; one beside the database, for two logins with different runtime
//! folders and for a runtime folder that was removed under a living daemon. The latter also tells the
//! others where that daemon's socket is.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use wharf_control::Paths;
use wharf_os::lock::FileLock;
use wharf_os::private_dir::{self, PrivateDirError};

/// How long a daemon that is just ending is waited for.
const PREDECESSOR: Duration = Duration::from_secs(3);

/// Why this process is not the daemon.
#[derive(Debug, thiserror::Error)]
pub enum SingletonError {
    /// Another one is.
    #[error("a daemon already runs, on {}", socket.display())]
    AlreadyRuns {
        /// Its socket.
        socket: PathBuf,
    },
    /// A folder is not fit for private files.
    #[error("the folder for wharf's files cannot be used")]
    Folder(#[from] PrivateDirError),
    /// The lock file cannot be used.
    #[error("cannot lock {}", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The locks, held until dropped.
#[derive(Debug)]
pub(crate) struct Singleton {
    paths: Paths,
    locks: Vec<FileLock>,
}

impl Singleton {
    /// Becomes the only daemon.
    pub(crate) fn claim(paths: &Paths) -> Result<Singleton, SingletonError> {
        private_dir::ensure(&paths.runtime_dir)?;
        let mut locks = Vec::new();
        // The database's lock comes first: while it is waited for, a living daemon whose runtime
        // folder was removed must be able to claim that folder again. A disk that takes no lock file
        // takes no database either, so there is nothing to guard.
        if private_dir::ensure(&paths.state_dir).is_ok()
            && let Ok(guard) = FileLock::exclusive(&paths.database_lock, PREDECESSOR)
        {
            let Some(guard) = guard else {
                let socket = advertised(paths).unwrap_or_else(|| paths.socket.clone());
                return Err(SingletonError::AlreadyRuns { socket });
            };
            locks.push(guard);
        }
        let Some(runtime) = lock(&paths.lock, PREDECESSOR)? else {
            return Err(SingletonError::AlreadyRuns { socket: paths.socket.clone() });
        };
        locks.push(runtime);
        if locks.len() == 2 {
            // For those who look elsewhere; without it they merely find no daemon.
            let socket = paths.socket.as_os_str().as_encoded_bytes();
            let _ = std::fs::write(&paths.database_lock, socket);
        }
        Ok(Singleton { paths: paths.clone(), locks })
    }

    /// Claims the runtime folder again after it was removed; `false` if another daemon has it now.
    pub(crate) fn reclaim(&mut self) -> Result<bool, SingletonError> {
        private_dir::ensure(&self.paths.runtime_dir)?;
        // Where the lock file is still the one that we hold, our own lock is in the way.
        if let Some(lock) = lock(&self.paths.lock, Duration::ZERO)? {
            self.locks.push(lock);
            return Ok(true);
        }
        Ok(self.holds_runtime_lock())
    }

    fn holds_runtime_lock(&self) -> bool {
        use std::os::fd::AsFd;
        let Ok(there) = rustix::fs::stat(&self.paths.lock) else { return false };
        self.locks.iter().any(|lock| {
            rustix::fs::fstat(lock.as_fd())
                .is_ok_and(|ours| (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino))
        })
    }
}

fn lock(path: &Path, wait: Duration) -> Result<Option<FileLock>, SingletonError> {
    FileLock::exclusive(path, wait)
        .map_err(|source| SingletonError::Lock { path: path.to_path_buf(), source })
}

fn advertised(paths: &Paths) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    let bytes = std::fs::read(&paths.database_lock).ok()?;
    let path = PathBuf::from(std::ffi::OsString::from_vec(bytes));
    path.is_absolute().then_some(path)
}

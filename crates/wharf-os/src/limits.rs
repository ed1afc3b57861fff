//! The limit on open files: raised for a process that holds many sockets, given back to its children.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The limits that our caller set, for a child that shall find them as they were.
#[derive(Clone, Copy, Debug)]
pub struct CallerLimits {
    open_files: Rlimit,
}

impl CallerLimits {
    /// The limits as they are now, read before anything is changed.
    pub fn current() -> CallerLimits {
        CallerLimits { open_files: getrlimit(Resource::Nofile) }
    }

    /// Restores them, for use between fork and exec. A refusal leaves the raised limit, which does no
    /// harm.
    pub fn restore(self) {
        let _ = setrlimit(Resource::Nofile, self.open_files);
    }
}

/// Raises the soft limit on open files to the hard one, for this process.
///
/// # Errors
/// Those of `setrlimit(2)`; the limit is then as before.
pub fn raise_open_files() -> std::io::Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}

//! Watching the processes that leases and instances depend on.

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use wharf_model::ProcessId;
use wharf_os::pidfd::Pidfd;
use wharf_os::process::{self, Identity};

use crate::event::Event;

/// One watch per process, for as long as it lives.
#[derive(Debug)]
pub(crate) struct Owners {
    events: mpsc::Sender<Event>,
    watched: HashMap<ProcessId, AbortHandle>,
    /// Those that could not be watched (too many, an old kernel): asked now and then.
    asked: HashSet<ProcessId>,
    /// How many may be watched: each costs a descriptor, and the connections need some too.
    most: usize,
    boot_id: String,
}

impl Owners {
    pub(crate) fn new(events: mpsc::Sender<Event>, most: usize) -> Owners {
        Owners {
            events,
            watched: HashMap::new(),
            asked: HashSet::new(),
            most,
            boot_id: process::boot_id(),
        }
    }

    /// Whether the process lives; if so it is watched from now on, and its end is an event.
    pub(crate) fn watch(&mut self, owner: &ProcessId) -> bool {
        if self.watched.contains_key(owner) {
            return true;
        }
        let identity = wharf_facts::identity(owner);
        if self.watched.len() < self.most
            && let Ok(Some(pidfd)) = Pidfd::open(&identity)
            && let Ok(pidfd) = in_runtime(&pidfd)
        {
            self.asked.remove(owner);
            self.spawn(owner, pidfd);
            return true;
        }
        let alive = !self.has_ended(&identity);
        if alive {
            self.asked.insert(owner.clone());
        }
        alive
    }

    /// Forgets a process that has ended.
    pub(crate) fn forget(&mut self, owner: &ProcessId) {
        self.watched.remove(owner);
        self.asked.remove(owner);
    }

    /// Those among the merely asked that have ended; the others are watched if that is possible now.
    pub(crate) fn ask(&mut self) -> Vec<ProcessId> {
        let asked: Vec<ProcessId> = self.asked.iter().cloned().collect();
        asked.into_iter().filter(|owner| !self.watch(owner)).collect()
    }

    fn spawn(&mut self, owner: &ProcessId, pidfd: AsyncFd<OwnedFd>) {
        let events = self.events.clone();
        let gone = owner.clone();
        let task = tokio::spawn(async move {
            // Readable means ended; an error of the event loop itself is as final.
            let _ = pidfd.readable().await;
            // If nobody receives any more, the daemon ends and nobody cares.
            let _ = events.send(Event::OwnerGone(gone)).await;
        });
        self.watched.insert(owner.clone(), task.abort_handle());
    }

    /// Whether it has certainly ended. Where `/proc` cannot be read just now, because descriptors are
    /// used up, it has not: a lease that stays too long is a nuisance, one that goes too early is a
    /// collision.
    fn has_ended(&self, identity: &Identity) -> bool {
        if identity.boot_id != self.boot_id {
            return true;
        }
        if process::is_alive(identity) {
            return false;
        }
        match process::stat(identity.pid) {
            Ok(stat) => stat.start_ticks != identity.start_ticks || "ZX".contains(stat.state),
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }
}

impl Drop for Owners {
    fn drop(&mut self) {
        for task in self.watched.values() {
            task.abort();
        }
    }
}

#[expect(deprecated, reason = "an OwnedFd is what the unsafe successor asks the caller to promise")]
fn in_runtime(pidfd: &Pidfd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(pidfd.as_fd().try_clone_to_owned()?, Interest::READABLE)
}

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
    /// Those that could not be watched (descriptors are used up, an old kernel): asked now and then.
    asked: HashSet<ProcessId>,
}

impl Owners {
    pub(crate) fn new(events: mpsc::Sender<Event>) -> Owners {
        Owners { events, watched: HashMap::new(), asked: HashSet::new() }
    }

    /// Whether the process lives; if so it is watched from now on, and its end is an event.
    pub(crate) fn watch(&mut self, owner: &ProcessId) -> bool {
        if self.watched.contains_key(owner) {
            return true;
        }
        let identity = identity(owner);
        match Pidfd::open(&identity).map(|pidfd| pidfd.map(|pidfd| in_runtime(&pidfd))) {
            Ok(None) => false,
            Ok(Some(Ok(pidfd))) => {
                self.asked.remove(owner);
                self.spawn(owner, pidfd);
                true
            }
            Ok(Some(Err(_))) | Err(_) => {
                let alive = process::is_alive(&identity);
                if alive {
                    self.asked.insert(owner.clone());
                }
                alive
            }
        }
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

fn identity(owner: &ProcessId) -> Identity {
    Identity {
        pid: owner.pid,
        start_ticks: owner.start_ticks,
        boot_id: owner.boot_id.clone(),
    }
}

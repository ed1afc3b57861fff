//! Held listeners that a server has shut down and that listen on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wharf_os::remap::{Call, Held};

/// How often it is looked at whether a server waits for what its call was to do.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How long a thread may take to wake up. A listener that listens again before that keeps it waiting.
const AWAKE_WITHIN: Duration = Duration::from_millis(5);

/// How many are looked after; a call beyond that is done at once.
const SPARED_MAX: usize = 32;

/// Calls to `shutdown` that return without being done. A thread that goes to `accept` after such a call, or
/// is there already, would wait in vain for the error that ends it.
#[derive(Debug, Default)]
pub(super) struct Spared(Vec<(Call, Arc<Held>)>);

impl Spared {
    /// Whether a call shall return without being done.
    pub(super) fn takes(&mut self, call: &Call, held: Arc<Held>) -> bool {
        let takes = self.0.len() < SPARED_MAX;
        if takes {
            let mut call = *call;
            // The thread may go, and leave the others to wait.
            call.thread = call.process().unwrap_or(call.thread);
            self.0.push((call, held));
            self.look();
        }
        takes
    }

    /// When to look again.
    pub(super) fn pause(&self) -> Option<Duration> {
        (!self.0.is_empty()).then_some(LOOK_AGAIN)
    }

    /// Does what a thread waits for by now, and forgets the calls of those who have let the socket go.
    pub(super) fn look(&mut self) {
        self.0.retain(|(call, held)| {
            let has_it = call.inode().is_some_and(|inode| held.inode() == Some(inode));
            if has_it && call.is_accepted_from() {
                held.end();
                let until = Instant::now() + AWAKE_WITHIN;
                while call.is_accepted_from() && Instant::now() < until {
                    std::thread::yield_now();
                }
            }
            has_it
        });
    }
}

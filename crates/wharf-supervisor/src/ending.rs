//! How far the end of a launch has come.

use std::time::{Duration, Instant};

/// A tree that is being ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    kill_at: Instant,
    killing: bool,
}

impl Ending {
    /// The first signal was sent now.
    pub(crate) fn begun(now: Instant, grace: Duration) -> Ending {
        Ending { kill_at: now + grace, killing: false }
    }

    /// The grace is over.
    pub(crate) fn hurry(&mut self, now: Instant) {
        self.kill_at = now;
    }

    /// Whether it is time for SIGKILL.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        now >= self.kill_at
    }

    /// Takes in that SIGKILL was sent; whether for the first time.
    pub(crate) fn kill(&mut self) -> bool {
        !std::mem::replace(&mut self.killing, true)
    }
}

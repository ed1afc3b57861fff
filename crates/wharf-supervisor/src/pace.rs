//! How often an instance is looked at: what is told as it happens need not be looked for, and what idles costs
//! nothing.

use std::time::Duration;

use crate::serving::Serving;
use crate::task::Task;

/// How often SIGKILL is sent again to what is left: a process may fork between the look and the signal.
const KILL_AGAIN: Duration = Duration::from_millis(20);

impl Task {
    /// How long to wait for the next look: short while a first answer is awaited, since a person waits
    /// for it too.
    pub(crate) fn pace(&self) -> Duration {
        if self.ending.is_some() {
            return KILL_AGAIN;
        }
        let (age, exact) = (self.launched.elapsed().as_secs(), self.answers.are_exact());
        Duration::from_millis(match self.serving {
            // There may be a hundred that have served for long.
            Serving::Yes if exact && age >= 30 => 5000,
            Serving::Yes => 500,
            Serving::Missing(_) | Serving::Lost => 50,
            // A `listen` is told as it happens. What listens on nothing may never do so (a worker).
            Serving::NotYet if exact && (age < 1 || !self.seen.is_empty()) => 20,
            Serving::NotYet if exact && age < 30 => 500,
            Serving::NotYet if exact => 5000,
            Serving::NotYet if age < 30 => 2,
            Serving::NotYet if age < 300 => 20,
            Serving::NotYet => 100,
        })
    }

    /// How long to wait before the whole tree is searched again: that reads `/proc` of each process.
    pub(crate) fn scan_pace(&self) -> Duration {
        let age = self.launched.elapsed();
        match self.serving {
            Serving::Yes if age < Duration::from_secs(30) => Duration::from_secs(1),
            // Whatever the tree begins to listen on is told; this is for what it closes.
            Serving::Yes if self.answers.are_exact() => Duration::from_secs(60),
            Serving::Yes => Duration::from_secs(5),
            Serving::NotYet if self.answers.are_exact() && self.seen.is_empty() => self.pace(),
            _ if age < Duration::from_secs(30) => Duration::from_millis(100),
            _ => Duration::from_secs(1),
        }
    }
}

//! How far the end of a launch has come.

use std::time::{Duration, Instant};

use wharf_os::process;

use crate::update::Member;

/// How long what SIGKILL was sent to may take to be gone before it is worth a word.
pub(crate) const LINGER_AFTER: Duration = Duration::from_secs(1);

/// A tree that is being ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    kill_at: Instant,
    killing: Option<Instant>,
    /// Whether it was told that some cannot be ended.
    pub(crate) lingers: bool,
}

impl Ending {
    /// The first signal was sent now.
    pub(crate) fn begun(now: Instant, grace: Duration) -> Ending {
        Ending { kill_at: now + grace, killing: None, lingers: false }
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
    pub(crate) fn kill(&mut self, now: Instant) -> bool {
        self.killing.replace(self.killing.unwrap_or(now)).is_none()
    }

    /// Whether SIGKILL has had its time, and nothing was told of that yet.
    pub(crate) fn is_in_vain(&self, now: Instant) -> bool {
        let since = self.killing.map(|first| now.duration_since(first));
        !self.lingers && since.is_some_and(|since| since >= LINGER_AFTER)
    }
}

/// Who of a tree lives although a signal was sent to all: it reaches no process of another user.
pub(crate) fn out_of_reach(tree: Vec<u32>, reached: &[u32]) -> Vec<Member> {
    let lives = |pid: &u32| process::stat(*pid).is_ok_and(|stat| !matches!(stat.state, 'Z' | 'X'));
    tree.into_iter().filter(|pid| !reached.contains(pid)).filter(lives).map(Member::of).collect()
}

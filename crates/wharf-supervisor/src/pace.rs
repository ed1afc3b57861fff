//! How often an instance is looked at: what is told as it happens need not be looked for, and what idles costs
//! nothing.

use std::time::Duration;

use crate::serving::Serving;
use crate::task::Task;

/// How often what is quiet is looked at where all that matters is told: for what a process closes and lives on, and
/// for sockets that nothing has told of.
pub(crate) const STILL: Duration = Duration::from_secs(15);

/// The same where the sockets are looked at from outside: only a kernel that tells others less is a reason to look.
const LOOKED_AFTER: Duration = Duration::from_secs(600);

/// How often what serves is looked at where something matters that nobody tells of.
const UNTOLD: Duration = Duration::from_secs(5);

/// How often the tree of what is quiet is searched: a listener that is held beyond its server still listens when the
/// server has closed it.
const SEARCHED: Duration = Duration::from_secs(30);

/// The same where the sockets are looked at from outside, which does not see this.
const SEARCHED_SELDOM: Duration = Duration::from_secs(300);

/// How long after a call of the tree its sockets are looked at often; and where they are looked at from outside.
const BUSY: Duration = Duration::from_secs(30);
const SETTLED: Duration = Duration::from_secs(10);

/// How often SIGKILL is sent again to what is left: a process may fork between the look and the signal.
const KILL_AGAIN: Duration = Duration::from_millis(20);

impl Task {
    /// How long to wait for the next look: short while a first answer is awaited, since a person waits
    /// for it too.
    pub(crate) fn pace(&self) -> Duration {
        if self.ending.is_some() {
            return KILL_AGAIN;
        }
        if self.is_called {
            return Duration::ZERO;
        }
        let age = self.launched.elapsed().as_secs();
        match self.serving {
            serving if self.answers.are_exact() => Told {
                serving,
                quiet: self.stirred.elapsed(),
                listens: !self.seen.is_empty(),
                is_watched: self.holder.is_watched() && self.keeping.idle.is_none(),
                still: self.still(),
                busy: if *self.lines.care.borrow() { SETTLED } else { BUSY },
            }
            .pace(),
            Serving::Yes if age < 30 => Duration::from_millis(500),
            Serving::Yes => UNTOLD,
            Serving::Missing(_) | Serving::Lost(_) => Duration::from_millis(50),
            Serving::NotYet if age < 30 => Duration::from_millis(2),
            Serving::NotYet if age < 300 => Duration::from_millis(20),
            Serving::NotYet => Duration::from_millis(100),
        }
    }

    /// How long what is quiet is left alone.
    fn still(&self) -> Duration {
        match (*self.lines.care.borrow(), self.holds()) {
            (false, _) => STILL,
            (true, false) => LOOKED_AFTER,
            (true, true) => SEARCHED_SELDOM,
        }
    }

    /// Whether it listens beyond its server, which then may close its own unseen.
    fn holds(&self) -> bool {
        self.keeping.adopt || self.keeping.holds()
    }

    /// How long to wait before the whole tree is searched again: that reads `/proc` of each process.
    pub(crate) fn scan_pace(&self) -> Duration {
        let age = self.launched.elapsed();
        match self.serving {
            Serving::Yes if age < Duration::from_secs(30) => Duration::from_secs(1),
            Serving::Yes if self.answers.are_exact() => SEARCHED.max(self.still()),
            Serving::Yes => Duration::from_secs(5),
            Serving::NotYet if self.answers.are_exact() && self.seen.is_empty() => self.pace(),
            _ if age < Duration::from_secs(30) => Duration::from_millis(100),
            _ => Duration::from_secs(1),
        }
    }
}

/// What is known of an instance each `bind` and `listen` of which is told as it happens.
struct Told {
    serving: Serving,
    /// How long it has done neither.
    quiet: Duration,
    /// Whether it listens on anything.
    listens: bool,
    /// Whether the end of who holds the server's listener is told as well, and nothing else is waited for.
    is_watched: bool,
    /// How long it is left alone where all that matters is told.
    still: Duration,
    /// How long after its last call it is looked at often, whoever else looks.
    busy: Duration,
}

impl Told {
    fn pace(&self) -> Duration {
        let quiet = self.quiet.as_secs();
        match self.serving {
            Serving::Yes if self.quiet < self.busy => Duration::from_millis(500),
            // There may be a hundred of them.
            Serving::Yes if self.is_watched => self.still,
            Serving::Yes => UNTOLD,
            Serving::Lost(since) if since.elapsed().as_secs() >= 30 => Duration::from_millis(500),
            Serving::Missing(_) | Serving::Lost(_) => Duration::from_millis(50),
            Serving::NotYet if quiet < 1 => Duration::from_millis(20),
            Serving::NotYet if !self.listens && quiet < 30 => Duration::from_millis(500),
            // It may never listen (a worker).
            // What has no listener yet is looked after by nobody else.
            Serving::NotYet if !self.listens => STILL,
            // What does not answer yet is asked again, and another port is believed after a while.
            Serving::NotYet if quiet < 30 => Duration::from_millis(20),
            Serving::NotYet if quiet < 300 => Duration::from_millis(100),
            Serving::NotYet => Duration::from_millis(500),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn pace(serving: Serving, quiet: u64, listens: bool, is_watched: bool) -> Duration {
        Told {
            serving,
            quiet: Duration::from_secs(quiet),
            listens,
            is_watched,
            still: STILL,
            busy: BUSY,
        }
        .pace()
    }

    #[test]
    fn what_nobody_tells_of_is_seen_within_half_a_minute() {
        let now = Instant::now();
        let all = [Serving::NotYet, Serving::Yes, Serving::Missing(now), Serving::Lost(now)];
        for serving in all {
            for (listens, is_watched) in
                [(false, false), (false, true), (true, false), (true, true)]
            {
                let paces = [0, 1, 29, 30, 299, 300, 1_000_000]
                    .map(|quiet| pace(serving, quiet, listens, is_watched));
                assert!(paces.iter().all(|pace| *pace <= Duration::from_secs(30)), "{serving:?}");
            }
        }
    }

    #[test]
    fn what_idles_is_looked_at_seldom_only_if_its_end_is_told() {
        assert_eq!(pace(Serving::Yes, 30, true, true), STILL);
        assert_eq!(pace(Serving::Yes, 30, true, false), UNTOLD);
        assert_eq!(pace(Serving::NotYet, 30, false, true), STILL);
    }

    #[test]
    fn what_is_looked_after_looks_by_itself_hardly_ever() {
        let told = |serving, listens, is_watched| {
            let quiet = Duration::from_secs(30);
            Told { serving, quiet, listens, is_watched, still: LOOKED_AFTER, busy: SETTLED }.pace()
        };
        assert_eq!(told(Serving::Yes, true, true), LOOKED_AFTER);
        assert_eq!(told(Serving::NotYet, false, false), STILL, "no port of it is known to look at");
        assert_eq!(told(Serving::Yes, true, false), UNTOLD, "its listener may go with any process");
        assert!(told(Serving::NotYet, true, true) < Duration::from_secs(1), "it is asked");
    }

    #[test]
    fn a_worker_that_binds_late_is_looked_at_as_if_it_had_just_begun() {
        let just_begun = pace(Serving::NotYet, 0, false, false);
        assert!(just_begun < Duration::from_millis(100));
        assert!(pace(Serving::NotYet, 10, true, true) < Duration::from_millis(100), "it is asked");
    }
}

//! One clock for all processes of a measurement: CLOCK_MONOTONIC, in nanoseconds since boot.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Now.
pub(crate) fn now() -> i64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

/// From one reading to another, in milliseconds.
pub(crate) fn ms(from: i64, to: i64) -> f64 {
    // A run lasts minutes: its nanoseconds fit the 53 bits.
    #[expect(clippy::cast_precision_loss, reason = "see above")]
    let nanoseconds = (to - from) as f64;
    nanoseconds / 1e6
}

/// Rounds of a measurement: as many as wanted, or as time allows, but a few in any case.
#[derive(Debug)]
pub(crate) struct Rounds {
    done: usize,
    least: usize,
    most: usize,
    end: Instant,
}

impl Rounds {
    /// `most` rounds if they fit into `budget`, and `least` even if they do not.
    pub(crate) fn new(least: usize, most: usize, budget: Duration) -> Rounds {
        Rounds { done: 0, least, most, end: Instant::now() + budget }
    }
}

impl Iterator for Rounds {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let in_time = Instant::now() < self.end || self.done < self.least;
        (in_time && self.done < self.most).then(|| {
            self.done += 1;
            self.done - 1
        })
    }
}

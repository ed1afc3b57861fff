//! Waiting for what is to happen.

use std::time::{Duration, Instant};

use super::DEADLINE;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// Asks until it is so, or fails.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {DEADLINE:?}: {what}");
        std::thread::sleep(PAUSE);
    }
}

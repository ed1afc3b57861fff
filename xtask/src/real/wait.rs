//! Waiting for something to become true, never longer than a deadline.

use std::thread;
use std::time::{Duration, Instant};

/// How often something is looked at. Short against what a server takes to start.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Calls `look` until it gives something or the deadline has passed.
pub fn until<T>(deadline: Instant, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        thread::sleep(LOOK_EVERY);
    }
}

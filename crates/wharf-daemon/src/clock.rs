//! Reading the clocks, for those who may not.

use rustix::time::{ClockId, clock_gettime};
use wharf_lease::Moment;

/// What both clocks say now.
pub(crate) fn now() -> Moment {
    let wall = clock_gettime(ClockId::Realtime);
    let boot = clock_gettime(ClockId::Boottime);
    let milliseconds = u64::try_from(boot.tv_nsec / 1_000_000).unwrap_or(0);
    Moment {
        // A clock before 1970 counts as 1970.
        wall_s: u64::try_from(wall.tv_sec).unwrap_or(0),
        boot_ms: u64::try_from(boot.tv_sec).unwrap_or(0) * 1000 + milliseconds,
    }
}

/// Milliseconds since the Unix epoch, for display only.
pub(crate) fn wall_ms() -> u64 {
    let wall = clock_gettime(ClockId::Realtime);
    let milliseconds = u64::try_from(wall.tv_nsec / 1_000_000).unwrap_or(0);
    u64::try_from(wall.tv_sec).unwrap_or(0) * 1000 + milliseconds
}

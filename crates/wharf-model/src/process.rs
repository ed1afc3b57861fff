//! A process that cannot be confused with a later one of the same number.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The identity of a process: a pid alone is reused, so it never identifies one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProcessId {
    /// The process number, in wharf's own pid namespace.
    pub pid: u32,
    /// When it started, in clock ticks since boot (field 22 of `/proc/PID/stat`).
    pub start_ticks: u64,
    /// The kernel's `boot_id`: after a reboot the same pid and ticks mean another process.
    pub boot_id: String,
}

impl ProcessId {
    /// Which of two was started first, in clock ticks; unknown of two boots.
    pub fn start_order(&self, other: &ProcessId) -> Option<std::cmp::Ordering> {
        (self.boot_id == other.boot_id).then(|| self.start_ticks.cmp(&other.start_ticks))
    }
}

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pid {}", self.pid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_processes_of_one_boot_have_an_order() {
        let process = |pid, start_ticks, boot_id: &str| ProcessId {
            pid,
            start_ticks,
            boot_id: boot_id.into(),
        };
        let order = |one: ProcessId, other| one.start_order(&other).map(std::cmp::Ordering::is_lt);
        assert_eq!(order(process(9, 10, "a"), process(2, 20, "a")), Some(true));
        assert_eq!(order(process(2, 20, "a"), process(9, 20, "a")), Some(false));
        assert_eq!(order(process(9, 10, "a"), process(2, 20, "b")), None);
    }
}

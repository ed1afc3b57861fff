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

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pid {}", self.pid)
    }
}

//! Processes by number, start time and boot.

use wharf_model::ProcessId;
use wharf_os::process::{self, Identity};

/// This process, so that it cannot be confused with a later one of its number.
pub fn own_process() -> ProcessId {
    let Identity { pid, start_ticks, boot_id } = process::own_identity();
    ProcessId { pid, start_ticks, boot_id }
}

/// The kernel's view of a process that was named.
pub fn identity(process: &ProcessId) -> Identity {
    let ProcessId { pid, start_ticks, boot_id } = process.clone();
    Identity { pid, start_ticks, boot_id }
}

//! Processes by number, start time and boot.

use std::io;

use wharf_model::ProcessId;
use wharf_os::process::{self, Identity};

/// This process, so that it cannot be confused with a later one of its number.
pub fn own_process() -> ProcessId {
    named(process::own_identity())
}

/// The process that has this number now.
///
/// # Errors
/// There is none, or the kernel does not say.
pub fn process(pid: u32) -> io::Result<ProcessId> {
    process::identity(pid).map(named)
}

fn named(Identity { pid, start_ticks, boot_id }: Identity) -> ProcessId {
    ProcessId { pid, start_ticks, boot_id }
}

/// The kernel's view of a process that was named.
pub fn identity(process: &ProcessId) -> Identity {
    let ProcessId { pid, start_ticks, boot_id } = process.clone();
    Identity { pid, start_ticks, boot_id }
}

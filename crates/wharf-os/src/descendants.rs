//! Signals to a whole tree of processes, none of which can be mistaken for another.

use crate::pidfd::Pidfd;
use crate::process;

/// Sends a signal to every descendant of `root`, not to `root` itself, and returns those that it was
/// sent to. A process that ends in between is passed over; one that took its number is never hit.
pub fn signal(root: u32, signal: i32) -> Vec<u32> {
    let members = process::tree(root);
    let mut reached = Vec::with_capacity(members.len());
    for pid in members.into_iter().filter(|pid| *pid != root) {
        let Ok(identity) = process::identity(pid) else { continue };
        let Ok(Some(process)) = Pidfd::open(&identity) else { continue };
        if process.signal(signal).is_ok() {
            reached.push(pid);
        }
    }
    reached
}

/// Sends a signal to one process, if it is still a descendant of `root`.
pub fn signal_one(root: u32, pid: u32, signal: i32) -> bool {
    let Ok(identity) = process::identity(pid) else { return false };
    let Ok(Some(handle)) = Pidfd::open(&identity) else { return false };
    pid != root && process::tree(root).contains(&pid) && handle.signal(signal).is_ok()
}

//! Other network namespaces of this machine: containers, test hosts, sandboxes.

use std::collections::BTreeMap;

use crate::process;

/// A network namespace that is not ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// The number that `ls -l /proc/PID/ns/net` shows.
    pub inode: u64,
    /// A process in it, through whose `/proc` entry it may be looked into.
    pub pid: u32,
}

/// Every other network namespace in which a process may be seen; without privileges those of one's own
/// processes only. In ascending order of their numbers.
pub fn others() -> Vec<Namespace> {
    let Ok(own) = process::network_namespace(std::process::id()) else { return Vec::new() };
    let mut found = BTreeMap::new();
    for pid in process::all().unwrap_or_default() {
        if let Ok(inode) = process::network_namespace(pid)
            && inode != own
        {
            found.entry(inode).or_insert(pid);
        }
    }
    found.into_iter().map(|(inode, pid)| Namespace { inode, pid }).collect()
}

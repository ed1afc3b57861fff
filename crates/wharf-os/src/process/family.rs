//! Parents, children and descendants.

use std::collections::{HashMap, HashSet};
use std::io;

use super::{Stat, path, stat};

/// The most processes that one tree is followed to: more than a default `pid_max` has.
const LARGEST_TREE: usize = 65_536;
/// The most parents that are followed: the kernel allows no cycle, but a chain may change as we
/// climb.
const DEEPEST: usize = 1024;

/// All processes that we may see, in no order.
///
/// # Errors
/// `/proc` is not to be read.
pub fn all() -> io::Result<Vec<u32>> {
    Ok(std::fs::read_dir("/proc")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect())
}

/// The children of all threads of the process. Empty when it has gone. A child may be missed while
/// others of the same parent end, so whoever must have all asks until nothing new comes.
pub fn children(pid: u32) -> Vec<u32> {
    listed(pid).unwrap_or_else(|| {
        let mut by_parent = by_parent();
        by_parent.remove(&pid).unwrap_or_default()
    })
}

/// The process and all its descendants, itself first, parents before children; empty when it has
/// gone. At most 65,536, and none twice.
pub fn tree(root: u32) -> Vec<u32> {
    if stat(root).is_err() {
        return Vec::new();
    }
    // One look at all processes serves the whole tree where the kernel keeps no lists of children.
    let mut scanned = None;
    let mut seen = HashSet::from([root]);
    let mut tree = vec![root];
    let mut next = 0;
    while let Some(pid) = tree.get(next).copied() {
        next += 1;
        let found = listed(pid).unwrap_or_else(|| {
            scanned.get_or_insert_with(by_parent).get(&pid).cloned().unwrap_or_default()
        });
        for child in found {
            if tree.len() < LARGEST_TREE && seen.insert(child) {
                tree.push(child);
            }
        }
    }
    tree
}

/// The process's parent, its parent's parent and so on, up to the first process of the pid
/// namespace.
pub fn ancestors(pid: u32) -> Vec<Stat> {
    let mut found: Vec<Stat> = Vec::new();
    let mut next = stat(pid).map_or(0, |own| own.ppid);
    while next != 0 && next != pid && found.len() < DEEPEST {
        let Ok(parent) = stat(next) else { break };
        if found.iter().any(|known| known.pid == parent.pid) {
            break;
        }
        next = parent.ppid;
        found.push(parent);
    }
    found
}

/// The kernel's own list, or `None` where it keeps none (`CONFIG_PROC_CHILDREN`).
fn listed(pid: u32) -> Option<Vec<u32>> {
    let Ok(threads) = std::fs::read_dir(path(pid, "task")) else {
        return Some(Vec::new());
    };
    let mut found = Vec::new();
    let mut unread = false;
    for thread in threads.flatten() {
        match std::fs::read_to_string(thread.path().join("children")) {
            Ok(text) => found.extend(text.split_ascii_whitespace().flat_map(str::parse::<u32>)),
            Err(_) => unread = true,
        }
    }
    // A thread that has ended meanwhile has no list either.
    if unread && found.is_empty() && !keeps_lists() {
        return None;
    }
    Some(found)
}

fn keeps_lists() -> bool {
    std::path::Path::new("/proc/thread-self/children").exists()
}

fn by_parent() -> HashMap<u32, Vec<u32>> {
    let mut found: HashMap<u32, Vec<u32>> = HashMap::new();
    for stat in all().unwrap_or_default().into_iter().flat_map(stat) {
        found.entry(stat.ppid).or_default().push(stat.pid);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_and_the_scan_agree_on_a_child() {
        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let own = std::process::id();
        assert!(children(own).contains(&child.id()));
        assert!(by_parent()[&own].contains(&child.id()));
        let tree = tree(own);
        assert_eq!(tree[0], own);
        assert!(tree.contains(&child.id()));
        assert_eq!(ancestors(child.id())[0].pid, own);
        assert_eq!(ancestors(child.id()).last().unwrap().ppid, 0);
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(super::tree(child.id()).is_empty());
    }
}

//! A limit of memory for a tree of processes, by a control group (version 2) of its own.
//!
//! A group can be made where an ancestor of our own group is ours to write to and hands the memory
//! controller on. Systemd's user manager gives such a place to whatever it starts (a terminal of the desktop,
//! `systemd-run --user --scope`); a login by SSH has none, nor has a machine with version 1 alone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::process;

/// How the name of every group begins; the number of the process that made it follows.
const PREFIX: &str = "wharf-";

/// Why a group cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    /// Version 2 is not mounted, or we are in none of its groups.
    #[error("control groups of version 2 are not mounted here")]
    NoCgroups,
    /// Nobody hands the controller on.
    #[error("no control group above this process hands the memory controller on")]
    NoController,
    /// One does, and it is not ours to write to.
    #[error("the control group {} is not ours to write to", at.display())]
    NotDelegated {
        /// Its folder.
        at: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The group is there and takes no limit.
    #[error("the control group {} takes no limit", at.display())]
    NoLimit {
        /// Its folder.
        at: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
}

/// A group that holds nobody yet. Removed when dropped, once nobody is in it.
#[derive(Debug)]
pub struct Cgroup {
    path: PathBuf,
}

impl Cgroup {
    /// Makes a group with a limit of memory in bytes, swap included: what needs more is ended as a whole. Groups
    /// that processes left behind which are no more are removed.
    ///
    /// # Errors
    /// The system has no place for it.
    pub fn with_memory_max(bytes: u64) -> Result<Cgroup, CgroupError> {
        let mount = mounted().ok_or(CgroupError::NoCgroups)?;
        let own = fs::read_to_string("/proc/self/cgroup").map_err(|_| CgroupError::NoCgroups)?;
        let own = own_group(&own).ok_or(CgroupError::NoCgroups)?;
        let name = format!("{PREFIX}{}", std::process::id());
        let cgroup = Cgroup { path: make(&mount, own, &name)? };
        let no_limit = |source| CgroupError::NoLimit { at: cgroup.path.clone(), source };
        fs::write(cgroup.path.join("memory.max"), bytes.to_string()).map_err(no_limit)?;
        // Without swap, or on an older kernel, there is nothing to forbid.
        let _ = fs::write(cgroup.path.join("memory.swap.max"), "0");
        let _ = fs::write(cgroup.path.join("memory.oom.group"), "1");
        Ok(cgroup)
    }

    /// The file that a process writes `0` to in order to be in it.
    pub fn entrance(&self) -> PathBuf {
        self.path.join("cgroup.procs")
    }

    /// How many processes were ended because all of them needed more than the limit.
    pub fn ended_for_memory(&self) -> u64 {
        let events = fs::read_to_string(self.path.join("memory.events")).unwrap_or_default();
        count(&events, "oom_kill")
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // One that somebody is still in stays, and is removed by the next that is made.
        let _ = fs::remove_dir(&self.path);
    }
}

/// Where version 2 is mounted.
fn mounted() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    mounts.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let point = before.split(' ').nth(4)?;
        after.starts_with("cgroup2 ").then(|| PathBuf::from(point))
    })
}

/// Our group of version 2 by the text of `/proc/self/cgroup`, below where it is mounted. One that lies outside
/// of our namespace is none.
fn own_group(text: &str) -> Option<&str> {
    let own = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
    (!own.starts_with("..")).then_some(own)
}

/// The nearest place above us, or our own group, where a group can be made that has the controller.
fn make(mount: &Path, own: &str, name: &str) -> Result<PathBuf, CgroupError> {
    let own = mount.join(own);
    let above = own.ancestors().take_while(|folder| folder.starts_with(mount));
    let mut refused = CgroupError::NoController;
    for folder in above {
        if !hands_on(folder) {
            continue;
        }
        sweep(folder);
        let path = folder.join(name);
        // Of an earlier process with our number.
        let _ = fs::remove_dir(&path);
        let made = fs::create_dir(&path).and_then(|()| {
            // Who may not write to this file cannot move anybody out of the groups below.
            fs::OpenOptions::new().write(true).open(folder.join("cgroup.procs")).map(drop)
        });
        match made {
            Ok(()) => return Ok(path),
            Err(source) => {
                let _ = fs::remove_dir(&path);
                if matches!(refused, CgroupError::NoController) {
                    refused = CgroupError::NotDelegated { at: folder.to_owned(), source };
                }
            }
        }
    }
    Err(refused)
}

/// Whether the groups below have the memory controller, or can be given it: a group with processes of its own
/// cannot hand one on, unless it is the root.
fn hands_on(folder: &Path) -> bool {
    let handed = |file: &str| {
        let text = fs::read_to_string(folder.join(file)).unwrap_or_default();
        text.split_whitespace().any(|controller| controller == "memory")
    };
    if handed("cgroup.subtree_control") {
        return true;
    }
    handed("cgroup.controllers")
        && fs::write(folder.join("cgroup.subtree_control"), "+memory").is_ok()
}

/// Removes what pilots that were killed have left behind.
fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let maker = entry.file_name().to_str().and_then(maker);
        if maker.is_some_and(|pid| process::stat(pid).is_err()) {
            // One that is not empty stays.
            let _ = fs::remove_dir(entry.path());
        }
    }
}

fn maker(name: &str) -> Option<u32> {
    name.strip_prefix(PREFIX)?.parse().ok()
}

fn count(events: &str, name: &str) -> u64 {
    let line = events.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(path: &Path, controllers: &str, handed: &str) {
        fs::create_dir_all(path).unwrap();
        fs::write(path.join("cgroup.controllers"), controllers).unwrap();
        fs::write(path.join("cgroup.subtree_control"), handed).unwrap();
        fs::write(path.join("cgroup.procs"), "").unwrap();
    }

    #[test]
    fn our_own_group_is_read() {
        assert_eq!(own_group("4:memory:/x\n0::/user.slice/a.scope\n"), Some("user.slice/a.scope"));
        assert_eq!(own_group("0::/\n"), Some(""));
        assert_eq!(own_group("0::/../elsewhere\n"), None);
        assert_eq!(own_group("4:memory:/x\n"), None);
    }

    #[test]
    fn a_group_is_made_at_the_nearest_place_that_hands_memory_on() {
        let root = tempfile::tempdir().unwrap();
        group(root.path(), "cpu memory", "cpu memory");
        group(&root.path().join("app.slice"), "cpu memory", "memory pids");
        group(&root.path().join("app.slice/a.scope"), "", "");
        let made = make(root.path(), "app.slice/a.scope", "wharf-1").unwrap();
        assert_eq!(made, root.path().join("app.slice/wharf-1"));
        assert_eq!(make(root.path(), "app.slice/a.scope", "wharf-1").unwrap(), made, "it is empty");
        fs::write(made.join("x"), "").unwrap();
        let next = make(root.path(), "app.slice/a.scope", "wharf-1").unwrap();
        assert_eq!(next, root.path().join("wharf-1"), "one that is not stays: the next above");
    }

    #[test]
    fn without_the_controller_there_is_none() {
        let root = tempfile::tempdir().unwrap();
        group(root.path(), "hugetlb", "");
        assert!(matches!(make(root.path(), "", "wharf-1"), Err(CgroupError::NoController)));
    }

    #[test]
    fn events_are_counted() {
        assert_eq!(count("oom 3\noom_kill 2\noom_group_kill 1\n", "oom_kill"), 2);
        assert_eq!(count("", "oom_kill"), 0);
        assert_eq!((maker("wharf-12"), maker("wharf-x"), maker("other")), (Some(12), None, None));
    }
}

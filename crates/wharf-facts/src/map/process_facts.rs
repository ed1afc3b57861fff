//! What may be seen of the processes that hold listeners, each looked at once.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use wharf_model::ProcessId;
use wharf_os::holders;
use wharf_os::process::{self, Belongs, Stat};

/// The most ancestors that are told.
const ANCESTORS_MAX: usize = 64;

/// A process that shares a listener. What may not be seen is empty or `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// What tells it from a later one of its number.
    pub id: ProcessId,
    /// Its short name (`comm`), of any characters.
    pub command: String,
    /// The words of its command line.
    pub argv: Vec<OsString>,
    /// The program's file.
    pub exe: Option<PathBuf>,
    /// Its working folder.
    pub folder: Option<PathBuf>,
    /// Its effective user.
    pub uid: Option<u32>,
    /// Seconds since it started.
    pub age_s: u64,
    /// Its process group, 0 where that lies outside our pid namespace.
    pub group: u32,
    /// `R`, `S`, `D`, `T`, `t`, `Z` and so on, as `ps` shows it.
    pub state: char,
    /// Its parent, the parent's parent and so on, without the first process of all.
    pub ancestry: Vec<Ancestor>,
    /// The systemd unit, with its suffix.
    pub unit: Option<String>,
    /// The container.
    pub container: Option<Container>,
}

/// A process from which another descends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ancestor {
    /// Its short name (`comm`).
    pub name: String,
    /// Its number.
    pub pid: u32,
    /// The words of its command line.
    pub argv: Vec<OsString>,
    /// Its working folder.
    pub folder: Option<PathBuf>,
}

/// The container that a process is in, as its cgroup tells.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Container {
    /// `docker`, `podman`, `containerd`, `kubernetes`, `cri-o`, `lxc` or `nspawn`.
    pub engine: String,
    /// What that engine calls it.
    pub id: String,
}

/// Start times are told in clock ticks, of 10 ms at most, and rounded down.
const TICK: Duration = Duration::from_millis(20);

/// What has been looked at in one pass.
pub(super) struct Sight {
    /// When the pass began, since boot.
    since: Duration,
    /// Processes that may have started since, and so may have the number of one that was seen.
    recent: HashSet<u32>,
    boot_id: String,
    /// `None` of a process that had gone.
    processes: BTreeMap<u32, Option<Process>>,
    ancestors: HashMap<u32, Option<(Ancestor, u32)>>,
}

impl Sight {
    pub(super) fn new(since: Duration) -> Sight {
        let boot_id = process::boot_id();
        Sight {
            since,
            recent: HashSet::new(),
            boot_id,
            processes: BTreeMap::new(),
            ancestors: HashMap::new(),
        }
    }

    /// Whether that process, which was seen to have the socket open, is still the one that was seen.
    pub(super) fn is_holder(&mut self, pid: u32, inode: u64) -> bool {
        if !self.processes.contains_key(&pid) {
            let process = self.look(pid);
            self.processes.insert(pid, process);
        }
        self.processes.get(&pid).is_some_and(Option::is_some)
            && (!self.recent.contains(&pid)
                || holders::in_tree(&[pid], &[inode]).by_inode.contains_key(&inode))
    }

    pub(super) fn into_processes(self) -> BTreeMap<u32, Process> {
        self.processes.into_iter().filter_map(|(pid, seen)| Some((pid, seen?))).collect()
    }

    fn look(&mut self, pid: u32) -> Option<Process> {
        let stat = process::stat(pid).ok()?;
        let age = process::age(&stat);
        if process::since_boot().saturating_sub(age) + TICK > self.since {
            self.recent.insert(pid);
        }
        let (unit, container) = match process::container_or_unit(pid) {
            Some(Belongs::Unit(unit)) => (Some(unit), None),
            Some(Belongs::Container { engine, id }) => (None, Some(Container { engine, id })),
            None => (None, None),
        };
        let seen = Process {
            id: ProcessId { pid, start_ticks: stat.start_ticks, boot_id: self.boot_id.clone() },
            argv: process::argv(pid).unwrap_or_default(),
            exe: process::exe(pid).ok(),
            folder: process::cwd(pid).ok(),
            uid: process::uid(pid).ok(),
            age_s: age.as_secs(),
            group: stat.pgrp,
            state: stat.state,
            ancestry: self.ancestry(&stat),
            command: stat.comm,
            unit,
            container,
        };
        // All of it is of one process only if that one is still there.
        let same = process::stat(pid).is_ok_and(|now| now.start_ticks == seen.id.start_ticks);
        same.then_some(seen)
    }

    pub(super) fn ancestry(&mut self, stat: &Stat) -> Vec<Ancestor> {
        let mut found: Vec<Ancestor> = Vec::new();
        let mut next = stat.ppid;
        while next > 1 && next != stat.pid && found.len() < ANCESTORS_MAX {
            let known = self.ancestors.entry(next).or_insert_with(|| ancestor(next));
            let Some((ancestor, parent)) = known else { break };
            found.push(ancestor.clone());
            next = *parent;
        }
        found
    }
}

fn ancestor(pid: u32) -> Option<(Ancestor, u32)> {
    let stat = process::stat(pid).ok()?;
    let argv = process::argv(pid).unwrap_or_default();
    let folder = process::cwd(pid).ok();
    Some((Ancestor { name: stat.comm, pid, argv, folder }, stat.ppid))
}

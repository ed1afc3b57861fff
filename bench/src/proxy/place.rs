//! Where processes run, how much of a processor they took, and how many files they may open.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::Failure;

/// The two processors: one for the proxy, the other for the load and the server behind it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places {
    pub(crate) proxy: usize,
    pub(crate) load: usize,
}

impl Places {
    /// The first two that this process may use.
    pub(crate) fn find() -> Result<Places, Failure> {
        let all = sched_getaffinity(None)?;
        let mut usable = (0..CpuSet::MAX_CPU).filter(|cpu| all.is_set(*cpu));
        match (usable.next(), usable.next()) {
            (Some(load), Some(proxy)) => Ok(Places { proxy, load }),
            _ => Err("the proxy and its load need a processor each".into()),
        }
    }
}

/// This thread, and what it starts, on one processor, until this is dropped.
pub(crate) struct Pinned(CpuSet);

impl Pinned {
    pub(crate) fn to(cpu: usize) -> Result<Pinned, Failure> {
        let before = sched_getaffinity(None)?;
        let mut one = CpuSet::new();
        one.set(cpu);
        sched_setaffinity(None, &one)?;
        Ok(Pinned(before))
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let _ = sched_setaffinity(None, &self.0);
    }
}

/// As many open files as the system lets this process and its children have, until this is dropped.
pub(crate) struct ManyFiles {
    before: Rlimit,
    pub(crate) most: u64,
}

impl ManyFiles {
    pub(crate) fn allow() -> Result<ManyFiles, Failure> {
        let before = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: before.maximum, maximum: before.maximum })?;
        let most = before.maximum.unwrap_or(u64::MAX);
        Ok(ManyFiles { before, most })
    }
}

impl Drop for ManyFiles {
    fn drop(&mut self) {
        let _ = setrlimit(Resource::Nofile, self.before);
    }
}

/// How long the threads of a process have run.
pub(crate) fn processor_time(pid: u32) -> Result<Duration, Failure> {
    let mut sum = 0;
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may just have ended.
        let text = std::fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
        let ran = text.split_ascii_whitespace().next().and_then(|ran| ran.parse::<u64>().ok());
        sum += ran.unwrap_or_default();
    }
    Ok(Duration::from_nanos(sum))
}

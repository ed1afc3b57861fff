//! What live instances use of the machine.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use wharf_model::Instance;
use wharf_os::process;
use wharf_os::usage::{self, CpuSample};

use crate::render::ls::Usage;
use crate::report::Report;

/// How long processor time is looked at: long enough for a figure, short enough to wait for.
const SAMPLE: Duration = Duration::from_millis(200);

/// Looks at all live instances at the same time; by their ids.
///
/// # Errors
/// The kernel does not tell its connections.
pub(crate) fn of(instances: &[Instance]) -> Result<HashMap<String, Usage>, Report> {
    let live: Vec<&Instance> = instances.iter().filter(|one| one.state.is_live()).collect();
    let trees: Vec<Vec<u32>> = live.iter().map(|instance| tree(instance)).collect();
    let before = CpuSample::take(trees.iter().flatten().copied());
    if !live.is_empty() {
        std::thread::sleep(SAMPLE);
    }
    let trees: Vec<Vec<u32>> = live.iter().map(|instance| tree(instance)).collect();
    let after = CpuSample::take(trees.iter().flatten().copied());
    let connections = usage::connections()
        .map_err(|error| Report::bug("the kernel does not tell its connections", &error))?;
    let usages = live.iter().zip(&trees).map(|(instance, pids)| {
        let listeners = instance.listeners.iter();
        let listeners: Vec<(IpAddr, u16)> =
            listeners.map(|listener| (listener.address, listener.port)).collect();
        let usage = Usage {
            // Finer than a tenth it means nothing.
            cpu_percent: (after.percent_since(&before, pids) * 10.0).round() / 10.0,
            memory_bytes: pids.iter().map(|pid| usage::memory(*pid)).sum(),
            processes: pids.len(),
            connections: usage::connected_to(&connections, &listeners),
        };
        (instance.id.clone(), usage)
    });
    Ok(usages.collect())
}

/// The command and its descendants: what is below the pilot, without wharf's own guard.
fn tree(instance: &Instance) -> Vec<u32> {
    let command = instance.pid.and_then(|pid| process::stat(pid).ok());
    let guard = command.map(|stat| stat.ppid);
    process::tree(instance.pilot_pid)
        .into_iter()
        .filter(|pid| *pid != instance.pilot_pid && Some(*pid) != guard)
        .collect()
}

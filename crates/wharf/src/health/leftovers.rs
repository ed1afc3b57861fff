//! What is left of instances whose pilot was killed, and pilots that nobody knows.

use wharf_os::process::{self, Identity};

use super::{Finding, Mend};
use crate::environment::ID_VARIABLE;

const AREA: &str = "leftovers";
/// The longest that is shown of a command.
const SHOWN: usize = 60;

/// A process of an instance whose pilot is dead: nobody answers its calls.
#[derive(Debug)]
pub(crate) struct Escaped {
    pub(crate) process: Identity,
    pub(crate) command: String,
}

pub(super) fn examine() -> Vec<Finding> {
    let escaped = escaped();
    let stopped = stopped_pilots();
    if escaped.is_empty() && stopped.is_empty() {
        return vec![Finding::good(AREA, "nothing runs that has lost its pilot")];
    }
    let of_escaped = escaped.into_iter().map(|Escaped { process, command }| {
        let pid = process.pid;
        let command: String = command.chars().take(SHOWN).collect();
        Finding::trouble(AREA, format!("pid {pid} has lost its pilot ({command})"))
            .why("what it binds may fail, since nobody answers its calls")
            .mended_by(format!("kill {pid}"))
            .mending(Mend::End(process))
    });
    let of_stopped = stopped.into_iter().map(|pid| {
        Finding::note(AREA, format!("the pilot {pid} is stopped, by Ctrl-Z or SIGSTOP"))
            .why("its server serves, and binds, listens and ends only once it goes on")
            .mended_by(format!("kill -CONT {pid}"))
    });
    of_escaped.chain(of_stopped).collect()
}

/// Processes of this user's instances whose pilot has been killed.
pub(crate) fn escaped() -> Vec<Escaped> {
    let (own_pid, own_user) = (std::process::id(), wharf_os::user::current_uid());
    // In a container the pilot has another number, and what has another network is not ours to judge.
    let spaces =
        |pid| Some((process::pid_namespace(pid).ok()?, process::network_namespace(pid).ok()?));
    let own = spaces(own_pid);
    let escaped = |pid: &u32| {
        process::uid(*pid).ok().filter(|uid| *uid == own_user)?;
        spaces(*pid).filter(|there| own.as_ref() == Some(there))?;
        let id = process::environment_value(*pid, ID_VARIABLE).ok().flatten()?;
        let (pilot, ticks) = id.to_str()?.split_once('-')?;
        let start_ticks = u64::from_str_radix(ticks, 16).ok()?;
        let is_pilot = |stat: process::Stat| stat.start_ticks == start_ticks;
        let lives = process::stat(pilot.parse().ok()?).is_ok_and(is_pilot);
        if lives {
            return None;
        }
        let words = process::argv(*pid).unwrap_or_default();
        let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
        let process = process::identity(*pid).ok()?;
        Some(Escaped { process, command: words.join(" ") })
    };
    process::all().unwrap_or_default().iter().filter_map(escaped).collect()
}

/// Pilots of this user that the kernel keeps from running.
fn stopped_pilots() -> Vec<u32> {
    let own = wharf_os::user::current_uid();
    let is_pilot = |pid: &u32| {
        let mut words = process::argv(*pid).unwrap_or_default().into_iter();
        let program = words.next().is_some_and(|first| first.to_string_lossy().ends_with("wharf"));
        program && words.next().is_some_and(|word| word == "run" || word == "pilot")
    };
    let is_stopped =
        |pid: &u32| process::stat(*pid).is_ok_and(|stat| matches!(stat.state, 'T' | 't'));
    let all = process::all().unwrap_or_default().into_iter();
    all.filter(|pid| process::uid(*pid).is_ok_and(|uid| uid == own))
        .filter(|pid| is_stopped(pid) && is_pilot(pid))
        .collect()
}

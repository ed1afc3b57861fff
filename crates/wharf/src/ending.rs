//! Ending instances: their pilots are told, and are waited for, and their ports are free.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use wharf_model::service::STOP_GRACE;
use wharf_model::{Instance, ProcessId, Remap};
use wharf_os::pidfd::Pidfd;
use wharf_os::reserve;
use wharf_os::signals::{SIGCONT, SIGTERM};

use crate::report::{Code, Report};
use crate::up::definition;
use crate::{choice, facts};

/// After the pilot has gone, its listeners close within this time.
const PORT_LIMIT: Duration = Duration::from_secs(2);

/// How long these may take in all: `usual`, and longer where they have asked for more than the usual grace. Those on
/// which others depend end after them.
pub(crate) fn patience<'a>(
    instances: impl IntoIterator<Item = &'a Instance>,
    usual: Duration,
) -> Duration {
    let grace = |i: &'a Instance| i.definition.as_ref().and_then(definition::stop_grace);
    let graces = instances.into_iter().map(|i| (i.key.service.as_str(), grace(i)));
    with_graces(graces, usual)
}

/// Of several instances of one service the longest counts: they end together.
fn with_graces<'a>(
    graces: impl Iterator<Item = (&'a str, Option<Duration>)>,
    usual: Duration,
) -> Duration {
    let mut more: BTreeMap<&str, Duration> = BTreeMap::new();
    for (service, grace) in graces {
        let known = more.entry(service).or_default();
        *known = grace.unwrap_or_default().saturating_sub(STOP_GRACE).max(*known);
    }
    more.values().fold(usual, |sum, beyond| sum.saturating_add(*beyond))
}

/// Ends them all at once; tells each that has ended.
///
/// # Errors
/// One of them may not be told, does not end in time, or its port is in use afterwards.
pub(crate) fn end(
    chosen: &[&Instance],
    deadline: Instant,
    tell: &mut dyn FnMut(&Instance),
) -> Result<(), Report> {
    // All are asked before any is waited for: ten servers end in the time of one.
    let asked = chosen
        .iter()
        .map(|instance| ask(instance).map(|pilot| (*instance, pilot)))
        .collect::<Result<Vec<_>, _>>()?;
    for (instance, pilot) in &asked {
        wait(instance, pilot.as_ref(), deadline)?;
        tell(instance);
    }
    Ok(())
}

/// As [`end`], those first on which nobody else depends.
///
/// # Errors
/// As [`end`]; those that the failed one depends on keep running.
pub(crate) fn end_in_order(
    mut chosen: Vec<&Instance>,
    deadline: Instant,
    tell: &mut dyn FnMut(&Instance),
) -> Result<(), Report> {
    while !chosen.is_empty() {
        let needed: Vec<String> = chosen.iter().flat_map(|i| dependencies(i)).collect();
        let is_needed = |instance: &&Instance| needed.contains(&instance.key.service);
        let (rest, mut last): (Vec<&Instance>, Vec<&Instance>) =
            chosen.into_iter().partition(is_needed);
        let mut rest = rest;
        if last.is_empty() {
            // Definitions of two times may form a circle: then at once.
            last = std::mem::take(&mut rest);
        }
        end(&last, deadline, tell)?;
        chosen = rest;
    }
    Ok(())
}

/// Ends instances of which nothing is known yet but their pilots.
///
/// # Errors
/// One of them may not be told, or does not end in time.
pub(crate) fn end_pilots(pilots: &[ProcessId], deadline: Instant) -> Result<(), Report> {
    let name = |pilot: &ProcessId| format!("the pilot {}", pilot.pid);
    let ask = |pilot| Ok((pilot, ask_pilot(pilot, &name(pilot))?));
    let asked = pilots.iter().map(ask).collect::<Result<Vec<_>, Report>>()?;
    for (pilot, handle) in asked {
        wait_for(pilot.pid, handle.as_ref(), &name(pilot), deadline)?;
    }
    Ok(())
}

fn dependencies(instance: &Instance) -> Vec<String> {
    let parts = instance.definition.as_ref();
    let names = parts.map(definition::dependencies).unwrap_or_default();
    names.into_iter().map(str::to_owned).collect()
}

/// Asks the pilot to end its instance; `None` when it has gone already. Asked again, it makes haste.
///
/// # Errors
/// It is another user's.
pub(crate) fn ask(instance: &Instance) -> Result<Option<Pidfd>, Report> {
    ask_pilot(&instance.pilot, &choice::short_name(instance))
}

fn ask_pilot(pilot: &ProcessId, name: &str) -> Result<Option<Pidfd>, Report> {
    let failed = |error: std::io::Error| {
        Report::new(Code::Permission, format!("{name} cannot be told to end")).because(&error)
    };
    let Some(pilot) = Pidfd::open(&facts::identity(pilot)).map_err(failed)? else {
        return Ok(None);
    };
    match pilot.signal(SIGTERM) {
        Ok(()) => {
            // A pilot that was stopped with Ctrl-Z acts on it only once it goes on.
            let _ = pilot.signal(SIGCONT);
            Ok(Some(pilot))
        }
        Err(error) if error.raw_os_error() == Some(3) => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

fn wait_for(pid: u32, pilot: Option<&Pidfd>, name: &str, deadline: Instant) -> Result<(), Report> {
    let Some(pilot) = pilot else { return Ok(()) };
    let rest = deadline.saturating_duration_since(Instant::now());
    let ended = pilot
        .wait(rest)
        .map_err(|error| Report::bug("the end of a process cannot be awaited", &error))?;
    if ended {
        return Ok(());
    }
    Err(Report::new(Code::TimedOut, format!("{name} has not ended yet"))
        .why(format!("its pilot, pid {pid}, still waits for the server"))
        .help("wait longer with `--timeout`, or end it by force: `kill -9` of the server's pid"))
}

fn wait(instance: &Instance, pilot: Option<&Pidfd>, deadline: Instant) -> Result<(), Report> {
    let name = choice::short_name(instance);
    wait_for(instance.pilot_pid, pilot, &name, deadline)?;
    // Others may listen on that port of addresses of their own.
    if instance.remap == Remap::Address {
        return Ok(());
    }
    let ports: Vec<u16> = instance.listeners.iter().map(|listener| listener.port).collect();
    if let Some(port) = ports.iter().find(|port| !reserve::wait_free(**port, PORT_LIMIT)) {
        return Err(Report::new(
            Code::Conflict,
            format!("{name} has ended, but port {port} is in use"),
        )
        .why(format!(
            "it is held by {}",
            facts::holder(&wharf_os::diag::holding(*port).unwrap_or_default())
        ))
        .help(format!("`wharf who {port}` tells more")));
    }
    Ok(())
}

/// The instance as it was last known, and what its end means.
pub(crate) fn ended(instance: &Instance) -> Instance {
    let state = instance.state.stop_asked().ended();
    Instance { state, listeners: Vec::new(), ..instance.clone() }
}

/// What others may have now.
pub(crate) fn freed(instance: &Instance) -> String {
    match instance.remap {
        Remap::Address => choice::place(instance).to_owned(),
        _ => format!("port {}", instance.port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_take_longer_is_waited_for_longer() {
        let seconds = Duration::from_secs;
        let usual = seconds(20);
        let of = |graces: &[(&'static str, Option<Duration>)]| {
            with_graces(graces.iter().copied(), usual)
        };
        assert_eq!(of(&[]), usual);
        assert_eq!(
            of(&[("web", Some(STOP_GRACE)), ("api", None), ("db", Some(seconds(1)))]),
            usual
        );
        let two =
            [("web", Some(seconds(65))), ("web", Some(seconds(35))), ("db", Some(seconds(15)))];
        assert_eq!(of(&two), seconds(20 + 60 + 10));
    }
}

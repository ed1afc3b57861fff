//! `wharf stop`: ends instances that wharf runs, and nothing else.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use wharf_model::{Instance, Remap};
use wharf_os::pidfd::Pidfd;
use wharf_os::reserve;
use wharf_os::signals::{SIGCONT, SIGTERM};

use super::Outcome;
use crate::link::Link;
use crate::report::{Code, Report};
use crate::{choice, facts, narrate, render};

/// A pilot gives its tree a grace of its own, five seconds by default, and then needs a moment.
const TIMEOUT_S: u64 = 20;

/// After the pilot has gone, its listeners close within this time.
const PORT_LIMIT: Duration = Duration::from_secs(2);

/// End instances that wharf runs.
///
/// Returns when they have ended and their ports are free. Only processes that wharf started are ended:
/// a pid that has been given to another process since is never hit.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Names as `wharf ls` shows them, or services, projects, ports or addresses with a port
    #[arg(value_name = "NAME", required_unless_present = "all")]
    names: Vec<String>,
    /// Everything that wharf runs
    #[arg(long, conflicts_with = "names")]
    all: bool,
    /// Seconds to wait for the end
    #[arg(long, value_name = "SECONDS", default_value_t = TIMEOUT_S, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Ends what was named.
pub(crate) fn run(args: Args) -> Outcome {
    let instances = super::block_on(Link::known())??.instances;
    let live: Vec<Instance> = instances.into_iter().filter(|i| i.state.is_live()).collect();
    let chosen: Vec<&Instance> = match args.all {
        true => live.iter().collect(),
        false => {
            args.names.iter().map(|name| choice::one(&live, name)).collect::<Result<_, _>>()?
        }
    };
    let deadline = Instant::now() + Duration::from_secs(args.timeout);
    // All are asked before any is waited for: ten servers end in the time of one.
    let asked = chosen
        .into_iter()
        .map(|instance| ask(instance).map(|pilot| (instance, pilot)))
        .collect::<Result<Vec<_>, _>>()?;
    for (instance, pilot) in &asked {
        wait(instance, pilot.as_ref(), deadline)?;
        if !args.json {
            let name = choice::short_name(instance);
            narrate::line(&format!("{name} has ended; {} is free", freed(instance)));
        }
    }
    if args.json {
        render::stop::json(asked.into_iter().map(|(instance, _)| ended(instance)).collect())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What others may have now.
fn freed(instance: &Instance) -> String {
    match instance.remap {
        Remap::Address => choice::place(instance).to_owned(),
        _ => format!("port {}", instance.port),
    }
}

/// The instance as it was last known, and what its end means.
fn ended(instance: &Instance) -> Instance {
    let state = instance.state.stop_asked().ended();
    Instance { state, listeners: Vec::new(), ..instance.clone() }
}

/// Asks the pilot to end its instance. `None` when it has gone already.
fn ask(instance: &Instance) -> Result<Option<Pidfd>, Report> {
    let name = choice::short_name(instance);
    let failed = |error: std::io::Error| {
        Report::new(Code::Permission, format!("{name} cannot be told to end")).because(&error)
    };
    let Some(pilot) = Pidfd::open(&facts::identity(&instance.pilot)).map_err(failed)? else {
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

fn wait(instance: &Instance, pilot: Option<&Pidfd>, deadline: Instant) -> Result<(), Report> {
    let name = choice::short_name(instance);
    if let Some(pilot) = pilot {
        let rest = deadline.saturating_duration_since(Instant::now());
        let ended = pilot
            .wait(rest)
            .map_err(|error| Report::bug("the end of a process cannot be awaited", &error))?;
        if !ended {
            return Err(Report::new(Code::TimedOut, format!("{name} has not ended yet"))
                .why(format!("its pilot, pid {}, still waits for the server", instance.pilot_pid))
                .help("wait longer with `--timeout`, or end it by force: `kill -9` of the server's pid"));
        }
    }
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

//! `wharf stop`: ends instances that wharf runs, and nothing else.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use wharf_model::Instance;

use super::Outcome;
use crate::ending::{self, ended, freed};
use crate::link::Link;
use crate::report::Report;
use crate::up::{revival, turn};
use crate::{choice, narrate, render};

/// A pilot gives its tree a grace of its own, five seconds by default, and then needs a moment.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(20);

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
    /// Seconds to wait for the end [default: 20, and longer where a service's `stop_grace` is]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: Option<u64>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Ends what was named.
pub(crate) fn run(args: Args) -> Outcome {
    let (live, called_off) = super::block_on(take_off(&args))??;
    let is_left = |name: &&String| !called_off.contains(name);
    let chosen: Vec<&Instance> = match args.all {
        true => live.iter().collect(),
        false => args
            .names
            .iter()
            .filter(is_left)
            .map(|name| choice::one(&live, name))
            .collect::<Result<_, _>>()?,
    };
    let usual = || ending::patience(chosen.iter().copied(), TIMEOUT);
    let deadline = Instant::now() + args.timeout.map_or_else(usual, Duration::from_secs);
    ending::end(&chosen, deadline, &mut |instance| {
        if !args.json {
            let name = choice::short_name(instance);
            narrate::line(&format!("{name} has ended; {} is free", freed(instance)));
        }
    })?;
    for name in &called_off {
        narrate::line(&format!("{name} was to be started again after a kill, and is not"));
    }
    if args.json {
        render::stop::json(chosen.into_iter().map(ended).collect())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What lives, and what of the named does not, was to be made again, and is not from here on: it is nowhere to be
/// seen, and would rise in a moment.
async fn take_off(args: &Args) -> Result<(Vec<Instance>, Vec<String>), Report> {
    let instances = Link::known().await?.instances;
    let (live, dead): (Vec<Instance>, Vec<Instance>) =
        instances.into_iter().partition(|instance| instance.state.is_live());
    let named = |name: &String| match choice::one(&live, name) {
        Ok(_) => None,
        Err(_) => Some((name.clone(), choice::one(&dead, name).ok()?)),
    };
    let fallen: Vec<(String, &Instance)> = match args.all {
        true => dead.iter().map(|instance| (choice::short_name(instance), instance)).collect(),
        false => args.names.iter().filter_map(named).collect(),
    };
    let mut called_off = Vec::new();
    for (name, Instance { root, key, .. }) in fallen {
        let _turn = turn::of_revival(root).await?;
        let is_it = |service: &str, number| service == key.service && number == key.instance;
        if !revival::call_off_where(root, is_it).is_empty() {
            called_off.push(name);
        }
    }
    if called_off.is_empty() {
        return Ok((live, called_off));
    }
    // Who was made again while its turn was waited for lives, and is to be ended.
    let mut live = Link::known().await?.instances;
    live.retain(|instance| instance.state.is_live());
    called_off.retain(|name| choice::one(&live, name).is_err());
    Ok((live, called_off))
}

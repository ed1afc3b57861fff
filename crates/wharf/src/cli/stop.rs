//! `wharf stop`: ends instances that wharf runs, and nothing else.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use wharf_model::Instance;

use super::Outcome;
use crate::ending::{self, ended, freed};
use crate::link::Link;
use crate::{choice, narrate, render};

/// A pilot gives its tree a grace of its own, five seconds by default, and then needs a moment.
pub(super) const TIMEOUT_S: u64 = 20;

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
    ending::end(&chosen, deadline, &mut |instance| {
        if !args.json {
            let name = choice::short_name(instance);
            narrate::line(&format!("{name} has ended; {} is free", freed(instance)));
        }
    })?;
    if args.json {
        render::stop::json(chosen.into_iter().map(ended).collect())?;
    }
    Ok(ExitCode::SUCCESS)
}

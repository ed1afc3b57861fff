//! `wharf down`: ends what this checkout runs.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use wharf_model::{Instance, PathText};
use wharf_plan::project::Project;

use super::Outcome;
use super::run::current_dir;
use super::stop::TIMEOUT;
use crate::ending::{self, ended, freed};
use crate::link::Link;
use crate::report::{Code, Report};
use crate::up::crew::called;
use crate::up::{aliases, revival, turn};
use crate::{narrate, render};

/// End what this checkout runs.
///
/// Ends the services of the project in the current folder, those first on which no other depends, and
/// returns when all of their ports are free. Other worktrees and copies keep running.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Services; all of them where none is named
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
    /// Seconds to wait for the end [default: 20, and longer where a service's `stop_grace` is]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: Option<u64>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Ends them.
pub(crate) fn run(args: &Args) -> Outcome {
    let dir = current_dir()?;
    let dir = std::fs::canonicalize(&dir).unwrap_or(dir);
    let project = Project::of(&dir, wharf_os::user::home().as_deref());
    let root = PathText::new(&project.root);
    let (live, was_to_rise) = super::block_on(take_off(&root, &args.services))??;
    let chosen: Vec<&Instance> = match args.services.is_empty() {
        true => live.iter().collect(),
        false if was_to_rise && live.is_empty() => Vec::new(),
        false => named(&live, &args.services)?,
    };
    let usual = || ending::patience(chosen.iter().copied(), TIMEOUT);
    let deadline = Instant::now() + args.timeout.map_or_else(usual, Duration::from_secs);
    ending::end_in_order(chosen.clone(), deadline, &mut |instance| {
        if !args.json {
            let name = called(&instance.key.service, instance.key.instance);
            narrate::line(&format!("{name} has ended; {} is free", freed(instance)));
        }
    })?;
    if let Err(report) = super::block_on(aliases::take_away(&root))? {
        narrate::warning(&format!("the aliases of this checkout may be left: {}", report.what));
    }
    if args.json {
        render::stop::json(chosen.into_iter().map(ended).collect())?;
    } else if was_to_rise {
        narrate::line("what was to be started again after a kill is not");
    } else if live.is_empty() {
        narrate::line(&format!("nothing runs in {}", project.root.display()));
    }
    Ok(ExitCode::SUCCESS)
}

/// What lives in a checkout, and whether anything was to be made again that does not live: after a kill that is
/// nowhere to be seen, and would rise in a moment. From here on no pilot of the services is made again.
async fn take_off(root: &PathText, services: &[String]) -> Result<(Vec<Instance>, bool), Report> {
    let _turn = turn::of_revival(root).await?;
    let called_off = revival::call_off_where(root, |service, instance| {
        let name = called(service, instance);
        services.is_empty() || services.iter().any(|known| *known == service || *known == name)
    });
    let instances = Link::known().await?.instances;
    let is_here = |i: &Instance| i.state.is_live() && i.root == *root;
    let live: Vec<Instance> = instances.into_iter().filter(is_here).collect();
    let lives = |(service, number): &(String, u32)| {
        live.iter().any(|i| i.key.service == *service && i.key.instance == *number)
    };
    let was_to_rise = called_off.iter().any(|key| !lives(key));
    Ok((live, was_to_rise))
}

/// The instances of the services, or single ones (`web.2`).
fn named<'a>(live: &'a [Instance], names: &[String]) -> Result<Vec<&'a Instance>, Report> {
    let mut chosen = Vec::new();
    for name in names {
        let is_meant = |instance: &&Instance| {
            let key = &instance.key;
            key.service == *name || called(&key.service, key.instance) == *name
        };
        let before = chosen.len();
        chosen.extend(live.iter().filter(is_meant));
        if chosen.len() == before {
            let all: Vec<String> =
                live.iter().map(|i| called(&i.key.service, i.key.instance)).collect();
            let report = Report::new(Code::NotFound, format!("no `{name}` runs in this checkout"));
            return Err(match all.is_empty() {
                true => report.why("nothing runs here"),
                false => report.help(format!("what runs: {}", all.join(", "))),
            });
        }
    }
    Ok(chosen)
}

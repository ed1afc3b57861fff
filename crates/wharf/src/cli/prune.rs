//! `wharf prune`: forgets checkouts that are there no more.

use std::collections::BTreeSet;
use std::process::ExitCode;

use wharf_control::api::{ReleaseRequest, Released, Snapshot};
use wharf_model::{Instance, ServiceKey};
use wharf_plan::project;
use wharf_supervisor::log::place;

use super::Outcome;
use crate::link::{self, Link};
use crate::render::prune::Document;
use crate::report::Report;
use crate::{ending, render};

/// How long what still runs there has to end.
const END: std::time::Duration = std::time::Duration::from_secs(30);

/// Forget checkouts that are there no more.
///
/// Ends what still runs in a folder that was deleted, gives the ports back that were remembered for it, and
/// deletes its logs. Servers of a deleted checkout also end by themselves, within a minute.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only say what would be forgotten
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Forgets them.
pub(crate) fn run(args: &Args) -> Outcome {
    let document = super::block_on(prune(args))??;
    match args.json {
        true => render::json(&document)?,
        false => render::text(&document.text())?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn prune(args: &Args) -> Result<Document, Report> {
    let link = Link::open().await?;
    let Snapshot { instances, homes, .. } = link.snapshot().await?;
    let is_gone = |key: &ServiceKey| project::is_gone(&key.project.to_path(), &key.worktree);
    let homes: Vec<_> = homes.into_iter().filter(|home| is_gone(&home.key)).collect();
    let there = |instance: &&Instance| !instance.root.to_path().exists() && is_gone(&instance.key);
    let (live, ended): (Vec<&Instance>, Vec<&Instance>) =
        instances.iter().filter(there).partition(|instance| instance.state.is_live());
    let checkouts: BTreeSet<String> = homes
        .iter()
        .map(|home| &home.key)
        .chain(instances.iter().filter(there).map(|instance| &instance.key))
        .map(name)
        .collect();
    if !args.dry_run {
        let deadline = std::time::Instant::now() + END;
        ending::end(&live, deadline, &mut |_| {})?;
        for instance in &ended {
            link.forget(&instance.id).await?;
        }
        let release = Released::Homes(homes.iter().map(|home| home.key.clone()).collect());
        link.release(&ReleaseRequest { release, by: None }).await?;
        // Logs that cannot be deleted are tried again by the next one.
        let _ = place::prune(&link::paths()?.logs, place::KEPT);
    }
    let ports = homes.iter().map(|home| home.port.get()).collect();
    Ok(Document::new(checkouts, ports, live.into_iter().cloned().collect(), args.dry_run))
}

/// How a checkout is called.
fn name(key: &ServiceKey) -> String {
    match key.worktree.is_empty() {
        true => key.project.to_string(),
        false => format!("{} (worktree {})", key.project, key.worktree),
    }
}

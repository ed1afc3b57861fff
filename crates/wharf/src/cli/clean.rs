//! `wharf clean`: undoes everything that wharf has changed on this machine, listed first.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::{Outcome, daemon, trust, untrust};
use crate::authority::Authority;
use crate::render::clean::Document;
use crate::render::trust::StoreLine;
use crate::report::{Code, Report};
use crate::traces::Traces;
use crate::up::{revival, turn};
use crate::{consent, ending, link, narrate, render};

/// How long what runs has to end.
const END: Duration = Duration::from_secs(60);

/// Undo everything that wharf has changed on this machine.
///
/// Ends what wharf runs, ends the daemon, takes the local CA out of every store, and deletes leases, logs, sockets
/// and the CA. All of it is listed first, and a question is asked on a terminal. Projects, their files and
/// their `wharf.toml` are not touched, nor is the program itself.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only list what would be undone
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Delete your settings too
    #[arg(long)]
    settings: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Lists, asks, undoes.
pub(crate) fn run(args: &Args) -> Outcome {
    let traces = Traces::find()?;
    let document = Document::new(&traces);
    let nothing = traces.is_empty() && !(args.settings && traces.settings.is_some());
    if !args.json {
        render::text(&document.list(args.settings))?;
    }
    if args.dry_run || nothing {
        return finish(args, &document, nothing);
    }
    let otherwise = "`wharf clean --yes` does it without asking, `--dry-run` only lists";
    if !args.yes && !consent::ask("undo all of this?", otherwise)? {
        narrate::line("nothing was done");
        return Ok(ExitCode::from(Code::Failed.number()));
    }
    let left = undo(&traces, args.settings)?;
    let code = trust::code(&left);
    finish(args, &document.done(left), false)?;
    Ok(code)
}

fn finish(args: &Args, document: &Document, nothing: bool) -> Outcome {
    match args.json {
        true => render::json(document)?,
        false if nothing => narrate::line("wharf has left nothing here"),
        false => render::text(&document.left())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// In the order in which one thing makes the next: what runs would make a daemon, which would make the folders.
fn undo(traces: &Traces, with_settings: bool) -> Result<Vec<StoreLine>, Report> {
    end_instances(traces)?;
    let left = match traces.stores.is_empty() {
        true => Vec::new(),
        false => untrust::undo(&Authority::of_user()?)?.0,
    };
    let left: Vec<StoreLine> = left.into_iter().filter(StoreLine::is_left).collect();
    daemon::end()?;
    let paths = link::paths()?;
    delete(&paths.runtime_dir)?;
    delete(&paths.state_dir)?;
    // Its certificate is needed by whoever types what is left.
    if left.is_empty() {
        delete(&paths.ca)?;
        if let Some(parent) = paths.ca.parent() {
            // What else is in it is not ours.
            let _ = std::fs::remove_dir(parent);
        }
    }
    if with_settings {
        delete(&paths.config)?;
    }
    if left.is_empty() {
        narrate::line("all of it is undone; the program itself is yours to delete");
    } else {
        narrate::warning(
            "the certificate of the CA is kept, without its key, until this is typed:",
        );
    }
    Ok(left)
}

/// Nothing is made again from here on.
fn end_instances(traces: &Traces) -> Result<(), Report> {
    let roots: std::collections::BTreeSet<_> =
        traces.instances.iter().map(|instance| &instance.root).collect();
    super::block_on(async {
        for root in roots {
            let _turn = turn::of_revival(root).await?;
            revival::call_off_where(root, |_, _| true);
        }
        Ok::<(), Report>(())
    })??;
    let chosen = traces.instances.iter().collect();
    ending::end_in_order(chosen, Instant::now() + END, &mut |instance| {
        narrate::line(&format!("{} has ended", crate::choice::short_name(instance)));
    })
}

/// A folder of wharf's own; links in it are deleted, not followed.
fn delete(folder: &Path) -> Result<(), Report> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Report::new(Code::Failed, format!("`{}` cannot be deleted", folder.display()))
                .because(&error))
        }
        _ => Ok(()),
    }
}

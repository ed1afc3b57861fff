//! `wharf free`: ends who listens on a port, the right way, and returns when it is free.

use std::process::ExitCode;
use std::time::Duration;

use wharf_model::Port;

use super::Outcome;
use crate::freeing::{self, Grace, Plan};
use crate::render::free::{self, Document};
use crate::report::Code;
use crate::{consent, narrate, render};

/// End who listens on a port.
///
/// All processes that share the listening socket, never clients: SIGTERM first, SIGKILL after a grace. What wharf runs
/// is ended by its pilot, a container by its engine. Everybody else is shown first and ended only if you agree.
/// Services of systemd, editors, what started this command, and other users' processes are never ended. Exit
/// code 3 when nobody listens there.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The port
    #[arg(value_name = "PORT")]
    port: Port,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Only say what would end
    #[arg(long)]
    dry_run: bool,
    /// Seconds until what does not end is killed
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(0..=600))]
    grace: u64,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Shows, asks, ends.
pub(crate) fn run(args: &Args) -> Outcome {
    let port = args.port;
    let plan = Plan::of(port)?;
    let document = Document::new(port, &plan);
    if !args.json {
        render::text(&free::list(&plan.lines()))?;
    }
    if args.dry_run {
        return finish(args, &document);
    }
    if plan.has_foreigners() && !args.yes {
        let otherwise = format!("`wharf free {port} --yes` ends it without asking");
        if !consent::ask("wharf did not start it. End it?", &otherwise)? {
            narrate::line("nothing was ended");
            return Ok(ExitCode::from(Code::Failed.number()));
        }
    }
    let killed = freeing::free(&plan, port, Grace(Duration::from_secs(args.grace)))?;
    for pid in &killed {
        narrate::line(&format!("pid {pid} did not end within {} s and was killed", args.grace));
    }
    narrate::line(&format!("port {port} is free"));
    finish(args, &document.freed(&killed))
}

fn finish(args: &Args, document: &Document) -> Outcome {
    if args.json {
        render::json(document)?;
    }
    Ok(ExitCode::SUCCESS)
}

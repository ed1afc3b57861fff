//! `wharf proxy`: where names lead.

use std::process::ExitCode;

use super::Outcome;
use crate::link::Link;
use crate::render;

/// Show the proxy that gives every instance its name.
///
/// It is a part of the daemon, starts and ends with it, and listens on loopback only, but for what runs
/// with `--lan`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Say where it listens and which names lead where
    Status {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
}

/// Does what was asked.
pub(crate) fn run(args: &Args) -> Outcome {
    let Action::Status { json } = args.action;
    let status = super::block_on(async { Link::open().await?.proxy().await })??;
    match json {
        true => render::json(&status)?,
        false => render::text(&render::proxy::text(&status))?,
    }
    Ok(ExitCode::SUCCESS)
}

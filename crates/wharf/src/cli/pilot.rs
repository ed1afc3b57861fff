//! `wharf pilot`: what `wharf up` starts for each instance.

use std::path::PathBuf;

use super::Outcome;

/// Run one instance for `wharf up`, which says over standard input what to run.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Start a pilot again that was killed, as it is written in this file
    #[arg(long, value_name = "FILE")]
    revive: Option<PathBuf>,
}

/// Runs the pilot.
pub(crate) fn run(args: &Args) -> Outcome {
    match &args.revive {
        Some(file) => crate::up::revival::revive(file),
        None => crate::up::pilot::run(),
    }
}

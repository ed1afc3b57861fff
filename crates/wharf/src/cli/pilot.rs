//! `wharf pilot`: what `wharf up` starts for each instance.

use super::Outcome;

/// Run one instance for `wharf up`, which says over standard input what to run.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Runs the pilot.
pub(crate) fn run(_: &Args) -> Outcome {
    crate::up::pilot::run()
}

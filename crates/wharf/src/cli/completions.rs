//! `wharf completions`: what shells need to complete our command line.

use std::process::ExitCode;

use clap_complete::Shell;

use super::Outcome;
use crate::render;

/// Print the completion script of a shell.
///
/// For bash: `wharf completions bash > ~/.local/share/bash-completion/completions/wharf`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

/// Prints the script, made from the same definitions that read the command line.
pub(crate) fn run(args: &Args) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::definitions(), "wharf", &mut script);
    render::bytes(&script)?;
    Ok(ExitCode::SUCCESS)
}

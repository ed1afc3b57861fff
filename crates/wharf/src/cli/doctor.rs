//! `wharf doctor`: whether what wharf is built on works here.

use std::process::ExitCode;

use clap::Subcommand;
use wharf_os::remap::Mode;

use super::Outcome;
use crate::remap::{self, Findings};
use crate::render;
use crate::render::doctor::{Document, ModeLine};

/// Check whether what wharf is built on works here.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    subject: Subject,
}

#[derive(Debug, Subcommand)]
enum Subject {
    /// Try every way of remapping ports, now
    Remap {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
}

/// Tries and tells. A machine on which nothing works is an answer, not a failure.
pub(crate) fn run(args: &Args) -> Outcome {
    let Subject::Remap { json } = args.subject;
    // Not what was found before: whoever asks has a reason.
    let mut findings = Findings::none();
    let lines = Mode::ALL.map(|mode| ModeLine::new(remap::name(mode), findings.of(mode)));
    let document = Document::new(lines.into());
    if json {
        render::json(&document)?
    } else {
        render::text(&document.text())?
    }
    Ok(ExitCode::SUCCESS)
}

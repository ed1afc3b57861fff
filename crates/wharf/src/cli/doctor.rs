//! `wharf doctor`: whether what wharf is built on works here.

use std::process::ExitCode;

use clap::Subcommand;
use wharf_os::remap::Mode;

use super::Outcome;
use crate::health::{self, State};
use crate::remap::{self, Findings};
use crate::render::doctor::{Document, Escaped, ModeLine};
use crate::render::health as answer;
use crate::report::Code;
use crate::{narrate, render};

/// Check whether what wharf is built on works here.
///
/// Folders, disk, clock, loopback, daemon, database, proxy, remapping, names, certificates, inotify, containers and
/// what is left of killed instances: each with the one command that mends it. Exit code 8 when something that
/// wharf promises does not work.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    /// Mend what concerns wharf's own files and processes
    #[arg(long)]
    fix: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    subject: Option<Subject>,
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

/// Tries and tells.
pub(crate) fn run(args: &Args) -> Outcome {
    match args.subject {
        Some(Subject::Remap { json }) => remapping(json),
        None => health(args),
    }
}

/// A machine on which no mode works is an answer, not a failure.
fn remapping(json: bool) -> Outcome {
    // Not what was found before: whoever asks has a reason.
    let mut findings = Findings::none();
    let lines = Mode::ALL.map(|mode| ModeLine::new(remap::name(mode), findings.of(mode)));
    let escaped = health::escaped().into_iter();
    let escaped = escaped.map(|one| Escaped::new(one.process.pid, &one.command)).collect();
    let document = Document::new(lines.into(), escaped);
    match json {
        true => render::json(&document)?,
        false => render::text(&document.text())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn health(args: &Args) -> Outcome {
    let mut findings = health::examine()?;
    let mut mended = Vec::new();
    if args.fix {
        for mend in findings.iter().filter_map(|finding| finding.mend.as_ref()) {
            match mend.apply() {
                Ok(done) => mended.push(done),
                Err(report) => narrate::report(&report),
            }
        }
        if !mended.is_empty() {
            findings = health::examine()?;
        }
    }
    let document = answer::Document::new(&findings, mended);
    match args.json {
        true => render::json(&document)?,
        false => render::text(&document.text())?,
    }
    let is_well = findings.iter().all(|finding| finding.state != State::Trouble);
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::from(Code::Findings.number()) })
}

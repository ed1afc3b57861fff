//! `wharf doctor`: whether what wharf is built on works here.

use std::process::ExitCode;

use clap::Subcommand;
use wharf_os::process;
use wharf_os::remap::Mode;

use super::Outcome;
use crate::environment::ID_VARIABLE;
use crate::remap::{self, Findings};
use crate::render;
use crate::render::doctor::{Document, Escaped, ModeLine};

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

/// Processes of instances whose pilot has been killed: nobody answers their calls.
fn escaped() -> Vec<Escaped> {
    let own = process::pid_namespace(std::process::id()).ok();
    let escaped = |pid: &u32| {
        // In a container the pilot has another number.
        process::pid_namespace(*pid).ok().filter(|there| own.as_ref() == Some(there))?;
        let id = process::environment_value(*pid, ID_VARIABLE).ok().flatten()?;
        let (pilot, ticks) = id.to_str()?.split_once('-')?;
        let start_ticks = u64::from_str_radix(ticks, 16).ok()?;
        let is_pilot = |stat: process::Stat| stat.start_ticks == start_ticks;
        let lives = process::stat(pilot.parse().ok()?).is_ok_and(is_pilot);
        (!lives).then(|| {
            let words = process::argv(*pid).unwrap_or_default();
            let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
            Escaped::new(*pid, &words.join(" "))
        })
    };
    process::all().unwrap_or_default().iter().filter_map(escaped).collect()
}

/// Tries and tells. A machine on which nothing works is an answer, not a failure.
pub(crate) fn run(args: &Args) -> Outcome {
    let Subject::Remap { json } = args.subject;
    // Not what was found before: whoever asks has a reason.
    let mut findings = Findings::none();
    let lines = Mode::ALL.map(|mode| ModeLine::new(remap::name(mode), findings.of(mode)));
    let document = Document::new(lines.into(), escaped());
    if json {
        render::json(&document)?
    } else {
        render::text(&document.text())?
    }
    Ok(ExitCode::SUCCESS)
}

//! `wharf release`: leased ports back before their time.

use std::process::ExitCode;

use wharf_control::api::{ReleaseRequest, Released};
use wharf_model::Port;

use super::Outcome;
use crate::link::Link;
use crate::report::{Code, Report};
use crate::{facts, narrate};

/// Give leased ports back.
///
/// A port that a running instance holds is not given back: end the instance with `wharf stop`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The ports
    #[arg(value_name = "PORT", required_unless_present = "all")]
    ports: Vec<Port>,
    /// Every port that was leased for a time
    #[arg(long, conflicts_with = "ports")]
    all: bool,
}

/// Releases what was named.
pub(crate) fn run(args: Args) -> Outcome {
    super::block_on(async move {
        let link = Link::open().await?;
        let release = match args.all {
            true => Released::AllTtl,
            false => Released::Ports(args.ports.clone()),
        };
        let request = ReleaseRequest { release, by: Some(facts::own_process()) };
        let released = link.release(&request).await?;
        let missing: Vec<String> = args
            .ports
            .iter()
            .filter(|port| !released.iter().any(|lease| lease.port == **port))
            .map(ToString::to_string)
            .collect();
        if !missing.is_empty() {
            return Err(Report::new(Code::NotFound, format!("not leased: {}", missing.join(", ")))
                .help("`wharf ls` shows what is leased"));
        }
        narrate::line(&format!("released {}", count(released.len())));
        Ok(ExitCode::SUCCESS)
    })?
}

fn count(number: usize) -> String {
    if number == 1 { "1 port".to_owned() } else { format!("{number} ports") }
}

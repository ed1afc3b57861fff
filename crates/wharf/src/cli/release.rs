//! `wharf release`: leased ports back before their time.

use std::process::ExitCode;

use wharf_control::api::{ReleaseRequest, Released};
use wharf_model::Port;

use super::Outcome;
use crate::link::Link;
use crate::{facts, narrate, render};

/// Give leased ports back.
///
/// All of the ports or none: where one of them is not leased, none is given back. Nor is a port that a
/// running instance holds: end the instance with `wharf stop`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The ports
    #[arg(value_name = "PORT", required_unless_present = "all")]
    ports: Vec<Port>,
    /// Every port that was leased for a time
    #[arg(long, conflicts_with = "ports")]
    all: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Releases what was named.
pub(crate) fn run(args: Args) -> Outcome {
    super::block_on(async move {
        let link = Link::open().await?;
        let release = match args.all {
            true => Released::AllTtl,
            false => Released::Ports(args.ports),
        };
        let request = ReleaseRequest { release, by: Some(facts::own_process()) };
        let released = link.release(&request).await?;
        match args.json {
            true => render::port::json(&released)?,
            false => narrate::line(&format!("released {}", count(released.len()))),
        }
        Ok(ExitCode::SUCCESS)
    })?
}

fn count(number: usize) -> String {
    if number == 1 { "1 port".to_owned() } else { format!("{number} ports") }
}

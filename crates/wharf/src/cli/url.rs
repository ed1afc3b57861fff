//! `wharf url`: where a service is reached.

use std::process::ExitCode;

use wharf_model::Instance;

use super::Outcome;
use crate::checkout::Checkout;
use crate::render;

/// Print where a service of this checkout is reached.
///
/// Prints the bare URL by name, for browsers. Programs that do not resolve names below `localhost` take the
/// direct one.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A service (`web`), an instance (`web.2`), or a name as `wharf ls` shows it [default: the primary one]
    #[arg(value_name = "SERVICE")]
    service: Option<String>,
    /// The URL by address, such as http://127.0.0.1:8000
    #[arg(long, conflicts_with = "json")]
    direct: bool,
    /// Of everything that runs in this checkout, one a line
    #[arg(long, conflicts_with = "service")]
    all: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Prints the URL.
pub(crate) fn run(args: &Args) -> Outcome {
    let checkout = super::block_on(Checkout::here())??;
    let chosen: Vec<&Instance> = match args.all {
        true => checkout.live(),
        false => vec![checkout.one(args.service.as_deref())?],
    };
    match args.json {
        true => render::url::json(&chosen)?,
        false => render::url::text(&chosen, args.direct)?,
    }
    Ok(ExitCode::SUCCESS)
}

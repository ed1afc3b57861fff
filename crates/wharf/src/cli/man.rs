//! `wharf man`: the manual pages, made from the same definitions that read the command line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap_mangen::Man;

use super::Outcome;
use crate::render;
use crate::report::{Code, Report};

/// Print the manual page, or write all of them to a folder.
///
/// To read it: `wharf man | man -l -`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write wharf.1 and a page for each command into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Prints the main page, or writes every page.
pub(crate) fn run(args: &Args) -> Outcome {
    let definitions = super::definitions();
    match &args.out {
        Some(folder) => {
            clap_mangen::generate_to(definitions, folder).map_err(|error| {
                Report::new(Code::Failed, format!("cannot write to `{}`", folder.display()))
                    .because(&error)
                    .help("name a folder that exists and that you may write to")
            })?;
        }
        None => {
            let mut page = Vec::new();
            Man::new(definitions)
                .render(&mut page)
                .map_err(|error| Report::bug("the manual page cannot be made", &error))?;
            render::bytes(&page)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

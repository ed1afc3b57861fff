//! `wharf explain`: what a port number means, what a framework does with ports, what wharf would do
//! here. Everything is data with its source; nothing is started.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use wharf_model::{Port, PortError, PortRange};
use wharf_os::reserve;
use wharf_plan::explain;

use super::Outcome;
use super::run::current_dir;
use crate::render;
use crate::render::explain::Document;
use crate::report::{Code, Report};
use crate::up::project::Wanted;

/// Explain a port, a framework, or what wharf would do here.
///
/// A folder is given as a path, such as `.` or `./api`. With `--project` it is a whole project: what
/// `wharf up` would run, and why.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A port, a framework of the catalog, or a folder
    #[arg(value_name = "PORT|FRAMEWORK|.", required_unless_present = "project")]
    target: Option<String>,
    /// The project of the folder: every service, its source, its command, its port, what it depends on
    #[arg(long)]
    project: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Prints the explanation.
pub(crate) fn run(args: &Args) -> Outcome {
    let target = args.target.as_deref().unwrap_or(".");
    let document = match args.project {
        true => Document::of_project(&Wanted::read(&current_dir()?.join(target))?),
        false => document(target)?,
    };
    if args.json {
        render::json(&document)?
    } else {
        render::text(&document.text())?
    }
    Ok(ExitCode::SUCCESS)
}

fn document(target: &str) -> Result<Document, Report> {
    match target.parse::<Port>() {
        Ok(port) => {
            let (first, last) = reserve::ephemeral_range();
            return Ok(Document::of_port(&explain::port(port, PortRange { first, last })));
        }
        Err(PortError::NotANumber(_)) => {}
        Err(error) => return Err(Report::new(Code::Usage, error.to_string())),
    }
    if target == "." || target.contains('/') {
        return here(current_dir()?.join(target));
    }
    match explain::framework(target) {
        Some(explanation) => Ok(Document::of_framework(&explanation)),
        None => Err(unknown(target)),
    }
}

fn here(dir: PathBuf) -> Result<Document, Report> {
    let home = wharf_os::user::home();
    let request = wharf_plan::Request {
        dir: &dir,
        command: None,
        port: None,
        service: None,
        env: &|name| std::env::var_os(name),
        home: home.as_deref(),
    };
    let plan = wharf_plan::plan(&request)?;
    Ok(Document::of_plan(&plan, &explain::launch(&plan)))
}

fn unknown(target: &str) -> Report {
    let report = Report::new(Code::NotFound, format!("the catalog knows no `{target}`"));
    let similar = explain::similar(target);
    let report = match similar.is_empty() {
        true => report,
        false => report.help(format!("did you mean {}?", similar.join(", "))),
    };
    match Path::new(target).is_dir() {
        true => report.help(format!("for the folder: `wharf explain ./{target}`")),
        false => report,
    }
}

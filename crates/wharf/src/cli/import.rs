//! `wharf import`: what a project's own files say, as a `wharf.toml` that runs the same.

mod compose;
mod front;

use std::path::PathBuf;

use wharf_plan::project::Project;

use self::front::Kind;
use super::Outcome;
use super::export::{Place, refused};
use super::run::current_dir;
use crate::narrate;
use crate::report::{Code, Report};
use crate::settings::Settings;

/// Write a wharf.toml that runs what the project's own files say.
///
/// Read are, in this order, a Procfile with its `.env`, scripts of package.json that run several things, tasks of
/// pyproject.toml, folders that are projects, and the root alone; compose files besides: what they name is left to
/// Docker. Printed, or with `-o wharf.toml` written.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    tool: Option<Tool>,
    /// The folder to read [default: the current one]
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
    #[command(flatten)]
    output: Place,
}

/// Another tool whose files are read.
#[derive(Debug, clap::Subcommand)]
enum Tool {
    /// Write a wharf.toml for what Docker Compose starts
    ///
    /// The files are read as Docker Compose reads them: what they extend and include, `.env` and the environment,
    /// profiles, `!reset` and `!override`. A variable that has to be set and is not is an error here, as it is there.
    /// The services stay Docker's; wharf keeps their ports and tells the project's own services where they are.
    Compose(compose::Args),
    /// Write a wharf.toml for the names and paths of an nginx configuration
    ///
    /// Servers, locations by prefix, upstreams and what is included. What is passed on to the port of a service of this
    /// project becomes that service's `paths` and `wildcard`; what goes to other ports of this machine becomes an alias.
    /// Everything else is said, with its line.
    Nginx(front::Args),
    /// Write a wharf.toml for the names and paths of a Caddyfile
    ///
    /// Sites, `handle`, `route`, `reverse_proxy` with paths, snippets and imports. What is passed on to the port of a
    /// service of this project becomes that service's `paths` and `wildcard`; what goes to other ports of this machine
    /// becomes an alias. Everything else is said, with its line.
    Caddy(front::Args),
}

/// Prints or writes it.
pub(crate) fn run(args: &Args) -> Outcome {
    match &args.tool {
        None => project(args),
        Some(Tool::Compose(args)) => compose::run(args),
        Some(Tool::Nginx(args)) => front::run(args, Kind::Nginx),
        Some(Tool::Caddy(args)) => front::run(args, Kind::Caddy),
    }
}

fn project(args: &Args) -> Outcome {
    let dir = current_dir()?;
    let dir = args.dir.as_ref().map_or(dir.clone(), |below| dir.join(below));
    let dir = std::fs::canonicalize(&dir).map_err(|error| {
        let what = format!("the folder {} cannot be used", dir.display());
        Report::new(Code::NotFound, what).because(&error)
    })?;
    let project = Project::of(&dir, wharf_os::user::home().as_deref());
    let settings = Settings::load(&project.root)?;
    let found = wharf_plan::services::detect_beside(&project, &dir, settings.compose.wish())
        .map_err(Report::from)?;
    if found.services.is_empty() {
        return Err(Report::new(Code::NotFound, "Docker runs all of this project")
            .why("what its compose files name is left to Docker")
            .help("`wharf import compose` says what it publishes"));
    }
    let document = wharf_export::wharf_toml(&found, &project.root).map_err(refused)?;
    args.output.goes_to(&project.root)?;
    if found.services.iter().any(|service| !service.env.is_empty()) {
        narrate::warning(
            "values of variables are in it, some of which may be secret: look before it is committed",
        );
    }
    args.output.take(&[document])
}

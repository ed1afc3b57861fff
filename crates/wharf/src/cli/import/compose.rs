//! `wharf import compose`: what Docker Compose starts of a project, said in a `wharf.toml`.

use std::path::{Path, PathBuf};

use wharf_export::Docker;
use wharf_plan::project::Project;
use wharf_plan::services::compose::{self, Compose, Wish};

use super::super::Outcome;
use super::super::export::Place;
use super::super::run::current_dir;
use crate::report::{Code, Report};
use crate::settings::compose::variable;
use crate::{compose_override, render};

/// Write a wharf.toml for what Docker Compose starts.
///
/// The files are read as Docker Compose reads them: what they extend and include, `.env` and the environment,
/// profiles, `!reset` and `!override`. A variable that has to be set and is not is an error here, as it is there.
/// The services stay Docker's; wharf keeps their ports and tells the project's own services where they are.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The compose files, the weakest first [default: those that docker compose finds here]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A profile that is on; several are given one by one
    #[arg(long = "profile", value_name = "NAME")]
    profiles: Vec<String>,
    #[command(flatten)]
    output: Place,
}

/// Prints or writes it.
pub(crate) fn run(args: &Args) -> Outcome {
    let dir = current_dir()?;
    let dir = std::fs::canonicalize(&dir).unwrap_or(dir);
    let project = Project::of(&dir, wharf_os::user::home().as_deref());
    let wish = Wish {
        files: &args.files,
        profiles: &args.profiles,
        env: &variable,
        is_strict: true,
        skips_own: false,
    };
    let compose = compose::read(&project.root, &dir, wish).map_err(compose_override::refused)?;
    if compose.files.is_empty() {
        return Err(Report::new(Code::NotFound, "there is no compose file here")
            .why(format!("looked for {} in {}", compose::FILES.join(", "), dir.display()))
            .help("`wharf import compose FILE` reads another one"));
    }
    args.output.goes_to(&project.root)?;
    let document = wharf_export::docker_toml(&docker(&compose, args, &project.root, &dir));
    if args.output.is_json() {
        render::import::compose(&document, &compose, &project.root)?;
        return Ok(std::process::ExitCode::SUCCESS);
    }
    args.output.take(&[document])
}

fn docker(compose: &Compose, args: &Args, root: &Path, dir: &Path) -> Docker {
    let below = |path: &Path| path.strip_prefix(root).unwrap_or(path).display().to_string();
    // What docker compose finds in the root by itself may change, and needs no name.
    let is_found = args.files.is_empty() && dir == root && compose.is_default;
    let files = match is_found {
        true => Vec::new(),
        false => compose.files.iter().map(|file| below(file)).collect(),
    };
    let runs = |dir: &Path| {
        let request = wharf_plan::Request {
            dir,
            command: None,
            port: None,
            service: None,
            env: &|_| None,
            home: None,
        };
        wharf_plan::plan(&request).is_ok()
    };
    let built = compose.contexts.iter().filter(|(_, folder)| runs(folder));
    let folder = |folder: &Path| match below(folder) {
        path if path.is_empty() => ".".to_owned(),
        path => path,
    };
    Docker {
        name: compose.name.clone(),
        files,
        profiles: args.profiles.clone(),
        services: compose.services.clone(),
        dormant: compose.dormant.clone(),
        could_run_here: built.map(|(name, path)| (name.clone(), folder(path))).collect(),
    }
}

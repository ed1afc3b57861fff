//! What a project runs, where it has no `wharf.toml` that says so.
//!
//! Files are read in the order of their strength, and the first that says something about what to run is
//! believed: Procfile, scripts of package.json that run several things, tasks of pyproject.toml, folders
//! that are projects, the root alone. Compose files are read besides, whatever else there is: what they
//! name is Docker's to start.

mod across;
pub mod compose;
pub(crate) mod dotenv;
mod filter;
mod folders;
mod found;
pub(crate) mod interpolation;
mod lasting;
mod processes;
mod procfile;
pub(crate) mod published;
mod scripts;
mod tasks;
mod together;
mod turbo;
mod words;
mod workspaces;
pub(crate) mod yaml;

use std::path::Path;

use wharf_model::request::PortArgument;
use wharf_model::{PortRequest, ProjectServices, Run, Service, Verbatim};

use crate::error::PlanError;
use crate::plan::{self, Request};
use crate::project::{self, Project};

use compose::Wish;
use found::Found;

/// Finds the services of a project. `dir` is the folder that `wharf up` was typed in: it is read instead of the
/// root where it has a Procfile, a compose file or a manifest of its own and says something to run.
pub fn detect(project: &Project, dir: &Path) -> Result<ProjectServices, PlanError> {
    detect_beside(project, dir, Wish::plain())
}

/// As [`detect`], with what is known of the compose files.
///
/// # Errors
/// As [`detect`].
pub fn detect_beside(
    project: &Project,
    dir: &Path,
    compose: Wish<'_>,
) -> Result<ProjectServices, PlanError> {
    let below = dir != project.root && dir.starts_with(&project.root);
    if below && stands_alone(dir) {
        match at(project, dir, compose) {
            // A library of the project, say.
            Err(PlanError::NothingToRun { .. }) => {}
            found => return found,
        }
    }
    at(project, &project.root, compose)
}

/// What other programs run of a project, and nothing else of it.
///
/// # Errors
/// A compose file is not understood.
pub fn external(project: &Project, compose: Wish<'_>) -> Result<ProjectServices, PlanError> {
    let mut found = Found::new(&project.root);
    let external = compose::external(&project.root, compose, &mut found)?;
    Ok(ProjectServices { services: Vec::new(), external, trace: found.trace })
}

/// Whether a folder has a file that may say what it runs.
fn stands_alone(dir: &Path) -> bool {
    let files = processes::FILES.iter().chain(compose::FILES).chain(project::MANIFESTS);
    files.into_iter().any(|name| dir.join(name).is_file())
}

/// The services of one folder.
fn at(project: &Project, dir: &Path, compose: Wish<'_>) -> Result<ProjectServices, PlanError> {
    let mut found = Found::new(&project.root);
    processes::read(dir, &mut found)?;
    if found.services.is_empty() {
        scripts::read(dir, &mut found)?;
    }
    if found.services.is_empty() {
        tasks::read(dir, &mut found)?;
    }
    let external = compose::external(dir, compose, &mut found)?;
    if found.services.is_empty() {
        match root_or_folders(project, dir, &mut found) {
            // Docker runs all of it.
            Err(PlanError::NothingToRun { .. }) if !external.is_empty() => {}
            Err(PlanError::NothingToRun { dir, mut looked_for }) => {
                looked_for.splice(..0, found.trace);
                return Err(PlanError::NothingToRun { dir, looked_for });
            }
            result => result?,
        }
    }
    for service in &mut found.services {
        loosen(service);
        // No other tool knows of placeholders: what looks like one is a shell's or a program's own.
        service.verbatim = Verbatim { run: true, env: service.env.keys().cloned().collect() };
    }
    let Found { services, trace, .. } = found;
    Ok(ProjectServices { services, external, trace })
}

/// The folder itself, or the folders below it where it has nothing to run or only starts what lies in them.
fn root_or_folders(project: &Project, dir: &Path, found: &mut Found<'_>) -> Result<(), PlanError> {
    let own = plan::alone(dir, project);
    if matches!(own, Err(PlanError::NothingToRun { .. })) || folders::only_delegates(dir) {
        folders::read(dir, found)?;
        if !found.services.is_empty() {
            return Ok(());
        }
    }
    let (name, steps) = own?;
    let source = found.shown(&dir.join(folders::told_by(&steps)));
    found.trace.extend(steps);
    found.add(&name, dir.to_path_buf(), source)?;
    Ok(())
}

/// A port that stands in the project's own files is wanted, but not at any price: the second copy of the project
/// has the same files.
fn loosen(service: &mut Service) {
    if service.port.is_some() || service.is_step() {
        return;
    }
    let argv = service.run.as_ref().map(|run| match run {
        Run::Words(words) => words.clone(),
        Run::Shell(text) => ["sh", "-c", text].map(Into::into).to_vec(),
    });
    let request = Request {
        dir: &service.dir,
        command: argv.as_deref(),
        port: None,
        service: Some(&service.name),
        env: &|_| None,
        home: None,
    };
    // What cannot be planned says so when it is launched.
    if let Ok(plan) = plan::plan(&request)
        && let PortRequest::Exactly(port) = plan.request
    {
        service.port = Some(PortArgument::AtLeast(port));
    }
}

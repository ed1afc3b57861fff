//! The checkout of the current folder: what of it runs, and what is remembered of it.

use std::path::Path;

use wharf_control::api::Snapshot;
use wharf_model::{Instance, PathText};
use wharf_plan::project::Project;

use crate::choice;
use crate::cli::current_dir;
use crate::link::Link;
use crate::report::{Code, Report};
use crate::settings::Settings;
use crate::up::crew::called;
use crate::up::project::Wanted;

/// A checkout, and everything that the daemon knows.
pub(crate) struct Checkout {
    pub(crate) project: Project,
    pub(crate) snapshot: Snapshot,
}

impl Checkout {
    /// That of the current folder, now.
    ///
    /// # Errors
    /// The folder cannot be read, or there is no daemon.
    pub(crate) async fn here() -> Result<Checkout, Report> {
        Ok(Checkout { project: project()?, snapshot: Link::known().await? })
    }

    /// The root, as instances carry it.
    pub(crate) fn root(&self) -> PathText {
        PathText::new(&self.project.root)
    }

    /// What lives in it, by name.
    pub(crate) fn live(&self) -> Vec<&Instance> {
        let root = self.root();
        let is_here = |i: &&Instance| i.state.is_live() && i.root == root;
        let mut live: Vec<&Instance> = self.snapshot.instances.iter().filter(is_here).collect();
        live.sort_by(|a, b| a.key.cmp(&b.key));
        live
    }

    /// The one that a name means, here or, by what `wharf ls` shows, anywhere; without a name the primary one.
    ///
    /// # Errors
    /// None that lives is meant, or several may be.
    pub(crate) fn one(&self, name: Option<&str>) -> Result<&Instance, Report> {
        let live = self.live();
        let Some(name) = name else { return self.primary(&live) };
        if let Some(instance) = named(&live, name) {
            return Ok(instance);
        }
        let all = self.snapshot.instances.iter().filter(|i| i.state.is_live());
        let all: Vec<Instance> = all.cloned().collect();
        match choice::one(&all, name) {
            Ok(found) => self
                .snapshot
                .instances
                .iter()
                .find(|instance| instance.id == found.id)
                .ok_or_else(|| self.not_running(name)),
            Err(report) if report.code == Code::NotFound => Err(self.not_running(name)),
            Err(report) => Err(report),
        }
    }

    fn primary<'a>(&self, live: &[&'a Instance]) -> Result<&'a Instance, Report> {
        let wanted = declared(&self.project.root)?;
        let primary = wanted.as_ref().and_then(Wanted::primary);
        if let Some(instance) = primary.and_then(|name| named(live, name)) {
            return Ok(instance);
        }
        // Of several services the main one is meant, whether it runs or not.
        let is_one_of_several = wanted.as_ref().is_some_and(|wanted| wanted.services.len() > 1);
        if let ([only], false) = (live, primary.is_some() && is_one_of_several) {
            return Ok(only);
        }
        let names = names(live);
        Err(match (names.is_empty(), primary) {
            (true, _) => Report::new(Code::NotFound, "nothing runs in this checkout")
                .help("`wharf up` starts what the project runs, `wharf run` a single server"),
            (false, Some(primary)) => self.not_running(primary),
            (false, None) => Report::new(Code::Usage, "several services run in this checkout")
                .help(format!("say which: {names}")),
        })
    }

    /// What is said of a service that does not run.
    pub(crate) fn not_running(&self, name: &str) -> Report {
        let names = names(&self.live());
        let wanted = declared(&self.project.root).ok().flatten();
        let (service, _) = split(name);
        let known = wanted.as_ref().is_some_and(|w| w.named(service).is_ok());
        let report = match known {
            true => Report::new(Code::NotFound, format!("`{name}` does not run in this checkout"))
                .help(format!("`wharf up {service}` starts it")),
            false => Report::new(Code::NotFound, format!("nothing that runs is named `{name}`"))
                .help("`wharf up SERVICE` starts a service; `wharf ls` shows all that runs"),
        };
        match names.is_empty() {
            true => report,
            false => report.help(format!("what runs here: {names}")),
        }
    }
}

/// The project of the current folder.
///
/// # Errors
/// The folder cannot be read.
pub(crate) fn project() -> Result<Project, Report> {
    let dir = current_dir()?;
    let dir = std::fs::canonicalize(&dir).unwrap_or(dir);
    Ok(Project::of(&dir, wharf_os::user::home().as_deref()))
}

/// What a checkout runs; `None` where nothing says so.
///
/// # Errors
/// Its `wharf.toml` is not understood.
pub(crate) fn declared(root: &Path) -> Result<Option<Wanted>, Report> {
    match Wanted::read(root) {
        Ok(wanted) => Ok(Some(wanted)),
        Err(report) => match Settings::load(root)?.service.iter().any(|(_, table)| table.runs()) {
            true => Err(report),
            false => Ok(None),
        },
    }
}

/// The service of the current folder's project that a name means, whether it runs or not.
pub(crate) fn starts(name: &str) -> Option<String> {
    let wanted = declared(&project().ok()?.root).ok().flatten()?;
    let (service, _) = split(name);
    wanted.named(service).or_else(|_| wanted.named(name)).ok().map(|known| known.name.clone())
}

/// `web` is the first of a service that lives, `web.2` its second instance.
pub(crate) fn named<'a>(live: &[&'a Instance], name: &str) -> Option<&'a Instance> {
    let exact = |i: &&&Instance| called(&i.key.service, i.key.instance) == name;
    let (service, number) = split(name);
    let numbered = |i: &&&Instance| i.key.service == service && Some(i.key.instance) == number;
    let of_service = |i: &&&Instance| i.key.service == name;
    let first = || live.iter().filter(of_service).min_by_key(|i| i.key.instance);
    live.iter().find(exact).or_else(|| live.iter().find(numbered)).or_else(first).copied()
}

/// The service and the number in a name such as `web.2`.
pub(crate) fn split(name: &str) -> (&str, Option<u32>) {
    match name.rsplit_once('.').map(|(service, number)| (service, number.parse())) {
        Some((service, Ok(number))) => (service, Some(number)),
        _ => (name, None),
    }
}

fn names(live: &[&Instance]) -> String {
    let names = live.iter().map(|i| called(&i.key.service, i.key.instance));
    names.collect::<Vec<_>>().join(", ")
}

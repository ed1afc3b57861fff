//! What a project runs: as `wharf.toml` says, else as its own files say.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use wharf_model::name::slug;
use wharf_model::request::PortArgument;
use wharf_model::service::{External, ProjectServices, Service};
use wharf_model::{PathText, Port, Step};
use wharf_plan::PlanError;
use wharf_plan::project::Project;

use crate::report::{Code, Report};
use crate::settings::Settings;

/// A project's checkout, what is set for it, and what it runs.
pub(crate) struct Wanted {
    pub(crate) project: Project,
    pub(crate) settings: Settings,
    pub(crate) services: Vec<Service>,
    pub(crate) external: Vec<External>,
    /// What was looked at, in order.
    pub(crate) trace: Vec<Step>,
}

impl Wanted {
    /// Reads the project of a folder.
    ///
    /// # Errors
    /// A file of the project is not understood, or nothing says what to run.
    pub(crate) fn read(dir: &Path) -> Result<Wanted, Report> {
        let home = wharf_os::user::home();
        let dir = canonical(dir)?;
        let project = Project::of(&dir, home.as_deref());
        let settings = Settings::load(&project.root)?;
        let found = match settings.service.iter().any(|(_, table)| table.runs()) {
            true => declared(&settings, &project)?,
            false => detected(&settings, &project, &dir)?,
        };
        check_names(&found.services)?;
        check_dependencies(&found.services)?;
        check_ports(&found.services)?;
        let ProjectServices { services, external, trace } = found;
        Ok(Wanted { project, settings, services, external, trace })
    }

    /// The root of this checkout, as instances carry it.
    pub(crate) fn root(&self) -> PathText {
        PathText::new(&self.project.root)
    }

    /// The services that were named, and what they depend on; all where none was named.
    ///
    /// # Errors
    /// There is none of that name.
    pub(crate) fn chosen(&self, names: &[String]) -> Result<Vec<&Service>, Report> {
        if names.is_empty() {
            return Ok(self.services.iter().collect());
        }
        let mut wanted: BTreeSet<&str> = BTreeSet::new();
        let mut open: Vec<&str> = names.iter().map(String::as_str).collect();
        while let Some(name) = open.pop() {
            let service = self.named(name)?;
            if wanted.insert(&service.name) {
                open.extend(service.depends_on.iter().map(String::as_str));
            }
        }
        Ok(self.services.iter().filter(|s| wanted.contains(s.name.as_str())).collect())
    }

    /// The service that answers for the project's own name: the one that is called `web`, or the only one.
    pub(crate) fn primary(&self) -> Option<&str> {
        let servers: Vec<&str> =
            self.services.iter().filter(|s| !s.is_step()).map(|s| s.name.as_str()).collect();
        match servers[..] {
            [only] => Some(only),
            _ => servers.into_iter().find(|name| *name == "web"),
        }
    }

    /// The service of a name.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn named(&self, name: &str) -> Result<&Service, Report> {
        self.services.iter().find(|service| service.name == name).ok_or_else(|| {
            let known: Vec<&str> = self.services.iter().map(|s| s.name.as_str()).collect();
            let what = format!("this project has no service `{name}`");
            let report = Report::new(Code::NotFound, what);
            match self.external.iter().find(|external| external.name == name) {
                Some(external) => {
                    report.why(format!("`{name}` is left to {} ({})", external.by, external.source))
                }
                None => report,
            }
            .help(format!("it has: {}", known.join(", ")))
        })
    }
}

fn canonical(dir: &Path) -> Result<PathBuf, Report> {
    std::fs::canonicalize(dir).map_err(|error| {
        Report::new(Code::Failed, format!("the folder {} cannot be used", dir.display()))
            .because(&error)
    })
}

/// `wharf.toml` says what runs: nothing else is looked at, but for what other programs start.
fn declared(settings: &Settings, project: &Project) -> Result<ProjectServices, Report> {
    let root = &project.root;
    let mut found =
        wharf_plan::services::external(project, settings.compose.wish()).map_err(Report::from)?;
    for (name, table) in settings.service.iter().filter(|(_, table)| table.runs()) {
        let place = table.line().map_or_else(String::new, |line| format!(" line {line}"));
        let source = format!("wharf.toml{place} [service.{name}]");
        let known = Service::new(name, root.to_path_buf(), source);
        found.services.push(table.lay_over(known, root)?);
    }
    let declares = match found.services.len() {
        1 => "declares 1 service".to_owned(),
        count => format!("declares {count} services"),
    };
    found.trace.push(Step::new("wharf.toml", declares));
    Ok(found)
}

fn detected(settings: &Settings, project: &Project, dir: &Path) -> Result<ProjectServices, Report> {
    let found = wharf_plan::services::detect_beside(project, dir, settings.compose.wish());
    let mut found = match found {
        // It may be there for its aliases alone.
        Err(PlanError::NothingToRun { looked_for, .. }) if !settings.alias.is_empty() => {
            ProjectServices { trace: looked_for, ..ProjectServices::default() }
        }
        found => found.map_err(Report::from)?,
    };
    for service in &mut found.services {
        if let Some(table) = settings.service.get(&service.name) {
            *service = table.lay_over(service.clone(), &project.root)?;
            found.trace.push(Step::new("wharf.toml", format!("says more of `{}`", service.name)));
        }
    }
    Ok(found)
}

fn check_names(services: &[Service]) -> Result<(), Report> {
    for service in services {
        let name = service.name.as_str();
        if slug(name) != *name {
            return Err(Report::new(Code::Usage, format!("`{name}` cannot be a service's name"))
                .why(format!("it is declared by {}, and a part of its URL", service.source))
                .help(format!("use lower-case letters, digits and hyphens: `{}`", slug(name))));
        }
    }
    Ok(())
}

/// Every dependency is there, and none leads back to itself.
fn check_dependencies(services: &[Service]) -> Result<(), Report> {
    let by_name: BTreeMap<&str, &Service> =
        services.iter().map(|service| (service.name.as_str(), service)).collect();
    for service in services {
        if let Some(missing) = service.depends_on.iter().find(|n| !by_name.contains_key(n.as_str()))
        {
            let known: Vec<&str> = by_name.keys().copied().collect();
            let what = format!("`{}` depends on `{missing}`, which is no service", service.name);
            return Err(Report::new(Code::Usage, what)
                .why(format!("it is declared by {}", service.source))
                .help(format!("there are: {}", known.join(", "))));
        }
    }
    let mut safe = BTreeSet::new();
    for service in services {
        if let Some(cycle) = cycle(service, &by_name, &mut Vec::new(), &mut safe) {
            let what = format!("services depend on each other in a circle: {}", cycle.join(" → "));
            return Err(Report::new(Code::Usage, what)
                .why("none of them could ever be the first to start")
                .help("take one of these `depends_on` out"));
        }
    }
    Ok(())
}

/// No two insist on one port: the second would be told that the first has taken it, and nothing would run.
fn check_ports(services: &[Service]) -> Result<(), Report> {
    let mut owners: BTreeMap<Port, &str> = BTreeMap::new();
    for service in services {
        let Some(PortArgument::Exactly(port)) = service.port else { continue };
        if let Some(other) = owners.insert(port, &service.name) {
            let what = format!("`{other}` and `{}` both name port {port}", service.name);
            return Err(Report::new(Code::Usage, what)
                .why("a plain number is exactly that port, and only one of them can have it")
                .why(format!("the second is declared by {}", service.source))
                .help(format!("`port = \"{port}+\"` takes the next free one")));
        }
    }
    Ok(())
}

/// The names of a circle, from its first to that one again.
fn cycle<'a>(
    service: &'a Service,
    by_name: &BTreeMap<&'a str, &'a Service>,
    path: &mut Vec<&'a str>,
    safe: &mut BTreeSet<&'a str>,
) -> Option<Vec<&'a str>> {
    let name = service.name.as_str();
    if safe.contains(name) {
        return None;
    }
    if let Some(start) = path.iter().position(|seen| *seen == name) {
        return Some(path[start..].iter().copied().chain([name]).collect());
    }
    path.push(name);
    for next in service.depends_on.iter().filter_map(|name| by_name.get(name.as_str())) {
        let found = cycle(next, by_name, path, safe);
        if found.is_some() {
            return found;
        }
    }
    path.pop();
    safe.insert(name);
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn services(edges: &[(&str, &[&str])]) -> Vec<Service> {
        let service = |(name, on): &(&str, &[&str])| Service {
            depends_on: on.iter().map(|name| (*name).to_owned()).collect(),
            ..Service::new(*name, "/".into(), "test")
        };
        edges.iter().map(service).collect()
    }

    #[test]
    fn a_circle_is_printed() {
        let error = check_dependencies(&services(&[
            ("web", &["api"]),
            ("api", &["db", "cache"]),
            ("db", &[]),
            ("cache", &["api"]),
        ]))
        .unwrap_err();
        assert!(error.what.ends_with("api → cache → api"), "{}", error.what);
        let own = check_dependencies(&services(&[("web", &["web"])])).unwrap_err();
        assert!(own.what.ends_with("web → web"), "{}", own.what);
        assert!(check_dependencies(&services(&[("a", &["b"]), ("b", &["c"]), ("c", &[])])).is_ok());
        let missing = check_dependencies(&services(&[("a", &["bb"]), ("b", &[])])).unwrap_err();
        assert!(missing.what.contains("`bb`") && missing.help[0].contains("a, b"), "{missing:?}");
    }

    #[test]
    fn two_services_cannot_insist_on_one_port() {
        let mut both = services(&[("web", &[]), ("api", &[])]);
        let port = Port::new(8000).unwrap();
        both.iter_mut().for_each(|s| s.port = Some(PortArgument::Exactly(port)));
        let error = check_ports(&both).unwrap_err();
        assert!(error.what.contains("`web` and `api`"), "{}", error.what);
        both[1].port = Some(PortArgument::AtLeast(port));
        assert!(check_ports(&both).is_ok());
    }

    #[test]
    fn a_name_is_a_label() {
        assert!(check_names(&services(&[("Web_1", &[])])).is_err());
        assert!(check_names(&services(&[("web-1", &[])])).is_ok());
    }
}

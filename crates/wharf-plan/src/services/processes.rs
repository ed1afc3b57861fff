//! The services of a Procfile.

use std::collections::BTreeMap;
use std::path::Path;

use wharf_model::request::PortArgument;
use wharf_model::{Ready, Run};

use crate::error::PlanError;

use super::dotenv;
use super::found::{self, Found};
use super::procfile;

/// The files, the stronger first.
pub(crate) const FILES: &[&str] = &["Procfile.dev", "Procfile"];

/// The process that Heroku runs once, before the others.
const RELEASE: &str = "release";

/// The process that gets the traffic.
const WEB: &str = "web";

/// Reads the Procfile of a folder.
pub(crate) fn read(dir: &Path, found: &mut Found<'_>) -> Result<(), PlanError> {
    let Some(path) = FILES.iter().map(|name| dir.join(name)).find(|path| path.is_file()) else {
        found.step(FILES.join(", "), "not there");
        return Ok(());
    };
    let text = found::read(&path)?.unwrap_or_default();
    let processes = procfile::parse(&text).map_err(|wrong| found::malformed(&path, wrong))?;
    let shown = found.shown(&path);
    if processes.is_empty() {
        found.step(shown, "names no process");
        return Ok(());
    }
    found.step(shown.clone(), format!("processes: {}", processes.len()));
    let (env, port) = environment(dir, found)?;
    let is_first = |name: &str| match processes.iter().any(|process| process.name == WEB) {
        true => name == WEB,
        false => name == processes[0].name,
    };
    let has_release = processes.iter().any(|process| process.name == RELEASE);
    for process in &processes {
        let source = format!("{shown} line {}", process.line);
        let service = found.add(&process.name, dir.to_path_buf(), source)?;
        service.run = Some(Run::Shell(process.command.clone()));
        service.env.clone_from(&env);
        if process.name == RELEASE {
            service.ready = Ready::Exit;
        } else if has_release {
            service.depends_on.push(RELEASE.to_owned());
        }
        if is_first(&process.name) && !service.is_step() {
            service.port = port;
        }
    }
    Ok(())
}

/// The variables of the `.env` beside a Procfile, and the port that its `PORT` wishes for the first process. It is
/// no variable of theirs: every process would get the same port.
fn environment(
    dir: &Path,
    found: &mut Found<'_>,
) -> Result<(BTreeMap<String, String>, Option<PortArgument>), PlanError> {
    let path = dir.join(".env");
    let Some(text) = found::read(&path)? else { return Ok(Default::default()) };
    let mut env = dotenv::parse(&text);
    let port = env.remove("PORT").and_then(|port| port.parse().ok()).map(PortArgument::AtLeast);
    found.step(found.shown(&path), format!("variables: {}", env.len()));
    Ok((env, port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wharf_model::Service;

    fn services(files: &[(&str, &str)]) -> Vec<Service> {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        let mut found = Found::new(dir.path());
        read(dir.path(), &mut found).unwrap();
        found.services
    }

    #[test]
    fn the_one_for_development_is_stronger() {
        let all = services(&[("Procfile", "web: a\n"), ("Procfile.dev", "# x\nweb: b\ncss: c\n")]);
        assert_eq!((all.len(), &all[0].run), (2, &Some(Run::Shell("b".into()))));
        assert_eq!(all[0].source, "Procfile.dev line 2");
        assert!(services(&[("Procfile.dev", "# web: a\n")]).is_empty());
    }

    #[test]
    fn a_release_comes_before_the_others() {
        let all = services(&[("Procfile", "web: a\nrelease: b\nworker: c\n")]);
        assert!(all[1].is_step() && all[1].depends_on.is_empty());
        assert!(all.iter().all(|s| s.is_step() || s.depends_on == ["release"]));
    }

    #[test]
    fn the_port_of_the_environment_is_the_first_processes_wish() {
        let env = (".env", "PORT=5000\nA=1\n");
        for (text, first) in [("worker: b\nweb: a\n", 1), ("api: b\nworker: a\n", 0)] {
            let all = services(&[("Procfile", text), env]);
            let wish = Some(PortArgument::AtLeast(wharf_model::Port::new(5000).unwrap()));
            assert_eq!((all[first].port, all[1 - first].port), (wish, None));
            assert!(all.iter().all(|s| s.env == BTreeMap::from([("A".into(), "1".into())])));
        }
    }
}

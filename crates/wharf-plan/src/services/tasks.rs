//! The service of a pyproject.toml: its task, or its program, that serves.

use std::path::Path;

use toml::{Table, Value};
use wharf_model::Run;

use crate::error::PlanError;

use super::found::{self, Found};
use super::yaml::Wrong;

/// The file.
const FILE: &str = "pyproject.toml";

/// The tasks and programs that serve, the stronger first.
const NAMES: &[&str] = &["dev", "start", "serve", "runserver"];

/// What a service is called whose project has one.
const WEB: &str = "web";

/// A tool that runs tasks.
struct Tool {
    /// Where in the file its tasks are.
    tasks: &'static [&'static str],
    /// The words before the task's name.
    words: &'static [&'static str],
    /// Whether it is a program of the project's own environment.
    inside: bool,
}

const TOOLS: &[Tool] = &[
    Tool { tasks: &["tool", "poe", "tasks"], words: &["poe"], inside: true },
    Tool { tasks: &["tool", "taskipy", "tasks"], words: &["task"], inside: true },
    Tool { tasks: &["tool", "pdm", "scripts"], words: &["pdm", "run"], inside: false },
    Tool {
        tasks: &["tool", "hatch", "envs", "default", "scripts"],
        words: &["hatch", "run"],
        inside: false,
    },
    Tool { tasks: &["tool", "rye", "scripts"], words: &["rye", "run"], inside: false },
];

/// Where programs of the package itself are named.
const PROGRAMS: &[&[&str]] = &[&["project", "scripts"], &["tool", "poetry", "scripts"]];

/// The programs that run something in a project's environment, by its lockfile.
const LOCKS: &[(&str, &str)] = &[("uv.lock", "uv"), ("poetry.lock", "poetry"), ("pdm.lock", "pdm")];

/// Reads the pyproject.toml of a folder.
pub(crate) fn read(dir: &Path, found: &mut Found<'_>) -> Result<(), PlanError> {
    let path = dir.join(FILE);
    let Some(text) = found::read(&path)? else { return Ok(()) };
    let shown = found.shown(&path);
    let table: Table = text.parse().map_err(|why: toml::de::Error| {
        let before = text.get(..why.span().map_or(0, |span| span.start)).unwrap_or(&text);
        let line = before.matches('\n').count() + 1;
        found::malformed(&path, Wrong::new(line, why.message().trim().replace('\n', ", ")))
    })?;
    let Some((words, source)) = task(dir, &table).or_else(|| program(dir, &table)) else {
        found.step(shown, format!("no task {} that serves", NAMES.join(", ")));
        return Ok(());
    };
    found.step(shown.clone(), format!("{source}: `{}`", words.join(" ")));
    let service = found.add(WEB, dir.to_path_buf(), format!("{shown}: {source}"))?;
    service.run = Some(Run::Words(words.into_iter().map(Into::into).collect()));
    Ok(())
}

/// The first name that a table has.
fn named(table: &Table, path: &[&str]) -> Option<&'static str> {
    let mut inner = table;
    for key in path {
        inner = inner.get(*key).and_then(Value::as_table)?;
    }
    NAMES.iter().find(|name| inner.contains_key(**name)).copied()
}

fn own(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn task(dir: &Path, table: &Table) -> Option<(Vec<String>, String)> {
    let (tool, name) = TOOLS.iter().find_map(|tool| Some((tool, named(table, tool.tasks)?)))?;
    let mut words = if tool.inside { inside(dir).unwrap_or_default() } else { Vec::new() };
    words.extend(own(tool.words));
    words.push(name.to_owned());
    Some((words, format!("task {name}")))
}

/// A program of the package itself, where it is known how to start one.
fn program(dir: &Path, table: &Table) -> Option<(Vec<String>, String)> {
    let name = PROGRAMS.iter().find_map(|path| named(table, path))?;
    let words = match inside(dir) {
        Some(mut words) => {
            words.push(name.to_owned());
            words
        }
        None => {
            let path = dir.join(".venv/bin").join(name);
            path.is_file().then(|| vec![path.to_string_lossy().into_owned()])?
        }
    };
    Some((words, format!("program {name}")))
}

/// What runs a program in the project's environment.
fn inside(dir: &Path) -> Option<Vec<String>> {
    let (_, manager) = LOCKS.iter().find(|(lock, _)| dir.join(lock).is_file())?;
    Some(own(&[manager, "run"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str, lock: &str) -> Result<Option<String>, PlanError> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), text).unwrap();
        std::fs::write(dir.path().join(lock), "").unwrap();
        let mut found = Found::new(dir.path());
        read(dir.path(), &mut found)?;
        Ok(found.services.first().map(|service| match &service.run {
            Some(Run::Words(words)) => {
                words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
            }
            other => panic!("{other:?}"),
        }))
    }

    #[test]
    fn every_tool() {
        for (text, lock, expected) in [
            ("[tool.poe.tasks]\nstart = 'x'\ndev = 'y'", "uv.lock", Some("uv run poe dev")),
            ("[tool.poe.tasks.serve]\ncmd = 'x'", "other", Some("poe serve")),
            (
                "[tool.taskipy.tasks]\nrunserver = 'x'",
                "poetry.lock",
                Some("poetry run task runserver"),
            ),
            ("[tool.pdm.scripts]\nstart = {cmd = 'x'}", "pdm.lock", Some("pdm run start")),
            ("[tool.hatch.envs.default.scripts]\ndev = 'x'", "other", Some("hatch run dev")),
            ("[tool.rye.scripts]\ndev = ['x']", "other", Some("rye run dev")),
            ("[project.scripts]\nserve = 'a:b'", "uv.lock", Some("uv run serve")),
            ("[tool.poetry.scripts]\nstart = 'a:b'", "poetry.lock", Some("poetry run start")),
            ("[project.scripts]\nserve = 'a:b'", "other", None),
            ("[project.scripts]\nother = 'a:b'", "uv.lock", None),
            ("[tool]\npoe = 1", "other", None),
            ("", "other", None),
        ] {
            assert_eq!(words(text, lock).unwrap().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_toml_names_its_line() {
        let error = words("[project]\nname = \n", "other").unwrap_err();
        assert!(matches!(error, PlanError::MalformedFile { line: 2, .. }), "{error}");
        let deep = format!("a = {}", "[".repeat(100_000));
        assert!(words(&deep, "other").is_err());
    }
}

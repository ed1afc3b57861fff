//! Folders of a project that are each a project.

use std::path::{Path, PathBuf};

use wharf_model::Step;

use crate::error::PlanError;
use crate::{bare, folder};

use super::found::Found;
use super::lasting::{self, Lasting};

/// Where they lie. Those below `packages` are libraries unless they serve something known.
const PLACES: &[(&str, Lasting)] = &[
    ("*", Lasting::Stays),
    ("apps/*", Lasting::Stays),
    ("services/*", Lasting::Stays),
    ("packages/*", Lasting::Serves),
];

/// Folders that are no part of what a project runs.
const SKIPPED: &[&str] = &[
    "node_modules",
    "vendor",
    "target",
    "dist",
    "build",
    "out",
    "venv",
    "env",
    "example",
    "examples",
    "test",
    "tests",
    "e2e",
    "spec",
    "doc",
    "docs",
    "fixtures",
    "benchmarks",
    "bench",
    "scripts",
    "tools",
    "templates",
    "demo",
    "demos",
    "samples",
    "tmp",
];

/// Reads the folders below one.
pub(crate) fn read(dir: &Path, found: &mut Found<'_>) -> Result<(), PlanError> {
    for (place, must) in PLACES {
        for path in folder::find(dir, place) {
            if path.is_dir() && !is_skipped(&path) {
                one(&path, *must, found)?;
            }
        }
    }
    Ok(())
}

fn is_skipped(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    // A link would lead out of the project, or into it once more.
    name.starts_with('.') || SKIPPED.contains(&name.as_ref()) || path.is_symlink()
}

fn one(path: &Path, must: Lasting, found: &mut Found<'_>) -> Result<(), PlanError> {
    let suggestion = match bare::suggest(path) {
        Ok(suggestion) => suggestion,
        Err(PlanError::NothingToRun { .. }) => return Ok(()),
        Err(error) => return Err(error),
    };
    let source = found.shown(&path.join(told_by(&suggestion.steps)));
    let lasting = lasting::of(&suggestion.argv, path);
    if lasting != Lasting::Serves && lasting != must {
        found.step(source, "nothing that is known to serve: left out");
        return Ok(());
    }
    let words = suggestion.argv.join(" ".as_ref());
    found.step(source.clone(), format!("`{}`", words.to_string_lossy()));
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    found.add(&name, path.to_path_buf(), source)?;
    Ok(())
}

/// The file that a suggestion was taken from: not the lockfile, which names the package manager and comes last.
pub(crate) fn told_by(steps: &[Step]) -> &str {
    let manifest = steps.iter().find(|step| step.found.starts_with("has a "));
    manifest.or(steps.last()).map_or("", |step| step.looked_at.as_str())
}

/// Whether what a folder starts runs in a folder below it, and nothing in the folder itself.
pub(crate) fn only_delegates(dir: &Path) -> bool {
    let Ok(suggestion) = bare::suggest(dir) else { return false };
    let Ok(commands) = crate::unwrap::unwrap(&suggestion.argv, dir) else { return false };
    let inner = |folder: &PathBuf| folder.starts_with(dir) && folder != dir;
    !commands.is_empty() && commands.iter().all(|command| inner(&command.dir))
}

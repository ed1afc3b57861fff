//! What has been found of a project's services so far.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use wharf_model::name::slug;
use wharf_model::{Service, Step};

use crate::error::PlanError;
use crate::folder;

use super::yaml::Wrong;

/// How many services a project may have. A project that seems to have more has been misread.
pub(crate) const SERVICES_MAX: usize = 200;

/// How many parts of scripts are looked at: scripts that run each other many times over would never end.
const PARTS_MAX: usize = 1000;

/// How long a name may be so that a number still fits behind it in a label.
const NAME_MAX: usize = 58;

/// Services and the way to them.
pub(crate) struct Found<'a> {
    /// The folder that paths are shown from.
    pub(crate) root: &'a Path,
    pub(crate) services: Vec<Service>,
    pub(crate) trace: Vec<Step>,
    names: BTreeSet<String>,
    parts_left: usize,
}

impl<'a> Found<'a> {
    pub(crate) fn new(root: &'a Path) -> Found<'a> {
        Found {
            root,
            services: Vec::new(),
            trace: Vec::new(),
            names: BTreeSet::new(),
            parts_left: PARTS_MAX,
        }
    }

    /// Adds a service under a name that is a label and nobody else's.
    pub(crate) fn add(
        &mut self,
        name: &str,
        dir: PathBuf,
        source: impl Into<String>,
    ) -> Result<&mut Service, PlanError> {
        let count = self.services.len();
        if count >= SERVICES_MAX {
            return Err(PlanError::TooManyServices { dir: dir.clone(), limit: SERVICES_MAX });
        }
        let name = self.unique(name);
        self.services.push(Service::new(name, dir, source));
        Ok(&mut self.services[count])
    }

    /// Notes that a part of a script is looked at.
    pub(crate) fn part(&mut self) -> Result<(), PlanError> {
        let dir = self.root.to_path_buf();
        let left = self.parts_left.checked_sub(1);
        self.parts_left = left.ok_or(PlanError::TooManyServices { dir, limit: SERVICES_MAX })?;
        Ok(())
    }

    fn unique(&mut self, name: &str) -> String {
        let mut name = slug(name);
        if self.names.contains(&name) {
            name.truncate(NAME_MAX);
            let name_of = |number| format!("{}-{number}", name.trim_end_matches('-'));
            let free = (2..).map(name_of).find(|name| !self.names.contains(name));
            name = free.unwrap_or_default();
        }
        self.names.insert(name.clone());
        name
    }

    pub(crate) fn step(&mut self, looked_at: impl Into<String>, found: impl Into<String>) {
        self.trace.push(Step::new(looked_at, found));
    }

    /// A path as people would write it from the root.
    pub(crate) fn shown(&self, path: &Path) -> String {
        folder::shown(path, self.root)
    }
}

/// The whole text of a file; `None` if there is no such file. What is too large to be read whole is an error:
/// half of such a file says something else than all of it.
pub(crate) fn read(path: &Path) -> Result<Option<String>, PlanError> {
    let text = folder::text(path)
        .map_err(|source| PlanError::UnreadableFile { path: path.to_path_buf(), source })?;
    match text {
        Some(_) if folder::is_too_large(path) => {
            Err(PlanError::FileTooLarge { path: path.to_path_buf(), limit: folder::READ_MAX })
        }
        text => Ok(text),
    }
}

/// The error of a file in which something is wrong.
pub(crate) fn malformed(path: &Path, wrong: Wrong) -> PlanError {
    let Wrong { line, why, is_limit } = wrong;
    let path = path.to_path_buf();
    match is_limit {
        true => PlanError::TooMuch { path, line, why },
        false => PlanError::MalformedFile { path, line, why },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_labels_and_differ() {
        let mut found = Found::new(Path::new("/p"));
        let long = "y".repeat(80);
        for name in ["Web_1", "web-1", "web 1", "!", &long, &long] {
            found.add(name, "/p".into(), "x").unwrap();
        }
        let names: Vec<&str> = found.services.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names[..4], ["web-1", "web-1-2", "web-1-3", "x"]);
        assert!(names.iter().all(|name| name.len() <= 63) && names[4] != names[5]);
    }

    #[test]
    fn there_is_an_end_to_services() {
        let mut found = Found::new(Path::new("/p"));
        for _ in 0..SERVICES_MAX {
            found.add("web", "/p".into(), "x").unwrap();
        }
        assert!(found.add("web", "/p".into(), "x").is_err());
    }

    #[test]
    fn half_a_file_is_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        std::fs::write(&path, "a".repeat(300 * 1024)).unwrap();
        assert!(matches!(read(&path), Err(PlanError::FileTooLarge { .. })));
        assert_eq!(read(dir.path()).unwrap(), None);
    }
}

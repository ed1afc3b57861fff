//! What variables of a compose file are filled in with: the caller's environment, then `.env`.

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::PlanError;
use crate::services::found;
use crate::services::{dotenv, interpolation::Unfilled};

/// The environment of a caller, by name.
pub(super) type Shell<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The variables of a project, or of a part that it includes.
#[derive(Clone)]
pub(super) struct Variables<'a> {
    shell: Shell<'a>,
    files: BTreeMap<String, String>,
    /// Of which include they are; 0 of the project itself.
    pub(super) scope: usize,
}

impl<'a> Variables<'a> {
    pub(super) fn of(shell: Shell<'a>) -> Variables<'a> {
        Variables { shell, files: BTreeMap::new(), scope: 0 }
    }

    /// The caller's, else that of a file.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        (self.shell)(name).or_else(|| self.files.get(name).cloned())
    }

    /// One that is set to something.
    pub(super) fn said(&self, name: &str) -> Option<String> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// Adds those of a `.env` file that are not set yet, and says whether the file is there.
    pub(super) fn add(&mut self, path: &Path) -> Result<bool, PlanError> {
        let Some(text) = found::read(path)? else { return Ok(false) };
        let more = dotenv::expanded(&text, &|name| self.get(name))
            .map_err(|why: Unfilled| found::malformed(path, why.at(1)))?;
        for (name, value) in more {
            self.files.entry(name).or_insert(value);
        }
        Ok(true)
    }
}

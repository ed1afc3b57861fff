//! `[compose]` of `wharf.toml`: which compose files belong to the project.

use std::path::PathBuf;

use serde::Deserialize;
use wharf_plan::services::compose::Wish;

/// What docker compose would be told on its command line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Compose {
    /// The files, the weakest first, from the project's root.
    #[serde(default)]
    files: Vec<PathBuf>,
    /// The profiles that are on.
    #[serde(default)]
    profiles: Vec<String>,
}

impl Compose {
    /// What is to be read, with the environment of this process.
    pub(crate) fn wish(&self) -> Wish<'_> {
        Wish {
            files: &self.files,
            profiles: &self.profiles,
            env: &variable,
            is_strict: false,
            skips_own: false,
        }
    }
}

/// A variable of this process; one that is not UTF-8 is none.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

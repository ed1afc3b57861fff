//! `[compose]` of `wharf.toml`: which compose files belong to the project.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use wharf_plan::services::compose::Wish;

/// What `wharf export compose-override` writes beside files that docker compose does not find by itself.
pub(crate) const OWN_FILE: &str = "compose.wharf.yaml";

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
    /// The same with files of a root, from wherever they are read. What wharf has written there is one of them: it is of
    /// one checkout, so that no `wharf.toml` can name it.
    pub(crate) fn below(self, root: &Path) -> Compose {
        let mut files: Vec<PathBuf> = self.files.iter().map(|file| root.join(file)).collect();
        let own = root.join(OWN_FILE);
        if !files.is_empty() && !files.contains(&own) && own.is_file() {
            files.push(own);
        }
        Compose { files, ..self }
    }

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

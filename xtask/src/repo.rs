//! The repository as text: every file that belongs to it, by its path from the root.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What holds nothing of the repository's own. In a linked worktree `.git` is a file.
const FOREIGN: &[&str] = &[".git", "target", "node_modules", ".venv", "__pycache__"];

/// Every file of the repository.
#[derive(Debug, Default)]
pub struct Repo {
    files: BTreeMap<String, String>,
}

/// The root: the nearest folder upwards whose Cargo.toml is a workspace.
pub fn root() -> Result<PathBuf, String> {
    let here = std::env::current_dir().map_err(|error| format!("no current folder: {error}"))?;
    let is_root = |dir: &&Path| {
        fs::read_to_string(dir.join("Cargo.toml")).is_ok_and(|text| text.contains("[workspace]"))
    };
    let found = here.ancestors().find(is_root).map(Path::to_owned);
    found.ok_or_else(|| "this is not inside the repository: no workspace above".to_owned())
}

impl Repo {
    /// Reads everything below `root`.
    pub fn read(root: &Path) -> Result<Repo, String> {
        let mut repo = Repo::default();
        repo.add(root, "")?;
        Ok(repo)
    }

    /// A repository of these files.
    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Repo {
        let own = |(path, text): &(&str, &str)| ((*path).to_owned(), (*text).to_owned());
        Repo { files: files.iter().map(own).collect() }
    }

    fn add(&mut self, dir: &Path, below: &str) -> Result<(), String> {
        let failed = |error| format!("cannot read {}: {error}", dir.display());
        for entry in fs::read_dir(dir).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{below}{name}");
            let kind = entry.file_type().map_err(failed)?;
            if FOREIGN.contains(&name.as_str()) {
                continue;
            }
            if kind.is_dir() {
                self.add(&entry.path(), &format!("{path}/"))?;
            } else if kind.is_file() && !name.ends_with(".swp") {
                // An editor may have taken the file away since it was listed.
                let Ok(bytes) = fs::read(entry.path()) else {
                    continue;
                };
                // What is not text is there, and has nothing to say.
                self.files.insert(path, String::from_utf8(bytes).unwrap_or_default());
            }
        }
        Ok(())
    }

    /// Every file, sorted.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The files of one folder and below whose names end like this.
    pub fn below<'a>(
        &'a self,
        folder: &'a str,
        end: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.files().filter(move |(path, _)| path.starts_with(folder) && path.ends_with(end))
    }

    /// The text of a file.
    pub fn get(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Whether there is a folder with something in it.
    pub fn has_folder(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        self.files.keys().any(|file| file.starts_with(&folder))
    }
}

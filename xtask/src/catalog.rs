//! The catalog of frameworks as the documents show it.

use serde::Deserialize;

use crate::repo::Repo;

/// The folder of the data files.
pub const FOLDER: &str = "crates/wharf-plan/catalog/";
/// Data files that are no entry.
const TABLES: &[&str] = &["ports.toml", "wrappers.toml"];

/// One framework, server or package manager.
#[derive(Clone, Debug, Deserialize)]
pub struct Entry {
    /// The name of its file, and of its fixture folder.
    pub id: String,
    /// The name for people.
    pub name: String,
    /// What it is written for; absent for package managers.
    pub lang: Option<String>,
    /// Which proof wharf has of it.
    pub proof: Proof,
    /// The version that its facts were taken from.
    pub tested: Option<String>,
    /// The port that it takes when nobody says otherwise.
    pub conventional: Option<u16>,
    /// Further ports that it takes.
    #[serde(default)]
    pub further_ports: Vec<u16>,
    /// How the port is handed over.
    pub inject: Option<Inject>,
}

/// How the port is handed over.
#[derive(Clone, Debug, Deserialize)]
pub struct Inject {
    /// The best way.
    pub by: String,
}

/// Which proof wharf has of an entry.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// The real server is started in wharf's own tests.
    Run,
    /// A fixture shows what is detected and injected; the server is not started.
    Fixture,
}

impl Entry {
    /// The conventional port and the further ones, for people.
    pub fn ports(&self) -> String {
        let all = self.conventional.iter().chain(&self.further_ports);
        all.map(u16::to_string).collect::<Vec<_>>().join(", ")
    }
}

/// Every entry with its file, in the order of the names for people.
pub fn read(repo: &Repo) -> Result<Vec<(String, Entry)>, String> {
    let mut entries = Vec::new();
    for (path, text) in repo.below(FOLDER, ".toml") {
        if TABLES.contains(&path.trim_start_matches(FOLDER)) {
            continue;
        }
        let entry: Entry = toml::from_str(text).map_err(|error| format!("{path}: {error}"))?;
        entries.push((path.to_owned(), entry));
    }
    entries.sort_by_key(|(_, entry)| (entry.name.to_lowercase(), entry.id.clone()));
    Ok(entries)
}

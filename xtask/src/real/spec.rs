//! The table of runs, `tests/real/runs.toml`: what is started, and what it must answer.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

/// Where the catalog is, one file per framework.
const CATALOG: &str = "crates/wharf-plan/catalog";

/// The whole table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Book {
    /// Variables of every run.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// What a part adds to the environment of the runs that need it.
    #[serde(default)]
    pub part: BTreeMap<String, Part>,
    /// The runs, in the order in which they are started.
    pub run: Vec<Run>,
}

/// What one part of `script/parts` adds to an environment.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Folders that come before the rest of `PATH`.
    #[serde(default)]
    pub path: Vec<String>,
    /// Variables.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}

/// One proof: two copies of a project, started at once.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// How the run is called.
    pub name: String,
    /// The catalog's name of what is started; none for a program that the catalog cannot know.
    pub framework: Option<String>,
    /// The folder under `tests/real/projects`.
    pub project: String,
    /// Options of `wharf run` itself.
    #[serde(default)]
    pub options: Vec<String>,
    /// What the user types after `wharf run`; nothing for `wharf run` alone.
    #[serde(default)]
    pub command: Vec<String>,
    /// The conventional port, or the literal one of a hard-coded program.
    pub port: u16,
    /// The address that the server is reached at: `127.0.0.1`, or `localhost` for either family,
    /// where the user has typed that.
    #[serde(default = "loopback")]
    pub host: String,
    /// What is asked for over HTTP.
    pub path: String,
    /// The file of the copy whose text must come back.
    #[serde(default = "identity_file")]
    pub identity: String,
    /// Names of `script/parts`.
    #[serde(default)]
    pub needs: Vec<String>,
    /// Variables of this run.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// What of the parts goes into each copy.
    #[serde(default)]
    pub deps: Vec<Dep>,
    /// Seconds until both copies must be ready.
    #[serde(default = "ready_seconds")]
    pub timeout: u64,
    /// Seconds until a stopped copy must be gone.
    #[serde(default = "stop_seconds")]
    pub stop_timeout: u64,
    /// What listens beyond loopback whatever the server is handed; wharf must then say it.
    #[serde(default)]
    pub exposed: Exposed,
    /// What must come of the two copies.
    #[serde(default)]
    pub expect: Expect,
}

/// A folder of the parts that goes into each copy.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dep {
    /// The folder, seen from the parts.
    pub from: String,
    /// Where it goes, seen from the copy.
    pub to: String,
    /// Whether the files are written to in place, so that a hard link would change the parts.
    #[serde(default)]
    pub private: bool,
}

/// What must come of the two copies.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Expect {
    /// Both are ready, each on its own port.
    #[default]
    Ready,
    /// The program takes one literal port: the second copy cannot, and must not be called ready.
    HardCoded,
    /// The program takes one literal port, and wharf gives the second copy another one.
    Remapped,
}

/// What listens beyond loopback, by the program's own code or configuration.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Exposed {
    /// Nothing.
    #[default]
    Nothing,
    /// The server itself.
    Server,
    /// Only a further port that it opens.
    Extra,
}

fn identity_file() -> String {
    "identity.txt".to_owned()
}

fn loopback() -> String {
    "127.0.0.1".to_owned()
}

fn ready_seconds() -> u64 {
    60
}

fn stop_seconds() -> u64 {
    15
}

impl Book {
    /// Reads and checks the table of `repo`.
    pub fn read(repo: &Path) -> Result<Book, String> {
        let file = repo.join("tests/real/runs.toml");
        let text = std::fs::read_to_string(&file)
            .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        let book: Book =
            toml::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?;
        book.check(repo).map_err(|why| format!("{}: {why}", file.display()))?;
        Ok(book)
    }

    fn check(&self, repo: &Path) -> Result<(), String> {
        let mut seen = BTreeSet::new();
        for run in &self.run {
            if !seen.insert(&run.name) {
                return Err(format!("two runs are called `{}`", run.name));
            }
            run.check(repo).map_err(|why| format!("run `{}`: {why}", run.name))?;
        }
        Ok(())
    }

    /// The runs of these names, or all of them.
    pub fn select(&self, names: &[String]) -> Result<Vec<&Run>, String> {
        if names.is_empty() {
            return Ok(self.run.iter().collect());
        }
        names.iter().map(|name| self.find(name)).collect()
    }

    /// The run of this name.
    pub fn find(&self, name: &str) -> Result<&Run, String> {
        self.run.iter().find(|run| run.name == name).ok_or_else(|| {
            format!("there is no run `{name}`; `cargo xtask real --list` names them")
        })
    }
}

impl Run {
    /// Whether what the entry names is there.
    fn check(&self, repo: &Path) -> Result<(), String> {
        let project = repo.join("tests/real/projects").join(&self.project);
        if !project.is_dir() {
            return Err(format!("there is no project {}", project.display()));
        }
        let Some(framework) = &self.framework else {
            return Ok(());
        };
        let entry = repo.join(CATALOG).join(format!("{framework}.toml"));
        if !entry.is_file() {
            return Err(format!("the catalog has no {}", entry.display()));
        }
        Ok(())
    }

    /// The addresses at which wharf may say that the server is reached.
    pub fn hosts(&self) -> Vec<IpAddr> {
        match self.host.parse() {
            Ok(ip) => vec![ip],
            Err(_) => vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()],
        }
    }

    /// How long both copies may take to be ready.
    pub fn ready_within(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }

    /// How long a stopped copy may take to be gone.
    pub fn gone_within(&self) -> Duration {
        Duration::from_secs(self.stop_timeout)
    }

    /// What a person would have typed.
    pub fn typed(&self) -> String {
        let mut words = vec!["wharf", "run"];
        words.extend(self.options.iter().chain(&self.command).map(String::as_str));
        words.join(" ")
    }
}

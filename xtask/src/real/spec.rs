//! The tables of runs, `runs.toml`, `hard-coded.toml`, `names.toml` and `up.toml` in `tests/real`: what is
//! started, and what it must answer.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

/// Where the catalog is, one file per framework.
const CATALOG: &str = "crates/wharf-plan/catalog";

/// Where the tables are, by stage.
const TABLES: [(Stage, &str); 4] = [
    (Stage::Frameworks, "tests/real/runs.toml"),
    (Stage::HardCoded, "tests/real/hard-coded.toml"),
    (Stage::Names, "tests/real/names.toml"),
    (Stage::Up, "tests/real/up.toml"),
];

/// Which of the proofs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// Frameworks as their users start them, which wharf hands a port.
    #[default]
    Frameworks,
    /// Programs with a literal port, which wharf remaps.
    HardCoded,
    /// Servers behind their names, seen by a browser.
    Names,
    /// Whole projects, which `wharf up` runs.
    Up,
}

/// The tables of all stages.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Book {
    /// Variables of every run.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// What a part adds to the environment of the runs that need it.
    #[serde(default)]
    pub part: BTreeMap<String, Part>,
    /// The runs, in the order in which they are started.
    #[serde(default)]
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

/// One proof: some copies of a project, started at once.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The table that it stands in.
    #[serde(skip)]
    pub stage: Stage,
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
    /// How many copies.
    #[serde(default = "two")]
    pub copies: usize,
    /// Who starts them.
    #[serde(default)]
    pub by: By,
    /// The conventional port, or the literal one of a hard-coded program.
    pub port: u16,
    /// The address that the server is reached at: `127.0.0.1`, or `localhost` for either family,
    /// where the user has typed that.
    #[serde(default = "loopback")]
    pub host: String,
    /// Further addresses at which each copy must answer on the same port.
    #[serde(default)]
    pub also_at: Vec<IpAddr>,
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
    /// Seconds until all copies must be ready.
    #[serde(default = "ready_seconds")]
    pub timeout: u64,
    /// Seconds until a stopped copy must be gone.
    #[serde(default = "stop_seconds")]
    pub stop_timeout: u64,
    /// What listens beyond loopback whatever the server is handed; wharf must then say it.
    #[serde(default)]
    pub exposed: Exposed,
    /// What must come of the copies.
    #[serde(default)]
    pub expect: Expect,
    /// What is proved of the names of its servers.
    pub by_name: Option<ByName>,
    /// Commands that are called in the copy before it is started, without wharf.
    #[serde(default)]
    pub prepare: Vec<Vec<String>>,
    /// The file that is edited while a page is open.
    pub edit: Option<String>,
    /// Whether the open page loads itself again after that, rather than keep what it holds.
    #[serde(default)]
    pub reloads: bool,
    /// What is filled into the form, by the names of its fields.
    #[serde(default)]
    pub fill: BTreeMap<String, String>,
    /// What the page shows after that; {scheme}, {host} and {identity} are filled in.
    #[serde(default)]
    pub shows: String,
    /// The other runs whose servers are started too.
    #[serde(default)]
    pub with: Vec<String>,
    /// What is proved of the project that `wharf up` runs.
    pub up: Option<Up>,
    /// The ports that the instances of one service get, in the order of their numbers.
    #[serde(default)]
    pub ports: Vec<u16>,
    /// The names of the worktrees beside the main checkout.
    #[serde(default)]
    pub worktrees: Vec<String>,
}

/// A folder of the parts that goes into each copy.
#[derive(Clone, Debug, Deserialize)]
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

/// What must come of the copies.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Expect {
    /// Both are ready, each on its own port.
    #[default]
    Ready,
    /// The program takes one literal port: the second copy cannot, and must not be called ready.
    HardCoded,
    /// The program takes one literal port, and wharf gives all copies but one another.
    Remapped,
    /// The program takes one literal port, and wharf gives each copy an address of its own to take it on.
    Addressed,
    /// As remapped, of one copy that starts when it is first asked. Made from each run that is remapped.
    OnDemand,
    /// Two worktrees of a front and an API with literal ports; a browser shows each front.
    Worktrees,
    /// The same, and the browser is in the group itself.
    BrowserInside,
}

/// What is proved of servers behind their names.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum ByName {
    /// Open pages show what was edited, over sockets that go to the name.
    Hot,
    /// A form is filled in and sent, past the framework's own checks.
    Form,
    /// Worktrees and siblings: who gets which cookie.
    Cookies,
    /// A page of another site reads nothing and connects to nothing.
    Foreign,
    /// The page that is shown until there is a server.
    Waiting,
    /// Events and sockets that stay open.
    Streams,
    /// A restart refuses nobody.
    Restart,
    /// It answers.
    Plain,
    /// How TLS is spoken, by the judgement of a scanner.
    Tls,
    /// How HTTP/2 is spoken, by the judgement of a conformance suite.
    Http2,
}

/// What is proved of a project that `wharf up` runs.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Up {
    /// Some instances of one service, side by side.
    Scale,
    /// A front, an API and its database in each of some worktrees, seen by one browser.
    Shop,
    /// A front and an API in each of some worktrees, brought up at once; one worktree is deleted.
    Stand,
}

/// Who starts the copies.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// Whoever runs the proof.
    #[default]
    Caller,
    /// A user without any capability.
    Ordinary,
    /// Two runs, one of each.
    Both,
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

fn two() -> usize {
    2
}

fn ready_seconds() -> u64 {
    60
}

fn stop_seconds() -> u64 {
    15
}

impl Book {
    /// Reads and checks the tables of `repo`.
    pub fn read(repo: &Path) -> Result<Book, String> {
        let mut book = Book::default();
        for (stage, path) in TABLES {
            let file = repo.join(path);
            let text = std::fs::read_to_string(&file)
                .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
            let table: Book =
                toml::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?;
            table.check(repo).map_err(|why| format!("{}: {why}", file.display()))?;
            book.add(table, stage);
        }
        Ok(book)
    }

    fn add(&mut self, table: Book, stage: Stage) {
        self.env.extend(table.env);
        self.part.extend(table.part);
        let runs = table.run.into_iter().flat_map(Run::by_each).flat_map(Run::on_demand_too);
        self.run.extend(runs.map(|run| Run { stage, ..run }));
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

    /// The runs of these names, or all of the stage.
    pub fn select(&self, names: &[String], stage: Stage) -> Result<Vec<&Run>, String> {
        if names.is_empty() {
            return Ok(self.run.iter().filter(|run| run.stage == stage).collect());
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
    /// One run for each of those who start it.
    fn by_each(self) -> Vec<Run> {
        if self.by != By::Both {
            return vec![self];
        }
        let name = format!("{}-user", self.name);
        vec![Run { by: By::Caller, ..self.clone() }, Run { name, by: By::Ordinary, ..self }]
    }

    /// A second run on demand for each program with a literal port. Its listener is wharf's own, on
    /// 127.0.0.1, whatever the program asks for, so one of a program's addresses is enough.
    fn on_demand_too(self) -> Vec<Run> {
        let variant = ["-v4", "-v6", "-dual"].iter().any(|end| self.name.ends_with(end));
        if self.expect != Expect::Remapped || variant || self.by == By::Ordinary {
            return vec![self];
        }
        let mut options = self.options.clone();
        options.push("--on-demand".to_owned());
        let name = format!("{}-on-demand", self.name);
        let exposed = if self.exposed == Exposed::Server { Exposed::Nothing } else { self.exposed };
        let (copies, expect) = (1, Expect::OnDemand);
        let also_at = Vec::new();
        let on_demand = Run { name, options, exposed, also_at, copies, expect, ..self.clone() };
        vec![self, on_demand]
    }

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

    /// How long all copies may take to be ready.
    pub fn ready_within(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }

    /// How long a stopped copy may take to be gone.
    pub fn gone_within(&self) -> Duration {
        Duration::from_secs(self.stop_timeout)
    }

    /// What a person would have typed.
    pub fn typed(&self) -> String {
        let command = if self.stage == Stage::Up { "up" } else { "run" };
        let mut words = vec!["wharf", command];
        words.extend(self.options.iter().chain(&self.command).map(String::as_str));
        words.join(" ")
    }
}

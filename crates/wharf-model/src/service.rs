//! What a project runs: its services, as they are declared or detected.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::plan::Step;
use crate::request::PortArgument;

/// How long a tree has between the first signal and SIGKILL when nothing else is said.
pub const STOP_GRACE: Duration = Duration::from_secs(5);

/// Everything that a project runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProjectServices {
    /// What wharf starts, in the order in which it was found.
    pub services: Vec<Service>,
    /// What another program starts (Docker Compose), and whose ports nobody else is to have.
    pub external: Vec<External>,
    /// What was looked at and what followed, in order.
    pub trace: Vec<Step>,
}

/// A service of a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Its name: a label of its URL.
    pub name: String,
    /// Its command; `None` for what `wharf run` alone would start in its folder.
    pub run: Option<Run>,
    /// The folder to run in; absolute.
    pub dir: PathBuf,
    /// The port, where one is asked for.
    pub port: Option<PortArgument>,
    /// How many instances of it run.
    pub instances: u32,
    /// Services that must be ready before it is launched.
    pub depends_on: Vec<String>,
    /// When it counts as ready.
    pub ready: Ready,
    /// Variables for its environment, with placeholders (`{port}`, `{api.url}`).
    pub env: BTreeMap<String, String>,
    /// Files whose changes start it again, as globs below its folder.
    pub watch: Vec<String>,
    /// Whether it is launched again when it ends.
    pub restart: Restart,
    /// Whether it is launched at the first connection, and ended after this long without one.
    pub on_demand: Option<Duration>,
    /// Whether it gets its listening socket from wharf, as from systemd.
    #[serde(default)]
    pub socket: bool,
    /// The signal that asks it to end, such as `TERM`.
    pub stop_signal: String,
    /// How long it has between that signal and SIGKILL.
    pub stop_grace: Duration,
    /// Who may reach it.
    pub expose: Expose,
    /// The most memory that its processes may have together, in bytes.
    pub memory_max: Option<u64>,
    /// Where it was found, such as `Procfile line 2`.
    pub source: String,
    /// What of it means itself, whatever braces are in it.
    #[serde(default)]
    pub verbatim: Verbatim,
}

/// What another tool's file says of a service: `{port}` is no placeholder there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verbatim {
    /// Whether its command is.
    pub run: bool,
    /// The names of the variables whose values are.
    pub env: BTreeSet<String>,
}

/// The command of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Run {
    /// A program and its arguments.
    Words(Vec<OsString>),
    /// A text for `sh -c`.
    Shell(String),
}

/// When a service counts as ready.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ready {
    /// By what its framework is known to do: HTTP or a listener. What is not known to serve counts once it
    /// has run for a while.
    #[default]
    Auto,
    /// Once it listens.
    Listen,
    /// Once it answers a GET of this path with a status below 400; of `/` with any status where no path is
    /// named.
    Http(Option<String>),
    /// Once a line of its output has this text in it, as a regular expression.
    Log(String),
    /// Once this text for `sh -c` ends with success.
    Command(String),
    /// Once it says so itself (`sd_notify(3)`).
    Notify,
    /// Once it has ended with success: a step such as a migration.
    Exit,
}

/// Whether a service is launched again when it ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restart {
    /// Never.
    #[default]
    No,
    /// When it ends with a failure.
    OnFailure,
    /// Whenever it ends by itself.
    Always,
}

/// Who may reach a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expose {
    /// As the settings say of all services.
    #[default]
    Default,
    /// This machine alone: wildcard binds become loopback ones.
    Loopback,
    /// Other machines of the local network too, by name.
    Lan,
}

/// A service that wharf does not start, and its ports on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct External {
    /// Its name.
    pub name: String,
    /// Who starts it, such as `docker compose`.
    pub by: String,
    /// What it is made of, such as `image postgres:16`.
    pub what: String,
    /// Its ports that are published on this machine.
    pub published: Vec<Publication>,
    /// The name of its container, where that is a fixed one: two containers cannot have one name.
    pub container: Option<String>,
    /// Where it was found, such as `docker-compose.yml line 3`.
    pub source: String,
}

/// A port of a container that is published on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// The address of this machine; `None` is every one.
    pub address: Option<IpAddr>,
    /// The port of this machine, or the ports of which the program takes one. `None` is any that is free, which is
    /// nobody's to know beforehand.
    pub host: Option<RangeInclusive<u16>>,
    /// The port within.
    pub target: u16,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
}

impl Publication {
    /// Whether it is a port of TCP's, which are the ones that are leased.
    pub fn is_tcp(&self) -> bool {
        self.protocol == "tcp"
    }

    /// The ports of this machine, as people write them: `8080`, or `8000-8010`; empty where any will do.
    pub fn host_text(&self) -> String {
        match &self.host {
            None => String::new(),
            Some(host) if host.start() == host.end() => host.start().to_string(),
            Some(host) => format!("{}-{}", host.start(), host.end()),
        }
    }
}

impl External {
    /// Its ports of this machine by TCP, each once, in order.
    pub fn ports(&self) -> Vec<u16> {
        let tcp = self.published.iter().filter(|one| one.is_tcp());
        let mut ports: Vec<u16> = tcp.filter_map(|one| one.host.clone()).flatten().collect();
        ports.sort_unstable();
        ports.dedup();
        ports
    }
}

impl Service {
    /// A service of which only its name, its folder and where it was found are known.
    pub fn new(name: impl Into<String>, dir: PathBuf, source: impl Into<String>) -> Service {
        Service {
            name: name.into(),
            run: None,
            dir,
            port: None,
            instances: 1,
            depends_on: Vec::new(),
            ready: Ready::Auto,
            env: BTreeMap::new(),
            watch: Vec::new(),
            restart: Restart::No,
            on_demand: None,
            socket: false,
            stop_signal: "TERM".into(),
            stop_grace: STOP_GRACE,
            expose: Expose::Default,
            memory_max: None,
            source: source.into(),
            verbatim: Verbatim::default(),
        }
    }

    /// Whether the value of this variable has placeholders.
    pub fn fills(&self, variable: &str) -> bool {
        !self.verbatim.env.contains(variable)
    }

    /// Whether it is a step that ends, and not a server.
    pub fn is_step(&self) -> bool {
        self.ready == Ready::Exit
    }
}

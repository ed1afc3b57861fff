//! What is known of a listener and of who holds it.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use wharf_model::Exposure;

use super::answers::Answers;

/// A process that holds a listener.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its short name.
    pub command: String,
    /// Its words.
    pub argv: Vec<String>,
    /// Its working folder, where it may be seen.
    pub folder: Option<PathBuf>,
}

/// A listening TCP socket, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The address it is bound to.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
    /// The name of its user.
    pub user: String,
    /// Whether that is the user who asks.
    pub is_own: bool,
    /// Its processes; empty where they may not be seen.
    pub processes: Vec<Process>,
    /// The project in whose folder it runs: the root of the checkout, and how it is called.
    pub project: Option<(PathBuf, String)>,
    /// The container that publishes the port, or in which it runs.
    pub container: Option<String>,
    /// Whether wharf itself holds it: the proxy, a pilot, the daemon.
    pub is_wharf: bool,
    /// What the firewall is known to do.
    pub firewall: String,
    /// What it has answered.
    pub answers: Answers,
}

impl Listener {
    /// From where it can be reached.
    pub fn exposure(&self) -> Exposure {
        Exposure::of(self.address)
    }

    /// Whether others than this machine can reach it, as far as its address says.
    pub fn is_open(&self) -> bool {
        self.exposure() != Exposure::Loopback
    }

    /// The process that stands for all of them.
    pub fn process(&self) -> Option<&Process> {
        self.processes.first()
    }

    /// The short name of its process, for people.
    pub fn name(&self) -> &str {
        self.process().map_or("a process that may not be seen", |process| &process.command)
    }

    /// `127.0.0.1:8000`
    pub fn endpoint(&self) -> String {
        std::net::SocketAddr::new(self.address, self.port).to_string()
    }

    /// Where it is reachable, in words.
    pub fn reach(&self) -> String {
        match self.exposure() {
            Exposure::Loopback => format!("{}: this machine only", self.endpoint()),
            Exposure::Lan => format!("{}: whoever reaches this address", self.endpoint()),
            Exposure::All => format!("{}: every network of this machine", self.endpoint()),
        }
    }

    /// Every word of every process's command.
    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        self.processes.iter().flat_map(|process| process.argv.iter().map(String::as_str))
    }

    /// Whether a process has one of these short names, or is a script of that name.
    pub(super) fn runs(&self, names: &[&str]) -> bool {
        let is_named = |word: &str| {
            let name = Path::new(word)
                .file_name()
                .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
            names.contains(&name.as_str())
        };
        self.processes.iter().any(|process| {
            is_named(&process.command) || process.argv.iter().take(3).any(|word| is_named(word))
        })
    }

    /// The facts that each finding about it begins with.
    pub(super) fn facts(&self) -> Vec<String> {
        let mut facts = vec![format!("listens on {}", self.reach())];
        if let Some(process) = self.process() {
            let folder = process.folder.as_ref().map(|folder| format!(", in {}", folder.display()));
            facts.push(format!(
                "pid {}: {}{}",
                process.pid,
                shortened(&process.argv.join(" ")),
                folder.unwrap_or_default()
            ));
        }
        if !self.is_own {
            facts.push(format!("of user {}", self.user));
        }
        facts
    }
}

/// The most of a command line that is evidence, in characters.
const COMMAND_MAX: usize = 200;

fn shortened(text: &str) -> String {
    match text.char_indices().nth(COMMAND_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

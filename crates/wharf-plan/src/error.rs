//! Why there is no plan.

use std::io;
use std::path::PathBuf;

use wharf_model::{Port, Step};

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The folder is not there or cannot be entered.
    #[error("cannot use the folder {}", dir.display())]
    BadFolder {
        /// The folder.
        dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that the plan needs cannot be read.
    #[error("cannot read {}", path.display())]
    UnreadableFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A package.json that is not JSON.
    #[error("{} is not valid JSON at line {line}: {why}", path.display())]
    BadPackageJson {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the parser said.
        why: String,
    },
    /// A file that says what a project runs, and in which something is wrong.
    #[error("{} line {line}: {why}", path.display())]
    MalformedFile {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// A file that may be right, and asks for more than wharf reads.
    #[error("{} line {line}: {why}", path.display())]
    TooMuch {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What there is too much of, and the bound.
        why: String,
    },
    /// A file that says what a project runs, and that is too large to be one.
    #[error("{} is larger than {} KiB", path.display(), limit / 1024)]
    FileTooLarge {
        /// The file.
        path: PathBuf,
        /// How large it may be, in bytes.
        limit: u64,
    },
    /// A project with more services than any has.
    #[error("{} has more than {limit} services", dir.display())]
    TooManyServices {
        /// The folder.
        dir: PathBuf,
        /// How many there may be.
        limit: usize,
    },
    /// The command has no words.
    #[error("the command is empty")]
    EmptyCommand,
    /// No command was given, and nothing in the folder says what to run.
    #[error("found nothing to run in {}", dir.display())]
    NothingToRun {
        /// The folder.
        dir: PathBuf,
        /// What was looked for, and what was seen instead.
        looked_for: Vec<Step>,
    },
    /// The package has no such script.
    #[error("{} has no script `{script}`", path.display())]
    ScriptMissing {
        /// The script.
        script: String,
        /// The manifest.
        path: PathBuf,
        /// The scripts that it has.
        known: Vec<String>,
    },
    /// `--port` and a port that stands where wharf cannot replace it.
    #[error("`--port` asks for {asked}, but {place} says {typed}, and wharf cannot replace that")]
    PortConflict {
        /// The port of `--port`.
        asked: Port,
        /// The other port.
        typed: Port,
        /// Where that stands.
        place: String,
    },
    /// The service's name has no letter or digit.
    #[error("`{name}` cannot be a service's name: it has no letter or digit")]
    BadServiceName {
        /// The name.
        name: String,
    },
}

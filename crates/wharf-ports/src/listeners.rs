//! Who listens on this machine.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use wharf_facts::map::{self, Listening, PortMap, Query};

use crate::error::{Error, ErrorKind};

/// A TCP socket of this network namespace that listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    port: u16,
    address: IpAddr,
    user: String,
    processes: Vec<Process>,
}

/// A process that shares a listener, as far as this user may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pid: u32,
    name: String,
    arguments: Vec<OsString>,
    program: Option<PathBuf>,
    folder: Option<PathBuf>,
    age: Duration,
}

/// Every TCP listener of this network namespace with its processes, by port: one question to the kernel and
/// one look at all processes.
///
/// ```
/// let port = wharf_ports::lease_port().take()?;
/// let server = port.bind()?;
///
/// let all = wharf_ports::listeners()?;
/// let own = all.iter().find(|one| one.port() == port.number()).expect("it listens");
/// assert_eq!(own.address(), server.local_addr()?.ip());
/// assert_eq!(own.processes()[0].pid(), std::process::id());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The kernel does not tell who listens, or `/proc` may not be read.
pub fn listeners() -> Result<Vec<Listener>, Error> {
    let map = map::map(Query::default()).map_err(|error| {
        Error::new(ErrorKind::System, "the kernel does not say who listens")
            .because(&error)
            .with_help("`wharf doctor` says what is missing")
    })?;
    Ok(map.listeners.iter().map(|one| listener(&map, one)).collect())
}

fn listener(map: &PortMap, one: &Listening) -> Listener {
    let processes = map.processes_of(one).map(process).collect();
    Listener { port: one.port, address: one.address, user: one.user(), processes }
}

fn process(one: &map::Process) -> Process {
    Process {
        pid: one.id.pid,
        name: one.command.clone(),
        arguments: one.argv.clone(),
        program: one.exe.clone(),
        folder: one.folder.clone(),
        age: Duration::from_secs(one.age_s),
    }
}

impl Listener {
    /// The port, never 0.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address that it is bound to; `0.0.0.0` and `::` are every address of the machine.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// The name of the user who made the socket, or the number where it has none.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The processes that share it; empty where none may be seen.
    pub fn processes(&self) -> &[Process] {
        &self.processes
    }
}

impl Process {
    /// Its number.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Its short name, of 15 bytes at most.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The words of its command line; empty where they may not be seen.
    pub fn arguments(&self) -> &[OsString] {
        &self.arguments
    }

    /// The program's file.
    pub fn program(&self) -> Option<&Path> {
        self.program.as_deref()
    }

    /// Its working folder.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// How long it has run, in whole seconds.
    pub fn age(&self) -> Duration {
        self.age
    }
}

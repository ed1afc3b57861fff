//! Who calls: a process of the tree, another wharf, a process with a network of its own.

use std::os::unix::fs::MetadataExt;

use wharf_os::process;

/// What tells our own processes from others.
#[derive(Debug)]
pub(crate) struct Home {
    network: Option<u64>,
    program: Option<(u64, u64)>,
    mark: (&'static str, String),
}

/// The variable in which a nested wharf tells its own instance the port that it leased.
const NESTED_PORT: &str = "WHARF_PORT";

impl Home {
    pub(crate) fn new(mark: (&'static str, String)) -> Home {
        let own = std::process::id();
        Home { network: process::network_namespace(own).ok(), program: program(own), mark }
    }

    /// Whether the process has the network that we have: ports elsewhere are other ports. One that
    /// cannot be seen is taken to be elsewhere.
    pub(crate) fn has_our_network(&self, pid: u32) -> bool {
        self.network.is_some() && process::network_namespace(pid).ok() == self.network
    }

    /// Whether the process is a wharf itself, whose reservations and daemon are on the ports that they
    /// name.
    pub(crate) fn is_wharf(&self, pid: u32) -> bool {
        self.program.is_some() && program(pid) == self.program
    }

    /// Whether the process was told to take this very port by a wharf that runs inside ours.
    pub(crate) fn is_leased_inside(&self, pid: u32, port: u16) -> bool {
        let value = |name: &str| process::environment_value(pid, name).ok().flatten();
        let (name, own) = &self.mark;
        let is_nested = value(name).is_some_and(|mark| mark != own.as_str());
        is_nested && value(NESTED_PORT).is_some_and(|told| told == port.to_string().as_str())
    }
}

fn program(pid: u32) -> Option<(u64, u64)> {
    let file = std::fs::metadata(format!("/proc/{pid}/exe")).ok()?;
    Some((file.dev(), file.ino()))
}

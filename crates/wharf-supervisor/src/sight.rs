//! What the tree of an instance listens on, as the kernel says.

use std::collections::{BTreeSet, HashSet};
use std::io;

use wharf_model::Listener;
use wharf_os::diag::{self, Socket, Watch};
use wharf_os::{holders, process};

/// A way to ask the kernel about one tree of processes.
#[derive(Debug)]
pub struct Sight {
    /// The guard: the root of the tree, itself no part of it.
    root: u32,
    /// What tells this instance's processes from those of another instance that runs inside its tree.
    mark: (&'static str, String),
    watch: Watch,
    /// Sockets of which it is known that the tree holds them. A socket keeps its inode for life, so
    /// an answer need not be asked for twice.
    own: HashSet<u64>,
}

/// Who listens on one port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OnPort {
    /// Listeners of the tree.
    pub own: Vec<Listener>,
    /// Listeners of others.
    pub foreign: Vec<Listener>,
}

impl Sight {
    /// Opens a sight on the tree below the process `root`.
    ///
    /// # Errors
    /// The kernel's socket diagnosis cannot be opened, nor `/proc/net/tcp` read.
    pub fn new(root: u32, mark: (&'static str, String)) -> io::Result<Sight> {
        Ok(Sight { root, mark, watch: Watch::open()?, own: HashSet::new() })
    }

    /// The processes of the tree, without the guard.
    pub fn members(&self) -> Vec<u32> {
        process::tree(self.root).into_iter().filter(|pid| *pid != self.root).collect()
    }

    /// Who listens on this port now: a few tens of microseconds when nobody or only known sockets do.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub fn on_port(&mut self, port: u16) -> io::Result<OnPort> {
        let sockets = self.watch.listening(port)?;
        if sockets.iter().any(|socket| !self.own.contains(&socket.inode)) {
            self.learn(&sockets);
        }
        let mut on_port = OnPort::default();
        for socket in &sockets {
            let list = match self.own.contains(&socket.inode) {
                true => &mut on_port.own,
                false => &mut on_port.foreign,
            };
            list.push(listener(socket, None));
        }
        if !on_port.foreign.is_empty() {
            self.forget_gone(port, &mut on_port)?;
        }
        Ok(on_port)
    }

    /// A listener that was closed, or whose process ended, between the two looks has no holder: it is
    /// nobody's, and no stranger's.
    fn forget_gone(&mut self, port: u16, on_port: &mut OnPort) -> io::Result<()> {
        let sockets = self.watch.listening(port)?;
        let left: Vec<Listener> = sockets.iter().map(|socket| listener(socket, None)).collect();
        on_port.foreign.retain(|foreign| left.contains(foreign));
        Ok(())
    }

    /// Everything that the tree listens on.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub fn everything(&mut self) -> io::Result<BTreeSet<Listener>> {
        let sockets = diag::listeners()?;
        self.own.clear();
        let held = self.learn(&sockets);
        Ok(held)
    }

    /// Whether the process is of another instance, whose pilot watches it itself. One whose environment
    /// may not be read is ours: it is in our tree.
    fn is_of_another(&self, pid: u32) -> bool {
        let (name, value) = &self.mark;
        match process::environment_value(pid, name) {
            Ok(Some(found)) => found != value.as_str(),
            Ok(None) | Err(_) => false,
        }
    }

    /// Finds which of the sockets the tree holds.
    fn learn(&mut self, sockets: &[Socket]) -> BTreeSet<Listener> {
        let inodes: Vec<u64> = sockets.iter().map(|socket| socket.inode).collect();
        let mut members = self.members();
        members.retain(|pid| !self.is_of_another(*pid));
        let found = holders::in_tree(&members, &inodes);
        let mut held = BTreeSet::new();
        for socket in sockets {
            if let Some(pids) = found.by_inode.get(&socket.inode) {
                self.own.insert(socket.inode);
                held.insert(listener(socket, pids.first().copied()));
            }
        }
        held
    }
}

/// An IPv6 wildcard that refuses IPv4 is told from a dual-stack one by nothing but its socket option,
/// so [`Listener::address`] of the latter stays `::`, and whoever dials tries both families.
fn listener(socket: &Socket, pid: Option<u32>) -> Listener {
    Listener { address: socket.address, port: socket.port, pid }
}

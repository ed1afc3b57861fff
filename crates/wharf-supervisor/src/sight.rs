//! What the tree of an instance listens on, as the kernel says.

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::net::IpAddr;

use wharf_model::Listener;
use wharf_os::diag::{self, Socket, Watch};
use wharf_os::remap::Held;
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
    /// The one address at which others would be in the way; any where there is none.
    address: Option<IpAddr>,
    /// Listeners that this process holds beyond their servers: nobody else's, whoever has them as well.
    ours: HashSet<u64>,
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
    pub fn new(
        root: u32,
        mark: (&'static str, String),
        address: Option<IpAddr>,
        ours: &[u64],
    ) -> io::Result<Sight> {
        let ours = ours.iter().copied().collect();
        Ok(Sight { root, mark, watch: Watch::open()?, own: HashSet::new(), address, ours })
    }

    fn is_in_the_way(&self, address: IpAddr) -> bool {
        self.address.is_none_or(|own| own == address.to_canonical())
    }

    /// Whether this process holds the listener.
    pub fn is_ours(&self, inode: u64) -> bool {
        self.ours.contains(&inode)
    }

    /// From now on this process holds the listener.
    pub fn take_for_ours(&mut self, inode: u64) {
        self.ours.insert(inode);
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
            if self.own.contains(&socket.inode) {
                on_port.own.push(listener(socket, None));
            } else if !self.is_ours(socket.inode) && self.is_in_the_way(socket.address) {
                on_port.foreign.push(listener(socket, None));
            }
        }
        if !on_port.foreign.is_empty() {
            self.forget_gone(port, &mut on_port)?;
        }
        Ok(on_port)
    }

    /// The kernel's numbers for the tree's listeners on a port.
    pub fn listening(&mut self, port: u16) -> Vec<u64> {
        let sockets = self.watch.listening(port).unwrap_or_default();
        self.learn(&sockets);
        let inodes = sockets.into_iter().map(|socket| socket.inode);
        inodes.filter(|inode| self.own.contains(inode)).collect()
    }

    /// A duplicate of one of the tree's listeners, where the system allows that.
    pub fn duplicate(&self, inode: u64) -> Option<Held> {
        Held::of_processes(&self.members(), inode).ok()
    }

    /// Whether anybody is connected to a port; `true` where the kernel does not tell.
    pub fn is_connected(&mut self, port: u16) -> bool {
        self.watch.is_connected(port).unwrap_or(true)
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

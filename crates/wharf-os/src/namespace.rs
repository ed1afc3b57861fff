//! Other network namespaces of this machine: containers, test hosts, sandboxes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::diag::{self, Socket, Transport};
use crate::process;

/// Where `ip netns` and Docker keep the namespaces that they made.
const NAMED: [&str; 2] = ["/run/netns", "/run/docker/netns"];

/// A network namespace that is not ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// The number that `ls -l /proc/PID/ns/net` shows.
    pub inode: u64,
    /// A process in it, through whose `/proc` entry it may be looked into; `None` where none is seen.
    pub pid: Option<u32>,
    /// The file by which it is kept where it has one, such as `/run/netns/blue`.
    pub file: Option<PathBuf>,
}

/// Every other network namespace in which a process may be seen or that has a name; without privileges
/// those of one's own processes only. In ascending order of their numbers.
pub fn others() -> Vec<Namespace> {
    let Ok(own) = process::network_namespace(std::process::id()) else { return Vec::new() };
    let mut found = BTreeMap::new();
    for pid in process::all().unwrap_or_default() {
        if let Ok(inode) = process::network_namespace(pid) {
            found.entry(inode).or_insert(Namespace { inode, pid: Some(pid), file: None });
        }
    }
    for (inode, file) in NAMED.iter().flat_map(|folder| named(Path::new(folder))) {
        found.entry(inode).or_insert(Namespace { inode, pid: None, file: None }).file = Some(file);
    }
    found.remove(&own);
    found.into_values().collect()
}

/// The namespaces that are kept in a folder. A file that is left over after its namespace has gone is on
/// the folder's own file system, and no namespace.
fn named(folder: &Path) -> Vec<(u64, PathBuf)> {
    let Ok(outside) = std::fs::metadata(folder) else { return Vec::new() };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let facts = entry.metadata().ok()?;
            // The metadata of the link is that of what is mounted there.
            (facts.dev() != outside.dev()).then(|| (facts.ino(), entry.path()))
        })
        .collect()
}

/// The sockets there that hold a port, as [`diag::sockets`]: asked from within where that is allowed
/// (root), else read from `/proc`, as [`diag::sockets_of`].
///
/// # Errors
/// It may neither be entered nor looked into, or has gone.
pub fn sockets(other: &Namespace, transport: Transport) -> io::Result<Vec<Socket>> {
    match (within(other, move || diag::sockets(transport)), other.pid) {
        (Err(_), Some(pid)) => diag::sockets_of(pid, transport),
        (result, _) => result,
    }
}

/// What a thread that has entered the namespace comes back with. Ours is never left.
fn within<T: Send>(
    other: &Namespace,
    work: impl FnOnce() -> io::Result<T> + Send,
) -> io::Result<T> {
    let path = match (&other.file, other.pid) {
        (Some(file), _) => file.clone(),
        (None, Some(pid)) => PathBuf::from(format!("/proc/{pid}/ns/net")),
        (None, None) => return Err(io::ErrorKind::NotFound.into()),
    };
    let door = File::open(path)?;
    // The number of a process may have passed on since it was looked at.
    if door.metadata()?.ino() != other.inode {
        return Err(io::ErrorKind::NotFound.into());
    }
    std::thread::scope(|scope| {
        let entering = || {
            move_into_link_name_space(door.as_fd(), Some(LinkNameSpaceType::Network))?;
            work()
        };
        let thread = std::thread::Builder::new().name("namespace".to_owned());
        let entered = thread.spawn_scoped(scope, entering)?;
        entered.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
    })
}

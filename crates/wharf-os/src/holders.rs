//! Which processes hold a socket open: the descriptors of `/proc/PID/fd`, read as links.
//!
//! The link's text is read, never the file behind it asked: a descriptor on a dead network file
//! system would let `stat` hang for ever.
//!
//! A process that shares a socket is found whatever user or namespace it is in, if we may read its
//! descriptors at all; with `hidepid` others are not even seen. Source: `proc_pid_fd(5)`.

use std::collections::HashMap;
use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::fs::{Mode, OFlags, RawDir};
use rustix::io::Errno;

/// Processes for which one more thread pays.
const WORTH_A_THREAD: usize = 32;
/// Processes that one thread takes at a time: few, so that all end together.
const SHARE: usize = 8;
/// Threads at most: the work is the kernel's, and its locks are shared.
const THREADS: usize = 4;
/// Room for directory entries; `socket:[` and twenty digits fit the link buffer, other links are
/// cut.
const DIRECTORY_BUFFER: usize = 16 * 1024;
const LINK_BUFFER: usize = 40;
/// Fewer descriptors than fill the buffer, at 32 bytes each.
const SURELY_ONE_BUFFER: i64 = 500;

/// Who holds the sockets that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holders {
    /// For each inode that anybody holds, the processes in ascending order.
    pub by_inode: HashMap<u64, Vec<u32>>,
    /// Processes whose descriptors we may not read, in ascending order: a holder may be among them.
    pub unreadable: Vec<u32>,
}

/// Every process that shares one of the sockets.
///
/// # Errors
/// `/proc` is not to be read.
pub fn of_inodes(inodes: &[u64]) -> io::Result<Holders> {
    let proc = open_proc()?;
    let mut pids = Vec::with_capacity(256);
    let mut buffer = [MaybeUninit::uninit(); DIRECTORY_BUFFER];
    let mut entries = RawDir::new(&proc, &mut buffer);
    while let Some(entry) = entries.next() {
        pids.extend(number(entry?.file_name()));
    }
    Ok(search(proc.as_fd(), &pids, inodes))
}

/// As [`of_inodes`], of these processes only. Without `/proc` all of them are unreadable.
pub fn in_tree(pids: &[u32], inodes: &[u64]) -> Holders {
    match open_proc() {
        Ok(proc) => search(proc.as_fd(), pids, inodes),
        Err(_) => Holders { unreadable: pids.to_vec(), ..Holders::default() },
    }
}

/// The inodes of all sockets that the process has open, in the order of its descriptors; one that
/// it has twice appears twice.
///
/// # Errors
/// `NotFound` when it has gone, `PermissionDenied` when we may not read its descriptors.
pub fn socket_inodes(pid: u32) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    each_socket(open_proc()?.as_fd(), pid, |inode| found.push(inode)).map_err(
        |errno| match errno {
            Errno::SRCH => io::ErrorKind::NotFound.into(),
            other => io::Error::from(other),
        },
    )?;
    Ok(found)
}

/// What one thread found: (inode, pid), and the unreadable.
#[derive(Default)]
struct Catch {
    held: Vec<(u64, u32)>,
    unreadable: Vec<u32>,
}

fn search(proc: BorrowedFd<'_>, pids: &[u32], inodes: &[u64]) -> Holders {
    if inodes.is_empty() {
        return Holders::default();
    }
    let mut wanted = inodes.to_vec();
    wanted.sort_unstable();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut catch = Catch::default();
        while let Some(share) = pids.get(next.fetch_add(SHARE, Ordering::Relaxed)..) {
            if share.is_empty() {
                break;
            }
            look_through(proc, &share[..share.len().min(SHARE)], &wanted, &mut catch);
        }
        catch
    };
    let threads = threads_for(pids.len());
    if threads < 2 {
        return gather([work()]);
    }
    std::thread::scope(|scope| {
        // A thread that the system refuses is work for the others: this one always takes part.
        let builder = || std::thread::Builder::new().name("holders".to_owned());
        let others: Vec<_> =
            (1..threads).filter_map(|_| builder().spawn_scoped(scope, work).ok()).collect();
        let own = work();
        let theirs = others.into_iter().filter_map(|other| other.join().ok());
        gather(std::iter::once(own).chain(theirs))
    })
}

fn threads_for(processes: usize) -> usize {
    // Not `available_parallelism`, which reads a dozen files about quotas first.
    let cores = rustix::thread::sched_getaffinity(None).map_or(1, |set| set.count() as usize);
    cores.min(THREADS).min(processes / WORTH_A_THREAD)
}

fn gather(catches: impl IntoIterator<Item = Catch>) -> Holders {
    let mut holders = Holders::default();
    for catch in catches {
        for (inode, pid) in catch.held {
            holders.by_inode.entry(inode).or_default().push(pid);
        }
        holders.unreadable.extend(catch.unreadable);
    }
    for pids in holders.by_inode.values_mut() {
        pids.sort_unstable();
        pids.dedup();
    }
    holders.unreadable.sort_unstable();
    holders
}

fn look_through(proc: BorrowedFd<'_>, pids: &[u32], wanted: &[u64], catch: &mut Catch) {
    for pid in pids {
        let result = each_socket(proc, *pid, |inode| {
            if wanted.binary_search(&inode).is_ok() {
                catch.held.push((inode, *pid));
            }
        });
        if matches!(result, Err(Errno::ACCESS | Errno::PERM)) {
            catch.unreadable.push(*pid);
        }
    }
}

/// Calls `found` with the inode of each socket among the descriptors of a process.
fn each_socket(proc: BorrowedFd<'_>, pid: u32, mut found: impl FnMut(u64)) -> Result<(), Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::openat(proc, format!("{pid}/fd"), flags, Mode::empty())?;
    // How many descriptors there are, since Linux 6.2; 0 before. Where one buffer brought them all, the
    // end is not asked for, which would cost as much as reading two links.
    let all = rustix::fs::fstat(&folder).map_or(0, |facts| facts.st_size);
    let mut read = 0;
    let mut buffer = [MaybeUninit::uninit(); DIRECTORY_BUFFER];
    let mut entries = RawDir::new(&folder, &mut buffer);
    loop {
        if all > 0 && entries.is_buffer_empty() && (all..SURELY_ONE_BUFFER).contains(&read) {
            break;
        }
        let Some(entry) = entries.next() else { break };
        let entry = entry?;
        let name = entry.file_name();
        if number(name).is_none() {
            continue;
        }
        read += 1;
        let mut link = [MaybeUninit::uninit(); LINK_BUFFER];
        match rustix::fs::readlinkat_raw(&folder, name, &mut link) {
            Ok((text, _)) => {
                if let Some(inode) = socket_inode(text) {
                    found(inode);
                }
            }
            // Closed meanwhile.
            Err(Errno::NOENT) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn open_proc() -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open("/proc", flags, Mode::empty())?)
}

/// `socket:[12345]`.
fn socket_inode(link: &[u8]) -> Option<u64> {
    let digits = link.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn number(name: &CStr) -> Option<u32> {
    name.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_the_link_of_a_socket_has_an_inode() {
        assert_eq!(socket_inode(b"socket:[4000000000]"), Some(4_000_000_000));
        for other in ["pipe:[1]", "/tmp/socket:[1]", "socket:[1", "socket:[]", "socket:[-1]", ""] {
            assert_eq!(socket_inode(other.as_bytes()), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn any_link_is_read_without_panic(link: Vec<u8>) {
            socket_inode(&link);
        }
    }
}

//! What `/proc` knows of a process.
//!
//! Every answer is of one moment: a pid alone is reused, so whoever acts on a process later holds
//! an [`Identity`] or a [`crate::pidfd::Pidfd`].
//!
//! Source: `proc(5)`, `cgroups(7)`.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

mod belongs;
mod family;

pub use belongs::Belongs;
pub use family::{all, ancestors, children, tree};

/// The first fields of `/proc/PID/stat`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The process's number.
    pub pid: u32,
    /// Its parent's; 0 for the first process of a pid namespace and for kernel threads.
    pub ppid: u32,
    /// Its process group.
    pub pgrp: u32,
    /// Its session.
    pub session: u32,
    /// The device number of its controlling terminal, 0 without one.
    pub tty: i32,
    /// `R`, `S`, `D`, `T`, `t`, `Z`, `X`, `I`.
    pub state: char,
    /// The command's name, at most 15 bytes, whatever they are.
    pub comm: String,
    /// When it started, in clock ticks since boot.
    pub start_ticks: u64,
}

/// What tells a process from a later one with the same number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The process's number.
    pub pid: u32,
    /// When it started, in clock ticks since boot.
    pub start_ticks: u64,
    /// Which boot; empty where that is not to be read.
    pub boot_id: String,
}

/// Reads `/proc/PID/stat`.
///
/// # Errors
/// `NotFound` when there is no such process (or it is hidden from us), else those of reading.
pub fn stat(pid: u32) -> io::Result<Stat> {
    Ok(stat_and_threads(pid)?.0)
}

fn stat_and_threads(pid: u32) -> io::Result<(Stat, u32)> {
    parse_stat(&read(pid, "stat")?).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// `pid (comm) state ppid pgrp session tty …`: the name may hold spaces, parentheses and newlines,
/// so it ends at the last `)`. The number beside the facts is that of the threads.
fn parse_stat(text: &[u8]) -> Option<(Stat, u32)> {
    let open = text.iter().position(|byte| *byte == b'(')?;
    let close = text.iter().rposition(|byte| *byte == b')')?;
    let pid = std::str::from_utf8(text.get(..open)?).ok()?.trim().parse().ok()?;
    let comm = String::from_utf8_lossy(text.get(open + 1..close)?).into_owned();
    let mut fields = std::str::from_utf8(text.get(close + 1..)?).ok()?.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let ppid = fields.next()?.parse().ok()?;
    let pgrp = group(fields.next()?)?;
    let session = group(fields.next()?)?;
    let tty = fields.next()?.parse().ok()?;
    // Field 20 is the number of threads, 22 the start time; `tty` was 7.
    let threads = fields.nth(12)?.parse().ok()?;
    let start_ticks = fields.nth(1)?.parse().ok()?;
    Some((Stat { pid, ppid, pgrp, session, tty, state, comm, start_ticks }, threads))
}

/// A group or session that lies outside our pid namespace is 0; a process that is just ending has
/// -1.
fn group(word: &str) -> Option<u32> {
    let number: i64 = word.parse().ok()?;
    Some(u32::try_from(number).unwrap_or(0))
}

/// The kernel's name for this boot; empty if unreadable.
pub fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}

/// The identity of the process that has the number now.
///
/// # Errors
/// As [`stat`].
pub fn identity(pid: u32) -> io::Result<Identity> {
    let start_ticks = stat(pid)?.start_ticks;
    Ok(Identity { pid, start_ticks, boot_id: boot_id() })
}

/// This process's own identity. Without `/proc` the start time is 0, which no other process has.
pub fn own_identity() -> Identity {
    let pid = std::process::id();
    let start_ticks = stat(pid).map_or(0, |stat| stat.start_ticks);
    Identity { pid, start_ticks, boot_id: boot_id() }
}

/// Whether this very process still runs. A zombie counts as dead, one whose first thread has ended
/// while others run does not.
pub fn is_alive(identity: &Identity) -> bool {
    let Ok((now, threads)) = stat_and_threads(identity.pid) else {
        return false;
    };
    let ended = matches!(now.state, 'Z' | 'X' | 'x') && threads <= 1;
    !ended && now.start_ticks == identity.start_ticks && is_this_boot(&identity.boot_id)
}

/// An id that could not be read, then or now, is no evidence against.
fn is_this_boot(id: &str) -> bool {
    let now = boot_id();
    id.is_empty() || now.is_empty() || id == now
}

/// The words of the command line. Empty for zombies, kernel threads and, for a moment, a process
/// that is just executing; one word with spaces for a process that rewrote its title.
///
/// # Errors
/// As [`stat`].
pub fn argv(pid: u32) -> io::Result<Vec<OsString>> {
    let text = read(pid, "cmdline")?;
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let text = text.strip_suffix(b"\0").unwrap_or(&text);
    Ok(text.split(|byte| *byte == 0).map(|word| OsStr::from_bytes(word).to_owned()).collect())
}

/// The working folder; ` (deleted)` is appended by the kernel when it is no longer there.
///
/// # Errors
/// `PermissionDenied` for another user's process, else as [`stat`].
pub fn cwd(pid: u32) -> io::Result<PathBuf> {
    std::fs::read_link(path(pid, "cwd")).map_err(gone)
}

/// The program's file; ` (deleted)` is appended by the kernel when it is no longer there.
///
/// # Errors
/// `PermissionDenied` for another user's process, `NotFound` for a kernel thread, else as [`stat`].
pub fn exe(pid: u32) -> io::Result<PathBuf> {
    std::fs::read_link(path(pid, "exe")).map_err(gone)
}

/// The effective user, as `ps` shows it.
///
/// # Errors
/// As [`stat`].
pub fn uid(pid: u32) -> io::Result<u32> {
    let text = read(pid, "status")?;
    // `Uid: real effective saved filesystem`. The owner of the folder would be root for a process
    // that is not dumpable.
    text.split(|byte| *byte == b'\n')
        .find_map(|line| line.strip_prefix(b"Uid:"))
        .and_then(|ids| {
            std::str::from_utf8(ids).ok()?.split_ascii_whitespace().nth(1)?.parse().ok()
        })
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// One variable of the environment that the process was *started* with.
///
/// # Errors
/// `PermissionDenied` for another user's process, else as [`stat`].
pub fn environment_value(pid: u32, name: &str) -> io::Result<Option<OsString>> {
    let text = read(pid, "environ")?;
    Ok(text
        .split(|byte| *byte == 0)
        .find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
        .map(|value| OsString::from_vec(value.to_vec())))
}

/// How long ago the machine was started, time in suspend included. It never jumps.
pub fn since_boot() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::try_from(now).unwrap_or_default()
}

/// How long ago the process started, time in suspend included. Never negative.
pub fn age(stat: &Stat) -> Duration {
    let now = since_boot();
    let hertz = rustix::param::clock_ticks_per_second().max(1);
    let seconds = Duration::from_secs(stat.start_ticks / hertz);
    let rest = Duration::from_secs(stat.start_ticks % hertz) / u32::try_from(hertz).unwrap_or(100);
    now.saturating_sub(seconds.saturating_add(rest))
}

/// The path in the version-2 hierarchy; where only version 1 is mounted, that of the hierarchy that
/// systemd keeps.
///
/// # Errors
/// `NotFound` without such a process or without cgroups.
pub fn cgroup(pid: u32) -> io::Result<String> {
    let text = read(pid, "cgroup")?;
    belongs::path(&String::from_utf8_lossy(&text))
        .map(str::to_owned)
        .ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// The container or the service that the process belongs to, as its cgroup names it. `None` for
/// what a person started: login sessions and desktop scopes are no service.
pub fn container_or_unit(pid: u32) -> Option<Belongs> {
    belongs::parse(&String::from_utf8_lossy(&read(pid, "cgroup").ok()?))
}

/// The inode of the process's network namespace: ports compare only within one.
///
/// # Errors
/// `PermissionDenied` for another user's process, else as [`stat`].
pub fn network_namespace(pid: u32) -> io::Result<u64> {
    std::fs::metadata(path(pid, "ns/net")).map(|facts| facts.ino()).map_err(gone)
}

/// The process namespace that the process is in, as the number that `ls -l /proc/PID/ns/pid` shows.
///
/// # Errors
/// `PermissionDenied` for another user's process, else as [`stat`].
pub fn pid_namespace(pid: u32) -> io::Result<u64> {
    std::fs::metadata(path(pid, "ns/pid")).map(|facts| facts.ino()).map_err(gone)
}

fn path(pid: u32, file: &str) -> String {
    format!("/proc/{pid}/{file}")
}

fn read(pid: u32, file: &str) -> io::Result<Vec<u8>> {
    std::fs::read(path(pid, file)).map_err(gone)
}

/// A process that ends between open and read answers ESRCH: the same as not being there.
fn gone(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(libc::ESRCH) => io::ErrorKind::NotFound.into(),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(comm: &[u8]) -> Vec<u8> {
        let mut text = b"41822 (".to_vec();
        text.extend(comm);
        text.extend(b") S 1 41822 -1 34816 41900 4194304 1 2 3 4 5 6 7 8 20 0 11 0 123456 1 2 3\n");
        text
    }

    #[test]
    fn a_name_may_look_like_the_rest_of_the_line() {
        for name in ["node", "a) S 1 2 3", "((", ")", "two\nlines", "", "a b"] {
            let (stat, threads) = parse_stat(&line(name.as_bytes())).unwrap();
            assert_eq!(stat.comm, name);
            assert_eq!((stat.pid, stat.ppid, stat.pgrp, stat.session), (41822, 1, 41822, 0));
            assert_eq!((stat.tty, stat.state, threads), (34816, 'S', 11));
            assert_eq!(stat.start_ticks, 123_456);
        }
    }

    #[test]
    fn a_process_of_the_future_has_no_age() {
        let mut stat = stat(std::process::id()).unwrap();
        stat.start_ticks = u64::MAX;
        assert_eq!(age(&stat), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(text: Vec<u8>) {
            parse_stat(&text);
        }

        #[test]
        fn any_name_comes_back(name in prop::collection::vec(any::<u8>(), 0..16)) {
            let (stat, _) = parse_stat(&line(&name)).unwrap();
            prop_assert_eq!(stat.comm, String::from_utf8_lossy(&name));
            prop_assert_eq!(stat.start_ticks, 123_456);
        }
    }
}

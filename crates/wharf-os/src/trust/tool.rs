//! Running the tools of a store: found first, without a terminal, and not for ever.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::MemfdFlags;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags};

use super::StoreError;
use crate::program;

/// How long a tool may take: rebuilding the system's store takes seconds, on a small machine many.
const PATIENCE: Duration = Duration::from_secs(120);
/// The most that is read of what a tool says.
const OUTPUT_MAX: u64 = 1024 * 1024;
/// The most that is told of it.
const TOLD_MAX: usize = 300;

/// Which installs what is missing: the program, its words before the package.
const INSTALLERS: [(&str, &[&str]); 5] = [
    ("apt-get", &["install"]),
    ("dnf", &["install"]),
    ("pacman", &["-S"]),
    ("zypper", &["install"]),
    ("apk", &["add"]),
];

/// The folders in which programs are looked for.
#[derive(Clone, Debug)]
pub(super) struct Tools {
    path: OsString,
}

/// What a tool came to.
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) out: String,
    err: String,
}

impl Tools {
    pub(super) fn new(folders: impl IntoIterator<Item = PathBuf>) -> Tools {
        // A folder with a colon in its name cannot be said in PATH, and is no folder of programs.
        let folders = folders.into_iter().filter(|folder| !folder.to_string_lossy().contains(':'));
        Tools { path: std::env::join_paths(folders).unwrap_or_default() }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        program::find(OsStr::new(name), Some(&self.path), Path::new("/")).is_ok()
    }

    /// The program is missing: how it is installed here, by the names of its package in the order of
    /// [`INSTALLERS`].
    pub(super) fn missing(&self, program: &'static str, packages: [&str; 5]) -> StoreError {
        let known = INSTALLERS.iter().zip(packages).find(|((installer, _), _)| self.has(installer));
        let command = known.map(|((installer, words), package)| {
            let words = words.iter().copied().chain([package]);
            std::iter::once(*installer).chain(words).map(OsString::from).collect()
        });
        StoreError::NoTool { program, commands: command.into_iter().collect() }
    }

    /// Runs a command that must succeed.
    pub(super) fn must(&self, command: &[OsString]) -> Result<Ended, StoreError> {
        let ended = self.run(command)?;
        match ended.status.success() {
            true => Ok(ended),
            false => Err(failure(command, &ended)),
        }
    }

    /// Runs a command to its end.
    pub(super) fn run(&self, command: &[OsString]) -> Result<Ended, StoreError> {
        let program = command[0].to_string_lossy().into_owned();
        run(command, &self.path).map_err(|source| StoreError::Run { program, source })
    }
}

/// What the tool said last, on one line.
pub(super) fn failure(command: &[OsString], ended: &Ended) -> StoreError {
    let said = if ended.err.trim().is_empty() { &ended.out } else { &ended.err };
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let said: String = match said.is_empty() {
        true => ended.status.to_string(),
        false => said.chars().take(TOLD_MAX).collect(),
    };
    StoreError::Tool { program: command[0].to_string_lossy().into_owned(), said }
}

fn run(command: &[OsString], path: &OsStr) -> io::Result<Ended> {
    let found = program::find(&command[0], Some(path), Path::new("/"));
    let found = found.map_err(|error| io::Error::new(io::ErrorKind::NotFound, error))?;
    // Memory rather than pipes: a process that the tool leaves behind would hold a pipe open.
    let (out, err) = (memory()?, memory()?);
    let mut process = Process::new(found);
    process
        .args(&command[1..])
        .env("PATH", path)
        .env("LC_ALL", "C")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(out.try_clone()?)
        .stderr(err.try_clone()?);
    let leave_terminal = || match rustix::process::setsid() {
        Ok(_) => Ok(()),
        Err(errno) => Err(errno.into()),
    };
    // SAFETY: between fork and exec it makes one system call, which neither allocates nor locks.
    // Without a terminal of its own no tool can ask for a password there.
    unsafe { process.pre_exec(leave_terminal) };
    let mut child = process.spawn()?;
    let fd = rustix::process::pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
    let ended = wait(&fd, Instant::now() + PATIENCE);
    if !matches!(ended, Ok(true)) {
        child.kill()?;
    }
    let status = child.wait()?;
    if !ended? {
        let seconds = PATIENCE.as_secs();
        let what = format!("it did not end within {seconds} s, and was ended");
        return Err(io::Error::new(io::ErrorKind::TimedOut, what));
    }
    Ok(Ended { status, out: text(out)?, err: text(err)? })
}

/// Whether the process has ended before the deadline.
fn wait(fd: &OwnedFd, deadline: Instant) -> io::Result<bool> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left =
            Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
        match rustix::event::poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&left)) {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

fn memory() -> io::Result<File> {
    Ok(rustix::fs::memfd_create("output", MemfdFlags::CLOEXEC)?.into())
}

fn text(mut file: File) -> io::Result<String> {
    file.rewind()?;
    let mut bytes = Vec::new();
    file.take(OUTPUT_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::super::Command;
    use super::*;

    fn tools() -> Tools {
        Tools::new(["/usr/bin", "/bin"].map(PathBuf::from))
    }

    fn words(words: &[&str]) -> Command {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn a_tool_is_heard_and_its_failure_told_on_one_line() {
        let ended = tools().must(&words(&["printf", "%s", "$HOME `id`"])).unwrap();
        assert_eq!(ended.out, "$HOME `id`", "no shell reads it");
        let failed =
            tools().must(&words(&["sh", "-c", "echo so; printf 'not\n this' >&2; exit 3"]));
        let Err(error) = failed else { panic!("it failed") };
        assert_eq!(error.to_string(), "`sh` failed: not this");
        let Err(error) = tools().must(&words(&["sh", "-c", "exit 3"])) else { panic!("it failed") };
        assert_eq!(error.to_string(), "`sh` failed: exit status: 3");
        let missing = tools().must(&words(&["no-such-tool"]));
        assert!(matches!(missing, Err(StoreError::Run { .. })));
    }

    #[test]
    fn a_tool_has_no_terminal_and_no_input() {
        let script = "cat; exec 2>/dev/null; : </dev/tty && echo asked; echo done";
        let ended = tools().run(&words(&["sh", "-c", script])).unwrap();
        assert!(!ended.out.contains("asked"), "{}", ended.out);
    }

    #[test]
    fn what_a_tool_leaves_behind_is_not_waited_for() {
        let began = Instant::now();
        let ended = tools().must(&words(&["sh", "-c", "sleep 60 & echo $!"])).unwrap();
        assert!(began.elapsed() < Duration::from_secs(30));
        let pid = Pid::from_raw(ended.out.trim().parse().unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }

    #[test]
    fn what_is_missing_is_installed_by_the_systems_own_tool() {
        let dir = tempfile::tempdir().unwrap();
        let tools = Tools::new([dir.path().to_owned()]);
        let packages = ["a", "b", "c", "d", "e"];
        let commands = |tools: &Tools| match tools.missing("certutil", packages) {
            StoreError::NoTool { commands, .. } => commands,
            error => panic!("{error}"),
        };
        assert!(commands(&tools).is_empty());
        let path = dir.path().join("dnf");
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
        assert_eq!(commands(&tools), [words(&["dnf", "install", "b"])]);
    }
}

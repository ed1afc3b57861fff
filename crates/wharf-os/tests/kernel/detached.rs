//! Processes that outlive whoever started them.

use std::ffi::OsString;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use wharf_os::detached;
use wharf_os::pidfd::Pidfd;
use wharf_os::process;

const PATIENCE: Duration = Duration::from_secs(20);
const ROLE: &str = "WHARF_OS_TEST_CALLER";
/// Tells its number, closes the pipe and stays, for a minute at most should the test die.
const LONG_LIVED: &str = "echo $$; exec sleep 60 >/dev/null";

fn shell(script: &str) -> std::io::Result<detached::ReadyPipe> {
    let args = ["-c", script].map(OsString::from);
    detached::spawn(Path::new("/bin/sh"), &args, &[ROLE])
}

/// Not a test of its own: the caller of the test below, which runs it as another process.
#[test]
fn caller() {
    let Some(file) = std::env::var_os(ROLE) else {
        return;
    };
    // What a careless caller may have: ignored and blocked signals, descriptors that stay open.
    wharf_os::signals::ignore(libc::SIGPIPE);
    wharf_os::signals::ignore(libc::SIGHUP);
    let _blocked = wharf_os::signals::SignalFd::new(&[libc::SIGTERM, libc::SIGCHLD]).unwrap();
    let leak = std::fs::File::open("/dev/zero").unwrap();
    rustix::io::fcntl_setfd(&leak, rustix::io::FdFlags::empty()).unwrap();
    let word = shell(LONG_LIVED).unwrap().wait(PATIENCE).unwrap();
    std::fs::write(file, word).unwrap();
    // Nothing is left for us to reap.
    let left = rustix::process::wait(rustix::process::WaitOptions::NOHANG);
    assert_eq!(left.unwrap_err(), rustix::io::Errno::CHILD);
}

#[test]
fn the_callers_output_ends_although_the_new_process_lives() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pid");
    let mut caller = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "detached::caller", "--nocapture"])
        .env(ROLE, &file)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    let mut text = String::new();
    caller.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    caller.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(caller.wait().unwrap().success(), "{text}");
    assert!(begun.elapsed() < PATIENCE, "the output stayed open");

    let pid: u32 = std::fs::read_to_string(&file).unwrap().trim().parse().unwrap();
    let handle = Pidfd::open(&process::identity(pid).unwrap()).unwrap().unwrap();
    let facts = facts(pid);
    handle.signal(libc::SIGKILL).unwrap();
    assert!(handle.wait(PATIENCE).unwrap());
    facts.check(pid, caller.id());
}

/// What is known of a detached process, read before it is ended.
struct Facts {
    stat: process::Stat,
    status: String,
    cwd: std::path::PathBuf,
    marked: bool,
}

fn descriptors(pid: u32) -> Vec<String> {
    let mut fds: Vec<String> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    fds.sort();
    fds
}

fn facts(pid: u32) -> Facts {
    // While `sh` and `sleep` start, they have descriptors of their own for a moment.
    let deadline = Instant::now() + PATIENCE;
    let mut fds = descriptors(pid);
    while process::stat(pid).unwrap().comm != "sleep" || fds != ["0", "1", "2"] {
        assert!(Instant::now() < deadline, "{fds:?} stayed open");
        fds = descriptors(pid);
    }
    Facts {
        stat: process::stat(pid).unwrap(),
        status: std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap(),
        cwd: process::cwd(pid).unwrap(),
        marked: process::environment_value(pid, ROLE).unwrap().is_some(),
    }
}

impl Facts {
    fn check(&self, pid: u32, caller: u32) {
        assert_eq!(self.cwd, Path::new("/"));
        assert!(!self.marked);
        assert_eq!(self.stat.tty, 0);
        assert_ne!(self.stat.session, process::stat(std::process::id()).unwrap().session);
        // It does not lead its session, so it can never get a terminal.
        assert_ne!(self.stat.session, pid);
        assert_ne!(self.stat.ppid, caller);
        for set in ["SigBlk", "SigIgn"] {
            let line = self.status.lines().find(|line| line.starts_with(set)).unwrap();
            assert!(line.ends_with("0000000000000000"), "{line}");
        }
    }
}

#[test]
fn what_the_new_process_says_is_heard_until_it_is_silent() {
    assert_eq!(shell("echo one; echo two").unwrap().wait(PATIENCE).unwrap(), b"one\ntwo\n");
    assert_eq!(shell("exit 3").unwrap().wait(PATIENCE).unwrap(), b"");
    let flood = shell("head -c 100000 /dev/zero").unwrap().wait(PATIENCE).unwrap();
    assert_eq!(flood.len(), 4096);
}

#[test]
fn a_silent_process_is_not_waited_for_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pid");
    let script = format!("echo $$ >'{}'; echo first; exec sleep 60", file.display());
    let pipe = shell(&script).unwrap();
    let error = pipe.wait(Duration::from_millis(50)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let deadline = Instant::now() + PATIENCE;
    let pid = loop {
        if let Ok(pid) = std::fs::read_to_string(&file).unwrap_or_default().trim().parse() {
            break pid;
        }
        assert!(Instant::now() < deadline, "the shell never said its number");
    };
    let handle = Pidfd::open(&process::identity(pid).unwrap()).unwrap().unwrap();
    handle.signal(libc::SIGKILL).unwrap();
    assert!(handle.wait(PATIENCE).unwrap());
}

#[test]
fn what_cannot_be_executed_is_known_at_once() {
    let spawn = |path: &str| detached::spawn(Path::new(path), &[], &[]).unwrap_err().kind();
    assert_eq!(spawn("/nowhere/wharf"), ErrorKind::NotFound);
    assert_eq!(spawn("/dev/null"), ErrorKind::PermissionDenied);
    assert_eq!(spawn("wharf"), ErrorKind::InvalidInput);
}

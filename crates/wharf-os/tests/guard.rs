//! A command under guard: how it ends, what it finds, and that nothing of it is left.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use wharf_os::guard::{Command, Exit, Guard, Message, Packet, SpawnError};
use wharf_os::limits::CallerLimits;
use wharf_os::process;
use wharf_os::program::ProgramError;
use wharf_os::signals::CallerSignals;

const LIMIT: Duration = Duration::from_secs(20);

fn command(words: &[&str], dir: &Path) -> Command {
    Command {
        argv: words.iter().map(Into::into).collect(),
        env: vec![
            ("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into()),
            ("MARK".into(), "x".into()),
        ],
        dir: dir.to_owned(),
        signals: CallerSignals::current(),
        ignored: Vec::new(),
        limits: CallerLimits::current(),
        orphan_grace: Duration::from_millis(200),
        filter: None,
        cgroup: None,
        listener: None,
    }
}

fn shell(script: &str, dir: &Path) -> Guard {
    Guard::spawn(&command(&["sh", "-c", script], dir)).expect("sh is there")
}

/// Waits for packets until one is wanted, or the guard has gone (`None`).
fn wait_for<T>(guard: &Guard, mut wanted: impl FnMut(Packet) -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + LIMIT;
    loop {
        match guard.next() {
            Ok(Some(packet)) => {
                if let Some(found) = wanted(packet) {
                    return Some(found);
                }
            }
            Ok(None) => {
                assert!(Instant::now() < deadline, "the guard never said it");
                let second = Timespec { tv_sec: 1, tv_nsec: 0 };
                let _ = poll(&mut [PollFd::new(&guard.as_fd(), PollFlags::IN)], Some(&second));
            }
            Err(_) => return None,
        }
    }
}

fn exit(guard: &Guard) -> Option<Exit> {
    wait_for(guard, |packet| match packet {
        Packet::Message(Message::Exited(exit)) => Some(exit),
        _ => None,
    })
}

fn read_when_there(path: &Path) -> String {
    let deadline = Instant::now() + LIMIT;
    loop {
        match std::fs::read_to_string(path) {
            Ok(text) if text.ends_with('\n') => return text,
            _ => assert!(Instant::now() < deadline, "{} never came", path.display()),
        }
        std::thread::yield_now();
    }
}

fn wait_until_gone(pid: u32) {
    let deadline = Instant::now() + LIMIT;
    while process::stat(pid).is_ok_and(|stat| stat.state != 'Z') {
        assert!(Instant::now() < deadline, "pid {pid} is still there");
        std::thread::yield_now();
    }
}

fn temp() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

#[test]
fn the_end_of_a_command_is_told_exactly() {
    let dir = temp();
    assert_eq!(exit(&shell("exit 7", dir.path())), Some(Exit::Code(7)));
    assert_eq!(exit(&shell("kill -9 $$", dir.path())), Some(Exit::Signal(9)));
    assert_eq!(Exit::Signal(15).shell_code(), 143);
}

#[test]
fn after_the_last_process_the_guard_goes_by_itself() {
    let dir = temp();
    let guard = shell("exit 0", dir.path());
    assert_eq!(exit(&guard), Some(Exit::Code(0)));
    assert_eq!(wait_for(&guard, |_| None::<()>), None);
    guard.reap();
    wait_until_gone(guard.pid());
}

#[test]
fn what_cannot_run_is_refused_with_its_reason() {
    let dir = temp();
    let refused = |words: &[&str], folder: &Path| Guard::spawn(&command(words, folder)).err();
    let missing = refused(&["no-such-program-here"], dir.path());
    assert!(matches!(missing, Some(SpawnError::Program(ProgramError::NotFound { .. }))));
    let empty: &[&str] = &[];
    assert!(matches!(refused(empty, dir.path()), Some(SpawnError::Program(ProgramError::Empty))));
    let gone = PathBuf::from("/no/such/folder");
    let guard = Guard::spawn(&command(&["/bin/sh", "-c", "exit 0"], &gone)).unwrap();
    let errno = wait_for(&guard, |packet| match packet {
        Packet::Refused { folder: true, errno } => Some(errno),
        _ => None,
    });
    assert_eq!(errno, Some(2));
}

#[test]
fn a_script_without_a_first_line_is_run_by_the_shell() {
    let dir = temp();
    // By another process: a fork of a test beside this one would keep a file of ours open for writing,
    // and what is being written is not executed (ETXTBSY).
    let write = "echo 'exit $1' > script && chmod 755 script";
    let mut sh = std::process::Command::new("sh");
    assert!(sh.args(["-c", write]).current_dir(dir.path()).status().unwrap().success());
    let guard = Guard::spawn(&command(&["./script", "9"], dir.path())).unwrap();
    assert_eq!(exit(&guard), Some(Exit::Code(9)));
}

#[test]
fn a_command_finds_clean_descriptors_signals_and_environment() {
    let dir = temp();
    let script = "ls /proc/self/fd | wc -l > fds; grep -E 'SigBlk|SigIgn' /proc/self/status > sig; \
                  env > env; echo done > done";
    let guard = shell(script, dir.path());
    assert_eq!(exit(&guard), Some(Exit::Code(0)));
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
    // What our own caller opened for us passes, and nothing of the guard's is added.
    let plain = std::process::Command::new("sh").args(["-c", "ls /proc/self/fd | wc -l"]).output();
    assert_eq!(read("fds").as_bytes(), plain.unwrap().stdout);
    for line in read("sig").lines() {
        assert!(line.ends_with("0000000000000000"), "{line}");
    }
    assert!(read("env").lines().any(|line| line == "MARK=x"));
    assert!(!read("env").lines().any(|line| line.starts_with("CARGO")));
}

#[test]
fn whoever_escapes_into_a_session_of_its_own_ends_with_its_owner() {
    let dir = temp();
    let script = "(setsid sh -c 'trap \"\" TERM; echo $$ > escaped; while :; do sleep 1; done' &) ; \
                  while :; do sleep 1; done";
    let guard = shell(script, dir.path());
    let escaped: u32 = read_when_there(&dir.path().join("escaped")).trim().parse().unwrap();
    assert!(process::tree(guard.pid()).contains(&escaped), "the guard adopts it");
    drop(guard);
    wait_until_gone(escaped);
}

#[test]
fn without_its_guard_the_command_is_killed() {
    let dir = temp();
    let guard = shell("echo $$ > pid; while :; do sleep 1; done", dir.path());
    let pid: u32 = read_when_there(&dir.path().join("pid")).trim().parse().unwrap();
    let identity = process::identity(guard.pid()).unwrap();
    wharf_os::pidfd::Pidfd::open(&identity).unwrap().unwrap().signal(9).unwrap();
    wait_until_gone(pid);
    assert_eq!(wait_for(&guard, |_| None::<()>), None);
}

#[test]
fn a_stopped_command_is_told_and_ends_with_its_owner() {
    let dir = temp();
    let guard = shell("kill -STOP $$; while :; do sleep 1; done", dir.path());
    let mut command = 0;
    let signal = wait_for(&guard, |packet| match packet {
        Packet::Message(Message::Started { pid }) => {
            command = pid;
            None
        }
        Packet::Message(Message::Stopped { signal }) => Some(signal),
        _ => None,
    });
    assert_eq!(signal, Some(19));
    drop(guard);
    wait_until_gone(command);
}

#[test]
fn a_command_is_in_its_control_group_before_it_runs() {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mounted = mounts.lines().find(|line| line.contains(" - cgroup2 "));
    let root = mounted.and_then(|line| line.split(' ').nth(4)).map(PathBuf::from);
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap();
    let own = own.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default().to_owned();
    let dir = tempfile::tempdir().unwrap();
    let name = format!("guard-test-{}", std::process::id());
    let group = root.map(|root| root.join(own).join(&name));
    let group = group.filter(|group| std::fs::create_dir(group).is_ok());
    // Where none can be made: one that is not there is told.
    let entrance = match &group {
        Some(group) => group.join("cgroup.procs"),
        None => dir.path().join("none"),
    };
    let words = ["sh", "-c", "cat /proc/self/cgroup > group; echo >> group"];
    let guard = Guard::spawn(&Command { cgroup: Some(entrance), ..command(&words, dir.path()) });
    let guard = guard.unwrap();
    let mut refused = None;
    let exit = wait_for(&guard, |packet| match packet {
        Packet::NotGrouped { errno } => {
            refused = Some(errno);
            None
        }
        Packet::Message(Message::Exited(exit)) => Some(exit),
        _ => None,
    });
    assert_eq!(exit, Some(Exit::Code(0)));
    let seen = read_when_there(&dir.path().join("group"));
    match group {
        Some(group) => {
            println!("in a group of its own");
            assert!(seen.lines().any(|line| line.ends_with(&format!("/{name}"))), "{seen}");
            let deadline = Instant::now() + LIMIT;
            while std::fs::remove_dir(&group).is_err() {
                assert!(Instant::now() < deadline, "somebody is still in it");
                std::thread::yield_now();
            }
        }
        None => {
            println!("no group can be made here: that is told");
            assert_eq!(refused, Some(2));
        }
    }
}

//! Facts of processes, and handles on them.

use std::io::ErrorKind;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use wharf_os::pidfd::Pidfd;
use wharf_os::process::{self, Identity};

const PATIENCE: Duration = Duration::from_secs(20);

/// A process that lives until its standard input is closed.
fn keeper() -> Child {
    let child = Command::new("cat")
        .env("WHARF_OS_TEST", "a=b c")
        .env("WHARF_OS_TEST_LONGER", "no")
        .current_dir("/proc")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // The kernel fills in the command line a moment after it has started the program.
    let deadline = Instant::now() + PATIENCE;
    while process::argv(child.id()).unwrap().is_empty() {
        assert!(Instant::now() < deadline, "cat never ran");
    }
    child
}

/// Ended and not yet reaped.
fn zombie() -> (Child, Identity) {
    let mut child = keeper();
    let identity = process::identity(child.id()).unwrap();
    drop(child.stdin.take());
    let deadline = Instant::now() + PATIENCE;
    while process::stat(child.id()).unwrap().state != 'Z' {
        assert!(Instant::now() < deadline, "cat never ended");
        std::thread::yield_now();
    }
    (child, identity)
}

#[test]
fn the_facts_of_a_child_are_as_it_was_started() {
    let mut child = keeper();
    let pid = child.id();
    let stat = process::stat(pid).unwrap();
    assert_eq!((stat.pid, stat.ppid), (pid, std::process::id()));
    assert_eq!(stat.comm, "cat");
    assert_eq!(process::argv(pid).unwrap(), ["cat"]);
    assert_eq!(process::cwd(pid).unwrap(), std::path::Path::new("/proc"));
    assert_eq!(process::uid(pid).unwrap(), wharf_os::user::current_uid());
    let value = |name| process::environment_value(pid, name).unwrap();
    assert_eq!(value("WHARF_OS_TEST").unwrap(), "a=b c");
    assert_eq!(value("WHARF_OS"), None);
    assert_eq!(
        process::network_namespace(pid).unwrap(),
        process::network_namespace(std::process::id()).unwrap()
    );
    assert!(process::age(&stat) < PATIENCE);
    assert!(process::age(&process::stat(1).unwrap()) >= process::age(&stat));
    assert!(process::all().unwrap().contains(&pid));
    assert!(process::cgroup(pid).map_or(true, |path| path.starts_with('/')));
    drop(child.stdin.take());
    child.wait().unwrap();
    assert_eq!(process::stat(pid).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(process::argv(pid).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(process::identity(pid).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(process::container_or_unit(pid), None);
    assert!(process::ancestors(pid).is_empty());
}

#[test]
fn a_process_is_itself_and_no_other_of_its_number() {
    let own = process::own_identity();
    assert!(own.start_ticks > 0 && !own.boot_id.is_empty());
    assert!(process::is_alive(&own));
    for other in [
        Identity { start_ticks: own.start_ticks + 1, ..own.clone() },
        Identity { start_ticks: own.start_ticks - 1, ..own.clone() },
        Identity { boot_id: "another".to_owned(), ..own.clone() },
        Identity { pid: 0, ..own.clone() },
        Identity { pid: u32::MAX, ..own.clone() },
    ] {
        assert!(!process::is_alive(&other), "{other:?}");
        assert!(Pidfd::open(&other).unwrap().is_none(), "{other:?}");
    }
    assert!(process::is_alive(&Identity { boot_id: String::new(), ..own.clone() }));
    assert!(Pidfd::open(&own).unwrap().is_some());
}

#[test]
fn a_zombie_is_dead() {
    let (mut child, identity) = zombie();
    assert!(!process::is_alive(&identity));
    assert!(Pidfd::open(&identity).unwrap().is_none());
    assert_eq!(process::argv(identity.pid).unwrap(), Vec::<std::ffi::OsString>::new());
    child.wait().unwrap();
    assert!(!process::is_alive(&identity));
    assert!(Pidfd::open(&identity).unwrap().is_none());
}

#[test]
fn a_handle_signals_and_waits_and_never_hits_a_successor() {
    let mut child = keeper();
    let identity = process::identity(child.id()).unwrap();
    let handle = Pidfd::open(&identity).unwrap().unwrap();
    assert!(!handle.wait(Duration::ZERO).unwrap());
    assert!(!handle.wait(Duration::from_millis(5)).unwrap());
    assert_eq!(handle.signal(0).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(handle.signal(-1).unwrap_err().kind(), ErrorKind::InvalidInput);
    handle.signal(libc::SIGTERM).unwrap();
    assert!(handle.wait(PATIENCE).unwrap());
    child.wait().unwrap();
    assert_eq!(handle.signal(libc::SIGKILL).unwrap_err().raw_os_error(), Some(libc::ESRCH));
    assert!(handle.wait(Duration::MAX).unwrap());
}

#[test]
fn a_process_whose_first_thread_has_ended_still_lives() {
    // The shell's child is one process; python's main thread leaves and another stays.
    let program = "import ctypes, sys, threading\n\
                   threading.Thread(target=sys.stdin.read).start()\n\
                   ctypes.CDLL(None).pthread_exit(None)\n";
    let child = Command::new("python3")
        .args(["-c", program])
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!("skipped: no python3 here");
        return;
    };
    let identity = process::identity(child.id()).unwrap();
    let deadline = Instant::now() + PATIENCE;
    let mut state = process::stat(child.id()).unwrap().state;
    while state != 'Z' && child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "python's first thread never ended");
        std::thread::yield_now();
        state = process::stat(child.id()).map_or('X', |stat| stat.state);
    }
    assert!(process::is_alive(&identity));
    let handle = Pidfd::open(&identity).unwrap().unwrap();
    handle.signal(libc::SIGKILL).unwrap();
    child.wait().unwrap();
    assert!(!process::is_alive(&identity));
}

#[test]
fn a_tree_has_all_generations_and_its_root_first() {
    let mut root = Command::new("sh")
        .args(["-c", "sh -c 'cat <&3; true' 3<&0; true"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + PATIENCE;
    let tree = loop {
        let tree = process::tree(root.id());
        let names: Vec<_> =
            tree.iter().flat_map(|pid| process::stat(*pid)).map(|stat| stat.comm).collect();
        if names == ["sh", "sh", "cat"] {
            break tree;
        }
        assert!(Instant::now() < deadline, "the tree never grew: {names:?}");
    };
    assert_eq!(tree[0], root.id());
    assert_eq!(process::children(root.id()), [tree[1]]);
    let up: Vec<_> = process::ancestors(tree[2]).into_iter().map(|stat| stat.pid).collect();
    assert_eq!(up[..3], [tree[1], root.id(), std::process::id()]);
    drop(root.stdin.take());
    root.wait().unwrap();
}

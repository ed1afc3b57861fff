//! Sockets to processes.

use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use wharf_os::{holders, process};

use crate::apart;
use crate::sockets::{LO, PLAIN, inode_of, listening};

/// A process that lives until its standard input is closed, and keeps this descriptor open.
fn keeper(fd: Option<i32>) -> Child {
    let mut command = Command::new("cat");
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    // SAFETY: the closure makes one system call.
    unsafe {
        command.pre_exec(move || {
            if let Some(fd) = fd {
                // SAFETY: clears a flag of a descriptor of this process only.
                libc::fcntl(fd, libc::F_SETFD, 0);
            }
            Ok(())
        });
    }
    command.spawn().unwrap()
}

fn end(mut keeper: Child) {
    drop(keeper.stdin.take());
    keeper.wait().unwrap();
}

#[test]
fn every_process_that_shares_a_listener_is_found() {
    if !apart::process("holders::every_process_that_shares_a_listener_is_found") {
        return;
    }
    let shared = listening(LO, 0, PLAIN).unwrap();
    let own = listening(LO, 0, PLAIN).unwrap();
    let (child, stranger) = (keeper(Some(shared.as_raw_fd())), keeper(None));
    let (shared, own) = (inode_of(&shared), inode_of(&own));
    let us = std::process::id();
    let mut both = [us, child.id()];
    both.sort_unstable();

    let found = holders::of_inodes(&[own, shared, u64::MAX]).unwrap();
    assert_eq!(found.by_inode[&shared], both);
    assert_eq!(found.by_inode[&own], [us]);
    assert_eq!(found.by_inode.len(), 2);
    assert!(!found.unreadable.contains(&us));

    let found = holders::in_tree(&[child.id(), stranger.id()], &[own, shared]);
    assert_eq!(found.by_inode[&shared], [child.id()]);
    assert!(!found.by_inode.contains_key(&own));

    assert_eq!(holders::socket_inodes(child.id()).unwrap(), [shared]);
    assert_eq!(holders::socket_inodes(stranger.id()).unwrap(), []);
    assert!(holders::socket_inodes(us).unwrap().contains(&own));
    assert_eq!(holders::of_inodes(&[]).unwrap(), holders::Holders::default());

    let gone = child.id();
    end(child);
    end(stranger);
    let found = holders::in_tree(&[us, gone], &[shared]);
    assert_eq!(found.by_inode[&shared], [us]);
    assert_eq!(found.unreadable, []);
    assert_eq!(holders::socket_inodes(gone).unwrap_err().kind(), std::io::ErrorKind::NotFound);
}

#[test]
fn a_process_that_we_may_not_read_is_told_and_not_passed_over() {
    let listener = listening(LO, 0, PLAIN).unwrap();
    let child = keeper(Some(listener.as_raw_fd()));
    let (pid, inode) = (child.id(), inode_of(&listener));
    std::thread::spawn(move || {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: only root can become another user");
            return;
        }
        // This thread alone becomes an ordinary user, who may not look into root's processes.
        let nobody = rustix::process::Uid::from_raw(65_534);
        rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
        for found in [holders::in_tree(&[pid], &[inode]), holders::of_inodes(&[inode]).unwrap()] {
            assert!(found.unreadable.contains(&pid), "{found:?}");
            assert!(!found.by_inode.get(&inode).is_some_and(|by| by.contains(&pid)));
        }
        let refused = |error: std::io::Error| error.kind() == std::io::ErrorKind::PermissionDenied;
        assert!(refused(holders::socket_inodes(pid).unwrap_err()));
        assert!(refused(process::cwd(pid).unwrap_err()));
        assert!(refused(process::environment_value(pid, "PATH").unwrap_err()));
        assert!(refused(process::network_namespace(pid).unwrap_err()));
        assert_eq!(process::uid(pid).unwrap(), 0);
        assert!(process::stat(pid).is_ok());
    })
    .join()
    .unwrap();
    end(child);
}

/// Descriptors are read by the bufferful, and their number tells when one was enough.
#[test]
fn the_last_of_many_descriptors_is_read() {
    if !apart::process("holders::the_last_of_many_descriptors_is_read") {
        return;
    }
    let us = std::process::id();
    let mut open = Vec::new();
    for count in [5, 480, 520, 700, 900] {
        open.resize_with(count, || std::fs::File::open("/dev/null").unwrap());
        let last = listening(LO, 0, PLAIN).unwrap();
        let inode = inode_of(&last);
        assert_eq!(holders::in_tree(&[us], &[inode]).by_inode[&inode], [us], "{count}");
    }
}

//! Other network namespaces, seen from ours.

use std::os::unix::fs::MetadataExt;

use wharf_os::diag::{self, SocketState, Transport};
use wharf_os::namespace;

use crate::apart;
use crate::sockets::{ANY6, LO, PLAIN, inode_of, listening, port_of};

/// A thread in a network namespace of its own, with these sockets, until the work is done.
#[test]
fn the_sockets_of_another_namespace_are_as_they_are_seen_from_within() {
    if !apart::network(
        "namespaces::the_sockets_of_another_namespace_are_as_they_are_seen_from_within",
    ) {
        return;
    }
    let own = std::fs::metadata("/proc/thread-self/ns/net").unwrap().ino();
    // The sockets were made there by a thread of this process, which stays there.
    let (inside, told) = std::sync::mpsc::sync_channel(1);
    let (leave, left) = std::sync::mpsc::sync_channel::<()>(1);
    let thread = std::thread::spawn(move || {
        // SAFETY: moves this thread alone into a new namespace.
        unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNET) }.unwrap();
        let sockets = [listening(ANY6, 0, PLAIN).unwrap(), listening(ANY6, 0, PLAIN).unwrap()];
        let child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let inode = std::fs::metadata("/proc/thread-self/ns/net").unwrap().ino();
        inside.send((inode, sockets.each_ref().map(|s| (inode_of(s), port_of(s))), child)).unwrap();
        let _ = left.recv();
    });
    let (inode, sockets, mut child) = told.recv().unwrap();
    let here = listening(LO, 0, PLAIN).unwrap();
    let others = namespace::others();
    assert!(others.iter().all(|other| other.inode != own), "{others:?}");
    let other = others.iter().find(|other| other.inode == inode).unwrap();
    assert_eq!(other.pid, Some(child.id()));
    let seen = namespace::sockets(other, Transport::Tcp).unwrap();
    let of_table = diag::sockets_of(child.id(), Transport::Tcp).unwrap();
    for (inode, port) in sockets {
        let socket = seen.iter().find(|socket| socket.inode == inode).unwrap();
        assert_eq!((socket.port, socket.v6only), (port, Some(false)));
        assert_eq!(socket.state, SocketState::Listen);
        assert!(of_table.iter().any(|socket| socket.inode == inode && socket.v6only.is_none()));
    }
    assert!(seen.iter().all(|socket| socket.inode != inode_of(&here)));
    // This thread has not left its own.
    assert!(diag::listeners().unwrap().iter().any(|socket| socket.inode == inode_of(&here)));
    drop(child.stdin.take());
    child.wait().unwrap();
    drop(leave);
    thread.join().unwrap();
}

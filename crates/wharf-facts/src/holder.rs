//! Who is in the way.

use wharf_model::{Holder, Listener};
use wharf_os::diag::{self, Socket};
use wharf_os::{holders, process, user};

use crate::text::{short_folder, user_name};

/// Who holds the first of these sockets, as far as may be seen.
pub fn of_sockets(sockets: &[Socket]) -> Holder {
    let Some(socket) = sockets.first() else { return Holder::default() };
    let pid = holders::of_inodes(&[socket.inode])
        .ok()
        .and_then(|found| found.by_inode.get(&socket.inode)?.first().copied());
    match pid {
        Some(pid) => of_process(pid),
        None => Holder {
            user: Some(user_name(socket.uid)),
            note: Some("a process that may not be seen".to_owned()),
            ..Holder::default()
        },
    }
}

/// Who listens there.
pub fn of_listener(listener: &Listener) -> Holder {
    let sockets = diag::listeners().unwrap_or_default();
    let same: Vec<Socket> = sockets
        .into_iter()
        .filter(|socket| socket.port == listener.port && socket.address == listener.address)
        .collect();
    of_sockets(&same)
}

/// What may be seen of a process. The user is said where it is another than ours.
pub fn of_process(pid: u32) -> Holder {
    let stat = process::stat(pid).ok();
    Holder {
        key: None,
        pid: Some(pid),
        age_s: stat.as_ref().map(|stat| process::age(stat).as_secs()),
        command: stat.map(|stat| stat.comm),
        folder: process::cwd(pid).ok().map(|folder| short_folder(&folder)),
        user: process::uid(pid).ok().filter(|uid| *uid != user::current_uid()).map(user_name),
        note: None,
    }
}

/// Whoever answers on a port on which no socket of this network namespace listens.
pub fn redirected() -> Holder {
    let note = "something that answers there although no socket listens: a firewall redirect, such as a \
                container's published port";
    Holder { note: Some(note.to_owned()), ..Holder::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_an_own_socket_is_this_process() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let own = of_process(std::process::id());
        let held = of_sockets(&diag::holding(address.port()).unwrap());
        assert_eq!((held.pid, &held.command, &held.folder), (own.pid, &own.command, &own.folder));
        assert_eq!(held.user, None, "our own");
        let listener = Listener { address: address.ip(), port: address.port(), pid: None };
        assert_eq!(of_listener(&listener).pid, own.pid);
        assert_eq!(of_sockets(&[]), Holder::default());
    }

    #[test]
    fn a_socket_that_nobody_is_seen_to_hold_is_its_users() {
        let nobody = Socket {
            address: std::net::Ipv4Addr::LOCALHOST.into(),
            port: 1,
            v6only: None,
            uid: 0,
            inode: u64::MAX,
            state: diag::SocketState::Listen,
        };
        let held = of_sockets(&[nobody]);
        assert_eq!((held.pid, held.user.as_deref()), (None, Some("root")));
        assert!(held.note.unwrap().contains("may not be seen"));
    }
}

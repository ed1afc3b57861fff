//! From what the kernel says to what people and the daemon need to know of a process.

use std::net::IpAddr;
use std::path::Path;

use wharf_model::{Holder, Listener, ProcessId};
use wharf_os::diag::Socket;
use wharf_os::{diag, holders, process, user};

/// This process, so that it cannot be confused with a later one of its number.
pub(crate) fn own_process() -> ProcessId {
    of_identity(process::own_identity())
}

fn of_identity(identity: process::Identity) -> ProcessId {
    ProcessId { pid: identity.pid, start_ticks: identity.start_ticks, boot_id: identity.boot_id }
}

/// The kernel's view of a process that the daemon named.
pub(crate) fn identity(process: &ProcessId) -> process::Identity {
    process::Identity {
        pid: process.pid,
        start_ticks: process.start_ticks,
        boot_id: process.boot_id.clone(),
    }
}

/// Who holds the first of these sockets, as far as may be seen.
pub(crate) fn holder(sockets: &[Socket]) -> Holder {
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
pub(crate) fn holder_of(listener: &Listener) -> Holder {
    let sockets = diag::listeners().unwrap_or_default();
    let same: Vec<Socket> = sockets
        .into_iter()
        .filter(|socket| socket.port == listener.port && socket.address == listener.address)
        .collect();
    holder(&same)
}

/// What may be seen of a process.
pub(crate) fn of_process(pid: u32) -> Holder {
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

/// The user's name, or the number where it has none.
pub(crate) fn user_name(uid: u32) -> String {
    user::name(uid).unwrap_or_else(|| format!("uid {uid}"))
}

/// A folder with the home shown as `~`.
pub(crate) fn short_folder(folder: &Path) -> String {
    match user::home().and_then(|home| folder.strip_prefix(home).ok().map(Path::to_owned)) {
        Some(rest) if rest.as_os_str().is_empty() => "~".to_owned(),
        Some(rest) => format!("~/{}", rest.display()),
        None => folder.display().to_string(),
    }
}

/// `[::1]:8000`, `127.0.0.1:8000`, `*:8000` for all interfaces.
pub(crate) fn endpoint(address: IpAddr, port: u16) -> String {
    match address {
        address if address.is_unspecified() => format!("*:{port}"),
        address => std::net::SocketAddr::new(address, port).to_string(),
    }
}

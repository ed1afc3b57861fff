//! What a service manager is told of this process (`sd_notify(3)`), where one has asked for it.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The variable that names the manager's socket: a path, or an abstract name after `@`.
const SOCKET: &str = "NOTIFY_SOCKET";

/// What there is to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word<'a> {
    /// What was to be started serves; one line on it.
    Ready(&'a str),
    /// It is about to end.
    Stopping,
}

/// Tells the manager, if there is one. One that does not listen is not waited for, and its failing is no
/// failure of ours.
pub fn tell(word: Word<'_>) {
    let Some(name) = std::env::var_os(SOCKET).filter(|name| !name.is_empty()) else { return };
    let text = match word {
        // A line end would begin another assignment.
        Word::Ready(status) => format!("READY=1\nSTATUS={}", status.replace('\n', " ")),
        Word::Stopping => "STOPPING=1".to_owned(),
    };
    let address = match name.as_bytes() {
        [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest),
        path => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(path)),
    };
    let (Ok(address), Ok(socket)) = (address, UnixDatagram::unbound()) else { return };
    if socket.set_nonblocking(true).is_ok() {
        let _ = socket.send_to_addr(text.as_bytes(), &address);
    }
}

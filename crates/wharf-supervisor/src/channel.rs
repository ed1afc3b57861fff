//! The guard's channel, as a loop waits for it.

use std::io;

use tokio::io::unix::AsyncFd;
use wharf_os::guard::{Guard, Packet};

#[expect(
    deprecated,
    reason = "its successor is unsafe, and the guard owns its descriptor and never replaces it"
)]
pub(crate) fn registered(guard: Guard) -> io::Result<AsyncFd<Guard>> {
    AsyncFd::new(guard)
}

/// Whether more may come from the guard.
#[derive(PartialEq, Eq)]
pub(crate) enum Channel {
    /// Nothing more now.
    Dry,
    /// Nothing more ever: the guard has gone.
    Closed,
}

/// All packets that have come.
pub(crate) fn read_packets(guard: &Guard) -> (Vec<Packet>, Channel) {
    let mut packets = Vec::new();
    loop {
        match guard.next() {
            Ok(Some(packet)) => packets.push(packet),
            Ok(None) => return (packets, Channel::Dry),
            Err(_) => return (packets, Channel::Closed),
        }
    }
}

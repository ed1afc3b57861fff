//! From what the kernel says to what people need to know.

use std::net::IpAddr;

pub(crate) use wharf_facts::{
    identity, of_listener as holder_of, of_sockets as holder, own_process, redirected,
    short_folder, user_name,
};

/// `[::1]:8000`, `127.0.0.1:8000`, `*:8000` for all interfaces.
pub(crate) fn endpoint(address: IpAddr, port: u16) -> String {
    match address {
        address if address.is_unspecified() => format!("*:{port}"),
        address => std::net::SocketAddr::new(address, port).to_string(),
    }
}

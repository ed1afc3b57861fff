//! Bytes from a listener to an upstream: HTTP/1, HTTP/2, upgrades, plain TCP, TLS and the local CA.
//!
//! It sees a [`wharf_model::RouteTable`] and knows nothing of leases, the daemon or how instances come
//! to be.

#![forbid(unsafe_code)]

mod ca;
mod leaf;
mod tls;
mod upstream_tls;

pub use ca::{Ca, CaError, CaFiles, FolderError};
pub use leaf::{LeafError, Leaves};
pub use tls::Tls;
pub use upstream_tls::upstream_client_config;

//! Bytes from a listener to an upstream: HTTP/1, HTTP/2, upgrades, plain TCP, TLS and the local CA.
//!
//! It sees a [`wharf_model::RouteTable`] and knows nothing of leases, the daemon or how instances come
//! to be.

#![forbid(unsafe_code)]

mod authority;
mod ca;
mod forward;
mod front;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod gate;
mod head;
mod http1;
mod http2;
mod leaf;
mod limits;
mod page;
mod proxy;
mod reach;
mod record;
mod refusal;
mod shared;
mod splice;
mod tcp;
mod tls;
mod tunnel;
mod upstream;
mod upstream_tls;

pub use ca::{Ca, CaError, CaFiles, FolderError, HandOverError};
pub use front::{Ended, Front, TlsConfig};
pub use leaf::{LeafError, Leaves};
pub use proxy::{Config, Proxy};
pub use record::Record;
pub use tcp::TcpFront;
pub use tls::Tls;
pub use upstream::Ownership;
pub use upstream_tls::upstream_client_config;

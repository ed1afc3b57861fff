//! Bytes from a listener to an upstream: HTTP/1, HTTP/2, upgrades, plain TCP, TLS and the local CA.
//!
//! It sees a [`wharf_model::RouteTable`] and knows nothing of leases, the daemon or how instances come
//! to be.

#![forbid(unsafe_code)]

mod authority;
mod forward;
mod front;
mod gate;
mod head;
mod http1;
mod http2;
mod limits;
mod page;
mod proxy;
mod reach;
mod record;
mod refusal;
mod shared;
mod tunnel;
mod upstream;

pub use front::Front;
pub use proxy::{Config, Proxy};
pub use record::Record;
pub use upstream::Ownership;

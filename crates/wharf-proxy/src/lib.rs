//! Bytes from a listener to an upstream: HTTP/1, HTTP/2, upgrades, plain TCP, TLS and the local CA.
//!
//! It sees a [`wharf_model::RouteTable`] and knows nothing of leases, the daemon or how instances come
//! to be.

#![forbid(unsafe_code)]

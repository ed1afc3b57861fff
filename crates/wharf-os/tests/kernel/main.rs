//! The crate against the kernel it runs on. Ports are the kernel's choice and stay open, or lie in
//! a network namespace of the test's own; what a test starts it ends.

#![allow(unsafe_code)]

mod apart;
mod detached;
mod diag;
mod holders;
mod namespaces;
mod processes;
mod redirection;
mod reserve;
mod sandbox;
mod sockets;
mod truth_table;

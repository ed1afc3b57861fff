//! What the proxy does with the whole of HTTP/1, good and bad, seen from outside: one row per case.

#[path = "../stage/mod.rs"]
mod stage;

mod fields;
mod framing;
mod table;
mod targets;

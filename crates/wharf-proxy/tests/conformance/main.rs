//! What the proxy does with the whole of HTTP/1, good and bad, seen from outside: one row per case.

#[path = "../stage/mod.rs"]
mod stage;

mod events;
mod exchanges;
mod fields;
mod framing;
mod gate;
mod limits;
mod misbehaviour;
mod mutations;
mod names;
mod records;
mod secure;
mod sockets;
mod table;
mod targets;

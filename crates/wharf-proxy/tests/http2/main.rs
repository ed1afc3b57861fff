//! What the proxy does with HTTP/2, good and bad, seen from outside: in the clear and by TLS.

#[path = "../stage/mod.rs"]
mod stage;

mod across;
mod floods;
mod flow;
mod gate;
mod grpc;
mod malformed;
mod peer;
mod raw;
mod records;
mod requests;
mod secure;
mod sockets;
mod way;

//! Answering a command's `bind`, `listen`, `connect` and `shutdown` in its place, by seccomp user
//! notification.
//!
//! A filter ([`Calls`]) is installed in the command between fork and exec, and inherited by all of its
//! descendants. From then on the kernel stops each of these calls and puts it into a queue, which the
//! [`Notifier`] reads; the caller sleeps until it is answered:
//! - [`Notifier::proceed`]: the kernel does the call as if there were no filter;
//! - [`Notifier::answer`]: the call returns this, and the kernel does nothing;
//! - [`Notifier::install`]: a descriptor of ours takes the place of the caller's, and the call returns 0.
//!
//! What a call names is read from the caller's memory, and its socket is duplicated
//! ([`Call::socket`]): what we do to the duplicate happens to the caller's socket, so there is no time
//! between a check and its use in which the caller could change the address.
//!
//! What is absent: which port is given for which. All other system calls, calls of other
//! architectures (32-bit programs) and `io_uring` are not seen and not changed.

mod call;
mod filter;
mod held;
mod memory;
mod mode;
mod notifier;
pub mod selftest;
mod sockaddr;
mod socket;

pub use call::{Call, Kind};
pub use filter::Calls;
pub(crate) use filter::Program;
pub use held::Held;
pub use mode::{Mode, Sight, on_loopback};
pub use notifier::{Doorbell, Notifier, Woken};
pub use sockaddr::{encode, parse, parse_bind};
pub use socket::{Protocol, Socket, protocol_by_name};

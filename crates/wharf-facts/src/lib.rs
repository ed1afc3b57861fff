//! From what the kernel says of processes and sockets to what people and the daemon need to know: the
//! one place where a fact becomes a noun of wharf's.

#![forbid(unsafe_code)]

pub mod agent;
mod holder;
mod identity;
pub mod map;
mod text;

pub use holder::{of_listener, of_process, of_sockets, redirected};
pub use identity::{identity, own_process, process};
pub use text::{UserNames, short_folder, user_name};

//! An instance from launch to end: launch it, see what it listens on, ask whether it serves, end it.
//!
//! [`start`] gives a [`Handle`] to a task; the task tells what happens through [`Update`]s and takes
//! [`Order`]s. What is absent: leases, routes, the daemon, the terminal, any text for people.

#![forbid(unsafe_code)]

mod after;
mod answers;
mod asking;
mod channel;
mod ending;
pub mod handle;
mod holder;
pub mod launch;
mod lives;
pub mod log;
mod pace;
pub mod probe;
mod pulse;
pub mod readiness;
pub mod remap;
mod serving;
pub mod sight;
mod task;
pub mod update;

pub use handle::{Handle, News, start};
pub use launch::{Keeping, Launch, Order};
pub use update::{Answer, Cause, Member, Update};

//! What the kernel knows and does: sockets and their processes, port reservations, process handles,
//! private files. Ports and pids in, facts out; no noun of wharf's is known here.
//!
//! The only crate with `unsafe` code and with code for one operating system. Nothing here is async:
//! what can be waited for gives its descriptor (`AsFd`). Nothing is kept between calls but what the
//! caller holds.

#![allow(unsafe_code)]
#![deny(unsafe_op_in_unsafe_fn)]

#[cfg(not(target_os = "linux"))]
compile_error!("wharf runs on Linux: it is built on sock_diag, pidfd and /proc");

pub mod activation;
pub mod cgroup;
pub mod descendants;
pub mod detached;
pub mod diag;
pub mod disk;
pub mod folder_watch;
pub mod front_socket;
pub mod guard;
mod guard_process;
pub mod handover;
pub mod holders;
pub mod inherited;
pub mod interface;
pub mod limits;
pub mod local_stream;
pub mod lock;
pub mod loopback_address;
pub mod namespace;
pub mod own_memory;
mod passing;
pub mod peer;
pub mod pidfd;
pub mod private_dir;
pub mod process;
pub mod program;
pub mod readable;
pub mod remap;
pub mod reserve;
pub mod screen;
pub mod sd_notify;
pub mod signals;
pub mod standard_streams;
pub mod terminal;
pub mod trust;
pub mod usage;
pub mod user;
pub mod watch_limits;

//! The daemon: one per user, the only writer of the database, reached over the control socket.
//!
//! One task, the [`coordinator`], owns the state and folds a closed set of events into it; a task per
//! connection translates HTTP into those events. It owns no child process and reads no project.

#![forbid(unsafe_code)]

mod accept;
mod aliases;
mod announcer;
mod clock;
mod connection;
mod coordinator;
mod event;
mod eyes;
mod focus;
mod focusing;
mod fronts;
mod gateway;
mod given;
mod inherited;
mod journal;
mod lan;
mod lookout;
mod names;
mod owners;
mod ownership;
mod port_server;
mod refusal;
mod requests;
mod route;
mod serve;
mod services;
mod singleton;
mod socket;
mod subscriber;

pub use serve::{Config, IDLE, ServeError, leave_stdout, serve};
pub use singleton::SingletonError;
pub use socket::SocketError;

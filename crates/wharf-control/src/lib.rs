//! The wire between the command line, the pilots and the daemon: HTTP/1.1 with JSON over a Unix
//! socket. What is said ([`api`], [`error`]), where ([`paths`]), and by whom (`client`, [`exchange`]).
//!
//! What is absent here, on purpose: the daemon's state. The shapes of the replies are also committed
//! as JSON Schema, in `schema/control.schema.json`.

#![forbid(unsafe_code)]

pub mod api;
#[cfg(feature = "client")]
pub mod client;
pub mod error;
#[cfg(feature = "client")]
pub mod event_stream;
pub mod exchange;
pub mod focus;
pub mod names;
pub mod paths;
#[cfg(feature = "client")]
pub mod request_stream;
pub mod requests;

#[cfg(feature = "client")]
pub use client::{CallError, Client};
pub use error::{Code, ErrorBody};
#[cfg(feature = "client")]
pub use event_stream::EventStream;
pub use paths::{Environment, Paths, PathsError};
#[cfg(feature = "client")]
pub use request_stream::RequestStream;

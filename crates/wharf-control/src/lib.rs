//! The wire between the command line, the pilots and the daemon: HTTP/1.1 with JSON over a Unix
//! socket. What is said ([`api`], [`error`]), where ([`paths`]), and by whom ([`client`]).
//!
//! What is absent here, on purpose: the daemon's state. The shapes of the replies are also committed
//! as JSON Schema, in `schema/control.schema.json`.

#![forbid(unsafe_code)]

pub mod api;
pub mod client;
pub mod error;
pub mod event_stream;
pub mod focus;
pub mod names;
pub mod paths;
pub mod request_stream;
pub mod requests;

pub use client::{CallError, Client};
pub use error::{Code, ErrorBody};
pub use event_stream::EventStream;
pub use paths::{Environment, Paths, PathsError};
pub use request_stream::RequestStream;

//! Ports that nobody else gets, for integration tests and tools; and who listens on this machine.
//!
//! A [`Port`] is leased by the wharf daemon where one runs, and held by a socket of this process in any case,
//! so that no two programs that use wharf, or ask the kernel for any free port, ever get the same one. It is
//! given back when it is dropped. Without a daemon the socket alone keeps it; none is started.
//!
//! ```
//! use std::io::{Read, Write};
//! use std::net::TcpStream;
//!
//! let port = wharf_ports::lease_port().near(8000).take()?;
//! // The server of the test: any that binds with `SO_REUSEADDR`, in this process or a child.
//! let server = port.bind()?;
//! let answering = std::thread::spawn(move || server.accept()?.0.write_all(b"hello"));
//!
//! let mut told = String::new();
//! TcpStream::connect(port.address())?.read_to_string(&mut told)?;
//! assert_eq!(told, "hello");
//! answering.join().expect("no panic")?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Servers of other kinds
//!
//! Nearly every server sets `SO_REUSEADDR` and binds over the socket that holds the port. One that does not
//! (a bare `bind` in C) finds the port in use: [`Port::let_go`] before it starts.
//!
//! # What is promised
//!
//! No type of another crate is part of the API, nothing is async, and what may grow is marked so. Linux
//! only, since this is built on what its kernel tells.

#![forbid(unsafe_code)]

mod daemon;
mod error;
mod lease;
mod listeners;
mod port;
mod reserve;

pub use error::{Error, ErrorKind};
pub use lease::{Wanted, lease_port};
pub use listeners::{Listener, Process, listeners};
pub use port::Port;
pub use reserve::{Reservation, reserve};

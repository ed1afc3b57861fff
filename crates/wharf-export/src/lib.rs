//! What a project serves, written in the formats of other tools: one file a format.
//!
//! Everything here is text out of nouns: nothing is read, asked or written. The same [`Handover`] gives the same
//! bytes. A value that a format cannot say is an error, never a value that means something else.

#![forbid(unsafe_code)]

mod caddy;
mod compose;
mod compose_override;
mod devcontainer;
mod docker;
mod document;
mod error;
mod front;
mod haproxy;
mod kubernetes;
mod nginx;
mod procfile;
mod quote;
mod site;
mod systemd;
mod target;
mod traefik;
mod variables;
mod vscode;
mod wharf_toml;
mod yaml;

pub use compose_override::{Overridden, Override, compose_override};
pub use docker::{Docker, docker_toml};
pub use document::Document;
pub use error::ExportError;
pub use front::{Behind, Lent, Named, front_toml};
pub use site::{Front, Handover, Key, Launch, Server, Tls};
pub use target::Target;
pub use wharf_toml::wharf_toml;

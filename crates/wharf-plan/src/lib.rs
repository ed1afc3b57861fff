//! A directory, and perhaps a typed command, becomes a launch plan, with the reasons for it.
//!
//! Everything here reads files and nothing starts a program: what git, npm or a build tool would
//! say is taken from the files that they read themselves. What is known of frameworks and ports is
//! data, one file each, compiled into static tables.

#![forbid(unsafe_code)]

pub mod audit;
pub mod catalog;
pub mod explain;
pub mod fronts;
pub mod ports;
pub mod project;
pub mod services;

mod bare;
mod choice;
mod code;
mod command;
mod deps;
mod detect;
mod edit;
mod error;
mod flag_variable;
mod folder;
mod guess;
mod inject;
mod named;
mod naming;
mod nginx;
mod package;
mod page;
mod plan;
mod preload;
mod runner;
mod running;
mod settings;
mod shell;
mod subproject;
mod tomcat;
mod typed;
mod unwrap;
mod variables;

pub use error::PlanError;
pub use plan::{Request, plan};
pub use running::running;

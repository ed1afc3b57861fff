//! The nouns of wharf and the rules about them that need nothing but themselves.
//!
//! What is absent here, on purpose: I/O, clocks, async, knowledge of the kernel. Whatever a rule
//! needs to know of the world (`now`, the kernel's ephemeral range, who owns what) is an argument.

#![forbid(unsafe_code)]

pub mod agent;
pub mod alias;
pub mod event;
pub mod focus;
pub mod holder;
pub mod instance;
pub mod key;
pub mod lease;
pub mod listener;
pub mod name;
pub mod path_text;
pub mod placeholder;
pub mod plan;
pub mod policy;
pub mod port;
pub mod process;
mod punycode;
pub mod request;
pub mod route;
pub mod service;

pub use agent::Agent;
pub use alias::{Alias, Target, TcpName};
pub use event::{Event, EventKind};
pub use focus::Focus;
pub use holder::Holder;
pub use instance::{Instance, Remap, Remapped, State};
pub use key::ServiceKey;
pub use lease::{Grant, Lease, LeaseKind, Why};
pub use listener::{Exposure, Families, Listener, Transport};
pub use path_text::PathText;
pub use plan::{LaunchPlan, Probe, Step};
pub use port::{Port, PortError, PortRange};
pub use process::ProcessId;
pub use request::PortRequest;
pub use route::{Access, Condition, OriginForm, Owner, Protocol, Route, RouteTable, Upstream};
pub use service::{
    Expose, External, ProjectServices, Publication, Ready, Restart, Run, Service, Verbatim,
};

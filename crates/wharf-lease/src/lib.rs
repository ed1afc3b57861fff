//! Who holds which port, and who did: the policy of port choice and the store that survives crashes.
//!
//! What is absent here, on purpose: sockets, async, clocks. The time is a [`Moment`] that the caller
//! passes in, and what the kernel says of a port is asked through [`Kernel`].

#![forbid(unsafe_code)]

mod change;
mod focus;
mod grant;
mod home;
mod kernel;
mod label;
mod ledger;
mod load;
mod moment;
mod names;
mod policy;
mod port_set;
mod quarantine;
mod request;
mod schema;
mod store;
mod table;
mod view;
mod write;

pub use focus::{MAX_FOCUSES, TooManyFocuses};
pub use home::{HOME_KEPT_S, Home};
pub use kernel::{Kernel, Occupancy};
pub use label::Label;
pub use ledger::{Ended, Ledger, ReleaseError, Reported, Selection};
pub use moment::{Deadline, Moment};
pub use names::{MAX_NAMES, TooManyNames, tcp_key};
pub use request::{Busy, KeyRequest, LeaseOwner, MAX_SLOTS, MAX_TEXT, MAX_TTL_S, Refusal, Request};
pub use store::{StoreError, StoreStatus};
pub use table::{Held, Table};

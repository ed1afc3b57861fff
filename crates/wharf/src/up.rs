//! A whole project: what it runs, the pilots that run it, and what they say to each other.
//!
//! `wharf up` reads the project, starts one detached pilot for each instance, has the daemon lease all ports in
//! one transaction, and tells each pilot to launch once what it depends on is ready. What happens from then on
//! it learns from the daemon and from the logs. It owns no child: a pilot outlives it, or ends with it where it
//! was told so.

pub(crate) mod channel;
pub(crate) mod definition;
pub(crate) mod order;
pub(crate) mod pilot;
pub(crate) mod project;
pub(crate) mod template;

//! The answers of `wharf daemon`, beside the status, which is the daemon's own document.

use serde::Serialize;
use wharf_model::event::SCHEMA;

use crate::report::Report;

#[derive(Debug, Serialize)]
struct Stopped {
    schema: u32,
    pid: Option<u32>,
}

/// One JSON document: the daemon that has ended, if one ran.
pub(crate) fn stopped(pid: Option<u32>) -> Result<(), Report> {
    super::json(&Stopped { schema: SCHEMA, pid })
}

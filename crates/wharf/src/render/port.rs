//! The answer of `wharf port`.

use serde::Serialize;
use wharf_model::Lease;
use wharf_model::event::SCHEMA;

use crate::report::Report;

#[derive(Debug, Serialize)]
struct Document<'a> {
    schema: u32,
    ports: Vec<u16>,
    leases: &'a [Lease],
}

/// The bare ports, one a line.
pub(crate) fn text(leases: &[Lease]) -> Result<(), Report> {
    let lines: String = leases.iter().map(|lease| format!("{}\n", lease.port)).collect();
    super::text(&lines)
}

/// One JSON document.
pub(crate) fn json(leases: &[Lease]) -> Result<(), Report> {
    let ports = leases.iter().map(|lease| lease.port.get()).collect();
    super::json(&Document { schema: SCHEMA, ports, leases })
}

//! The answer of `wharf port`.

use std::path::Path;

use serde::Serialize;
use wharf_model::event::SCHEMA;
use wharf_model::{Lease, PathText};

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

#[derive(Debug, Serialize)]
struct Server {
    schema: u32,
    server: PathText,
}

/// The address of the port server.
pub(crate) fn server(address: &Path, as_json: bool) -> Result<(), Report> {
    let server = PathText::new(address);
    if as_json {
        super::json(&Server { schema: SCHEMA, server })
    } else {
        super::text(&format!("{server}\n"))
    }
}

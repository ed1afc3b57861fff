//! The answer of `wharf stop`.

use serde::Serialize;
use wharf_model::Instance;
use wharf_model::event::SCHEMA;

use crate::report::Report;

#[derive(Debug, Serialize)]
struct Document {
    schema: u32,
    instances: Vec<Instance>,
}

/// One JSON document: what was ended.
pub(crate) fn json(instances: Vec<Instance>) -> Result<(), Report> {
    super::json(&Document { schema: SCHEMA, instances })
}

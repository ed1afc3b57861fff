//! The answers of `wharf wait` and `wharf restart`.

use serde::Serialize;
use wharf_model::Instance;
use wharf_model::event::SCHEMA;

use crate::report::Report;

#[derive(Debug, Serialize)]
struct Document<'a> {
    schema: u32,
    instances: Vec<&'a Instance>,
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<Vec<String>>,
}

/// One JSON document: the instances that serve again.
pub(crate) fn restarted(instances: &[Instance]) -> Result<(), Report> {
    let instances = instances.iter().collect();
    super::json(&Document { schema: SCHEMA, instances, missing: None })
}

/// One JSON document: what was waited for, and the names of what is not up.
pub(crate) fn waited_for(instances: Vec<&Instance>, missing: Vec<String>) -> Result<(), Report> {
    super::json(&Document { schema: SCHEMA, instances, missing: Some(missing) })
}

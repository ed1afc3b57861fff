//! The answer of `wharf init`.

use serde::Serialize;
use wharf_model::event::SCHEMA;

use crate::init::{Action, Plan};

/// What becomes of the files.
#[derive(Debug, Serialize)]
pub(crate) struct Document {
    schema: u32,
    root: String,
    written: bool,
    files: Vec<File>,
}

#[derive(Debug, Serialize)]
struct File {
    path: String,
    action: &'static str,
}

impl Document {
    pub(crate) fn new(plan: &Plan, written: bool) -> Document {
        let file = |edit: &crate::init::Edit| File {
            path: edit.path.display().to_string(),
            action: match edit.action() {
                Action::Created => "created",
                Action::Updated => "updated",
                Action::Unchanged => "unchanged",
            },
        };
        Document {
            schema: SCHEMA,
            root: plan.root.display().to_string(),
            written,
            files: plan.edits.iter().map(file).collect(),
        }
    }
}

//! The answer of `wharf prune`.

use std::collections::BTreeSet;

use serde::Serialize;
use wharf_model::Instance;
use wharf_model::event::SCHEMA;

use super::printable;
use crate::choice::short_name;

/// What is forgotten, or would be.
#[derive(Debug, Serialize)]
pub(crate) struct Document {
    schema: u32,
    dry_run: bool,
    /// The checkouts.
    checkouts: BTreeSet<String>,
    /// Ports that were remembered for them.
    ports: Vec<u16>,
    /// What still ran there.
    ended: Vec<Instance>,
}

impl Document {
    pub(crate) fn new(
        checkouts: BTreeSet<String>,
        ports: Vec<u16>,
        ended: Vec<Instance>,
        dry_run: bool,
    ) -> Document {
        Document { schema: SCHEMA, dry_run, checkouts, ports, ended }
    }

    /// A line for each checkout and each instance.
    pub(crate) fn text(&self) -> String {
        if self.checkouts.is_empty() {
            return "every checkout that wharf knows is there\n".to_owned();
        }
        let verb = if self.dry_run { "would forget" } else { "forgot" };
        let mut text = String::new();
        for checkout in &self.checkouts {
            text.push_str(&format!("{verb} {}\n", printable(checkout)));
        }
        for instance in &self.ended {
            let verb = if self.dry_run { "would end" } else { "ended" };
            text.push_str(&format!("{verb} {}\n", short_name(instance)));
        }
        let count = self.ports.len();
        text.push_str(&format!("{count} remembered ports\n"));
        text
    }
}

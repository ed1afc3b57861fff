//! The answer of `wharf up`.

use serde::Serialize;
use wharf_model::event::SCHEMA;
use wharf_model::{Instance, PathText};

use super::outside::Outside;
use super::table::{Give, table as lay_out};
use crate::report::Report;
use crate::up::crew::called;
use crate::up::definition;
use crate::up::project::Wanted;

#[derive(Debug, Serialize)]
struct Document<'a> {
    schema: u32,
    project: PathText,
    root: PathText,
    worktree: &'a str,
    instances: &'a [&'a Instance],
    external: Vec<Outside>,
    failed: &'a [String],
}

/// One JSON document: what runs, and what has not come up.
pub(crate) fn json(
    wanted: &Wanted,
    instances: &[&Instance],
    failed: &[String],
) -> Result<(), Report> {
    super::json(&Document {
        schema: SCHEMA,
        project: PathText::new(&wanted.project.path),
        root: wanted.root(),
        worktree: &wanted.project.worktree,
        instances,
        external: wanted.external.iter().map(Outside::of).collect(),
        failed,
    })
}

/// A row for each instance.
pub(crate) fn table(instances: &[&Instance]) -> Result<(), Report> {
    if instances.is_empty() {
        return Ok(());
    }
    let row = |instance: &&Instance| {
        let name = called(&instance.key.service, instance.key.instance);
        let (state, none) = (instance.state.to_string(), || "-".to_owned());
        match is_step(instance) {
            true => vec![name, state, none(), none(), none()],
            false => {
                let (url, direct) = (instance.url.clone(), instance.direct_url.clone());
                vec![name, state, instance.port.to_string(), url, direct]
            }
        }
    };
    let head = ["SERVICE", "STATE", "PORT", "URL", "DIRECT"];
    let give = Give { last_below: true, shortened: 0 };
    super::text(&lay_out(&head, instances.iter().map(row), give))
}

fn is_step(instance: &Instance) -> bool {
    instance.definition.as_ref().is_some_and(definition::is_step)
}

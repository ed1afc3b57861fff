//! The answer of `wharf import compose`, as JSON.

use std::path::Path;

use serde::Serialize;
use wharf_export::Document;
use wharf_model::event::SCHEMA;
use wharf_plan::services::compose::Compose;

use super::export::File;
use super::outside::Outside;
use crate::report::Report;

#[derive(Serialize)]
struct Import<'a> {
    schema: u32,
    files: Vec<File<'a>>,
    compose: Project,
}

/// A compose project as it was read.
#[derive(Serialize)]
struct Project {
    name: String,
    named_by: String,
    files: Vec<String>,
    services: Vec<Outside>,
    /// What starts by request only.
    dormant: Vec<Dormant>,
}

#[derive(Serialize)]
struct Dormant {
    #[serde(flatten)]
    service: Outside,
    profiles: Vec<String>,
}

/// The file that is written, and what was read.
pub(crate) fn compose(document: &Document, compose: &Compose, root: &Path) -> Result<(), Report> {
    let below = |path: &Path| path.strip_prefix(root).unwrap_or(path).display().to_string();
    let dormant = compose.dormant.iter().map(|(service, profiles)| Dormant {
        service: Outside::of(service),
        profiles: profiles.clone(),
    });
    super::json(&Import {
        schema: SCHEMA,
        files: vec![File::of(document)],
        compose: Project {
            name: compose.name.clone(),
            named_by: compose.named_by.clone(),
            files: compose.files.iter().map(|file| below(file)).collect(),
            services: compose.services.iter().map(Outside::of).collect(),
            dormant: dormant.collect(),
        },
    })
}

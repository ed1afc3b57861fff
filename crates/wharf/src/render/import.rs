//! The answers of `wharf import compose`, `nginx` and `caddy`, as JSON.

use std::path::Path;

use serde::Serialize;
use wharf_export::Document;
use wharf_model::event::SCHEMA;
use wharf_plan::fronts::{Front, Place};
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

#[derive(Serialize)]
struct FrontImport<'a> {
    schema: u32,
    files: Vec<File<'a>>,
    front: FrontLine<'a>,
}

/// A web server's configuration as it was read.
#[derive(Serialize)]
struct FrontLine<'a> {
    files: Vec<String>,
    routes: Vec<RouteLine<'a>>,
    left: Vec<LeftLine<'a>>,
}

#[derive(Serialize)]
struct RouteLine<'a> {
    /// Null for requests of any name.
    host: Option<&'a str>,
    wildcard: bool,
    /// Null for every path.
    path: Option<&'a str>,
    target: String,
    file: String,
    line: usize,
}

#[derive(Serialize)]
struct LeftLine<'a> {
    what: &'a str,
    why: &'a str,
    file: String,
    line: usize,
}

/// The file that is written, and what was read of the web server's.
pub(crate) fn front(document: &Document, front: &Front, root: &Path) -> Result<(), Report> {
    let below = |path: &Path| path.strip_prefix(root).unwrap_or(path).display().to_string();
    let file = |place: &Place| below(&place.file);
    let routes = front.routes.iter().map(|route| RouteLine {
        host: route.host.as_deref(),
        wildcard: route.is_wildcard,
        path: route.path.as_deref(),
        target: route.upstream.to_string(),
        file: file(&route.place),
        line: route.place.line,
    });
    let left = front.left.iter().map(|left| LeftLine {
        what: &left.what,
        why: &left.why,
        file: file(&left.place),
        line: left.place.line,
    });
    super::json(&FrontImport {
        schema: SCHEMA,
        files: vec![File::of(document)],
        front: FrontLine {
            files: front.files.iter().map(|file| below(file)).collect(),
            routes: routes.collect(),
            left: left.collect(),
        },
    })
}

//! Compose files: what Docker starts, and which ports of this machine it publishes.
//!
//! wharf starts none of it. It wants to know whose the ports are.

mod body;
mod file;
mod layers;
#[cfg(test)]
mod tests;
mod variables;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use wharf_model::{External, Step};

use crate::error::PlanError;

use super::found::Found;
use body::Body;
use layers::{Layers, Loader};
use variables::Variables;

/// The files that docker compose looks for, in its order.
pub const FILES: &[&str] =
    &["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];

/// The files that it lays over the first one, of which it takes the first.
const OVERRIDES: &[&str] = &[
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
];

/// Which compose files are read, and how.
#[derive(Clone, Copy)]
pub struct Wish<'a> {
    /// The files, the weakest first; those that docker compose would find where there are none.
    pub files: &'a [PathBuf],
    /// The profiles that are on; those of `COMPOSE_PROFILES` where there are none.
    pub profiles: &'a [String],
    /// A variable of the caller's environment, by name.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Whether a variable that has to be set (`${NAME:?why}`) and is not is an error, as it is for docker compose.
    pub is_strict: bool,
    /// Whether files that wharf has written are passed over.
    pub skips_own: bool,
}

impl Wish<'_> {
    /// What docker compose would find, for whoever has no environment to ask.
    pub fn plain() -> Wish<'static> {
        Wish { files: &[], profiles: &[], env: &|_| None, is_strict: false, skips_own: false }
    }
}

/// A compose project as docker compose would load it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compose {
    /// Its name: containers, networks and volumes of two projects of one name are the same ones.
    pub name: String,
    /// Who says so, such as `compose.yaml`, `COMPOSE_PROJECT_NAME`, or `the folder`.
    pub named_by: String,
    /// Its files, the weakest first, without those that they include. None where there is no compose file.
    pub files: Vec<PathBuf>,
    /// Whether those are the files that docker compose finds by itself.
    pub is_default: bool,
    /// What it starts.
    pub services: Vec<External>,
    /// What starts by request only, since none of its profiles is on, and those profiles.
    pub dormant: Vec<(External, Vec<String>)>,
    /// The folders of this machine that its services are built from.
    pub contexts: Vec<(String, PathBuf)>,
    /// What was looked at, in order.
    pub trace: Vec<Step>,
}

/// Reads the compose project of a folder. Paths are shown from `root`.
///
/// # Errors
/// A file cannot be read or is not understood, services extend or files include each other in a circle, or, where
/// the wish is strict, a variable that has to be set is not.
pub fn read(root: &Path, dir: &Path, wish: Wish<'_>) -> Result<Compose, PlanError> {
    let mut found = Found::new(root);
    let compose = load(dir, wish, &mut found)?;
    Ok(Compose { trace: found.trace, ..compose })
}

/// The services that docker compose would start in a folder.
pub(crate) fn external(
    dir: &Path,
    wish: Wish<'_>,
    found: &mut Found<'_>,
) -> Result<Vec<External>, PlanError> {
    Ok(load(dir, wish, found)?.services)
}

fn load(dir: &Path, wish: Wish<'_>, found: &mut Found<'_>) -> Result<Compose, PlanError> {
    let mut variables = Variables::of(wish.env);
    if wish.files.is_empty() {
        variables.add(&dir.join(".env"))?;
    }
    let files = files(dir, wish, &variables);
    let is_by_variable = wish.files.is_empty() && variables.said("COMPOSE_FILE").is_some();
    if is_by_variable && let Some(path) = files.iter().find(|file| !file.exists()) {
        let why = format!("COMPOSE_FILE names {}, which is not there", found.shown(path));
        if wish.is_strict {
            let source = std::io::Error::new(std::io::ErrorKind::NotFound, why);
            return Err(PlanError::UnreadableFile { path: path.clone(), source });
        }
        found.step("COMPOSE_FILE", why);
        return Ok(Compose::default());
    }
    let Some(first) = files.first() else {
        found.step(FILES.join(", "), "not there");
        return Ok(Compose::default());
    };
    let dir = first.parent().unwrap_or(dir).to_path_buf();
    variables.add(&dir.join(".env"))?;
    let mut loader = Loader {
        found,
        is_strict: wish.is_strict,
        skips_own: wish.skips_own,
        files_read: 0,
        laid: 0,
        extended: HashMap::new(),
    };
    let layers = loader.project(&files, &dir, &variables, &[])?;
    let profiles: Vec<String> = match wish.profiles {
        [] => {
            let said = variables.get("COMPOSE_PROFILES").unwrap_or_default();
            said.split(',').map(|profile| profile.trim().to_owned()).collect()
        }
        said => said.to_vec(),
    };
    let (name, named_by) = name(&layers, &dir, &variables, found);
    let is_default = wish.files.is_empty() && !is_by_variable;
    let files = layers.files;
    let mut compose = Compose { name, named_by, files, is_default, ..Compose::default() };
    for (name, body) in layers.services {
        let context = body.build.as_ref().map(|build| dir.join(build));
        if let Some(folder) = context.filter(|folder| folder.is_dir()) {
            let folder = std::fs::canonicalize(&folder).unwrap_or(folder);
            compose.contexts.push((name.clone(), folder));
        }
        let of_profiles = body.profiles.clone();
        let Some(external) = external_of(name, body) else { continue };
        let is_on = |one: &String| one == "*" || profiles.contains(one);
        let is_started = of_profiles.is_empty()
            || of_profiles.iter().any(is_on)
            || profiles.iter().any(|profile| profile == "*");
        if is_started {
            compose.services.push(external);
            continue;
        }
        let said = format!("`{}` is of a profile: it starts by request only", external.name);
        found.step(external.source.clone(), said);
        compose.dormant.push((external, of_profiles));
    }
    Ok(compose)
}

/// Those that were named, else those of `COMPOSE_FILE`, else the first of each kind that is there.
fn files(dir: &Path, wish: Wish<'_>, variables: &Variables<'_>) -> Vec<PathBuf> {
    if !wish.files.is_empty() {
        return wish.files.iter().map(|file| dir.join(file)).collect();
    }
    if let Some(said) = variables.said("COMPOSE_FILE") {
        let separator = variables.said("COMPOSE_PATH_SEPARATOR").unwrap_or_else(|| ":".to_owned());
        return said.split(&separator).map(|file| dir.join(file)).collect();
    }
    let first =
        |names: &[&str]| names.iter().map(|name| dir.join(name)).find(|path| path.is_file());
    let Some(base) = first(FILES) else { return Vec::new() };
    std::iter::once(base).chain(first(OVERRIDES)).collect()
}

/// What docker compose calls the project, and by whose word.
fn name(
    layers: &Layers,
    dir: &Path,
    variables: &Variables<'_>,
    found: &Found<'_>,
) -> (String, String) {
    if let Some(name) = variables.said("COMPOSE_PROJECT_NAME") {
        return (normal(&name), "COMPOSE_PROJECT_NAME".to_owned());
    }
    let by_file = layers.name.as_ref().map(|(name, path)| (normal(name), found.shown(path)));
    let folder = dir.file_name().map(|name| name.to_string_lossy().into_owned());
    by_file
        .filter(|(name, _)| !name.is_empty())
        .unwrap_or_else(|| (normal(&folder.unwrap_or_default()), "the folder".to_owned()))
}

/// A name as docker compose makes it one of a project.
pub fn normal(name: &str) -> String {
    let is_letter = |c: &char| matches!(c, 'a'..='z' | '0'..='9' | '_' | '-');
    let name: String = name.to_lowercase().chars().filter(is_letter).collect();
    name.trim_start_matches(['_', '-']).to_owned()
}

/// What neither has an image nor is built is made by somebody else.
fn external_of(name: String, body: Body) -> Option<External> {
    let what = match (&body.build, &body.image) {
        (Some(folder), _) => format!("build {folder}"),
        (None, Some(image)) => format!("image {image}"),
        (None, None) => return None,
    };
    Some(External {
        name,
        by: "docker compose".into(),
        what,
        published: body.ports,
        container: body.container,
        source: body.source,
    })
}

//! One compose file, as it is written: its services, what it includes, what it calls the project.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use super::body::{Body, Extends, Tags, weight};
use super::variables::Variables;
use crate::services::found::SERVICES_MAX;
use crate::services::interpolation::{self, Unfilled};
use crate::services::published::{self, Long};
use crate::services::yaml::{Item, Wrong, Yaml};

/// How many documents of one file are read.
const DOCUMENTS_MAX: usize = 20;

/// How many published ports are noted of one project.
pub(super) const PORTS_MAX: usize = 20_000;

/// The key by which a file that wharf has written is known.
pub(super) const OWN_KEY: &str = "x-wharf";

/// A document of a file.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) name: Option<String>,
    pub(super) services: Vec<(String, Body)>,
    /// Whether `!reset` or `!override` stands at `services`.
    pub(super) drops_services: bool,
    pub(super) include: Vec<Include>,
    /// Whether wharf has written it.
    pub(super) is_own: bool,
}

/// What one entry of `include` says.
#[derive(Debug)]
pub(super) struct Include {
    /// A file, and those that are laid over it.
    pub(super) paths: Vec<String>,
    pub(super) project_directory: Option<String>,
    pub(super) env_files: Vec<String>,
    pub(super) line: usize,
}

/// Reads files with these variables.
pub(super) struct Reader<'a> {
    pub(super) variables: &'a Variables<'a>,
    /// How files are shown.
    pub(super) shown: &'a str,
    /// Whether a variable that has to be set and is not is an error in any value, as it is for docker compose.
    pub(super) is_strict: bool,
    /// How many bytes of it are left to be filled in.
    pub(super) left: Cell<usize>,
    /// What was left out, for people.
    pub(super) left_out: Vec<String>,
}

impl Reader<'_> {
    pub(super) fn documents(&mut self, text: &str) -> Result<Vec<Document>, Wrong> {
        Yaml::documents(text, DOCUMENTS_MAX)?.iter().map(|yaml| self.document(yaml)).collect()
    }

    fn document(&mut self, yaml: &Yaml) -> Result<Document, Wrong> {
        let mut document = Document::default();
        let Some(root) = yaml.root() else { return Ok(document) };
        if !root.is_map() {
            return Err(wrong(root, "it is no mapping"));
        }
        if self.is_strict {
            self.check(yaml)?;
        }
        document.name = self.text(root.get("name"))?.filter(|name| !name.is_empty());
        document.is_own = root.get(OWN_KEY).is_some();
        for entry in root.get("include").into_iter().flat_map(Item::items) {
            document.include.push(self.include(entry)?);
        }
        let Some(services) = root.get("services").filter(|services| !services.is_null()) else {
            return Ok(document);
        };
        document.drops_services = is_tagged(services);
        if services.tag() == "reset" {
            return Ok(document);
        }
        if !services.is_map() {
            return Err(wrong(services, "`services` is no mapping"));
        }
        let mut ports = 0;
        for (key, body) in services.merged_entries() {
            let Some(name) = key.text() else { return Err(wrong(key, "a service without a name")) };
            if !is_name(name) {
                let why = "has letters that no service's name has: they are `A-Z a-z 0-9 . _ -`";
                return Err(wrong(key, format!("`{}` {why}", name.escape_debug())));
            }
            if !body.is_map() && !body.is_null() && body.tag() != "reset" {
                return Err(wrong(body, format!("`{name}` is no mapping")));
            }
            if document.services.len() >= SERVICES_MAX {
                let why = format!("more than {SERVICES_MAX} services");
                return Err(Wrong::limit(key.line(), why));
            }
            let source = format!("{} line {}", self.shown, key.line());
            let body = self.body(body, source, &mut ports)?;
            document.services.push((name.to_owned(), body));
        }
        Ok(document)
    }

    /// Every value can be filled in.
    fn check(&self, yaml: &Yaml) -> Result<(), Wrong> {
        let value_of = |name: &str| self.variables.get(name);
        for item in yaml.scalars() {
            let text = item.text().unwrap_or_default();
            interpolation::fill_within(text, &value_of, &self.left)
                .map_err(|why| why.at(item.line()))?;
        }
        Ok(())
    }

    fn body(&mut self, item: Item<'_>, source: String, count: &mut usize) -> Result<Body, Wrong> {
        let tagged = |key: &str| item.get(key).is_some_and(is_tagged);
        // Within what replaces the whole service tags mean nothing.
        let whole = item.tag() == "override";
        let tagged = |key: &str| !whole && tagged(key);
        let tags = Tags {
            is_removed: item.tag() == "reset",
            whole,
            image: tagged("image"),
            build: tagged("build"),
            container: tagged("container_name"),
            profiles: tagged("profiles"),
            ports: tagged("ports"),
        };
        let mut body = Body { source, tags, ..Body::default() };
        if tags.is_removed {
            return Ok(body);
        }
        // What is reset is not there, and no longer hides what is merged in.
        let there = |key: &str| item.get_that(key, |value| whole || value.tag() != "reset");
        body.image = self.text(there("image"))?;
        body.container = self.text(there("container_name"))?;
        body.build = match there("build") {
            Some(build) if build.is_map() => {
                Some(self.text(build.get("context"))?.unwrap_or_else(|| ".".to_owned()))
            }
            build => self.text(build)?,
        };
        body.extends = self.extends(there("extends"))?;
        for profile in there("profiles").into_iter().flat_map(Item::items) {
            body.profiles.extend(self.text(Some(profile))?);
        }
        for port in there("ports").into_iter().flat_map(Item::items) {
            let more = self.published(port)?;
            *count += weight(&more);
            if *count > PORTS_MAX {
                return Err(Wrong::limit(port.line(), format!("more than {PORTS_MAX} ports")));
            }
            body.ports.extend(more);
        }
        Ok(body)
    }

    fn extends(&mut self, item: Option<Item<'_>>) -> Result<Option<Extends>, Wrong> {
        let Some(item) = item.filter(|item| !item.is_null()) else { return Ok(None) };
        let (service, file) = match item.is_map() {
            true => (self.text(item.get("service"))?, self.text(item.get("file"))?),
            false => (self.text(Some(item))?, None),
        };
        let service = service.ok_or_else(|| wrong(item, "`extends` names no service"))?;
        Ok(Some(Extends { service, file: file.map(PathBuf::from), line: item.line() }))
    }

    fn include(&mut self, entry: Item<'_>) -> Result<Include, Wrong> {
        let mut include = Include {
            paths: Vec::new(),
            project_directory: None,
            env_files: Vec::new(),
            line: entry.line(),
        };
        if entry.is_map() {
            include.paths = self.texts(entry.get("path"))?;
            include.project_directory = self.text(entry.get("project_directory"))?;
            include.env_files = self.texts(entry.get("env_file"))?;
        } else {
            include.paths.extend(self.text(Some(entry))?);
        }
        match include.paths.is_empty() {
            true => Err(wrong(entry, "an `include` without a path")),
            false => Ok(include),
        }
    }

    /// A text, or a list of texts.
    fn texts(&mut self, item: Option<Item<'_>>) -> Result<Vec<String>, Wrong> {
        let mut texts: Vec<String> = self.text(item)?.into_iter().collect();
        for one in item.into_iter().flat_map(Item::items) {
            texts.extend(self.text(Some(one))?);
        }
        Ok(texts)
    }

    fn published(&mut self, port: Item<'_>) -> Result<Vec<wharf_model::Publication>, Wrong> {
        if !port.is_map() {
            let Some(text) = self.text(Some(port))? else { return Ok(Vec::new()) };
            return published::short(&text).map_err(|why| wrong(port, why));
        }
        let mut value = |key| Ok(self.text(port.get(key))?.unwrap_or_default());
        let form = Long {
            target: value("target")?,
            published: value("published")?,
            host_ip: value("host_ip")?,
            protocol: value("protocol")?,
        };
        // What its target is stands in a variable that nobody has set.
        if form.target.is_empty() && port.get("target").is_some() {
            return Ok(Vec::new());
        }
        form.publication().map(|one| vec![one]).map_err(|why| wrong(port, why))
    }

    /// The text of a value with its variables filled in. One that lacks a variable that has to be set says nothing.
    fn text(&mut self, item: Option<Item<'_>>) -> Result<Option<String>, Wrong> {
        let Some((item, text)) = item.and_then(|item| Some((item, item.text()?))) else {
            return Ok(None);
        };
        match interpolation::fill_within(text, &|name| self.variables.get(name), &self.left) {
            Ok(text) => Ok(Some(text)),
            Err(why @ Unfilled::Missing { .. }) if !self.is_strict => {
                self.left_out.push(format!("line {}: {why}", item.line()));
                Ok(None)
            }
            Err(why) => Err(why.at(item.line())),
        }
    }
}

/// Whether what the files below say of it does not count.
fn is_tagged(item: Item<'_>) -> bool {
    matches!(item.tag(), "reset" | "override")
}

pub(super) fn wrong(item: Item<'_>, why: impl Into<String>) -> Wrong {
    Wrong::new(item.line(), why)
}

/// Whether a service may be called so (compose-spec, `schema/compose-spec.json`).
fn is_name(name: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !name.is_empty() && name.chars().all(is_letter)
}

/// Whether a path means something that Docker Compose fetches from elsewhere.
pub(super) fn is_remote(path: &str) -> bool {
    path.contains("://")
        || path.starts_with("oci:")
        || path.starts_with("git@")
        || path.starts_with("github.com/")
        || Path::new(path.split('#').next().unwrap_or(path))
            .extension()
            .is_some_and(|end| end == "git")
}

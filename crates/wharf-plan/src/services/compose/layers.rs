//! Files laid over one another, with what they extend and include, as Docker Compose's own library does it
//! (compose-go, `loader`).

use std::cell::Cell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::body::{Body, Extends, Tags, weight};
use super::file::{Document, Include, PORTS_MAX, Reader, is_remote};
use super::variables::Variables;
use crate::error::PlanError;
use crate::services::found::{self, Found, SERVICES_MAX};
use crate::services::interpolation::FILLED_MAX;
use crate::services::yaml::Wrong;

/// How many files of one project are read, those that are included or extended among them.
const FILES_MAX: usize = 200;

/// How many ports are noted on the way to those of a project, over each file and each service that is extended: the same
/// ones count as often as they are laid.
const LAID_MAX: usize = 10 * PORTS_MAX;

/// How deep includes include, and services extend each other.
const DEPTH_MAX: usize = 30;

/// The services of a project, in the order in which they were found.
#[derive(Debug, Default)]
pub(super) struct Layers {
    /// The last name that a file gives the project, and which file.
    pub(super) name: Option<(String, PathBuf)>,
    pub(super) services: Vec<(String, Body)>,
    /// The files that were laid, without those that wharf has written and that were passed over.
    pub(super) files: Vec<PathBuf>,
}

/// Reads the files of a project.
pub(super) struct Loader<'f, 'r> {
    pub(super) found: &'f mut Found<'r>,
    pub(super) is_strict: bool,
    /// Whether files that wharf has written are passed over.
    pub(super) skips_own: bool,
    pub(super) files_read: usize,
    /// How many ports were laid so far.
    pub(super) laid: usize,
    /// The services of files that are extended, by file and by the variables that they were read with.
    pub(super) extended: HashMap<(PathBuf, usize), Rc<Services>>,
}

/// Services by name, as a file has them.
type Services = Vec<(String, Body)>;

/// A service of a file, by both.
type Place = (PathBuf, String);

/// How one came to a service that is extended.
#[derive(Clone, Copy)]
struct Way<'a> {
    variables: &'a Variables<'a>,
    /// Those that extend it.
    chain: &'a [Place],
    /// The tags of the files on the way: what they take from a service they take from what it extends, wherever that
    /// stands. So does compose-go, which knows them by the service's name alone.
    tagged: &'a [(String, Tags)],
}

impl Loader<'_, '_> {
    /// Lays files over one another. Paths in them are meant from `dir`; `open` are the files that include these.
    pub(super) fn project(
        &mut self,
        files: &[PathBuf],
        dir: &Path,
        variables: &Variables<'_>,
        open: &[PathBuf],
    ) -> Result<Layers, PlanError> {
        let mut layers = Layers::default();
        for path in files {
            let documents = self.documents(path, variables)?;
            if self.skips_own && documents.iter().any(|document| document.is_own) {
                self.found.step(self.found.shown(path), "wharf has written it: passed over");
                continue;
            }
            layers.files.push(path.clone());
            let open: Vec<PathBuf> = open.iter().cloned().chain([real(path)]).collect();
            for document in documents {
                self.lay(document, path, dir, variables, &open, &mut layers)?;
            }
            let far = layers.services.len();
            self.found.step(self.found.shown(path), format!("services for Docker so far: {far}"));
            if layers.services.iter().map(|(_, body)| weight(&body.ports)).sum::<usize>()
                > PORTS_MAX
            {
                return Err(too_much(path, format!("more than {PORTS_MAX} ports")));
            }
        }
        Ok(layers)
    }

    /// Notes that a file is read.
    fn opens(&mut self, path: &Path) -> Result<(), PlanError> {
        self.files_read += 1;
        match self.files_read > FILES_MAX {
            true => {
                Err(too_much(path, format!("more than {FILES_MAX} files belong to this project")))
            }
            false => Ok(()),
        }
    }

    /// Notes that the ports of a service are laid.
    fn lays(&mut self, path: &Path, body: &Body) -> Result<(), PlanError> {
        self.laid += weight(&body.ports);
        match self.laid > LAID_MAX {
            true => {
                Err(too_much(path, format!("more than {LAID_MAX} ports are laid over each other")))
            }
            false => Ok(()),
        }
    }

    fn documents(
        &mut self,
        path: &Path,
        variables: &Variables<'_>,
    ) -> Result<Vec<Document>, PlanError> {
        self.opens(path)?;
        let Some(text) = found::read(path)? else {
            let absence = std::io::ErrorKind::NotFound;
            let source = std::fs::metadata(path).err().unwrap_or_else(|| absence.into());
            return Err(PlanError::UnreadableFile { path: path.to_path_buf(), source });
        };
        let shown = self.found.shown(path);
        let (is_strict, left) = (self.is_strict, Cell::new(FILLED_MAX));
        let mut reader = Reader { variables, shown: &shown, is_strict, left, left_out: Vec::new() };
        let documents = reader.documents(&text).map_err(|wrong| found::malformed(path, wrong))?;
        for left_out in reader.left_out {
            self.found.step(shown.clone(), left_out);
        }
        for (_, body) in documents.iter().flat_map(|document| &document.services) {
            self.lays(path, body)?;
        }
        Ok(documents)
    }

    /// One document over what is there: what it extends, then what it includes, then itself.
    fn lay(
        &mut self,
        document: Document,
        path: &Path,
        dir: &Path,
        variables: &Variables<'_>,
        open: &[PathBuf],
        layers: &mut Layers,
    ) -> Result<(), PlanError> {
        if let Some(name) = document.name {
            layers.name = Some((name, path.to_path_buf()));
        }
        let tagged: Vec<(String, Tags)> =
            document.services.iter().map(|(name, body)| (name.clone(), body.tags)).collect();
        let mut own: Vec<(String, Body)> = Vec::new();
        for (name, _) in &document.services {
            let way = Way { variables, chain: &[], tagged: &tagged };
            let body = self.extended(&document.services, name, (path, dir), way)?;
            own.push((name.clone(), body));
        }
        if document.drops_services {
            layers.services.clear();
        }
        layers.services.retain(|(known, _)| {
            !own.iter().any(|(name, body)| name == known && body.tags.is_removed)
        });
        own.retain(|(_, body)| !body.tags.is_removed);
        let written = own.len();
        for include in &document.include {
            self.include(include, (path, dir), variables, open, (&mut own, written))?;
        }
        for (name, body) in own {
            match layers.services.iter_mut().find(|(known, _)| *known == name) {
                Some((_, below)) => {
                    *below = body.over(std::mem::take(below));
                    self.lays(path, below)?;
                }
                None => layers.services.push((name, body.over(Body::default()))),
            }
        }
        if layers.services.len() > SERVICES_MAX {
            let dir = dir.to_path_buf();
            return Err(PlanError::TooManyServices { dir, limit: SERVICES_MAX });
        }
        Ok(())
    }

    /// A service with what it extends below it.
    fn extended(
        &mut self,
        services: &[(String, Body)],
        name: &str,
        (path, dir): (&Path, &Path),
        way: Way<'_>,
    ) -> Result<Body, PlanError> {
        let Way { variables, chain, tagged } = way;
        let Some((_, body)) = services.iter().find(|(known, _)| known == name) else {
            return Ok(Body::default());
        };
        let mut body = body.clone();
        let Some(Extends { service, file, line }) = body.extends.take() else { return Ok(body) };
        let wrong = |why: String| found::malformed(path, Wrong::new(line, why));
        let place = (real(path), name.to_owned());
        if chain.contains(&place) || chain.len() >= DEPTH_MAX {
            let names: Vec<&str> = chain.iter().map(|(_, name)| name.as_str()).collect();
            let circle = format!("{} → {name}", names.join(" → "));
            return Err(wrong(format!("services extend each other in a circle: {circle}")));
        }
        let chain: Vec<Place> = chain.iter().cloned().chain([place]).collect();
        let is_it = |one: &(String, Body)| one.0 == service && !one.1.tags.is_removed;
        let has = |all: &[(String, Body)]| all.iter().any(is_it);
        let mut tagged: Vec<(String, Tags)> = tagged.to_vec();
        let below = match &file {
            None if has(services) => {
                let way = Way { variables, chain: &chain, tagged: &tagged };
                self.extended(services, &service, (path, dir), way)?
            }
            Some(file) if is_remote(&file.to_string_lossy()) => {
                let what = format!("`{name}` extends {}, which is elsewhere", file.display());
                self.found.step(self.found.shown(path), what);
                Body::default()
            }
            Some(file) => {
                let file = dir.join(file);
                if !file.is_file() {
                    return Err(wrong(format!(
                        "`{name}` extends {}, which is not there",
                        file.display()
                    )));
                }
                let others = self.merged(&file, variables)?;
                if !has(&others) {
                    let shown = self.found.shown(&file);
                    return Err(wrong(format!("{shown} has no service `{service}` to extend")));
                }
                let folder = file.parent().unwrap_or(dir);
                tagged.extend(others.iter().map(|(name, body)| (name.clone(), body.tags)));
                let way = Way { variables, chain: &chain, tagged: &tagged };
                self.extended(&others, &service, (&file, folder), way)?
            }
            None => return Err(wrong(format!("there is no service `{service}` to extend"))),
        };
        // It is named where it is extended, not where what it extends stands.
        let mut below = Body { source: String::new(), ..below };
        for (_, tags) in tagged.iter().filter(|(tagged, _)| tagged == name) {
            below = below.without(*tags);
        }
        // What is tagged here counts for the files below this one too. `!override` at the whole service counts for
        // those alone.
        let tags = body.tags;
        body.tags.whole = false;
        let body = Body { tags, ..body.over(below) };
        self.lays(path, &body)?;
        Ok(body)
    }

    /// The services of a file that is extended, its documents one over the other.
    fn merged(
        &mut self,
        file: &Path,
        variables: &Variables<'_>,
    ) -> Result<Rc<Services>, PlanError> {
        let place = (real(file), variables.scope);
        if let Some(known) = self.extended.get(&place) {
            return Ok(Rc::clone(known));
        }
        let mut documents = self.documents(file, variables)?.into_iter();
        let mut services = documents.next().map(|first| first.services).unwrap_or_default();
        for (name, body) in documents.flat_map(|document| document.services) {
            match services.iter_mut().find(|(known, _)| *known == name) {
                Some((_, below)) => {
                    *below = body.over(std::mem::take(below));
                    self.lays(file, below)?;
                }
                None => services.push((name, body)),
            }
        }
        let services = Rc::new(services);
        self.extended.insert(place, Rc::clone(&services));
        Ok(services)
    }

    /// Adds what an `include` brings to the services of the file that says so, the first `written` of which stand in it.
    fn include(
        &mut self,
        include: &Include,
        (path, dir): (&Path, &Path),
        variables: &Variables<'_>,
        open: &[PathBuf],
        (own, written): (&mut Vec<(String, Body)>, usize),
    ) -> Result<(), PlanError> {
        let wrong = |why: String| found::malformed(path, Wrong::new(include.line, why));
        if let Some(remote) = include.paths.iter().find(|path| is_remote(path)) {
            self.found
                .step(self.found.shown(path), format!("includes {remote}, which is elsewhere"));
            return Ok(());
        }
        let files: Vec<PathBuf> = include.paths.iter().map(|one| dir.join(one)).collect();
        if let Some(missing) = files.iter().find(|file| !file.is_file()) {
            return Err(wrong(format!("it includes {}, which is not there", missing.display())));
        }
        if open.contains(&real(&files[0])) || open.len() >= DEPTH_MAX {
            let shown = self.found.shown(&files[0]);
            return Err(wrong(format!("files include each other in a circle: {shown} again")));
        }
        let folder = match &include.project_directory {
            Some(folder) => dir.join(folder),
            None => files[0].parent().unwrap_or(dir).to_path_buf(),
        };
        let mut inner = variables.clone();
        // Each include reads its files, so that this number is no other's.
        inner.scope = self.files_read + 1;
        if include.env_files.is_empty() {
            inner.add(&folder.join(".env"))?;
        }
        for file in include.env_files.iter().map(|file| dir.join(file)) {
            self.opens(&file)?;
            if !inner.add(&file)? {
                return Err(wrong(format!("its env_file {} is not there", file.display())));
            }
        }
        let layers = self.project(&files, &folder, &inner, open)?;
        for (name, body) in layers.services {
            match own.iter().position(|(known, _)| *known == name) {
                None => own.push((name, body)),
                // The same part of a project may be included by several others.
                Some(index) if index >= written && own[index].1 == body => {}
                Some(index) => {
                    let known = &own[index].1;
                    let why =
                        format!("`{name}` of {} is there already ({})", body.source, known.source);
                    return Err(wrong(why));
                }
            }
        }
        Ok(())
    }
}

fn too_much(path: &Path, why: String) -> PlanError {
    found::malformed(path, Wrong::limit(1, why))
}

/// The file itself, whatever ways lead to it.
fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
}

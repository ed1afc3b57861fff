//! What a service is called when nobody names it.

use std::path::Path;

use wharf_model::name::slug;

use crate::catalog::Framework;
use crate::command::{Command, LayerKind, program_name};

/// The name of a project's web service.
const WEB: &str = "web";

/// The scripts that start what a project is mainly about.
pub(crate) const MAIN_SCRIPTS: &[&str] = &["dev", "start", "serve"];

/// What is known of a service that has no name yet.
pub(crate) struct Nameless<'a> {
    /// The folder that it was started in.
    pub(crate) dir: &'a Path,
    /// The checkout's root.
    pub(crate) root: &'a Path,
    /// The framework, where it was recognised.
    pub(crate) framework: Option<&'static Framework>,
    /// The command.
    pub(crate) command: &'a Command,
    /// What `wharf run` alone would start in the root: `None` if nothing, `Some(None)` if something
    /// that the catalog does not know.
    pub(crate) main: Option<Option<&'static Framework>>,
}

/// The service's name, and whether it answers for the project's own name. Two services of one root
/// differ in name as long as they differ in folder, script, framework or program.
pub(crate) fn name(service: &Nameless<'_>) -> (String, bool) {
    if let Ok(below) = service.dir.strip_prefix(service.root)
        && let Some(folder) = below.file_name()
    {
        return (slug(&folder.to_string_lossy()), false);
    }
    if let Some(script) = &service.command.script
        && !MAIN_SCRIPTS.contains(&script.as_str())
    {
        return (slug(script), false);
    }
    let web = service.framework.is_none_or(Framework::is_web);
    let is_main = match (service.main, service.framework) {
        (None, _) | (Some(None), None) => true,
        (Some(Some(main)), Some(own)) => main.id == own.id || main.shares_dependency(own),
        (Some(_), _) => false,
    };
    match service.framework {
        _ if web && is_main => (WEB.to_owned(), true),
        Some(framework) => (framework.id.to_owned(), false),
        None => (program(service.command), false),
    }
}

/// A name after the program or the script that runs.
fn program(command: &Command) -> String {
    let layer = command.innermost();
    let word = command.words.get(layer.start).map_or("", |word| word.text.as_str());
    let name = program_name(word);
    let name = match layer.kind {
        LayerKind::Script(_) => name.rsplit_once('.').map_or(name, |(stem, _)| stem),
        LayerKind::Program | LayerKind::Module => name,
    };
    slug(name)
}

//! What a service is called when nobody names it.

use std::path::{Path, PathBuf};

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
    /// The script by whose text it was recognised.
    pub(crate) entry: Option<&'a Path>,
    /// The command.
    pub(crate) command: &'a Command,
    /// What `wharf run` alone would start in the root, unless that is this.
    pub(crate) main: Option<Main>,
}

/// What `wharf run` alone would start in a root.
pub(crate) struct Main {
    /// The framework, where it was recognised.
    pub(crate) framework: Option<&'static Framework>,
    /// The script by whose text it was recognised.
    pub(crate) entry: Option<PathBuf>,
    /// The name of its program.
    pub(crate) program: String,
}

impl Main {
    /// Whether a service is this one: the same framework, and the same script where both are known.
    fn is(&self, service: &Nameless<'_>) -> bool {
        match (self.framework, service.framework) {
            (Some(main), Some(own)) => {
                let same_entry = match (&self.entry, service.entry) {
                    (Some(main), Some(own)) => main == own,
                    _ => true,
                };
                same_entry && (main.id == own.id || main.shares_dependency(own))
            }
            (None, None) => self.program == program(service.command),
            _ => false,
        }
    }
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
    let is_main = service.main.as_ref().is_none_or(|main| main.is(service));
    match (service.framework, service.entry) {
        _ if web && is_main => (WEB.to_owned(), true),
        // Two scripts with one framework are two services.
        (Some(framework), None) => (framework.id.to_owned(), false),
        (Some(framework), Some(_)) if !service.shares_framework() => {
            (framework.id.to_owned(), false)
        }
        _ => (program(service.command), false),
    }
}

impl Nameless<'_> {
    /// Whether the main service has the same framework.
    fn shares_framework(&self) -> bool {
        let main = self.main.as_ref().and_then(|main| main.framework);
        main.map(|main| main.id) == self.framework.map(|own| own.id)
    }
}

/// A name after the program or the script that runs.
pub(crate) fn program(command: &Command) -> String {
    let layer = command.innermost();
    let word = command.words.get(layer.start).map_or("", |word| word.text.as_str());
    let name = program_name(word);
    let name = match layer.kind {
        LayerKind::Script(_) => name.rsplit_once('.').map_or(name, |(stem, _)| stem),
        LayerKind::Program | LayerKind::Module => name,
    };
    slug(name)
}

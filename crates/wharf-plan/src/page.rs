//! Flags that keep a page to the host that it is from: a server that is handed an address may tell the
//! page's client to connect to that address, which leads past the page's name.

use std::path::Path;

use crate::catalog::Page;
use crate::command::Command;
use crate::folder;

/// How many folders upward an installed package is looked for: a workspace keeps it at its root.
const FOLDERS_MAX: usize = 8;

/// The flags, where the installed version knows them and the user has not decided it already.
pub(crate) fn flags(page: &Page, command: &Command) -> &'static [&'static str] {
    let knows = installed(&command.dir, page.package).is_some_and(|major| major >= page.since);
    if knows && !is_decided(page, command) { page.args } else { &[] }
}

/// A flag for part of an option fails where a file says the whole of it, so any word of it counts.
fn is_decided(page: &Page, command: &Command) -> bool {
    let says = |text: &str| page.unless.iter().any(|word| text.contains(word));
    let named = command.words.iter().map(|word| command.dir.join(&word.text));
    let files = folder::find(&command.dir, page.files).into_iter().chain(named);
    command.words.iter().any(|word| says(&word.text))
        || files.filter_map(|file| folder::evidence(&file)).any(|text| says(&text))
}

/// The major version of a package of Node's that is installed.
fn installed(dir: &Path, package: &str) -> Option<u32> {
    let manifest = Path::new("node_modules").join(package).join("package.json");
    let text = dir
        .ancestors()
        .take(FOLDERS_MAX)
        .find_map(|folder| folder::evidence(&folder.join(&manifest)))?;
    let version = text.split_once("\"version\"")?.1.split('"').nth(1)?;
    version.split('.').next()?.parse().ok()
}

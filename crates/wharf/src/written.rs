//! Files of other tools that a user told wharf to write.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use similar::TextDiff;
use wharf_export::Document;

use crate::report::{Code, Report};

/// The largest file that is compared with; none of these tools has one that is near it.
const LARGEST: u64 = 8 * 1024 * 1024;

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// There was none.
    New,
    /// There was another one.
    Replaced,
    /// It was there already.
    Same,
}

/// Where each document goes: one to the file that is named, or below it if that is a folder; several below it.
pub(crate) fn places<'a>(documents: &'a [Document], place: &Path) -> Vec<(PathBuf, &'a Document)> {
    let is_folder =
        documents.len() > 1 || place.is_dir() || place.as_os_str().to_string_lossy().ends_with('/');
    match (documents, is_folder) {
        ([only], false) => vec![(place.to_path_buf(), only)],
        _ => documents.iter().map(|one| (place.join(&one.name), one)).collect(),
    }
}

/// What would change, as a patch; `None` where nothing would.
///
/// # Errors
/// What is there cannot be read, or is no text file.
pub(crate) fn patch(path: &Path, new: &str) -> Result<Option<String>, Report> {
    let old = read(path)?;
    if old.as_deref() == Some(new) {
        return Ok(None);
    }
    let name = path.display();
    let from = old.as_ref().map_or("/dev/null".to_owned(), |_| format!("a/{name}"));
    let old = old.unwrap_or_default();
    let diff = TextDiff::from_lines(old.as_str(), new);
    Ok(Some(diff.unified_diff().header(&from, &format!("b/{name}")).to_string()))
}

/// The file's text; `None` where there is none.
fn read(path: &Path) -> Result<Option<String>, Report> {
    let refused = |why: &str| {
        Report::new(Code::Failed, format!("{} is left as it is", path.display())).why(why)
    };
    let about = match fs::symlink_metadata(path) {
        Ok(about) => about,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refused(&error.to_string())),
    };
    if !about.is_file() {
        return Err(refused("it is no regular file").help("name the file itself"));
    }
    if about.len() > LARGEST {
        return Err(refused("it is larger than any file of this kind"));
    }
    let text = fs::read(path).map_err(|error| refused(&error.to_string()))?;
    String::from_utf8(text).map(Some).map_err(|_| refused("it is not UTF-8"))
}

/// Writes a whole file: whoever reads it meanwhile sees the old one or the new one.
///
/// # Errors
/// It cannot be written, or what is there is no regular file.
pub(crate) fn write(path: &Path, document: &Document) -> Result<Written, Report> {
    let old = read(path)?;
    if old.as_deref() == Some(&document.text) {
        return Ok(Written::Same);
    }
    let failed = |error: std::io::Error| {
        Report::new(Code::Failed, format!("{} cannot be written", path.display())).because(&error)
    };
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder).map_err(failed)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = folder.join(format!(".{name}.wharf-{}", std::process::id()));
    let done = put(&beside, document, old.is_some().then_some(path))
        .and_then(|()| fs::rename(&beside, path));
    if done.is_err() {
        let _ = fs::remove_file(&beside);
    }
    done.map_err(failed)?;
    Ok(if old.is_some() { Written::Replaced } else { Written::New })
}

/// A new file, with the mode of the one whose place it takes. What may hold secrets is its user's alone from its first
/// byte on.
fn put(path: &Path, document: &Document, like: Option<&Path>) -> std::io::Result<()> {
    let mode = if document.is_private || like.is_some() { 0o600 } else { 0o666 };
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(document.text.as_bytes())?;
    if let Some(like) = like {
        file.set_permissions(fs::metadata(like)?.permissions())?;
    }
    file.sync_all()
}

//! Where a file of a project is, whether wharf may write it, and how it is written.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::audit::apply;
use crate::report::{Code, Report};

/// The largest file that is read, in bytes: what agents are told is far smaller.
const SIZE_MAX: u64 = 1024 * 1024;

/// A file that is there, or may be made.
#[derive(Debug)]
pub(super) struct Place {
    /// As it was named.
    shown: PathBuf,
    /// Without links.
    real: PathBuf,
    /// What it holds, where it is there.
    pub(super) old: Option<Vec<u8>>,
}

impl Place {
    /// Looks at a file of the project.
    ///
    /// # Errors
    /// It is no file, is too large, cannot be read, or a link leads out of the project.
    pub(super) fn look(root: &Path, path: &Path) -> Result<Place, Report> {
        let refused = |why: String| refused(path, &why);
        let root = fs::canonicalize(root).map_err(|error| refused(error.to_string()))?;
        let named = root.join(path);
        let real = real(&named).map_err(|error| refused(error.to_string()))?;
        if !real.starts_with(&root) {
            return Err(refused(format!("a link leads to {}, out of the project", real.display())));
        }
        let old = read(&real).map_err(|error| refused(error.to_string()))?;
        Ok(Place { shown: path.to_owned(), real, old })
    }

    /// Looks again.
    ///
    /// # Errors
    /// It is not what it was.
    pub(super) fn is_as_it_was(&self) -> Result<(), Report> {
        let now = read(&self.real).map_err(|error| refused(&self.shown, &error.to_string()))?;
        match now == self.old {
            true => Ok(()),
            false => Err(refused(&self.shown, "it has changed since it was read")),
        }
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// It cannot be written; then it is as it was.
    pub(super) fn write(&self, new: &[u8]) -> Result<(), Report> {
        let written = match self.old {
            Some(_) => apply::replace(&self.real, new),
            None => create(&self.real, new),
        };
        written.map_err(|error| refused(&self.shown, &error.to_string()))
    }
}

fn refused(path: &Path, why: &str) -> Report {
    Report::new(Code::Failed, format!("{} is left as it is", path.display()))
        .why(why)
        .help("`wharf init agents --print` prints the texts, to be put where they are wanted")
}

/// The path without links; of what is not there yet, by the folder above it that is.
fn real(path: &Path) -> io::Result<PathBuf> {
    match fs::symlink_metadata(path) {
        // A link to nothing is an error: what it would make is somebody else's idea.
        Ok(_) => fs::canonicalize(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
                return Err(error);
            };
            Ok(real(folder)?.join(name))
        }
        Err(error) => Err(error),
    }
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let about = match fs::symlink_metadata(path) {
        Ok(about) => about,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    // Asked before it is opened, which a pipe would not let us out of.
    if !about.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(SIZE_MAX + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > SIZE_MAX {
        true => Err(io::Error::other("it has more than 1 MiB")),
        false => Ok(Some(bytes)),
    }
}

/// A file that is not there yet, with its folders.
fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written
}

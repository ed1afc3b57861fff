//! Writes the changes that `--fix --apply` was told to write: the one place where wharf writes to a project's
//! own files.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use wharf_plan::audit::Edited;

use crate::report::{Code, Report};

/// Writes them all, after all have been looked at: a file that is not what it was is not touched, and then none is.
///
/// # Errors
/// A file has changed since it was read, is none of the project's, or cannot be written.
pub(crate) fn apply(root: &Path, edited: &[Edited]) -> Result<(), Report> {
    let mut plans = Vec::new();
    for one in edited {
        let path = root.join(&one.path);
        ready(root, &path, one).map_err(|why| refused(&one.path, &why))?;
        plans.push((path, one));
    }
    for (path, one) in plans {
        replace(&path, one.new.as_bytes())
            .map_err(|error| refused(&one.path, &error.to_string()))?;
    }
    Ok(())
}

fn refused(path: &Path, why: &str) -> Report {
    Report::new(Code::Failed, format!("{} is left as it is", path.display()))
        .why(why)
        .help("`wharf audit --fix` prints the patch: apply it by hand")
}

fn ready(root: &Path, path: &Path, one: &Edited) -> Result<(), String> {
    let about = fs::symlink_metadata(path).map_err(|error| error.to_string())?;
    if !about.is_file() {
        return Err("it is no regular file".to_owned());
    }
    // A folder on the way may be a link since.
    let real = fs::canonicalize(path).map_err(|error| error.to_string())?;
    let real_root = fs::canonicalize(root).map_err(|error| error.to_string())?;
    if !real.starts_with(&real_root) {
        return Err(format!("it lies outside of {}", real_root.display()));
    }
    let now = fs::read(path).map_err(|error| error.to_string())?;
    (now == one.old.as_bytes())
        .then_some(())
        .ok_or_else(|| "it has changed since it was read".to_owned())
}

/// Puts a whole new file in the old one's place, with its mode and owner: whoever reads it sees one or the other.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let about = fs::metadata(path)?;
    let beside = beside(path);
    let written = write(&beside, bytes, &about).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written?;
    // The name is in the folder: without this a crash may bring the old file back, which does no harm.
    if let Some(folder) = path.parent()
        && let Ok(folder) = File::open(folder)
    {
        let _ = folder.sync_all();
    }
    Ok(())
}

fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.wharf-{}", std::process::id()))
}

fn write(path: &Path, bytes: &[u8], about: &fs::Metadata) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    let made = file.metadata()?;
    if (made.uid(), made.gid()) != (about.uid(), about.gid()) {
        chown(path, Some(about.uid()), Some(about.gid()))?;
    }
    file.set_permissions(fs::Permissions::from_mode(about.mode() & 0o7777))?;
    file.sync_all()
}

//! From a name to the file that runs: `PATH` look-up with reasons, done before anything is forked.

use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// What `PATH` means where it is not set, as execvp(3) has it.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// Why a command cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// No such file, in no folder of `PATH`.
    #[error("no program named `{}` was found in PATH", name.display())]
    NotFound {
        /// The name as typed.
        name: OsString,
    },
    /// A path was given and nothing is there.
    #[error("there is no file `{}`", path.display())]
    NoFile {
        /// The path.
        path: PathBuf,
    },
    /// It is there and may not be executed.
    #[error("`{}` is not executable", path.display())]
    NotExecutable {
        /// The path.
        path: PathBuf,
    },
    /// It is a folder.
    #[error("`{}` is a folder", path.display())]
    IsFolder {
        /// The path.
        path: PathBuf,
    },
    /// A word holds a NUL byte, which no command line can carry.
    #[error("a word of the command holds a NUL byte")]
    Nul,
    /// There is no word at all.
    #[error("the command is empty")]
    Empty,
}

/// Whether the file would give rights that we do not have: it is another user's and says so (`sudo`). None
/// does under "no new privileges", which a filter of an ordinary user brings with it.
pub fn gives_rights(file: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let own = crate::user::current_uid();
    own != 0
        && std::fs::metadata(file).is_ok_and(|meta| {
            (meta.mode() & libc::S_ISUID != 0 && meta.uid() != own)
                || meta.mode() & libc::S_ISGID != 0
        })
}

/// Finds the file that runs for `name` as execvp(3) would, from `dir` and with the child's `PATH`.
///
/// # Errors
/// Each with its reason; a file that is found but may not be executed is only an error when no later
/// folder of `PATH` has a better one.
pub fn find(name: &OsStr, path: Option<&OsStr>, dir: &Path) -> Result<PathBuf, ProgramError> {
    if name.is_empty() {
        return Err(ProgramError::Empty);
    }
    if name.as_bytes().contains(&b'/') {
        let file = dir.join(name);
        return match check(&file) {
            Verdict::Runs => Ok(file),
            Verdict::Missing => Err(ProgramError::NoFile { path: file }),
            Verdict::Folder => Err(ProgramError::IsFolder { path: file }),
            Verdict::NotExecutable => Err(ProgramError::NotExecutable { path: file }),
        };
    }
    let path = path.unwrap_or_else(|| OsStr::new(DEFAULT_PATH));
    let mut refused = None;
    for folder in std::env::split_paths(path) {
        let file = dir.join(folder).join(name);
        match check(&file) {
            Verdict::Runs => return Ok(file),
            Verdict::NotExecutable => refused = refused.or(Some(file)),
            Verdict::Missing | Verdict::Folder => {}
        }
    }
    Err(match refused {
        Some(path) => ProgramError::NotExecutable { path },
        None => ProgramError::NotFound { name: name.to_owned() },
    })
}

enum Verdict {
    Runs,
    Missing,
    Folder,
    NotExecutable,
}

fn check(file: &Path) -> Verdict {
    match std::fs::metadata(file) {
        Err(_) => Verdict::Missing,
        Ok(facts) if facts.is_dir() => Verdict::Folder,
        Ok(_) if rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok() => Verdict::Runs,
        Ok(_) => Verdict::NotExecutable,
    }
}

/// A word for execve(2).
pub(crate) fn c_word(word: &OsStr) -> Result<CString, ProgramError> {
    CString::new(word.as_bytes()).map_err(|_| ProgramError::Nul)
}

/// `NAME=value` for execve(2).
pub(crate) fn c_variable(name: &OsStr, value: &OsStr) -> Result<CString, ProgramError> {
    let mut text = name.to_owned().into_vec();
    text.push(b'=');
    text.extend_from_slice(value.as_bytes());
    CString::new(text).map_err(|_| ProgramError::Nul)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn file(dir: &Path, name: &str, mode: u32) {
        let path = dir.join(name);
        std::fs::write(&path, "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn each_reason_is_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        file(dir, "good", 0o755);
        file(dir, "plain", 0o644);
        let path = Some(dir.as_os_str());
        assert_eq!(find(OsStr::new("good"), path, dir).unwrap(), dir.join("good"));
        assert_eq!(find(OsStr::new("./good"), None, dir).unwrap(), dir.join("./good"));
        let error = |name: &str| find(OsStr::new(name), path, dir).unwrap_err();
        assert!(matches!(error("plain"), ProgramError::NotExecutable { .. }));
        assert!(matches!(error("./plain"), ProgramError::NotExecutable { .. }));
        assert!(matches!(error("missing"), ProgramError::NotFound { .. }));
        assert!(matches!(error("./missing"), ProgramError::NoFile { .. }));
        assert!(matches!(error("/"), ProgramError::IsFolder { .. }));
        assert!(matches!(error(""), ProgramError::Empty));
    }
}

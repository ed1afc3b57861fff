//! A folder that is this user's alone: where sockets, the database and logs may lie.

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

/// Why a folder cannot be trusted with private files.
#[derive(Debug, thiserror::Error)]
pub enum PrivateDirError {
    /// It would depend on where we are.
    #[error("`{}` is not an absolute path", path.display())]
    Relative {
        /// The folder.
        path: PathBuf,
    },
    /// It is missing and cannot be made.
    #[error("cannot make the folder `{}`", path.display())]
    Create {
        /// The folder.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// It cannot be examined.
    #[error("cannot open the folder `{}`", path.display())]
    Open {
        /// The folder.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// Whoever made the link decides where our files would go.
    #[error("`{}` is a symbolic link", path.display())]
    Symlink {
        /// The folder.
        path: PathBuf,
    },
    /// Something else is in its place.
    #[error("`{}` is not a folder", path.display())]
    NotFolder {
        /// The path.
        path: PathBuf,
    },
    /// Its owner could read and replace what is in it.
    #[error("`{}` belongs to uid {owner}, not to uid {expected}", path.display())]
    Owner {
        /// The folder.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who we are.
        expected: u32,
    },
    /// Others have rights on it.
    #[error("`{}` is open to others (mode {mode:04o}, wanted 0700)", path.display())]
    Permissions {
        /// The folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

/// Makes sure that the folder is there and only ours: mode 0700, own user, no symbolic link itself.
/// It is made if missing, as are its parents, with mode 0700 too. One that is there and not so is
/// refused, never repaired: somebody may have put it there, or something in it.
///
/// Parents that exist are taken as they are.
///
/// # Errors
/// Each with the fact that is against it.
pub fn ensure(path: &Path) -> Result<(), PrivateDirError> {
    // Without a slash at the end, which would have a symbolic link followed.
    let path = path.components().as_path();
    let owned = || path.to_owned();
    if !path.is_absolute() {
        return Err(PrivateDirError::Relative { path: owned() });
    }
    create(path).map_err(|source| PrivateDirError::Create { path: owned(), source })?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let facts = rustix::fs::open(path, flags, Mode::empty())
        .and_then(rustix::fs::fstat)
        .map_err(|errno| refusal(path, errno))?;
    let expected = crate::user::current_uid();
    if facts.st_uid != expected {
        return Err(PrivateDirError::Owner { path: owned(), owner: facts.st_uid, expected });
    }
    let mode = facts.st_mode & 0o7777;
    if mode & 0o777 != 0o700 {
        return Err(PrivateDirError::Permissions { path: owned(), mode });
    }
    Ok(())
}

fn create(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
    }
    match rustix::fs::mkdir(path, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        // On a read-only file system the folder may be there all the same.
        Err(Errno::ROFS) if path.is_dir() => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Which of the two it is that `O_DIRECTORY | O_NOFOLLOW` refused: Linux answers `ENOTDIR` to both.
fn refusal(path: &Path, errno: Errno) -> PrivateDirError {
    let path = path.to_owned();
    let kind = rustix::fs::lstat(&path).map(|facts| FileType::from_raw_mode(facts.st_mode));
    match (errno, kind) {
        (Errno::LOOP | Errno::NOTDIR, Ok(FileType::Symlink)) => PrivateDirError::Symlink { path },
        (Errno::NOTDIR, _) => PrivateDirError::NotFolder { path },
        _ => PrivateDirError::Open { path, source: errno.into() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn it_is_made_with_its_parents_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state/wharf/run");
        ensure(&path).unwrap();
        ensure(&path).unwrap();
        for made in [&path, path.parent().unwrap()] {
            assert_eq!(std::fs::metadata(made).unwrap().permissions().mode() & 0o7777, 0o700);
        }
    }

    #[test]
    fn what_others_could_reach_is_refused_and_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("open");
        std::fs::create_dir(&path).unwrap();
        for mode in [0o755, 0o710, 0o701, 0o770, 0o500] {
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            let error = ensure(&path).unwrap_err();
            assert!(
                matches!(error, PrivateDirError::Permissions { mode: found, .. } if found == mode)
            );
            let now = std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
            assert_eq!(now, mode);
        }
    }

    #[test]
    fn links_and_files_are_told_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link, file) = (dir.path().join("r"), dir.path().join("l"), dir.path().join("f"));
        ensure(&real).unwrap();
        symlink(&real, &link).unwrap();
        std::fs::write(&file, "").unwrap();
        assert!(matches!(ensure(&link), Err(PrivateDirError::Symlink { .. })));
        assert!(matches!(ensure(&link.join("")), Err(PrivateDirError::Symlink { .. })));
        assert!(matches!(ensure(&file), Err(PrivateDirError::NotFolder { .. })));
        assert!(matches!(ensure(&file.join("x")), Err(PrivateDirError::Create { .. })));
        assert!(matches!(ensure(Path::new("run")), Err(PrivateDirError::Relative { .. })));
        symlink(dir.path().join("nowhere"), dir.path().join("dangling")).unwrap();
        let error = ensure(&dir.path().join("dangling"));
        assert!(matches!(error, Err(PrivateDirError::Symlink { .. })));
        assert!(!dir.path().join("nowhere").exists());
    }

    #[test]
    fn another_users_folder_is_refused() {
        if crate::user::current_uid() != 0 {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("theirs");
        ensure(&path).unwrap();
        std::os::unix::fs::chown(&path, Some(65_534), None).unwrap();
        assert!(matches!(ensure(&path), Err(PrivateDirError::Owner { owner: 65_534, .. })));
    }
}

//! The folder of the authority: opened once, and everything in it by that descriptor, so that nobody
//! exchanges it in between.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

/// A key's mode.
pub(super) const PRIVATE: u32 = 0o600;
/// The mode of what is no secret.
pub(super) const PUBLIC: u32 = 0o644;
/// More than any file here has: a bundle of roots has some 250 kB, and is not read.
const LARGEST_READ: u64 = 64 * 1024;

/// Why the folder of the authority, or a file in it, cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The system refuses.
    #[error("cannot {what} `{}`", path.display())]
    Io {
        /// What was to be done.
        what: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// It is there already.
    #[error("`{}` is there already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A symbolic link or something else is in place of the folder.
    #[error("`{}` is a symbolic link, or no folder", path.display())]
    NotFolder {
        /// The path.
        path: PathBuf,
    },
    /// A symbolic link or something else is in place of a file.
    #[error("`{}` is a symbolic link, or no ordinary file", path.display())]
    NotFile {
        /// The path.
        path: PathBuf,
    },
    /// Its owner could read and replace it.
    #[error("`{}` belongs to uid {owner}, not to uid {expected}", path.display())]
    Owner {
        /// The path.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who we are.
        expected: u32,
    },
    /// Others have rights on it.
    #[error("`{}` is open to others (mode {mode:04o}, at most {wanted:04o})", path.display())]
    Permissions {
        /// The path.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// The most that it may have.
        wanted: u32,
    },
}

/// A folder that is this user's alone.
pub(super) struct Folder {
    fd: OwnedFd,
    path: PathBuf,
}

impl Folder {
    /// Opens it, or `None` where there is none.
    pub(super) fn open(path: &Path) -> Result<Option<Folder>, FolderError> {
        // Without a slash at the end, which would have a symbolic link followed.
        let path = path.components().as_path().to_owned();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = match rustix::fs::open(&path, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::NOTDIR | Errno::LOOP) => return Err(FolderError::NotFolder { path }),
            Err(errno) => return Err(failed("open", &path, errno)),
        };
        check(&fd, &path, 0o700)?;
        Ok(Some(Folder { fd, path }))
    }

    /// Opens it, and makes it before that where there is none, with its parents.
    pub(super) fn make(path: &Path) -> Result<Folder, FolderError> {
        if let Some(folder) = Folder::open(path)? {
            return Ok(folder);
        }
        let io = |source| FolderError::Io { what: "make", path: path.to_owned(), source };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io)?;
        Folder::open(path)?.ok_or_else(|| io(io::ErrorKind::NotFound.into()))
    }

    /// Writes a file that is not there yet.
    pub(super) fn create(&self, name: &str, mode: u32, text: &[u8]) -> Result<(), FolderError> {
        let path = self.path.join(name);
        // O_EXCL: whatever is there, a link that leads nowhere included, is left as it is.
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let fd = match rustix::fs::openat(&self.fd, name, flags, Mode::from_raw_mode(mode)) {
            Ok(fd) => fd,
            Err(Errno::EXIST) => return Err(FolderError::Exists { path }),
            Err(errno) => return Err(failed("make", &path, errno)),
        };
        let written = rustix::fs::fchmod(&fd, Mode::from_raw_mode(mode))
            .map_err(io::Error::from)
            .and_then(|()| {
                let mut file = File::from(fd);
                file.write_all(text)?;
                file.sync_all()
            });
        written.map_err(|source| {
            // Half a file would be in the way of the next attempt.
            let _ = self.remove(name);
            FolderError::Io { what: "write", path, source }
        })
    }

    /// Writes a file anew, in one step for whoever reads it.
    pub(super) fn replace(&self, name: &str, mode: u32, text: &[u8]) -> Result<(), FolderError> {
        let fresh = unfinished(name);
        self.remove(&fresh)?;
        self.create(&fresh, mode, text)?;
        rustix::fs::renameat(&self.fd, fresh.as_str(), &self.fd, name)
            .map_err(|errno| failed("write", &self.path.join(name), errno))
    }

    /// Reads a file, or `None` where there is none. It may have at most these rights.
    pub(super) fn read(&self, name: &str, most: u32) -> Result<Option<String>, FolderError> {
        let path = self.path.join(name);
        // NONBLOCK: a pipe in its place must not hold us.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = match rustix::fs::openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => return Err(FolderError::NotFile { path }),
            Err(errno) => return Err(failed("open", &path, errno)),
        };
        check(&fd, &path, most)?;
        let mut text = String::new();
        let read = File::from(fd).take(LARGEST_READ).read_to_string(&mut text);
        read.map_err(|source| FolderError::Io { what: "read", path, source })?;
        Ok(Some(text))
    }

    /// Deletes a file, if it is there, and what a [`Folder::replace`] left that never ended.
    pub(super) fn delete(&self, name: &str) -> Result<(), FolderError> {
        self.remove(&unfinished(name))?;
        self.remove(name)
    }

    fn remove(&self, name: &str) -> Result<(), FolderError> {
        match rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(failed("delete", &self.path.join(name), errno)),
        }
    }
}

fn unfinished(name: &str) -> String {
    format!(".{name}.new")
}

fn failed(what: &'static str, path: &Path, errno: Errno) -> FolderError {
    FolderError::Io { what, path: path.to_owned(), source: errno.into() }
}

/// Whether it is ours, of the right kind, and has at most these rights.
fn check(fd: &OwnedFd, path: &Path, most: u32) -> Result<(), FolderError> {
    let facts = rustix::fs::fstat(fd).map_err(|errno| failed("examine", path, errno))?;
    let owned = || path.to_owned();
    let kind = FileType::from_raw_mode(facts.st_mode);
    if !matches!(kind, FileType::Directory | FileType::RegularFile) {
        return Err(FolderError::NotFile { path: owned() });
    }
    let expected = rustix::process::geteuid().as_raw();
    if facts.st_uid != expected {
        return Err(FolderError::Owner { path: owned(), owner: facts.st_uid, expected });
    }
    let mode = facts.st_mode & 0o7777;
    match mode & !most & 0o777 {
        0 => Ok(()),
        _ => Err(FolderError::Permissions { path: owned(), mode, wanted: most }),
    }
}

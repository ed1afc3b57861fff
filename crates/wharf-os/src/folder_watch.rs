//! Changes of the files in some folders, as the kernel tells them (inotify).

use std::ffi::OsString;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;

/// The room for changes that are read at once: dozens of them with names of usual length.
const READ_BYTES: usize = 4096;

/// A watched folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Watched(i32);

/// What has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The file of this name in that folder was made, written, moved or removed.
    File(Watched, OsString),
    /// The folder itself has gone, and is watched no longer.
    Gone(Watched),
    /// More happened than the kernel keeps: anything may have changed.
    Missed,
}

/// A set of watched folders. Its descriptor is readable when something has changed.
#[derive(Debug)]
pub struct FolderWatch {
    fd: OwnedFd,
}

impl FolderWatch {
    /// Watches nothing yet. Non-blocking, closed on exec.
    ///
    /// # Errors
    /// Those of `inotify_init1(2)`: `EMFILE` where the user has too many already.
    pub fn new() -> io::Result<FolderWatch> {
        Ok(FolderWatch { fd: inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)? })
    }

    /// Watches a folder, not what is below it. The same folder again gives the same answer.
    ///
    /// # Errors
    /// Those of `inotify_add_watch(2)`: `NotFound`, or too many are watched.
    pub fn add(&self, folder: &Path) -> io::Result<Watched> {
        let flags = WatchFlags::MODIFY
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVED_TO
            | WatchFlags::MOVED_FROM
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        Ok(Watched(inotify::add_watch(&self.fd, folder, flags)?))
    }

    /// What has changed since the last call; empty when nothing has.
    ///
    /// # Errors
    /// Those of `read(2)`.
    pub fn changes(&self) -> io::Result<Vec<Change>> {
        let mut room = [MaybeUninit::uninit(); READ_BYTES];
        let mut reader = Reader::new(&self.fd, &mut room);
        let mut changes = Vec::new();
        loop {
            match reader.next() {
                Ok(event) => {
                    let folder = Watched(event.wd());
                    let name = event.file_name().map(|name| name.to_bytes().to_vec());
                    changes.extend(change(folder, event.events(), name));
                }
                Err(Errno::AGAIN) => return Ok(changes),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            if reader.is_buffer_empty() {
                return Ok(changes);
            }
        }
    }
}

fn change(folder: Watched, what: ReadFlags, name: Option<Vec<u8>>) -> Option<Change> {
    let gone = ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF | ReadFlags::UNMOUNT;
    match name {
        _ if what.contains(ReadFlags::QUEUE_OVERFLOW) => Some(Change::Missed),
        _ if what.intersects(gone) => Some(Change::Gone(folder)),
        Some(name) => Some(Change::File(folder, OsString::from_vec(name))),
        None => None,
    }
}

impl AsFd for FolderWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for FolderWatch {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_folders_are_told_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("logs");
        std::fs::create_dir(&folder).unwrap();
        let watch = FolderWatch::new().unwrap();
        let id = watch.add(&folder).unwrap();
        assert_eq!(watch.add(&folder).unwrap(), id);
        assert!(watch.changes().unwrap().is_empty());
        std::fs::write(folder.join("a"), "x").unwrap();
        let changes = watch.changes().unwrap();
        assert!(changes.contains(&Change::File(id, "a".into())), "{changes:?}");
        std::fs::rename(folder.join("a"), folder.join("b")).unwrap();
        let changes = watch.changes().unwrap();
        assert!(changes.contains(&Change::File(id, "b".into())), "{changes:?}");
        std::fs::remove_dir_all(&folder).unwrap();
        let changes = watch.changes().unwrap();
        assert!(changes.contains(&Change::Gone(id)), "{changes:?}");
        assert_eq!(watch.add(&folder).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}

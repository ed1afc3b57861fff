//! A lock file: held by one open descriptor, released by the kernel when its holder dies.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

/// The wait between two tries, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// An exclusive `flock(2)` on a file, until it is dropped. The file stays: what is unlinked by one
/// holder could be locked by the next under another inode.
///
/// The lock is that of the open file: a forked child that keeps the descriptor keeps the lock.
#[derive(Debug)]
pub struct FileLock {
    file: OwnedFd,
}

impl FileLock {
    /// Takes the lock, or `None` when another holds it. The file is made with mode 0600 if missing,
    /// never through a symbolic link.
    ///
    /// # Errors
    /// The file cannot be opened: `ELOOP` for a symbolic link, else as `open(2)`; or the file
    /// system has no locks.
    pub fn try_exclusive(path: &Path) -> io::Result<Option<FileLock>> {
        loop {
            let file = open(path)?;
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => return Ok(None),
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            // Somebody may have removed or replaced the file between open and lock: then this lock
            // is one that nobody else will look at.
            if is_at(&file, path)? {
                return Ok(Some(FileLock { file }));
            }
        }
    }

    /// Takes the lock, waiting for it, or `None` when another still holds it after the time.
    ///
    /// # Errors
    /// As [`FileLock::try_exclusive`].
    pub fn exclusive(path: &Path, timeout: Duration) -> io::Result<Option<FileLock>> {
        let deadline = Instant::now().checked_add(timeout);
        let mut pause = FIRST_PAUSE;
        loop {
            if let Some(lock) = FileLock::try_exclusive(path)? {
                return Ok(Some(lock));
            }
            let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(None);
            }
            std::thread::sleep(left.map_or(pause, |left| left.min(pause)));
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

impl AsFd for FileLock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn open(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    // Not blocking, so that a FIFO in the file's place cannot hold us.
    let flags = flags | OFlags::NONBLOCK | OFlags::NOCTTY;
    Ok(rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?)
}

fn is_at(file: &OwnedFd, path: &Path) -> io::Result<bool> {
    let ours = rustix::fs::fstat(file)?;
    match rustix::fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(theirs) => Ok((ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino)),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn one_holds_it_and_the_next_gets_it_when_that_one_lets_go() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let first = FileLock::try_exclusive(&path).unwrap().unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(FileLock::try_exclusive(&path).unwrap().is_none());
        let begun = Instant::now();
        assert!(FileLock::exclusive(&path, Duration::from_millis(30)).unwrap().is_none());
        assert!(begun.elapsed() >= Duration::from_millis(30));
        std::thread::scope(|scope| {
            let second = scope.spawn(|| FileLock::exclusive(&path, Duration::from_secs(20)));
            drop(first);
            assert!(second.join().unwrap().unwrap().is_some());
        });
    }

    #[test]
    fn links_and_other_things_in_its_place_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (link, folder) = (dir.path().join("link"), dir.path().join("folder"));
        std::os::unix::fs::symlink(dir.path().join("target"), &link).unwrap();
        std::fs::create_dir(&folder).unwrap();
        let error = FileLock::try_exclusive(&link).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ELOOP));
        assert!(!dir.path().join("target").exists());
        assert!(FileLock::try_exclusive(&folder).is_err());
    }

    #[test]
    fn a_file_that_was_replaced_under_the_lock_is_locked_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let _first = FileLock::try_exclusive(&path).unwrap().unwrap();
        std::fs::remove_file(&path).unwrap();
        let second = FileLock::try_exclusive(&path).unwrap().unwrap();
        assert!(is_at(&second.file, &path).unwrap());
        assert!(FileLock::try_exclusive(&path).unwrap().is_none());
    }
}

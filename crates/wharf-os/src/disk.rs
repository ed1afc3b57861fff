//! How much room a file system has.

use std::io;
use std::path::Path;

/// What is free there for this user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes.
    pub bytes: u64,
    /// Files that may be made; `None` where the file system does not count them.
    pub files: Option<u64>,
    /// Whether nothing may be written there.
    pub read_only: bool,
}

/// The room of the file system on which the path is.
///
/// # Errors
/// The path does not exist or cannot be reached.
pub fn space(path: &Path) -> io::Result<Space> {
    let facts = rustix::fs::statvfs(path)?;
    Ok(Space {
        bytes: facts.f_bavail.saturating_mul(facts.f_frsize),
        files: (facts.f_files > 0).then_some(facts.f_favail),
        read_only: facts.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_room_and_what_is_not_there_has_none() {
        let folder = tempfile::tempdir().unwrap();
        let space = space(folder.path()).unwrap();
        assert!(space.bytes > 0 && !space.read_only, "{space:?}");
        assert!(super::space(&folder.path().join("missing")).is_err());
    }
}

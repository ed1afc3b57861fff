//! A damaged database is put aside, never deleted.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// The files that SQLite keeps beside the database; each belongs to it and goes with it.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];
/// How many names are tried when several databases were damaged in one second.
const MAX_NAMES: u32 = 1000;

/// Renames the database and its companions to `NAME.corrupt-WALL_S`; gives the new path.
pub(crate) fn put_aside(database: &Path, wall_s: u64) -> io::Result<PathBuf> {
    let aside = free_name(database, wall_s)?;
    std::fs::rename(database, &aside)?;
    for companion in COMPANIONS {
        match std::fs::rename(with_suffix(database, companion), with_suffix(&aside, companion)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(aside)
}

fn free_name(database: &Path, wall_s: u64) -> io::Result<PathBuf> {
    for number in 0..MAX_NAMES {
        let suffix = match number {
            0 => format!(".corrupt-{wall_s}"),
            _ => format!(".corrupt-{wall_s}-{number}"),
        };
        let name = with_suffix(database, &suffix);
        if name.symlink_metadata().is_err() {
            return Ok(name);
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "too many damaged databases are kept"))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_ever_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("wharf.db");
        let mut kept = Vec::new();
        for content in ["one", "two", "three"] {
            std::fs::write(&database, content).unwrap();
            std::fs::write(with_suffix(&database, "-wal"), content).unwrap();
            let aside = put_aside(&database, 77).unwrap();
            kept.push((aside, content));
        }
        for (aside, content) in kept {
            assert!(aside.to_string_lossy().contains("wharf.db.corrupt-77"), "{aside:?}");
            assert_eq!(std::fs::read_to_string(&aside).unwrap(), content);
            assert_eq!(std::fs::read_to_string(with_suffix(&aside, "-wal")).unwrap(), content);
        }
        assert!(!database.exists());
    }
}

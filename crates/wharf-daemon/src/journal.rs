//! The daemon's own log: small, bounded, and never a reason to stop.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::clock;

/// The most that the file holds; past it the file is begun anew, the old one kept as `.1`.
const MAX_SIZE: u64 = 1024 * 1024;

/// The open log. Without one (a full or read-only disk) lines are lost, and nothing else.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: Option<File>,
    size: u64,
}

impl Journal {
    /// Opens `daemon.log` in the folder.
    pub(crate) fn open(folder: &Path) -> Journal {
        let mut journal = Journal { path: folder.join("daemon.log"), file: None, size: 0 };
        // A folder that cannot be made makes the file fail to open, which is accounted for.
        let _ = std::fs::create_dir_all(folder);
        journal.reopen();
        journal
    }

    /// Writes one line.
    pub(crate) fn line(&mut self, text: &str) {
        let seconds = clock::now().wall_s;
        let line = format!("{} {}\n", utc(seconds), text.replace('\n', " "));
        if self.size + line.len() as u64 > MAX_SIZE {
            let _ = std::fs::rename(&self.path, self.path.with_extension("log.1"));
            self.reopen();
        }
        let Some(file) = &mut self.file else { return };
        if file.write_all(line.as_bytes()).is_ok() {
            self.size += line.len() as u64;
        }
    }

    fn reopen(&mut self) {
        let opened = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
            .open(&self.path);
        self.file = opened.ok();
        let metadata = self.file.as_ref().and_then(|file| file.metadata().ok());
        self.size = metadata.map_or(0, |metadata| metadata.len());
    }
}

/// `2026-07-02T10:11:12Z`; the calendar by Howard Hinnant's `civil_from_days`.
fn utc(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right() {
        assert_eq!(utc(0), "1970-01-01T00:00:00Z");
        assert_eq!(utc(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(utc(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(utc(1_782_985_872), "2026-07-02T09:51:12Z");
    }

    #[test]
    fn the_file_never_outgrows_its_bound() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path());
        let long = "x".repeat(100_000);
        for _ in 0..25 {
            journal.line(&long);
        }
        for name in ["daemon.log", "daemon.log.1"] {
            let size = std::fs::metadata(folder.path().join(name)).unwrap().len();
            assert!(size <= MAX_SIZE, "{name}: {size}");
        }
    }
}

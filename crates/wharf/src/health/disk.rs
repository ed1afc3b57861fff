//! Whether there is room for the database and for logs.

use wharf_os::disk::{self, Space};

use super::{Finding, word};
use crate::link;

const AREA: &str = "disk";
/// Below this a project's logs may fill it within minutes.
const LITTLE: u64 = 200 << 20;
/// Below this not even the database can grow.
const NOTHING: u64 = 4 << 20;
/// So few more files may be made.
const FEW_FILES: u64 = 100;

pub(super) fn examine() -> Vec<Finding> {
    let Ok(paths) = link::paths() else { return Vec::new() };
    let Ok(space) = disk::space(&paths.state_dir) else { return Vec::new() };
    let mended = format!("du -xh --max-depth=1 {} | sort -h", word(&paths.state_dir));
    vec![
        judge(space, &paths.state_dir.display().to_string())
            .map_or_else(|text| Finding::good(AREA, text), |finding| finding.mended_by(mended)),
    ]
}

/// `Err` with the sentence where all is well.
fn judge(space: Space, place: &str) -> Result<Finding, String> {
    let free = free(space.bytes);
    if space.read_only {
        let what = format!("{place} is on a file system that is read-only");
        return Ok(Finding::trouble(AREA, what).why("leases and logs live in memory only"));
    }
    if space.bytes < NOTHING || space.files.is_some_and(|files| files == 0) {
        return Ok(Finding::trouble(AREA, format!("the disk of {place} is full ({free} free)"))
            .why("leases are kept in memory only, and logs are cut"));
    }
    if space.bytes < LITTLE || space.files.is_some_and(|files| files < FEW_FILES) {
        return Ok(Finding::note(
            AREA,
            format!("the disk of {place} is nearly full ({free} free)"),
        ));
    }
    Err(format!("{free} free for leases and logs"))
}

fn free(bytes: u64) -> String {
    match bytes >> 20 {
        mib @ 0..10_240 => format!("{mib} MiB"),
        mib => format!("{} GiB", mib >> 10),
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn little_room_is_noted_and_none_is_trouble() {
        let space = |bytes, files| Space { bytes, files, read_only: false };
        let state = |space| judge(space, "/x").ok().map(|finding| finding.state);
        assert_eq!(state(space(1 << 40, Some(1 << 20))), None);
        assert_eq!(state(space(1 << 40, None)), None);
        assert_eq!(state(space(100 << 20, None)), Some(State::Note));
        assert_eq!(state(space(1 << 40, Some(7))), Some(State::Note));
        assert_eq!(state(space(1 << 40, Some(0))), Some(State::Trouble));
        assert_eq!(state(space(0, None)), Some(State::Trouble));
        let read_only = Space { bytes: 1 << 40, files: None, read_only: true };
        assert_eq!(state(read_only), Some(State::Trouble));
    }
}

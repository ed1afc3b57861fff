//! The most memory that a project lets an instance have.

use wharf_os::cgroup::{Cgroup, CgroupError};

use crate::narrate;

/// A limit that holds.
#[derive(Debug)]
pub(super) struct MemoryLimit {
    cgroup: Cgroup,
    bytes: u64,
    /// How many ends for its sake were told.
    told: u64,
}

impl MemoryLimit {
    /// Sets it, or says why the service runs without.
    pub(super) fn set(bytes: u64) -> Option<MemoryLimit> {
        match Cgroup::with_memory_max(bytes) {
            Ok(cgroup) => Some(MemoryLimit { cgroup, bytes, told: 0 }),
            Err(error) => {
                say_of(bytes, &error);
                None
            }
        }
    }

    /// Where a process enters it.
    pub(super) fn entrance(&self) -> std::path::PathBuf {
        self.cgroup.entrance()
    }

    /// The command has ended: says so if it was for want of memory.
    pub(super) fn ended(&mut self) {
        let ends = self.cgroup.ended_for_memory();
        if ends > self.told {
            self.told = ends;
            narrate::warning(&format!(
                "was ended because it needed more than {} of memory (`memory_max` in wharf.toml)",
                size(self.bytes)
            ));
        }
    }
}

/// The command could not enter its group.
pub(super) fn not_limited(errno: i32) {
    let error = std::io::Error::from_raw_os_error(errno);
    narrate::warning(&format!(
        "runs without its `memory_max`: it cannot enter its control group ({error})"
    ));
}

fn say_of(bytes: u64, error: &CgroupError) {
    let source = std::error::Error::source(error).map(|source| format!(" ({source})"));
    narrate::warning(&format!(
        "runs without its `memory_max` of {}: {error}{}",
        size(bytes),
        source.unwrap_or_default()
    ));
    if !matches!(error, CgroupError::NoCgroups) {
        narrate::line(
            "  under systemd there is a place for it below `systemd-run --user --scope -p Delegate=yes wharf up`",
        );
    }
}

/// As it is written in `wharf.toml`.
fn size(bytes: u64) -> String {
    for (unit, shift) in [("G", 30), ("M", 20), ("K", 10)] {
        if bytes >= 1 << shift && bytes.trailing_zeros() >= shift {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    format!("{bytes} bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_as_they_are_read() {
        assert_eq!(size(512 << 20), "512M");
        assert_eq!(size(2 << 30), "2G");
        assert_eq!(size(1536), "1536 bytes");
        assert_eq!(size(0), "0 bytes");
    }
}

//! Who runs in this sandbox. It has a process namespace of its own, so what `/proc` shows is all of it.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// The variable that says which copy a process belongs to.
pub const MARK: &str = "WHARF_REAL_RUN";

/// One living process.
#[derive(Debug)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    command: String,
    mark: Option<String>,
    folder: Option<PathBuf>,
}

impl fmt::Display for Process {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "pid {} `{}`", self.pid, self.command)
    }
}

impl Process {
    /// Whether these words stand in its command.
    pub fn is_called(&self, words: &str) -> bool {
        self.command.contains(words)
    }

    /// Whether it was started for this copy. Some servers write over their own environment, so the
    /// folder that they work in counts as well.
    pub fn belongs_to(&self, mark: &str, folder: &Path) -> bool {
        self.mark.as_deref() == Some(mark)
            || self.folder.as_deref().is_some_and(|cwd| cwd.starts_with(folder))
    }
}

/// Every living process but this one and the sandbox's first, which is the shell around it.
pub fn others() -> Vec<Process> {
    let own = std::process::id();
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|&pid: &u32| pid != own && pid != 1)
        .filter_map(look)
        .collect()
}

/// What is known of a process; nothing when it is gone or only waits to be collected.
fn look(pid: u32) -> Option<Process> {
    let place = PathBuf::from(format!("/proc/{pid}"));
    let stat = fs::read_to_string(place.join("stat")).ok()?;
    let state = stat.rsplit_once(") ")?.1.chars().next()?;
    if matches!(state, 'Z' | 'X') {
        return None;
    }
    let environ = fs::read(place.join("environ")).unwrap_or_default();
    let command = fs::read(place.join("cmdline")).unwrap_or_default();
    Some(Process {
        pid,
        command: String::from_utf8_lossy(&command).replace('\0', " ").trim().to_owned(),
        mark: mark(&environ),
        folder: fs::read_link(place.join("cwd")).ok(),
    })
}

fn mark(environ: &[u8]) -> Option<String> {
    environ.split(|&byte| byte == 0).find_map(|variable| {
        let text = std::str::from_utf8(variable).ok()?;
        text.strip_prefix(MARK)?.strip_prefix('=').map(str::to_owned)
    })
}

#[cfg(test)]
mod tests {
    use super::mark;

    #[test]
    fn the_mark_is_found_among_the_variables() {
        assert_eq!(mark(b"A=1\0WHARF_REAL_RUN=vite-a\0B=2\0").as_deref(), Some("vite-a"));
        assert_eq!(mark(b"WHARF_REAL_RUNNER=vite-a\0"), None);
    }
}

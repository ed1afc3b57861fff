//! What `wharf doctor --fix` does by itself: only what concerns wharf's own files and processes.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use wharf_os::pidfd::Pidfd;
use wharf_os::process::Identity;
use wharf_os::signals::{SIGCONT, SIGKILL, SIGTERM};

use crate::link::Link;
use crate::report::{Code, Report};

/// How long a process has to end by itself.
const GRACE: Duration = Duration::from_secs(5);

/// Something that wharf may mend without asking for rights.
#[derive(Clone, Debug)]
pub(crate) enum Mend {
    /// Close a folder of ours to others.
    Close(PathBuf),
    /// Replace the daemon by one of this version.
    RestartDaemon,
    /// End a process of an instance whose pilot is dead.
    End(Identity),
}

impl Mend {
    /// Does it; says what was done.
    pub(crate) fn apply(&self) -> Result<String, Report> {
        match self {
            Mend::Close(dir) => close(dir),
            Mend::RestartDaemon => restart_daemon(),
            Mend::End(process) => end(process),
        }
    }
}

fn close(dir: &Path) -> Result<String, Report> {
    let failed = |why: String| {
        Report::new(Code::Permission, format!("`{}` stays open to others", dir.display())).why(why)
    };
    let facts = dir.symlink_metadata().map_err(|error| failed(error.to_string()))?;
    if !facts.is_dir() || facts.uid() != wharf_os::user::current_uid() {
        return Err(failed("it is not a folder of yours any more".to_owned()));
    }
    let mode = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(dir, mode).map_err(|error| failed(error.to_string()))?;
    Ok(format!("`{}` is yours alone now (mode 0700)", dir.display()))
}

fn restart_daemon() -> Result<String, Report> {
    crate::cli::block_on(async { Link::open_running().await?.replace_daemon().await })??;
    Ok("the daemon was replaced by one of this version".to_owned())
}

fn end(process: &Identity) -> Result<String, Report> {
    let pid = process.pid;
    let failed = |error: std::io::Error| {
        Report::new(Code::Permission, format!("pid {pid} cannot be ended")).because(&error)
    };
    let done = format!("pid {pid} was ended");
    let Some(handle) = Pidfd::open(process).map_err(failed)? else { return Ok(done) };
    for (signal, grace) in [(SIGTERM, GRACE), (SIGKILL, GRACE)] {
        match handle.signal(signal) {
            Err(error) if error.raw_os_error() != Some(3) => return Err(failed(error)),
            _ => drop(handle.signal(SIGCONT)),
        }
        if handle.wait(grace).map_err(failed)? {
            return Ok(done);
        }
    }
    Err(Report::new(Code::TimedOut, format!("pid {pid} does not end, not even by SIGKILL")))
}

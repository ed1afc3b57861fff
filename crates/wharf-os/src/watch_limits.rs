//! How many files this user may watch, and does: inotify's limits, which dev servers meet first.

use std::path::Path;
use std::{fs, io};

/// The limits of inotify(7), and what this user's processes have of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchLimits {
    /// How many inotify descriptors a user may have (`fs.inotify.max_user_instances`).
    pub instances_max: u64,
    /// How many files and folders a user may watch (`fs.inotify.max_user_watches`).
    pub watches_max: u64,
    /// Descriptors of the processes that may be looked into.
    pub instances: u64,
    /// What they watch.
    pub watches: u64,
}

/// The limits, and what the processes of this user have.
///
/// # Errors
/// The kernel has no inotify, or `/proc` is not mounted.
pub fn of_user() -> io::Result<WatchLimits> {
    let limit = |name: &str| number(Path::new("/proc/sys/fs/inotify").join(name).as_path());
    let (instances_max, watches_max) = (limit("max_user_instances")?, limit("max_user_watches")?);
    let own = crate::user::current_uid();
    let pids = crate::process::all()?.into_iter();
    let of_user = pids.filter(|pid| crate::process::uid(*pid).is_ok_and(|uid| uid == own));
    let (mut instances, mut watches) = (0, 0);
    for pid in of_user {
        let (more, watched) = of_process(pid);
        instances += more;
        watches += watched;
    }
    Ok(WatchLimits { instances_max, watches_max, instances, watches })
}

fn number(path: &Path) -> io::Result<u64> {
    let text = fs::read_to_string(path)?;
    text.trim().parse().map_err(|_| io::Error::from(io::ErrorKind::InvalidData))
}

/// How many inotify descriptors a process has, and how much it watches by them: nothing where it may not be
/// looked into or has just ended.
fn of_process(pid: u32) -> (u64, u64) {
    let Ok(folder) = fs::read_dir(format!("/proc/{pid}/fd")) else { return (0, 0) };
    let is_one = |fd: &fs::DirEntry| {
        fs::read_link(fd.path()).is_ok_and(|target| target == Path::new("anon_inode:inotify"))
    };
    let fds = folder.flatten().filter(is_one).map(|fd| fd.file_name());
    fds.fold((0, 0), |(instances, watches), fd| {
        let info = Path::new(&format!("/proc/{pid}/fdinfo")).join(fd);
        let text = fs::read_to_string(info).unwrap_or_default();
        let lines = text.lines().filter(|line| line.starts_with("inotify wd:")).count();
        (instances + 1, watches + u64::try_from(lines).unwrap_or(u64::MAX))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_process_watches_is_counted() {
        use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
        let before = of_process(std::process::id());
        let own = init(CreateFlags::CLOEXEC).unwrap();
        let folder = tempfile::tempdir().unwrap();
        add_watch(&own, folder.path(), WatchFlags::CREATE).unwrap();
        // Other tests of this program may watch something at the same time.
        let after = of_process(std::process::id());
        assert!(after.0 > before.0 && after.1 > before.1, "{before:?} {after:?}");
        let limits = of_user().unwrap();
        assert!(limits.instances >= 1 && limits.watches_max > 0, "{limits:?}");
    }
}

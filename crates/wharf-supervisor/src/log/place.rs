//! Where the logs of an instance lie: `LOGS/<folder of the checkout>-<hash>/<service>.<instance>.log`.

use std::ffi::OsStr;
use std::fs::{DirEntry, File};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use wharf_model::name;
use wharf_model::path_text::PathText;

use super::file::older;

/// The digits that tell checkouts of one name apart.
const DIGITS: usize = 8;
/// What the file of an instance ends with.
const SUFFIX: &str = ".log";
/// The file in a checkout's folder that says whose it is.
const ROOT_FILE: &str = "root";
/// The longest path that such a file may hold, in bytes: four for each of `PATH_MAX`.
const ROOT_MAX: u64 = 4 * 4096;

/// How long logs are kept that nobody has written to.
pub const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long the logs of a checkout are kept that is not there: it may lie on a disk that comes back.
pub const KEPT_OF_MISSING: Duration = Duration::from_secs(24 * 3600);

/// The log of one instance.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The service.
    pub service: String,
    /// The instance, from 1.
    pub instance: u32,
    /// Its file, which may be missing where only the older one is there.
    pub path: PathBuf,
}

/// The folder of a checkout's logs. `root` is the checkout's own root, so that worktrees differ.
pub fn folder(logs: &Path, root: &PathText) -> PathBuf {
    logs.join(name::project_label(root, DIGITS))
}

/// The file of an instance's log.
pub fn path(logs: &Path, root: &PathText, service: &str, instance: u32) -> PathBuf {
    folder(logs, root).join(format!("{}.{instance}{SUFFIX}", escaped(service)))
}

/// Makes the folder of a checkout's logs, private, with a note whose it is: what [`prune`] goes by.
///
/// # Errors
/// The folder cannot be made or is open to others, or the disk is full.
pub fn prepare(logs: &Path, root: &PathText) -> io::Result<PathBuf> {
    let folder = folder(logs, root);
    wharf_os::private_dir::ensure(&folder).map_err(io::Error::other)?;
    let note = folder.join(ROOT_FILE);
    if noted_root(&folder).as_ref() != Some(root) {
        let mut options = File::options();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(note)?;
        file.write_all(root.as_str().as_bytes())?;
    }
    Ok(folder)
}

/// The instance whose log a file is, by its name; the older file counts as well.
pub fn entry(path: &Path) -> Option<Entry> {
    let name = path.file_name()?.to_str()?;
    let name = name.strip_suffix(".1").filter(|name| name.ends_with(SUFFIX)).unwrap_or(name);
    let (service, instance) = name.strip_suffix(SUFFIX)?.rsplit_once('.')?;
    Some(Entry {
        service: unescaped(service)?,
        instance: instance.parse().ok()?,
        path: path.with_file_name(name),
    })
}

/// The logs of a checkout, by service and instance. None where nothing was kept.
///
/// # Errors
/// The folder cannot be read.
pub fn list(logs: &Path, root: &PathText) -> io::Result<Vec<Entry>> {
    let entries = match std::fs::read_dir(folder(logs, root)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found: Vec<Entry> = entries.flatten().filter_map(|file| entry(&file.path())).collect();
    found.sort();
    found.dedup();
    Ok(found)
}

/// Whether there is a log, the older file counts.
pub fn is_kept(path: &Path) -> bool {
    path.exists() || older(path).exists()
}

/// Removes the logs of checkouts to which nobody has written for `older_than`, and of those that are not
/// there any more for [`KEPT_OF_MISSING`]. Only folders with a note of whose they are. Gives how many.
///
/// # Errors
/// The folder of logs cannot be read.
pub fn prune(logs: &Path, older_than: Duration) -> io::Result<usize> {
    let entries = match std::fs::read_dir(logs) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let now = SystemTime::now();
    let is_over = |folder: &Path| {
        let Some(root) = noted_root(folder) else { return false };
        let kept = match root.to_path().try_exists() {
            Ok(false) => KEPT_OF_MISSING.min(older_than),
            Ok(true) | Err(_) => older_than,
        };
        last_touched(folder)
            .is_some_and(|last| now.duration_since(last).is_ok_and(|age| age > kept))
    };
    let is_folder = |entry: &DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    let folders = entries.flatten().filter(is_folder).map(|entry| entry.path());
    let over = folders.filter(|folder| is_over(folder));
    Ok(over.filter(|folder| std::fs::remove_dir_all(folder).is_ok()).count())
}

/// When a file of the folder was last written to.
fn last_touched(folder: &Path) -> Option<SystemTime> {
    let files = std::fs::read_dir(folder).ok()?.flatten();
    files.filter_map(|file| file.metadata().ok()?.modified().ok()).max()
}

fn noted_root(folder: &Path) -> Option<PathText> {
    let note = folder.join(ROOT_FILE);
    let facts = std::fs::symlink_metadata(&note).ok()?;
    if !facts.is_file() || facts.len() > ROOT_MAX {
        return None;
    }
    std::fs::read_to_string(note).ok().map(PathText::from_text)
}

/// A service's name as part of a file's: `%HH` for what has a meaning in paths or here.
fn escaped(service: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let bytes = service.bytes().enumerate();
    bytes
        .map(|(at, byte)| match plain(byte) && (at > 0 || byte != b'.') {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

fn unescaped(text: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = OsStr::from_bytes(rest.get(..2)?).to_str()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(path: &Path) -> PathText {
        PathText::new(path)
    }

    #[test]
    fn a_file_names_its_instance_whatever_the_service_is_called() {
        let (logs, here) = (Path::new("/s/logs"), root(Path::new("/code/My Shop")));
        let web = path(logs, &here, "web", 1);
        let folder = web.parent().unwrap().file_name().unwrap().to_str().unwrap();
        assert!(folder.starts_with("my-shop-") && folder.len() == "my-shop-".len() + 8, "{folder}");
        assert!(web.ends_with("web.1.log"));
        assert_ne!(path(logs, &root(Path::new("/other/My Shop")), "web", 1), web);
        for service in ["web", "api.v2", "..", ".hidden", "a/b", "100%", "größe", "x.log", ""] {
            let path = path(logs, &here, service, 12);
            assert_eq!(path.parent(), web.parent(), "{service}");
            let wanted = Entry { service: service.into(), instance: 12, path: path.clone() };
            assert_eq!(entry(&path), Some(wanted.clone()), "{service}");
            assert_eq!(entry(&older(&path)), Some(wanted), "{service}");
        }
        for other in ["root", "web.log", "web.x.log", "%z.1.log", "web.1.log.2"] {
            assert_eq!(entry(&logs.join(other)), None, "{other}");
        }
    }

    #[test]
    fn logs_are_listed_and_what_is_over_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let logs = dir.path().join("logs");
        let (here, gone) = (root(dir.path()), root(Path::new("/nowhere/at/all")));
        assert_eq!((list(&logs, &here).unwrap(), prune(&logs, KEPT).unwrap()), (vec![], 0));
        let made = prepare(&logs, &here).unwrap();
        prepare(&logs, &gone).unwrap();
        std::fs::create_dir(logs.join("not-ours")).unwrap();
        for name in ["web.2.log", "web.1.log", "web.1.log.1", "api.1.log.1"] {
            std::fs::write(made.join(name), "").unwrap();
        }
        let found = list(&logs, &here).unwrap();
        let found: Vec<_> = found.iter().map(|e| (e.service.as_str(), e.instance)).collect();
        assert_eq!(found, [("api", 1), ("web", 1), ("web", 2)]);
        assert_eq!(prune(&logs, KEPT).unwrap(), 0);
        let age = |folder: &Path, seconds: u64| {
            let then = SystemTime::now() - Duration::from_secs(seconds);
            for file in std::fs::read_dir(folder).unwrap().flatten() {
                File::options().append(true).open(file.path()).unwrap().set_modified(then).unwrap();
            }
        };
        age(&made, 2 * 24 * 3600);
        age(&folder(&logs, &gone), 2 * 24 * 3600);
        assert_eq!(prune(&logs, KEPT).unwrap(), 1);
        assert!(made.exists() && !folder(&logs, &gone).exists());
        age(&made, 31 * 24 * 3600);
        assert_eq!(prune(&logs, KEPT).unwrap(), 1);
        assert!(!made.exists() && logs.join("not-ours").exists());
    }
}

//! The local CA as the commands know it: its files, the stores that it was put into, what an instance is
//! told of it.

mod record;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use wharf_os::lock::FileLock;
use wharf_os::trust::{Anchor, Places, Store};
use wharf_os::{private_dir, user};
use wharf_proxy::{Ca, CaError, CaFiles, FolderError};

use crate::link;
use crate::report::{Code, Report};

pub(crate) use record::Record;

/// How long one waits for another `wharf trust` or `wharf untrust`: rebuilding a store takes seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the CA is or would be, and under which name stores have it.
pub(crate) struct Authority {
    dir: PathBuf,
    /// Its files.
    pub(crate) files: CaFiles,
    /// What stores are given.
    pub(crate) anchor: Anchor,
    /// The stores of this machine.
    pub(crate) places: Places,
    _lock: FileLock,
}

/// A CA that may be trusted now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Valid {
    /// Whether it was made just now.
    pub(crate) is_new: bool,
    /// When it ends.
    pub(crate) expires_at: SystemTime,
    /// Whether there is a bundle.
    pub(crate) has_bundle: bool,
}

impl Authority {
    /// That of this user.
    ///
    /// # Errors
    /// There is no place for files, or this is root by `sudo`.
    pub(crate) fn of_user() -> Result<Authority, Report> {
        if user::current_uid() == 0 && by_sudo() {
            return Err(Report::new(Code::Usage, "this is root by `sudo`")
                .why("root has a CA of its own, which your servers do not use")
                .help("run it as yourself: it prints the commands that need `sudo`")
                .help("where root's own servers are meant: `env -u SUDO_UID wharf trust`"));
        }
        let paths = link::paths()?;
        let lock = lock(&paths.runtime_dir)?;
        let files = CaFiles::of(&paths.ca);
        let anchor = Anchor { name: anchor_name(&user_name()), file: files.certificate.clone() };
        let places = Places::of_process();
        Ok(Authority { dir: paths.ca, files, anchor, places, _lock: lock })
    }

    /// Makes sure that there is a CA that is good for a month at least, and its bundle.
    ///
    /// # Errors
    /// What is there cannot be trusted, or nothing can be written.
    pub(crate) fn ensure(&self, now: SystemTime) -> Result<Valid, Report> {
        let found = match Ca::load(&self.dir, now) {
            Ok(ca) if !ca.expires_soon(now) => Some(ca),
            // What is left of one whose key was deleted, or that was never finished, is nobody's.
            Ok(_) | Err(CaError::Expired { .. } | CaError::Missing { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let is_new = found.is_none();
        let ca = match found {
            Some(ca) => ca,
            None => {
                Ca::delete(&self.dir)?;
                Ca::create(&self.dir, &format!("{}@{}", user_name(), user::host_name()), now)?
            }
        };
        let has_bundle = match self.places.system_bundle().and_then(|f| std::fs::read(f).ok()) {
            Some(roots) => {
                ca.write_bundle(&self.dir, &String::from_utf8_lossy(&roots))?;
                true
            }
            None => false,
        };
        Ok(Valid { is_new, expires_at: ca.expires_at(), has_bundle })
    }

    /// When the CA that is there ends; `None` where there is none.
    ///
    /// # Errors
    /// What is there cannot be trusted.
    pub(crate) fn expires_at(&self, now: SystemTime) -> Result<Option<SystemTime>, Report> {
        match Ca::load(&self.dir, now) {
            Ok(ca) => Ok(Some(ca.expires_at())),
            Err(CaError::Missing { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The stores that it was put into, as far as is remembered.
    pub(crate) fn record(&self) -> Result<Record, Report> {
        Record::read(&self.dir)
    }

    /// Writes down the stores that it was put into, or is about to be.
    pub(crate) fn remember(&self, record: &Record) -> Result<(), Report> {
        record.write(&self.dir)
    }

    /// The stores of this machine, and those that are remembered and no longer found.
    pub(crate) fn stores(&self, record: &Record) -> Vec<Store> {
        let mut stores = self.places.stores();
        stores.extend(record.stores().iter().filter(|store| store.place.is_dir()).cloned());
        stores.sort();
        stores.dedup();
        stores
    }

    /// Deletes the key: from now on nothing can be signed.
    pub(crate) fn delete_key(&self) -> Result<(), Report> {
        Ok(Ca::delete_key(&self.dir)?)
    }

    /// Whether there is anything of it.
    pub(crate) fn exists(&self) -> bool {
        self.dir.symlink_metadata().is_ok()
    }

    /// Deletes all of it, and its folders where nothing else is in them.
    pub(crate) fn delete(&self) -> Result<(), Report> {
        Ca::delete(&self.dir)?;
        Record::delete(&self.dir)?;
        // Something else in them is somebody else's.
        let _ = std::fs::remove_dir(&self.dir);
        if let Some(parent) = self.dir.parent() {
            let _ = std::fs::remove_dir(parent);
        }
        Ok(())
    }

    /// The variables by which programs find the CA that do not read the system's store.
    pub(crate) fn variables(&self) -> Vec<(&'static str, OsString)> {
        variables(&self.files)
    }
}

/// A certificate for these hosts and its key, in one file that is this user's alone.
///
/// # Errors
/// There is no CA, or it may not sign one of the names.
pub(crate) fn hand_over(label: &str, hosts: &[&str]) -> Result<PathBuf, Report> {
    let dir = link::paths()?.ca;
    let now = SystemTime::now();
    let ca = match Ca::load(&dir, now) {
        Ok(ca) => ca,
        Err(CaError::Missing { .. }) => {
            return Err(Report::new(Code::NotFound, "there is no local CA")
                .why("a certificate of a CA that nobody trusts is of no use")
                .help("`wharf trust` makes it, and has browsers and programs trust it"));
        }
        Err(error) => return Err(error.into()),
    };
    ca.hand_over(&dir, label, hosts, now)
        .map_err(|error| Report::new(Code::Failed, error.to_string()))
}

/// The same for an instance: nothing where there is no CA.
pub(crate) fn variables_of_user() -> Vec<(&'static str, OsString)> {
    link::paths().map(|paths| variables(&CaFiles::of(&paths.ca))).unwrap_or_default()
}

/// Node adds to what it knows. The others replace it, so they are given the system's roots as well.
fn variables(files: &CaFiles) -> Vec<(&'static str, OsString)> {
    let mut variables = Vec::new();
    // A certificate whose key is gone is on its way out.
    if files.certificate.is_file() && files.key.is_file() {
        variables.push(("NODE_EXTRA_CA_CERTS", files.certificate.clone().into()));
        if files.bundle.is_file() {
            variables.push(("REQUESTS_CA_BUNDLE", files.bundle.clone().into()));
            variables.push(("SSL_CERT_FILE", files.bundle.clone().into()));
        }
    }
    variables
}

/// One at a time: two would make two CAs, or one would delete what the other makes.
fn lock(runtime_dir: &Path) -> Result<FileLock, Report> {
    let file = runtime_dir.join("trust.lock");
    let what = || format!("`{}` cannot be locked", file.display());
    private_dir::ensure(runtime_dir)
        .map_err(|error| Report::new(Code::Failed, what()).because(&error))?;
    match FileLock::exclusive(&file, PATIENCE) {
        Ok(Some(lock)) => Ok(lock),
        Ok(None) => Err(Report::new(Code::TimedOut, "another `wharf trust` or `untrust` goes on")
            .help("wait for its end, and try again")),
        Err(error) => Err(Report::new(Code::Failed, what()).because(&error)),
    }
}

fn by_sudo() -> bool {
    std::env::var_os("SUDO_UID").is_some_and(|uid| uid != "0")
}

fn user_name() -> String {
    let uid = user::current_uid();
    user::name(uid).unwrap_or_else(|| uid.to_string())
}

/// Every user has a name of its own in the store of the system, and it is the name of a file.
fn anchor_name(user: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    format!("wharf-{}", user.chars().map(safe).collect::<String>())
}

impl From<CaError> for Report {
    fn from(error: CaError) -> Report {
        let what = error.to_string();
        let anew = "`wharf untrust` deletes it, and `wharf trust` makes a new one";
        match &error {
            CaError::Folder(FolderError::Io { source, .. }) => {
                Report::new(Code::Failed, what).because(source)
            }
            CaError::Folder(
                FolderError::Permissions { path, .. } | FolderError::Owner { path, .. },
            ) => Report::new(Code::Permission, what)
                .why("whoever can read the key, or replace it, can pretend to be your servers")
                .help(match path.extension() {
                    Some(_) => anew.to_owned(),
                    None => format!(
                        "look into it, then put it aside: `mv {0} {0}.aside`",
                        path.display()
                    ),
                }),
            CaError::Folder(_) => Report::new(Code::Conflict, what)
                .why("wharf follows no link to a key, and replaces nothing that it did not make")
                .help("put it aside, and run `wharf trust` again"),
            CaError::Unusable { source, .. } => {
                Report::new(Code::Failed, what).because(source).help(anew)
            }
            CaError::Exists { .. } => Report::new(Code::Conflict, what)
                .why("another `wharf trust` made it in this moment")
                .help("run `wharf trust` again"),
            CaError::Missing { .. } => Report::new(Code::NotFound, what).help("`wharf trust`"),
            CaError::Unfit { .. } | CaError::Unconstrained { .. } => {
                Report::new(Code::Conflict, what).why("somebody else has put it there").help(anew)
            }
            CaError::Expired { .. } => Report::new(Code::Failed, what).help("`wharf trust`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_one_name_in_every_store() {
        assert_eq!(anchor_name("anna"), "wharf-anna");
        assert_eq!(anchor_name("../EXAMPLE\\an na"), "wharf----EXAMPLE-an-na");
    }

    #[test]
    fn variables_name_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let files = CaFiles::of(dir.path());
        let names = || variables(&files).iter().map(|(name, _)| *name).collect::<Vec<_>>();
        assert!(names().is_empty());
        std::fs::write(&files.certificate, "").unwrap();
        std::fs::write(&files.bundle, "").unwrap();
        assert!(names().is_empty(), "its key is gone");
        std::fs::write(&files.key, "").unwrap();
        assert_eq!(names(), ["NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"]);
        assert_eq!(variables(&files)[1].1, files.bundle.as_os_str());
        std::fs::remove_file(&files.bundle).unwrap();
        assert_eq!(names(), ["NODE_EXTRA_CA_CERTS"]);
    }

    #[test]
    fn every_error_of_the_ca_says_what_to_do() {
        let dir = || PathBuf::from("/home/anna/.local/share/wharf/ca");
        let path = || dir().join("ca-key.pem");
        let denied = || std::io::Error::from_raw_os_error(13);
        let folder = [
            FolderError::Io { what: "open", path: path(), source: denied() },
            FolderError::Exists { path: path() },
            FolderError::NotFolder { path: dir() },
            FolderError::NotFile { path: path() },
            FolderError::Owner { path: path(), owner: 0, expected: 1000 },
            FolderError::Permissions { path: path(), mode: 0o644, wanted: 0o600 },
        ];
        let rest = [
            CaError::Missing { dir: dir() },
            CaError::Exists { dir: dir() },
            CaError::Unfit { dir: dir() },
            CaError::Unconstrained { dir: dir() },
            CaError::Expired { dir: dir() },
        ];
        let all = folder.map(CaError::from).into_iter().chain(rest);
        let text = |report: Report| {
            let Report { code, what, why, help } = report;
            format!(
                "[{}] {what}\n  why: {}\n  help: {}",
                code.number(),
                why.join("; "),
                help.join("; ")
            )
        };
        let all: Vec<String> = all.map(|error| text(error.into())).collect();
        insta::assert_snapshot!(all.join("\n"));
    }
}

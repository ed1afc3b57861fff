//! The stores of certificates that programs trust: which there are, putting one in, taking it out.
//!
//! Nothing here asks a question or becomes root. What needs root and is not had is said, with the
//! commands that root would have to run.

mod nss;
mod system;
mod tool;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use tool::Tools;

/// What an ordinary user's `PATH` leaves out, and what keeps the tools of the system's store.
const SYSTEM_FOLDERS: [&str; 2] = ["/usr/sbin", "/sbin"];

/// A certificate to be trusted, under a name by which it is found again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// A name of letters, digits, `-` and `_`: of its file in one store, its nickname in another.
    pub name: String,
    /// The certificate in PEM. Taking it out needs no file.
    pub file: PathBuf,
}

impl Anchor {
    /// The text between the marks, without its line ends, which every tool writes in its own way.
    fn body(&self) -> Option<String> {
        let text = std::fs::read_to_string(&self.file).ok()?;
        bodies(&text).into_iter().next()
    }
}

/// The certificates of a text in PEM, each as one line of base64.
fn bodies(text: &str) -> Vec<String> {
    let blocks = text.split("-----BEGIN CERTIFICATE-----").skip(1);
    let body = |block: &str| {
        let end = block.find("-----END")?;
        Some(block[..end].split_whitespace().collect())
    };
    blocks.filter_map(body).collect()
}

/// A family of stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The one of the whole system, which OpenSSL, curl, Python, Go and others read.
    System,
    /// A database of NSS, as Firefox and Chromium have.
    Nss,
}

/// One store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Store {
    /// What it is.
    pub kind: Kind,
    /// Its folder.
    pub place: PathBuf,
}

/// Whether a certificate is in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Nothing of that name is there.
    Absent,
    /// Something of that name is there: another certificate, or one that is not trusted, or half done.
    Part,
    /// It is there and trusted.
    Whole,
}

/// Why a store was left as it is.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Only root may, and we are not.
    #[error("only root may change `{}`", place.display())]
    NeedsRoot {
        /// The store.
        place: PathBuf,
    },
    /// What would change it is not installed.
    #[error("`{program}` is not installed")]
    NoTool {
        /// The program.
        program: &'static str,
        /// Commands for root that install it, where the system is known.
        commands: Vec<Command>,
    },
    /// Its tool refused.
    #[error("`{program}` failed: {said}")]
    Tool {
        /// The program.
        program: String,
        /// What it said, on one line.
        said: String,
    },
    /// A tool could not be run.
    #[error("`{program}` cannot be run")]
    Run {
        /// The program.
        program: String,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
}

/// The words of a command, for no shell.
pub type Command = Vec<OsString>;

/// Where stores are looked for, and with what rights.
#[derive(Clone, Debug)]
pub struct Places {
    root: PathBuf,
    home: Option<PathBuf>,
    tools: Tools,
    is_root: bool,
}

impl Places {
    /// This machine, as this user finds it.
    pub fn of_process() -> Places {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&path).chain(SYSTEM_FOLDERS.map(PathBuf::from));
        let is_root = crate::user::current_uid() == 0;
        Places::new(Path::new("/"), crate::user::home(), folders, is_root)
    }

    /// A folder in place of `/`, a home, the folders of programs, and whether we may do what root may.
    pub fn new(
        root: &Path,
        home: Option<PathBuf>,
        folders: impl IntoIterator<Item = PathBuf>,
        is_root: bool,
    ) -> Places {
        Places { root: root.to_owned(), home, tools: Tools::new(folders), is_root }
    }

    /// Every store that is there: the system's first.
    pub fn stores(&self) -> Vec<Store> {
        let system = system::find(&self.root);
        let databases = self.home.as_deref().map(nss::find).unwrap_or_default();
        let store = |kind| move |place| Store { kind, place };
        let system = system.into_iter().map(store(Kind::System));
        system.chain(databases.into_iter().map(store(Kind::Nss))).collect()
    }

    /// The system's roots in one file.
    pub fn system_bundle(&self) -> Option<PathBuf> {
        system::bundle(&self.root)
    }

    /// Whether a certificate is in a store.
    ///
    /// # Errors
    /// The tool that would tell is not installed, or fails.
    pub fn presence(&self, store: &Store, anchor: &Anchor) -> Result<Presence, StoreError> {
        match store.kind {
            Kind::System => Ok(system::presence(&self.root, &store.place, &self.tools, anchor)),
            Kind::Nss => nss::presence(&self.tools, &store.place, anchor),
        }
    }

    /// Puts a certificate in, in place of another of that name.
    ///
    /// # Errors
    /// We are not root, the tool is not installed, or fails.
    pub fn install(&self, store: &Store, anchor: &Anchor) -> Result<(), StoreError> {
        match store.kind {
            Kind::System => self.as_root(store, &self.install_commands(store, anchor)),
            Kind::Nss => nss::install(&self.tools, &store.place, anchor),
        }
    }

    /// Takes the certificate of that name out.
    ///
    /// # Errors
    /// As [`Places::install`].
    pub fn remove(&self, store: &Store, anchor: &Anchor) -> Result<(), StoreError> {
        match store.kind {
            Kind::System => self.as_root(store, &self.remove_commands(store, anchor)),
            Kind::Nss => nss::remove(&self.tools, &store.place, anchor),
        }
    }

    /// What [`Places::install`] runs, one after the other.
    pub fn install_commands(&self, store: &Store, anchor: &Anchor) -> Vec<Command> {
        match store.kind {
            Kind::System => system::install_commands(&self.root, &store.place, anchor),
            Kind::Nss => vec![nss::add(&store.place, anchor)],
        }
    }

    /// What [`Places::remove`] runs, one after the other.
    pub fn remove_commands(&self, store: &Store, anchor: &Anchor) -> Vec<Command> {
        match store.kind {
            Kind::System => system::remove_commands(&self.root, &store.place, &self.tools, anchor),
            Kind::Nss => vec![nss::delete(&store.place, anchor)],
        }
    }

    fn as_root(&self, store: &Store, commands: &[Command]) -> Result<(), StoreError> {
        system::tool(&self.root, &store.place, &self.tools)?;
        if !self.is_root {
            return Err(StoreError::NeedsRoot { place: store.place.clone() });
        }
        commands.iter().try_for_each(|command| self.tools.must(command).map(drop))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_compared_without_their_line_ends() {
        let mark = |side: &str| format!("-----{side} CERTIFICATE-----");
        let (begin, end) = (mark("BEGIN"), mark("END"));
        let text = format!("# a\r\n{begin}\r\nAB\r\nCD\r\n{end}\r\n{begin}\nE\n{end}");
        assert_eq!(bodies(&text), ["ABCD", "E"]);
        assert_eq!(bodies(&format!("{begin} cut off")), [""; 0]);
        assert_eq!(bodies(""), [""; 0]);
    }
}

//! Which stores the CA was put into, so that it is taken out of them even where nobody would look again.

use std::io;
use std::path::{Path, PathBuf};

use wharf_model::PathText;
use wharf_os::trust::{Kind, Store};

use crate::report::{Code, Report};

/// Beside the CA, a store on a line: its kind, a space, its folder.
const FILE: &str = "stores";

/// The stores that are remembered.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    stores: Vec<Store>,
}

impl Record {
    /// What is remembered in this folder.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn read(dir: &Path) -> Result<Record, Report> {
        let file = dir.join(FILE);
        match std::fs::read_to_string(&file) {
            Ok(text) => Ok(Record { stores: text.lines().filter_map(parse).collect() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Record::default()),
            Err(error) => Err(failed("read", &file, &error)),
        }
    }

    pub(crate) fn stores(&self) -> &[Store] {
        &self.stores
    }

    pub(crate) fn add(&mut self, store: &Store) {
        if !self.stores.contains(store) {
            self.stores.push(store.clone());
        }
    }

    pub(crate) fn forget(&mut self, store: &Store) {
        self.stores.retain(|known| known != store);
    }

    /// Writes it into the folder of the CA.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn write(&self, dir: &Path) -> Result<(), Report> {
        let text: String = self.stores.iter().map(line).collect();
        let (file, fresh) = (dir.join(FILE), unfinished(dir));
        let written = std::fs::write(&fresh, text).and_then(|()| std::fs::rename(&fresh, &file));
        written.map_err(|error| failed("write", &file, &error))
    }

    /// Deletes it.
    ///
    /// # Errors
    /// It is there and cannot be deleted.
    pub(crate) fn delete(dir: &Path) -> Result<(), Report> {
        for file in [dir.join(FILE), unfinished(dir)] {
            match std::fs::remove_file(&file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(failed("delete", &file, &error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn unfinished(dir: &Path) -> PathBuf {
    dir.join(format!(".{FILE}.new"))
}

fn failed(what: &str, file: &Path, error: &io::Error) -> Report {
    Report::new(Code::Failed, format!("cannot {what} `{}`", file.display())).because(error)
}

fn line(store: &Store) -> String {
    let kind = match store.kind {
        Kind::System => "system",
        Kind::Nss => "nss",
    };
    // A line end in a path would begin a store that nobody has.
    let place = PathText::new(&store.place).as_str().replace('\n', "\\x0a");
    format!("{kind} {place}\n")
}

fn parse(line: &str) -> Option<Store> {
    let (kind, place) = line.split_once(' ')?;
    let kind = match kind {
        "system" => Kind::System,
        "nss" => Kind::Nss,
        _ => return None,
    };
    let place = PathText::from_text(place.to_owned()).to_path();
    place.is_absolute().then_some(Store { kind, place })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn what_is_remembered_is_read_back_whatever_the_path() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Record::read(dir.path()).unwrap(), Record::default());
        let odd = OsStr::from_bytes(b"/home/a b/new\nline\\\xff");
        let system = Store { kind: Kind::System, place: "/usr/local/share".into() };
        let mut record = Record::default();
        for store in [&system, &Store { kind: Kind::Nss, place: odd.into() }, &system] {
            record.add(store);
        }
        record.write(dir.path()).unwrap();
        assert_eq!(Record::read(dir.path()).unwrap(), record);
        assert_eq!(record.stores().len(), 2);
        record.forget(&system);
        assert_eq!(record.stores().len(), 1);
        Record::delete(dir.path()).unwrap();
        Record::delete(dir.path()).unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn lines_that_mean_nothing_are_passed_over() {
        assert_eq!(parse("system"), None);
        assert_eq!(parse("floppy /a"), None);
        assert_eq!(parse("nss relative"), None);
    }
}

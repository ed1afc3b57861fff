//! The files of a configuration: the named one and those that it includes, within bounds.

use std::io;
use std::path::{Path, PathBuf};

use super::Place;
use crate::error::PlanError;
use crate::folder;

/// How many files one configuration may consist of, and how deep they may include each other.
const FILES_MAX: usize = 200;
const DEPTH_MAX: usize = 16;

/// How much text all of it may come to, that which is read or filled in again counted again, in bytes.
const TEXT_MAX: usize = 8 << 20;

/// How many names in folders are looked at for the patterns of includes.
const NAMES_MAX: usize = 10_000;

/// What has been read so far.
pub(super) struct Files {
    /// Whether other files are read at all.
    is_alone: bool,
    /// Those that were read.
    pub(super) read: Vec<PathBuf>,
    depth: usize,
    text_left: usize,
    names_left: usize,
}

/// Why nothing was included.
pub(super) enum Missing {
    /// No such file is there.
    Absent,
    /// Its name holds what only the program itself knows.
    Variable,
    /// Patterns have been asked for more than is looked at.
    TooMany,
}

impl Files {
    /// With what lies on this machine.
    pub(super) fn new() -> Files {
        Files {
            is_alone: false,
            read: Vec::new(),
            depth: 0,
            text_left: TEXT_MAX,
            names_left: NAMES_MAX,
        }
    }

    /// The text alone.
    pub(super) fn none() -> Files {
        Files { is_alone: true, ..Files::new() }
    }

    /// The text of the named file.
    pub(super) fn first(&mut self, path: &Path) -> Result<String, PlanError> {
        self.text(path)?.ok_or_else(|| PlanError::UnreadableFile {
            path: path.to_path_buf(),
            source: io::Error::from(io::ErrorKind::NotFound),
        })
    }

    /// A file's whole text; `None` where there is no such file.
    pub(super) fn text(&mut self, path: &Path) -> Result<Option<String>, PlanError> {
        if folder::is_too_large(path) {
            let limit = folder::READ_MAX;
            return Err(PlanError::FileTooLarge { path: path.to_path_buf(), limit });
        }
        let text = folder::text(path)
            .map_err(|source| PlanError::UnreadableFile { path: path.to_path_buf(), source })?;
        self.spend(text.as_ref().map_or(0, String::len), &Place::new(path, 1))?;
        if text.is_some() && !self.read.iter().any(|known| known == path) {
            self.read.push(path.to_path_buf());
        }
        Ok(text)
    }

    /// Takes so many bytes of text off what all of it may come to.
    pub(super) fn spend(&mut self, bytes: usize, place: &Place) -> Result<(), PlanError> {
        let left = self.text_left.checked_sub(bytes);
        let Some(left) = left else {
            let why = format!("all that it includes is more than {} MiB of text", TEXT_MAX >> 20);
            return Err(place.wrong(why));
        };
        self.text_left = left;
        Ok(())
    }

    /// The files that an include names, each of which is then read between [`Files::enter`] and [`Files::leave`].
    pub(super) fn named(&mut self, pattern: &str, beside: &Path) -> Result<Vec<PathBuf>, Missing> {
        if self.is_alone || pattern.is_empty() || pattern.contains(['$', '{', '\\', '\0']) {
            return Err(Missing::Variable);
        }
        let mut found = match pattern.strip_prefix('/') {
            Some(path) => folder::find_within(Path::new("/"), path, &mut self.names_left),
            None => folder::find_within(beside, pattern, &mut self.names_left),
        };
        if self.names_left == 0 {
            return Err(Missing::TooMany);
        }
        found.retain(|path| path.is_file());
        match found.is_empty() && !pattern.contains('*') {
            true => Err(Missing::Absent),
            false => Ok(found),
        }
    }

    /// Goes into an included file.
    pub(super) fn enter(&mut self, place: &Place) -> Result<(), PlanError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(place.wrong(format!("files include each other more than {DEPTH_MAX} deep")));
        }
        if self.read.len() > FILES_MAX {
            return Err(place.wrong(format!("more than {FILES_MAX} files are not read")));
        }
        Ok(())
    }

    /// Comes back.
    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }
}

impl Missing {
    pub(super) fn why(&self) -> &'static str {
        match self {
            Missing::Absent => "there is no such file",
            Missing::TooMany => "its pattern asks for more files than are looked at",
            Missing::Variable => "which file that is cannot be told from here",
        }
    }
}

//! One file of another tool's.

use std::path::PathBuf;

/// A file to be written, or printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Where the tool looks for it, from where its files lie.
    pub name: PathBuf,
    /// Its contents.
    pub text: String,
    /// Whether variables of a project are in it, some of which may be secret.
    pub is_private: bool,
}

impl Document {
    /// A file that anybody may read.
    pub(crate) fn new(name: impl Into<PathBuf>, text: String) -> Document {
        Document { name: name.into(), text, is_private: false }
    }

    /// A file with variables of the project's.
    pub(crate) fn private(name: impl Into<PathBuf>, text: String) -> Document {
        Document { name: name.into(), text, is_private: true }
    }
}

//! One file of another tool's.

use std::path::PathBuf;

/// A file to be written, or printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Where the tool looks for it, from where its files lie.
    pub name: PathBuf,
    /// Its contents.
    pub text: String,
}

impl Document {
    /// A file of this name.
    pub(crate) fn new(name: impl Into<PathBuf>, text: String) -> Document {
        Document { name: name.into(), text }
    }
}

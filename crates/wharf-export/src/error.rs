//! What cannot be handed over.

use thiserror::Error;

/// A format has no words for something.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ExportError {
    /// A value has no form in this format.
    #[error("{format} cannot say {what}")]
    NoForm {
        /// The format, for people.
        format: &'static str,
        /// The value and whose it is.
        what: String,
        /// Why not.
        why: &'static str,
    },
    /// Nothing is left that this format is about.
    #[error("there is nothing to hand over to {format}")]
    Nothing {
        /// The format, for people.
        format: &'static str,
        /// What it is about.
        why: &'static str,
    },
    /// The format has no such front.
    #[error("{format} is not written with TLS")]
    NoTls {
        /// The format, for people.
        format: &'static str,
    },
}

//! Why there is no port.

use std::fmt;

/// Why there is no port: what happened, why, and what may help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    what: String,
    why: Option<String>,
    help: Option<String>,
}

/// The kinds of [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// 0 is not a port.
    NotAPort,
    /// The very port that was asked for is another's.
    Taken,
    /// Every port that was tried is another's.
    NoFreePort,
    /// The system forbids the bind: a privileged port, or a sandbox.
    Denied,
    /// The system does not do or tell what was needed.
    System,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, what: impl Into<String>) -> Error {
        Error { kind, what: what.into(), why: None, help: None }
    }

    pub(crate) fn because(self, why: impl ToString) -> Error {
        Error { why: Some(why.to_string()), ..self }
    }

    pub(crate) fn with_help(self, help: impl Into<String>) -> Error {
        Error { help: Some(help.into()), ..self }
    }

    pub(crate) fn not_a_port() -> Error {
        Error::new(ErrorKind::NotAPort, "0 is not a port")
            .because("it means \"any free port\" to the kernel")
            .with_help("leave the number out, or name one from 1 to 65535")
    }

    /// Which kind.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What happened.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Why, where that is known.
    pub fn why(&self) -> Option<&str> {
        self.why.as_deref()
    }

    /// What may help.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        for more in [&self.why, &self.help].into_iter().flatten() {
            write!(f, "; {more}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

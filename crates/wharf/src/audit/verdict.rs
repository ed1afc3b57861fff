//! Whether a listener is acceptable, and why.

use wharf_model::Exposure;
use wharf_plan::audit::{Finding, Level, Listener};

/// What is said of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing to do.
    Acceptable,
    /// Something of it should be mended, or somebody has to say that it is meant.
    Questionable,
    /// It should not be as it is.
    Unacceptable,
    /// It is not this user's.
    Others,
}

impl Verdict {
    /// Of a listener with these findings.
    pub(crate) fn of<'a>(
        listener: &Listener,
        findings: impl Iterator<Item = &'a Finding>,
    ) -> Verdict {
        match findings.map(Finding::level).max() {
            Some(Level::High | Level::Critical) => Verdict::Unacceptable,
            _ if !listener.is_own => Verdict::Others,
            Some(Level::Medium) => Verdict::Questionable,
            _ if listener.exposure() != Exposure::Loopback => Verdict::Questionable,
            _ => Verdict::Acceptable,
        }
    }

    /// The word for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Verdict::Acceptable => "acceptable",
            Verdict::Questionable => "questionable",
            Verdict::Unacceptable => "unacceptable",
            Verdict::Others => "not-judged",
        }
    }

    /// Why, in a sentence.
    pub(crate) fn why<'a>(
        self,
        listener: &Listener,
        findings: impl Iterator<Item = &'a Finding>,
    ) -> String {
        let reach = match listener.exposure() {
            Exposure::Loopback => "only programs of this machine reach it",
            Exposure::Lan | Exposure::All => "others than this machine reach it",
        };
        let worse: Vec<&str> = findings
            .filter(|finding| finding.level() >= Level::Medium)
            .map(|finding| finding.rule.id)
            .collect();
        match self {
            Verdict::Acceptable => reach.to_owned(),
            Verdict::Others => format!("{reach}; it is user {}'s to decide", listener.user),
            _ if worse.is_empty() => format!("{reach}, and nobody has said that it is meant"),
            _ => format!("{reach}: {}", worse.join(", ")),
        }
    }
}

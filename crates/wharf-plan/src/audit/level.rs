//! How bad a finding is.

use std::fmt;

/// How bad a finding is: the words of CVSS 3.1's qualitative scale, with `info` for its "none".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// A fact that somebody may ask for; nothing to do.
    Info,
    /// Wrong on a bad day, or for team-mates.
    Low,
    /// Wrong, and somebody has to come close to make use of it.
    Medium,
    /// Open to others, or as good as.
    High,
    /// Whoever reaches it runs programs as this user, or reads all that there is.
    Critical,
}

impl Level {
    /// All of them, the worst first.
    pub const ALL: [Level; 5] =
        [Level::Critical, Level::High, Level::Medium, Level::Low, Level::Info];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Level::Info => "info",
            Level::Low => "low",
            Level::Medium => "medium",
            Level::High => "high",
            Level::Critical => "critical",
        }
    }

    /// SARIF's level (section 3.27.10 of SARIF 2.1.0).
    pub fn sarif(self) -> &'static str {
        match self {
            Level::Critical | Level::High => "error",
            Level::Medium => "warning",
            Level::Low | Level::Info => "note",
        }
    }

    /// A number of the CVSS range of its word, which is what tools that read SARIF sort by
    /// (`security-severity`).
    pub fn score(self) -> &'static str {
        match self {
            Level::Critical => "9.5",
            Level::High => "8.0",
            Level::Medium => "5.5",
            Level::Low => "2.0",
            Level::Info => "0.0",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

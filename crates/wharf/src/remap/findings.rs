//! What the self-test found, kept for as long as nothing around it changes.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;

use wharf_os::private_dir;
use wharf_os::remap::{Mode, selftest};

use super::name;

/// Whether a mode works here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// All of it was done once.
    Works,
    /// A step was refused.
    Refused {
        /// The step and the system's reason.
        why: String,
    },
}

/// The findings for these surroundings: boot, kernel, user, rights, container, security label.
#[derive(Debug)]
pub(crate) struct Findings {
    /// Where they are kept; nowhere for a user without a place for files.
    file: Option<PathBuf>,
    surroundings: String,
    known: Vec<(Mode, Finding)>,
}

/// What stands between the surroundings and the findings.
const RULE: &str = "\n----\n";

impl Findings {
    /// What was found before, here.
    pub(crate) fn load() -> Findings {
        let mut findings = Findings::none();
        let text = findings.file.as_ref().and_then(|file| std::fs::read_to_string(file).ok());
        if let Some(text) = text {
            findings.known = parse(&text, &findings.surroundings).unwrap_or_default();
        }
        findings
    }

    /// Nothing known: every mode is tried anew.
    pub(crate) fn none() -> Findings {
        let surroundings = format!("{} {}", env!("CARGO_PKG_VERSION"), selftest::surroundings());
        Findings { file: place(&surroundings), surroundings, known: Vec::new() }
    }

    /// Whether a mode works: as it was found, or tried now and kept.
    pub(crate) fn of(&mut self, mode: Mode) -> Finding {
        if let Some((_, finding)) = self.known.iter().find(|(known, _)| *known == mode) {
            return finding.clone();
        }
        match attempt(mode) {
            Ok(finding) => {
                self.known.push((mode, finding.clone()));
                self.keep();
                finding
            }
            Err(passing) => passing,
        }
    }

    /// A cache: what cannot be written is found out again.
    fn keep(&self) {
        let Some(file) = &self.file else { return };
        let Some(folder) = file.parent() else { return };
        if private_dir::ensure(folder).is_err() {
            return;
        }
        let own = file.with_extension(std::process::id().to_string());
        let text = format!("{}{RULE}{}", self.surroundings, lines(&self.known));
        if std::fs::write(&own, text).is_ok() && std::fs::rename(&own, file).is_err() {
            let _ = std::fs::remove_file(&own);
        }
    }
}

/// A refusal that only a loaded machine causes must not be kept: one that came late is tried again, and
/// one for want of descriptors, processes or the like is given as an error.
fn attempt(mode: Mode) -> Result<Finding, Finding> {
    let late = |refusal: &selftest::Refusal| refusal.error.kind() == std::io::ErrorKind::TimedOut;
    let result = match selftest::attempt(mode) {
        Err(refusal) if late(&refusal) => selftest::attempt(mode),
        result => result,
    };
    match result {
        Ok(()) => Ok(Finding::Works),
        Err(refusal) => {
            let why = format!("{}: {}", refusal.step, refusal.error);
            let finding = Finding::Refused { why };
            if refusal.may_pass() { Err(finding) } else { Ok(finding) }
        }
    }
}

/// A file for each surroundings: a container and its host may share the folder.
fn place(surroundings: &str) -> Option<PathBuf> {
    let mut hasher = DefaultHasher::new();
    surroundings.hash(&mut hasher);
    let folder = crate::link::paths().ok()?.runtime_dir;
    Some(folder.join(format!("remap-{:016x}", hasher.finish())))
}

fn lines(known: &[(Mode, Finding)]) -> String {
    let line = |(mode, finding): &(Mode, Finding)| match finding {
        Finding::Works => format!("{} works\n", name(*mode)),
        Finding::Refused { why } => format!("{} {}\n", name(*mode), why.replace('\n', " ")),
    };
    known.iter().map(line).collect()
}

/// `None` for a file of other surroundings, whose name happens to be the same.
fn parse(text: &str, surroundings: &str) -> Option<Vec<(Mode, Finding)>> {
    let findings = text.strip_prefix(surroundings)?.strip_prefix(RULE)?;
    let line = |line: &str| {
        let (first, rest) = line.split_once(' ')?;
        let mode = Mode::ALL.into_iter().find(|mode| name(*mode) == first)?;
        let refused = || Finding::Refused { why: rest.to_owned() };
        Some((mode, if rest == "works" { Finding::Works } else { refused() }))
    };
    Some(findings.lines().filter_map(line).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_again_for_the_same_surroundings_alone() {
        let why = "duplicating a socket: Operation not permitted".to_owned();
        let known =
            vec![(Mode::Duplicate, Finding::Refused { why }), (Mode::Rewrite, Finding::Works)];
        let text = format!("here\nand now{RULE}{}", lines(&known));
        assert_eq!(parse(&text, "here\nand now"), Some(known));
        assert_eq!(parse(&text, "here"), None);
        assert_eq!(parse("", "here"), None);
    }
}

//! Versions of installed packages, and whether an advisory names them.

use std::path::{Path, PathBuf};

use semver::Version;
use serde_json::Value;

use super::finding::Hit;
use super::level::Level;
use super::listener::Listener;
use super::rule::Rule;
use crate::folder;

/// How far up `node_modules` is looked for, as Node does.
const LEVELS_MAX: usize = 12;

/// The version of an npm package as Node finds it from a folder, and the file that says so.
pub(super) fn installed(folder: &Path, package: &str) -> Option<(Version, PathBuf)> {
    folder.ancestors().take(LEVELS_MAX).find_map(|folder| {
        let path = folder.join("node_modules").join(package).join("package.json");
        let manifest: Value = serde_json::from_str(&folder::evidence(&path)?).ok()?;
        let version = Version::parse(manifest.get("version")?.as_str()?).ok()?;
        Some((version, path))
    })
}

/// Judges the version of the package that a listener's process finds: by the advisories for servers anywhere, and
/// by those for servers that others reach.
pub(super) fn judge(
    listener: &Listener,
    package: &str,
    (anywhere, open): (&[Advisory], &[Advisory]),
    rule: &Rule,
) -> Option<Hit> {
    let folders = listener.processes.iter().filter_map(|process| process.folder.as_deref());
    let (version, path) = folders.filter_map(|folder| installed(folder, package)).next()?;
    let open = if listener.is_open() { open } else { &[] };
    let about = anywhere.iter().chain(open).filter(|advisory| advisory.is_about(&version));
    let shown: Vec<String> = about.map(Advisory::shown).collect();
    if shown.is_empty() {
        return None;
    }
    // What only the browser of this user comes through is one step less.
    let level = if listener.is_open() { rule.level } else { rule.level.min(Level::Medium) };
    let what = format!("{package} {version} on {} has published holes", listener.endpoint());
    let hit = Hit::new(level, what, rule.fix).all_seen(listener.facts());
    Some(hit.seen(format!("{} says {version}", path.display())).all_seen(shown))
}

/// A version without what is before a release.
type Number = (u64, u64, u64);

/// An advisory: which versions it is about.
pub(super) struct Advisory {
    /// Its number, and what it allows.
    pub(super) name: &'static str,
    pub(super) text: &'static str,
    /// For each series, the first version of it and the one that is mended: what lies between is not.
    pub(super) affected: &'static [(Number, Number)],
}

impl Advisory {
    pub(super) fn is_about(&self, version: &Version) -> bool {
        let make = |(major, minor, patch)| Version::new(major, minor, patch);
        self.affected.iter().any(|(from, mended)| {
            // A pre-release of the mended version came before it.
            *version >= make(*from) && *version < make(*mended)
        })
    }

    /// `CVE-…: text`
    pub(super) fn shown(&self) -> String {
        format!("{}: {}", self.name, self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_told_apart() {
        let advisory = Advisory {
            name: "X",
            text: "",
            affected: &[((0, 0, 0), (4, 5, 6)), ((5, 0, 0), (5, 4, 12))],
        };
        for (version, is_affected) in [
            ("3.2.1", true),
            ("4.5.5", true),
            ("4.5.6", false),
            ("4.9.0", false),
            ("5.4.11", true),
            ("5.4.12", false),
            ("6.0.0", false),
        ] {
            assert_eq!(
                advisory.is_about(&Version::parse(version).unwrap()),
                is_affected,
                "{version}"
            );
        }
    }
}

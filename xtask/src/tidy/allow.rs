//! `xtask/tidy.toml`: what the rules let pass, and why.

use serde::Deserialize;

use super::Breach;
use crate::repo::Repo;

const FILE: &str = "xtask/tidy.toml";
const RULE: &str = "allow";

/// Everything that is let pass.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowed {
    #[serde(default)]
    allow: Vec<Entry>,
}

/// One exception, or one place that a rule is made for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    rule: String,
    /// A file, or a folder with a `/` at its end.
    path: String,
    reason: String,
}

impl Entry {
    fn covers(&self, breach: &Breach) -> bool {
        self.rule == breach.rule
            && match self.path.ends_with('/') {
                true => breach.path.starts_with(&self.path),
                false => breach.path == self.path,
            }
    }

    /// What is wrong with the entry itself. A folder is a place that a rule is made for, so it need
    /// only be there; a file is an exception, so something in it must need it.
    fn fault(&self, all: &[Breach], repo: &Repo) -> Option<String> {
        if self.reason.trim().is_empty() {
            return Some(format!("say why `{}` may breach `{}`", self.path, self.rule));
        }
        let needed = match self.path.ends_with('/') {
            true => repo.has_folder(&self.path),
            false => all.iter().any(|breach| self.covers(breach)),
        };
        (!needed)
            .then(|| format!("`{}` needs no `{}` any more: delete the entry", self.path, self.rule))
    }
}

impl Allowed {
    /// Reads the file.
    pub fn read(repo: &Repo) -> Result<Allowed, String> {
        let text = repo.get(FILE).unwrap_or_default();
        toml::from_str(text).map_err(|error| format!("{FILE}: {error}"))
    }

    /// The breaches that are not let pass, and those of the list itself.
    pub fn filter(&self, all: Vec<Breach>, repo: &Repo) -> Vec<Breach> {
        let text = repo.get(FILE).unwrap_or_default();
        let mut left: Vec<Breach> = Vec::new();
        for entry in &self.allow {
            if let Some(fault) = entry.fault(&all, repo) {
                let place = text.lines().position(|line| line.contains(&entry.path));
                left.push(Breach::new(FILE, place.map_or(1, |line| line + 1), RULE, fault));
            }
        }
        let excused = |breach: &Breach| self.allow.iter().any(|entry| entry.covers(breach));
        left.extend(all.into_iter().filter(|breach| !excused(breach)));
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(list: &str, path: &str) -> Vec<String> {
        let repo = Repo::of(&[(FILE, list), ("a/b.rs", "")]);
        let breach = Breach::new(path, 7, "stdout", "x");
        let left = Allowed::read(&repo).unwrap().filter(vec![breach], &repo);
        left.into_iter().map(|breach| format!("{}: {}", breach.rule, breach.what)).collect()
    }

    #[test]
    fn an_entry_excuses_its_rule_in_its_place_only() {
        let entry = |path: &str| {
            format!("[[allow]]\nrule = \"stdout\"\npath = \"{path}\"\nreason = \"because\"\n")
        };
        assert_eq!(left(&entry("a/b.rs"), "a/b.rs"), [""; 0]);
        assert_eq!(left(&entry("a/"), "a/b.rs"), [""; 0]);
        assert_eq!(left(&entry("a/"), "c/b.rs"), ["stdout: x"]);
        let stale = "allow: `a/b.rs` needs no `stdout` any more: delete the entry";
        assert_eq!(left(&entry("a/b.rs"), "a/c.rs"), [stale, "stdout: x"]);
        let other = entry("a/b.rs").replace("stdout", "size");
        assert_eq!(left(&other, "a/b.rs").len(), 2);
    }

    #[test]
    fn an_entry_without_a_reason_is_a_breach() {
        let list = "[[allow]]\nrule = \"stdout\"\npath = \"a/\"\nreason = \" \"\n";
        assert_eq!(left(list, "a/b.rs"), ["allow: say why `a/` may breach `stdout`"]);
    }
}

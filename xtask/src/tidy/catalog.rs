//! Every entry of the catalog has the proof that it claims.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{Breach, Tree};
use crate::catalog::{self, Entry, Proof};
use crate::readme;
use crate::repo::Repo;

const FIXTURES: &str = "crates/wharf-plan/fixtures";
const RUNS: &str = "tests/real/runs.toml";
const RULE: &str = "proof";

/// The table of real runs, as far as the catalog is concerned.
#[derive(Deserialize)]
struct Runs {
    #[serde(default)]
    run: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    /// Absent for a program that is nobody's framework.
    framework: Option<String>,
}

/// Checks the catalog against the fixtures, the real runs and the documents.
pub fn check(tree: &Tree) -> Vec<Breach> {
    let mut breaches = proofs(&tree.repo)
        .unwrap_or_else(|error| vec![Breach::new(catalog::FOLDER, 1, RULE, error)]);
    match readme::outdated(&tree.repo) {
        Ok(files) => breaches.extend(files.into_iter().map(|(path, _)| {
            Breach::new(path, 1, "readme", "the table of frameworks is old: `cargo xtask readme`")
        })),
        Err(error) => breaches.push(Breach::new("README.md", 1, "readme", error)),
    }
    breaches
}

fn proofs(repo: &Repo) -> Result<Vec<Breach>, String> {
    let entries = catalog::read(repo)?;
    let mut breaches: Vec<Breach> = entries
        .iter()
        .filter_map(|(path, entry)| {
            let fixture = format!("{FIXTURES}/{}", entry.id);
            let what =
                format!("no fixture: add {fixture}/ with a project that is recognised as it");
            (!repo.has_folder(&fixture)).then(|| Breach::new(path, 1, "fixture", what))
        })
        .collect();
    match toml::from_str::<Runs>(repo.get(RUNS).unwrap_or_default()) {
        Ok(runs) => breaches.extend(run_proofs(&entries, &runs)),
        Err(error) => breaches.push(Breach::new(RUNS, 1, RULE, error.to_string())),
    }
    Ok(breaches)
}

/// A proof is neither more nor less than what the real runs start.
fn run_proofs(entries: &[(String, Entry)], runs: &Runs) -> Vec<Breach> {
    let started: BTreeSet<&str> =
        runs.run.iter().filter_map(|run| run.framework.as_deref()).collect();
    let mut breaches = Vec::new();
    for (path, entry) in entries {
        let is_started = started.contains(entry.id.as_str());
        let what = match (entry.proof, is_started) {
            (Proof::Run, false) => {
                format!("`proof = \"run\"`, but {RUNS} has no run of `{}`", entry.id)
            }
            (Proof::Fixture, true) => format!("{RUNS} starts it: say `proof = \"run\"`"),
            (Proof::Run, true) | (Proof::Fixture, false) => continue,
        };
        breaches.push(Breach::new(path, 1, RULE, what));
    }
    for framework in started {
        if !entries.iter().any(|(_, entry)| entry.id == framework) {
            let what = format!("the catalog has no entry `{framework}`");
            breaches.push(Breach::new(RUNS, 1, RULE, what));
        }
    }
    breaches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaches(proof: &str, files: &[(&str, &str)]) -> Vec<String> {
        let entry = format!("id = \"vite\"\nname = \"Vite\"\nlang = \"js\"\nproof = \"{proof}\"\n");
        let mut all = vec![("crates/wharf-plan/catalog/vite.toml", entry.as_str())];
        all.extend(files);
        let found = proofs(&Repo::of(&all)).unwrap();
        found.iter().map(|breach| format!("{} {}", breach.rule, breach.path)).collect()
    }

    const FIXTURE: (&str, &str) = ("crates/wharf-plan/fixtures/vite/package.json", "{}");
    const FILE: &str = "crates/wharf-plan/catalog/vite.toml";

    #[test]
    fn an_entry_without_a_fixture_is_a_breach() {
        assert_eq!(breaches("fixture", &[]), [format!("fixture {FILE}")]);
        assert_eq!(breaches("fixture", &[FIXTURE]), [""; 0]);
    }

    #[test]
    fn the_proof_is_neither_more_nor_less_than_what_runs() {
        let runs = (RUNS, "[[run]]\nframework = \"vite\"\n");
        assert_eq!(breaches("run", &[FIXTURE]), [format!("proof {FILE}")]);
        assert_eq!(breaches("run", &[FIXTURE, runs]), [""; 0]);
        assert_eq!(breaches("fixture", &[FIXTURE, runs]), [format!("proof {FILE}")]);
        let other = (RUNS, "[[run]]\nframework = \"vight\"\n");
        assert_eq!(breaches("fixture", &[FIXTURE, other]), [format!("proof {RUNS}")]);
    }

    #[test]
    fn an_old_table_is_a_breach() {
        let begin = "<!-- frameworks: made by `cargo xtask readme` from the catalog -->";
        let old = format!("{begin}\nold\n<!-- end of frameworks -->\n");
        let tree = Tree::of(&[("README.md", &old), ("docs/frameworks.md", &old)]);
        let rules: Vec<&str> = check(&tree).iter().map(|breach| breach.rule).collect();
        assert_eq!(rules, ["readme", "readme"]);
    }
}

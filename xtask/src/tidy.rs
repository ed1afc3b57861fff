//! The house rules, as far as a program can check them: `cargo xtask tidy`.
//!
//! Each family of rules has a file under `tidy/`. What a rule must let pass stands in
//! `xtask/tidy.toml`, with its reason; nothing is excused in the code of the rules.

mod allow;
mod catalog;
mod commands;
mod imports;
mod leftovers;
mod lexer;
mod links;
mod manifests;
mod names;
mod output;
mod paths;
mod places;
mod serialising;
mod size;
mod source;
mod statics;
mod waits;

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use crate::repo::Repo;
use allow::Allowed;
use source::Source;

/// One breach of one rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Breach {
    /// The file, from the root of the repository.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
    /// The name of the rule, as `xtask/tidy.toml` knows it.
    pub rule: &'static str,
    /// What to do.
    pub what: String,
}

impl Breach {
    /// A breach.
    pub fn new(path: &str, line: usize, rule: &'static str, what: impl Into<String>) -> Breach {
        // A breach is one line, whatever a parser has to say.
        let what: String = what.into();
        let words: Vec<&str> = what.split_whitespace().collect();
        Breach { path: path.to_owned(), line, rule, what: words.join(" ") }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.path, self.line, self.rule, self.what)
    }
}

/// What the rules look at.
#[derive(Debug)]
pub struct Tree {
    repo: Repo,
    /// The Rust files of the workspace.
    sources: Vec<Source>,
}

impl Tree {
    fn new(repo: Repo) -> Tree {
        let folders = ["bench/", "crates/", "xtask/"];
        let rust = folders.into_iter().flat_map(|folder| repo.below(folder, ".rs"));
        // A fixture is somebody else's project.
        let files: Vec<(&str, &str)> =
            rust.filter(|(path, _)| !path.contains("/fixtures/")).collect();
        let mut sources: Vec<Source> =
            files.iter().map(|(path, text)| Source::new(path, text, false)).collect();
        let tests = test_files(&sources);
        for (source, (path, text)) in sources.iter_mut().zip(files) {
            if tests
                .iter()
                .any(|test| path == format!("{test}.rs") || path.starts_with(&format!("{test}/")))
            {
                *source = Source::new(path, text, true);
            }
        }
        Tree { repo, sources }
    }

    /// A tree of these files.
    #[cfg(test)]
    fn of(files: &[(&str, &str)]) -> Tree {
        Tree::new(Repo::of(files))
    }
}

/// The files, without their ending, that are declared as modules for tests alone.
fn test_files(sources: &[Source]) -> BTreeSet<String> {
    let mut files = BTreeSet::new();
    for source in sources {
        let stem = source.path.trim_end_matches(".rs");
        let folder = match stem.rsplit_once('/') {
            Some((folder, "lib" | "main" | "mod")) => folder,
            _ => stem,
        };
        files.extend(source.test_modules().into_iter().map(|name| format!("{folder}/{name}")));
    }
    files
}

/// Every family of rules.
const RULES: &[fn(&Tree) -> Vec<Breach>] = &[
    manifests::check,
    imports::check,
    output::check,
    serialising::check,
    size::check,
    names::check,
    leftovers::check,
    statics::check,
    waits::check,
    commands::check,
    catalog::check,
    links::check,
    places::check,
];

/// Every breach in the repository, sorted by place.
pub fn breaches(root: &Path) -> Result<Vec<Breach>, String> {
    let tree = Tree::new(Repo::read(root)?);
    let allowed = Allowed::read(&tree.repo)?;
    let all: Vec<Breach> = RULES.iter().flat_map(|rule| rule(&tree)).collect();
    let mut left = allowed.filter(all, &tree.repo);
    left.sort();
    left.dedup();
    Ok(left)
}

/// `cargo xtask tidy`.
pub fn run(root: &Path) -> Result<(), String> {
    let breaches = breaches(root)?;
    for breach in &breaches {
        println!("{breach}");
    }
    match breaches.len() {
        0 => Ok(()),
        1 => Err("1 breach of the house rules".to_owned()),
        count => Err(format!("{count} breaches of the house rules")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_tidy() {
        let breaches = breaches(&crate::repo::root().unwrap()).unwrap();
        let lines: Vec<String> = breaches.iter().map(Breach::to_string).collect();
        assert!(lines.is_empty(), "{} breaches:\n{}", lines.len(), lines.join("\n"));
    }

    #[test]
    fn a_file_that_a_test_module_names_is_a_test() {
        let tree = Tree::of(&[
            ("crates/x/src/a.rs", "#[cfg(test)]\nmod cases;\n"),
            ("crates/x/src/a/cases.rs", "fn a() {}"),
            ("crates/x/src/b/cases.rs", "fn a() {}"),
        ]);
        let tests: Vec<bool> = tree.sources.iter().map(Source::is_test).collect();
        assert_eq!(tests, [false, true, false]);
    }
}

//! What the program is made of: `cargo xtask licences`.
//!
//! Reads the allow list of deny.toml, so that cargo-deny and this agree, and checks every dependency
//! of the workspace against it. Nothing is downloaded.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

/// How many other people's crates the program for Linux may be made of: what runs on a user's machine. Tests and
/// other systems have their own crates besides, whose licences count, too.
const DEPENDENCIES_MAX: usize = 200;
/// The package that is the program, and where it runs.
const PROGRAM: (&str, &str) = ("wharf", "x86_64-unknown-linux-gnu");
/// Crates of which two versions at once would not fit together.
const ONCE: &[&str] = &["http", "hyper", "rustls", "tokio"];

/// As far as we read deny.toml.
#[derive(Deserialize)]
struct Deny {
    licenses: Licenses,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

/// As far as we read `cargo metadata`.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

/// A crate of some version.
#[derive(Clone, Debug, Deserialize)]
pub struct Package {
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
    manifest_path: PathBuf,
}

impl Package {
    /// Name and version.
    pub fn title(&self) -> String {
        format!("{} {}", self.name, self.version)
    }

    /// What it says of its licence, or nothing.
    pub fn licence(&self) -> &str {
        self.license.as_deref().unwrap_or_default()
    }

    /// Whether it can be used by the terms of this licence alone.
    pub fn offers(&self, licence: &str) -> bool {
        allowed(self.licence(), &[licence.to_owned()]) == Some(true)
    }

    /// Where its files are.
    pub fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(&self.manifest_path)
    }
}

/// `cargo xtask licences`.
pub fn run(root: &Path) -> Result<(), String> {
    let file = root.join("deny.toml");
    let text = std::fs::read_to_string(&file).map_err(|error| format!("deny.toml: {error}"))?;
    let deny: Deny = toml::from_str(&text).map_err(|error| format!("deny.toml: {error}"))?;
    let packages = packages(root)?;
    let parts = parts_of_the_program(root)?.len();
    let mut faults = faults(&packages, &deny.licenses.allow);
    faults.extend(excess(parts));
    for fault in &faults {
        println!("{fault}");
    }
    println!("{}", summary(&packages));
    println!("{parts} of them are in the program; at most {DEPENDENCIES_MAX}");
    match faults.len() {
        0 => Ok(()),
        count => Err(format!("{count} faults among the dependencies")),
    }
}

fn packages(root: &Path) -> Result<Vec<Package>, String> {
    let told = cargo(root, &["metadata", "--locked", "--offline", "--format-version", "1"])?;
    let metadata: Metadata = serde_json::from_slice(&told)
        .map_err(|error| format!("cargo metadata wrote something else: {error}"))?;
    Ok(metadata.packages)
}

/// What is wrong with that many parts.
fn excess(parts: usize) -> Option<String> {
    let too_many = parts > DEPENDENCIES_MAX;
    too_many
        .then(|| format!("{parts} dependencies, {DEPENDENCIES_MAX} are allowed: do without some"))
}

/// Other people's crates in the program, by name.
pub fn program(root: &Path) -> Result<Vec<Package>, String> {
    let parts = parts_of_the_program(root)?;
    let mut packages = packages(root)?;
    packages.retain(|one| one.source.is_some() && parts.contains(&one.title()));
    packages.sort_by_key(Package::title);
    Ok(packages)
}

/// Names and versions of other people's crates that are compiled into the program.
fn parts_of_the_program(root: &Path) -> Result<BTreeSet<String>, String> {
    let (package, target) = PROGRAM;
    let asked = ["tree", "--locked", "--offline", "--prefix", "none", "--format", "{p}"];
    let narrowed = ["--edges", "normal", "--target", target, "--package", package];
    let told = cargo(root, &[&asked[..], &narrowed[..]].concat())?;
    let told = String::from_utf8_lossy(&told).into_owned();
    // Our own packages are told with the folder that they lie in; a macro is told as such.
    let own = |line: &&str| line.contains(" (/");
    let parts = told.lines().filter(|line| !line.is_empty() && !own(line));
    // `NAME vVERSION`, then perhaps what kind of crate it is.
    let title = |line: &str| {
        let mut words = line.split(' ');
        let (name, version) = (words.next()?, words.next()?);
        Some(format!("{name} {}", version.trim_start_matches('v')))
    };
    Ok(parts.filter_map(title).collect())
}

fn cargo(root: &Path, words: &[&str]) -> Result<Vec<u8>, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(words)
        .current_dir(root)
        .output()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        let what = words.first().copied().unwrap_or_default();
        return Err(format!("cargo {what} failed; `cargo fetch --locked` may help\n{why}"));
    }
    Ok(output.stdout)
}

/// The packages that are not the workspace's own.
fn foreign(packages: &[Package]) -> impl Iterator<Item = &Package> {
    packages.iter().filter(|package| package.source.is_some())
}

fn faults(packages: &[Package], allow: &[String]) -> Vec<String> {
    let mut faults = Vec::new();
    for package in foreign(packages) {
        let (name, licence) = (package.title(), package.licence());
        match allowed(licence, allow) {
            Some(true) => {}
            Some(false) => faults.push(format!(
                "{name}: `{licence}` is not allowed by deny.toml: use another crate, or allow it there"
            )),
            None => faults.push(format!("{name}: `{licence}` cannot be read as a licence")),
        }
        let source = package.source.as_deref().unwrap_or_default();
        if !source.starts_with("registry+") {
            faults.push(format!("{name}: comes from {source}: use a released version"));
        }
    }
    for name in ONCE {
        let versions = foreign(packages).filter(|package| package.name == *name);
        let versions: Vec<&str> = versions.map(|package| package.version.as_str()).collect();
        if versions.len() > 1 {
            faults.push(format!(
                "{name}: versions {} at once: bring them together",
                versions.join(", ")
            ));
        }
    }
    faults
}

fn summary(packages: &[Package]) -> String {
    let mut by_licence: BTreeMap<&str, usize> = BTreeMap::new();
    for package in foreign(packages) {
        *by_licence.entry(package.license.as_deref().unwrap_or("none")).or_default() += 1;
    }
    let mut lines: Vec<String> =
        by_licence.iter().map(|(licence, count)| format!("{count:4}  {licence}")).collect();
    let names: BTreeSet<&str> = foreign(packages).map(|package| package.name.as_str()).collect();
    lines.push(format!(
        "{} dependencies by {} names, tests and other systems included",
        foreign(packages).count(),
        names.len(),
    ));
    lines.join("\n")
}

/// Whether an SPDX expression can be met with the allowed licences; nothing if it is none.
fn allowed(expression: &str, allow: &[String]) -> Option<bool> {
    // Cargo's older form has a slash for OR.
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    let met = any(&mut rest, allow)?;
    rest.is_empty().then_some(met)
}

fn any(words: &mut &[&str], allow: &[String]) -> Option<bool> {
    let mut met = all(words, allow)?;
    while let ["OR", rest @ ..] = *words {
        *words = rest;
        met |= all(words, allow)?;
    }
    Some(met)
}

fn all(words: &mut &[&str], allow: &[String]) -> Option<bool> {
    let mut met = one(words, allow)?;
    while let ["AND", rest @ ..] = *words {
        *words = rest;
        met &= one(words, allow)?;
    }
    Some(met)
}

fn one(words: &mut &[&str], allow: &[String]) -> Option<bool> {
    match *words {
        ["(", rest @ ..] => {
            *words = rest;
            let met = any(words, allow)?;
            let [")", rest @ ..] = *words else {
                return None;
            };
            *words = rest;
            Some(met)
        }
        [licence, "WITH", exception, rest @ ..] => {
            *words = rest;
            let whole = format!("{licence} WITH {exception}");
            // An exception only ever grants more.
            Some(allow.iter().any(|known| known == licence || *known == whole))
        }
        [")" | "OR" | "AND" | "WITH", ..] | [] => None,
        [licence, rest @ ..] => {
            *words = rest;
            Some(allow.iter().any(|known| known == licence))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allow() -> Vec<String> {
        vec!["MIT".into(), "Apache-2.0".into(), "Unicode-3.0".into()]
    }

    #[test]
    fn expressions_are_met_or_not() {
        for (expression, met) in [
            ("MIT", Some(true)),
            ("GPL-3.0-only", Some(false)),
            ("MIT/GPL-2.0", Some(true)),
            ("GPL-2.0 OR Apache-2.0", Some(true)),
            ("(MIT OR GPL-2.0) AND Unicode-3.0", Some(true)),
            ("MIT AND GPL-2.0", Some(false)),
            ("MIT AND (GPL-2.0 OR BSD-4-Clause)", Some(false)),
            ("Apache-2.0 WITH LLVM-exception OR Zlib", Some(true)),
            ("GPL-2.0 WITH Classpath-exception-2.0", Some(false)),
            ("", None),
            ("(MIT", None),
            ("MIT GPL-2.0", None),
            ("MIT OR", None),
        ] {
            assert_eq!(allowed(expression, &allow()), met, "{expression:?}");
        }
    }

    fn package(name: &str, version: &str, licence: Option<&str>, source: &str) -> Package {
        Package {
            name: name.into(),
            version: version.into(),
            license: licence.map(str::to_owned),
            source: (!source.is_empty()).then(|| source.to_owned()),
            manifest_path: PathBuf::from(format!("/crates/{name}/Cargo.toml")),
        }
    }

    #[test]
    fn every_fault_is_named() {
        let registry = "registry+x";
        let packages = [
            package("wharf", "0.1.0", None, ""),
            package("good", "1.0.0", Some("MIT"), registry),
            package("bad", "1.0.0", Some("GPL-3.0-only"), registry),
            package("none", "1.0.0", None, registry),
            package("git", "1.0.0", Some("MIT"), "git+x"),
            package("tokio", "1.0.0", Some("MIT"), registry),
            package("tokio", "2.0.0", Some("MIT"), registry),
        ];
        let faults = faults(&packages, &allow());
        let names: Vec<&str> =
            faults.iter().filter_map(|fault| fault.split([' ', ':']).next()).collect();
        assert_eq!(names, ["bad", "none", "git", "tokio"]);
    }

    #[test]
    fn the_budget_bites() {
        assert!(excess(DEPENDENCIES_MAX + 1).is_some());
        assert_eq!(excess(DEPENDENCIES_MAX), None);
    }
}

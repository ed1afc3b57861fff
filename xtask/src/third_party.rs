//! The licence texts of everybody whose code is in the program: `cargo xtask third-party`.
//!
//! Written to stdout, for the packages. The texts are those that the crates carry, each printed once with
//! all who have it. A crate without a text is used by the terms of the Apache licence if it offers them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::licences::{self, Package};

/// How the names of files begin that hold a licence or what it wants to be told, in lower case.
const NAMES: &[&str] = &["licence", "license", "copying", "copyright", "notice", "unlicense"];
/// The text for crates that have none.
const APACHE: &str = "LICENSE-APACHE";

/// `cargo xtask third-party`.
pub fn run(root: &Path) -> Result<(), String> {
    let apache = read(&root.join(APACHE))?;
    let packages = licences::program(root)?;
    let mut texts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in &packages {
        for text in texts_of(package, &apache)? {
            texts.entry(text).or_default().insert(package.title());
        }
    }
    print!("{}", document(&packages, &texts));
    Ok(())
}

fn texts_of(package: &Package, apache: &str) -> Result<BTreeSet<String>, String> {
    let mut texts = BTreeSet::new();
    gather(package.folder(), &mut texts)?;
    match texts.is_empty() {
        false => Ok(texts),
        true if package.offers("Apache-2.0") => Ok([plain(apache)].into()),
        true => Err(format!("{} has no licence text: find out whose it is", package.title())),
    }
}

/// The texts of a folder and below: some crates hold parts of others, with their licences beside them.
fn gather(folder: &Path, texts: &mut BTreeSet<String>) -> Result<(), String> {
    let failed = |error| format!("cannot read {}: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() {
            gather(&entry.path(), texts)?;
        } else if kind.is_file() && is_licence(&entry.file_name().to_string_lossy()) {
            texts.insert(plain(&read(&entry.path())?));
        }
    }
    Ok(())
}

fn is_licence(name: &str) -> bool {
    let name = name.to_lowercase();
    NAMES.iter().any(|begin| name.starts_with(begin)) && !name.ends_with(".rs")
}

/// Without what differs between copies of one text and says nothing.
fn plain(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n").trim_matches('\n').to_owned()
}

fn document(packages: &[Package], texts: &BTreeMap<String, BTreeSet<String>>) -> String {
    let rule = "-".repeat(80);
    let mut told = String::from("Other people's crates in the program, and their licences.\n\n");
    for package in packages {
        told += &format!("{}: {}\n", package.title(), package.licence());
    }
    for (text, owners) in texts {
        let owners: Vec<&str> = owners.iter().map(String::as_str).collect();
        told += &format!("\n{rule}\n{}\n{rule}\n\n{text}\n", owners.join(", "));
    }
    told
}

fn read(file: &Path) -> Result<String, String> {
    let bytes = fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()));
    Ok(String::from_utf8_lossy(&bytes?).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_licences_are_told_from_others() {
        for name in ["LICENSE", "LICENSE-MIT", "license.md", "COPYING", "NOTICE.txt", "UNLICENSE"] {
            assert!(is_licence(name), "{name}");
        }
        for name in ["README.md", "licenses.rs", "src", "Cargo.toml"] {
            assert!(!is_licence(name), "{name}");
        }
    }

    #[test]
    fn a_text_further_below_is_found() {
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut texts = BTreeSet::new();
        gather(&own.join("packaging"), &mut texts).unwrap();
        assert_eq!(texts.len(), 1, "that of the Debian package");
    }

    #[test]
    fn copies_that_differ_in_line_ends_are_one() {
        assert_eq!(plain("\n MIT \r\nall\r\n\n"), " MIT\nall");
    }

    #[test]
    fn a_text_stands_once_with_all_who_have_it() {
        let texts = [("MIT".to_owned(), ["a 1.0.0".to_owned(), "b 2.0.0".to_owned()].into())];
        let told = document(&[], &texts.into());
        assert!(told.contains("a 1.0.0, b 2.0.0\n"), "{told}");
        assert_eq!(told.matches("MIT").count(), 1);
    }
}

//! Names that say nothing of what is inside, and so gather everything.

use super::source::Source;
use super::{Breach, Tree};

const RULE: &str = "names";

const EMPTY: &[&str] = &[
    "util",
    "utils",
    "utility",
    "utilities",
    "helper",
    "helpers",
    "common",
    "manager",
    "managers",
    "misc",
];

/// Checks the names of files, folders, modules and types.
pub fn check(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for source in &tree.sources {
        breaches.extend(path(&source.path));
        breaches.extend(declared(source));
    }
    for (script, _) in tree.repo.below("script/", "") {
        breaches.extend(path(script));
    }
    breaches
}

fn path(path: &str) -> Option<Breach> {
    let stem = path.rsplit_once('.').map_or(path, |(stem, _)| stem);
    let bad = stem.split(['/', '_', '-']).find_map(empty)?;
    let what = format!("a path with `{bad}` in it says nothing: name it after what it holds");
    Some(Breach::new(path, 1, RULE, what))
}

fn declared(source: &Source) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for keyword in ["mod", "struct", "enum", "trait", "type", "union"] {
        for offset in source.find(keyword) {
            let rest = source.code[offset + keyword.len()..].trim_start();
            let name: String =
                rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if let Some(bad) = words(&name).iter().find_map(|word| empty(word)) {
                let what = format!("`{bad}` in `{name}` says nothing: name it after what it does");
                breaches.push(Breach::new(&source.path, source.line(offset), RULE, what));
            }
        }
    }
    breaches
}

fn empty(word: &str) -> Option<&'static str> {
    EMPTY.iter().copied().find(|bad| word.eq_ignore_ascii_case(bad))
}

/// The words of a name in any of Rust's cases.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for character in name.chars() {
        if character == '_' || character.is_uppercase() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut()
            && character != '_'
        {
            word.push(character);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaches(path: &str, text: &str) -> usize {
        check(&Tree::of(&[(path, text)])).len()
    }

    #[test]
    fn files_and_folders() {
        assert_eq!(breaches("crates/wharf/src/utils.rs", ""), 1);
        assert_eq!(breaches("crates/wharf/tests/common/mod.rs", ""), 1);
        assert_eq!(breaches("crates/wharf/src/http_util.rs", ""), 1);
        assert_eq!(breaches("crates/wharf/src/utilisation.rs", ""), 0);
    }

    #[test]
    fn modules_and_types() {
        let path = "crates/wharf/src/a.rs";
        assert_eq!(breaches(path, "mod misc;"), 1);
        assert_eq!(breaches(path, "pub struct PortManager;\nenum TestHelper {}"), 2);
        assert_eq!(breaches(path, "struct Commoner; // struct Manager\nlet manager = 1;"), 0);
    }
}

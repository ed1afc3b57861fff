//! What was meant for later.

use super::source::Source;
use super::{Breach, Tree};
use crate::repo::Repo;

const RULE: &str = "leftover";

/// Calls and attributes that mark unfinished code.
const CODE: &[&str] = &["todo!", "unimplemented!", "dbg!", "#[ignore"];

/// Marks in comments and in files that are not Rust, taken apart so that this file has none.
fn marks() -> [String; 2] {
    [["FIX", "ME"].concat(), "X".repeat(3)]
}

/// The beginning of the mark of what somebody has still to check in a document.
fn unchecked() -> String {
    ["<!-- ", "check"].concat()
}

/// Checks the code, and the text files around it.
pub fn check(tree: &Tree) -> Vec<Breach> {
    let mut breaches: Vec<Breach> = tree.sources.iter().flat_map(code).collect();
    breaches.extend(documents(&tree.repo));
    breaches
}

fn code(source: &Source) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for word in CODE {
        for offset in source.find(word) {
            let what = format!("`{word}`: finish it, or leave it out");
            breaches.push(Breach::new(&source.path, source.line(offset), RULE, what));
        }
    }
    for mark in marks() {
        for offset in super::source::find(&source.comments, &mark) {
            let what = format!("`{mark}`: do it, or say why it need not be done");
            breaches.push(Breach::new(&source.path, source.line(offset), RULE, what));
        }
    }
    breaches
}

fn documents(repo: &Repo) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let is_text = |path: &str| {
        path.ends_with(".md") || path.ends_with(".toml") || path.starts_with("script/")
    };
    for (path, text) in repo.files().filter(|(path, _)| is_text(path)) {
        for (number, line) in text.lines().enumerate() {
            for mark in marks() {
                if super::source::find(line, &mark).next().is_some() {
                    let what = format!("`{mark}`: do it, or leave it out");
                    breaches.push(Breach::new(path, number + 1, RULE, what));
                }
            }
            if ["<<<<<<< ", ">>>>>>> "].iter().any(|mark| line.starts_with(mark)) {
                let what = "a merge was left in the middle: decide";
                breaches.push(Breach::new(path, number + 1, RULE, what));
            }
            if line.contains(&unchecked()) {
                let what = "check whether this is true, and take the mark away";
                breaches.push(Breach::new(path, number + 1, "unchecked", what));
            }
        }
    }
    breaches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(&Tree::of(&[(path, text)])).iter().map(|breach| breach.line).collect()
    }

    #[test]
    fn every_leftover_bites() {
        let path = "crates/wharf/src/a.rs";
        let text = "fn a() {\n todo!() }\nfn b() { unimplemented!(\"x\") }\nfn c() { dbg!(1); }\n\
            #[ignore = \"slow\"]\nfn d() {}\n";
        assert_eq!(lines(path, text), [2, 3, 4, 5]);
        let [first, second] = marks();
        assert_eq!(lines(path, &format!("// {first}: x\n/* {second} */\n")), [1, 2]);
        assert_eq!(lines("README.md", &format!("a\n{first}\n")), [2]);
        assert_eq!(lines("docs/a.md", &format!("a {}: the port -->\n", unchecked())), [1]);
        assert_eq!(lines("docs/a.md", "a\n<<<<<<< ours\nb\n=======\nc\n>>>>>>> theirs\n"), [2, 6]);
    }

    #[test]
    fn a_text_is_no_leftover() {
        let [first, second] = marks();
        let text = format!("const A: &str = \"todo!() {first}\"; // {second}{second}\n");
        assert_eq!(lines("crates/wharf/src/a.rs", &text), [0; 0]);
    }
}

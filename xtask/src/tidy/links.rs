//! Links between documents lead somewhere.

use super::{Breach, Tree};
use crate::repo::Repo;

const RULE: &str = "link";

/// Checks every Markdown file of the project's own.
pub fn check(tree: &Tree) -> Vec<Breach> {
    let own = |path: &str| !path.starts_with("tests/") && !path.contains("/fixtures/");
    let files = tree.repo.files().filter(|(path, _)| path.ends_with(".md") && own(path));
    files.flat_map(|(path, text)| document(path, text, &tree.repo)).collect()
}

fn document(path: &str, text: &str, repo: &Repo) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (number, line) in prose(text) {
        for target in targets(&line) {
            if let Some(what) = fault(path, &target, repo) {
                breaches.push(Breach::new(path, number, RULE, what));
            }
        }
    }
    breaches
}

/// The lines with their numbers, without code.
fn prose(text: &str) -> Vec<(usize, String)> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            // Every second piece between backquotes is code.
            let words: Vec<&str> = line.split('`').step_by(2).collect();
            lines.push((number + 1, words.join("`")));
        }
    }
    lines
}

/// Where `[…](target)`, and `[…]: target` at the start of a line, lead.
fn targets(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (offset, _) in line.match_indices("](") {
        let rest = &line[offset + 2..];
        let target = rest.split([')', ' ']).next().unwrap_or_default();
        found.push(target.to_owned());
    }
    if let Some((_, rest)) = line.strip_prefix('[').and_then(|rest| rest.split_once("]: ")) {
        found.push(rest.split(' ').next().unwrap_or_default().to_owned());
    }
    found
}

/// Why a target leads nowhere; nothing for what lies outside the repository.
fn fault(from: &str, target: &str, repo: &Repo) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    if target.starts_with('/') {
        return Some(format!(
            "`{target}` starts at the root of a machine: link relative to this file"
        ));
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = if file.is_empty() { from.to_owned() } else { resolve(from, file) };
    let Some(text) = repo.get(&path) else {
        let nowhere = !repo.has_folder(&path);
        return nowhere.then(|| format!("there is no `{path}`"));
    };
    let missing = !anchor.is_empty() && !anchors(text).iter().any(|known| known == anchor);
    missing.then(|| format!("`{path}` has no heading for `#{anchor}`"))
}

/// A path relative to a file, from the root of the repository.
fn resolve(from: &str, target: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The anchors of a document's headings, as code hosts make them.
fn anchors(text: &str) -> Vec<String> {
    let mut fenced = false;
    let mut anchors = Vec::new();
    for line in text.lines() {
        fenced ^= line.starts_with("```");
        if fenced || !line.starts_with('#') {
            continue;
        }
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        anchors.push(kept.map(|c| if c == ' ' { '-' } else { c }).collect());
    }
    anchors
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        let tree = Tree::of(&[("docs/a.md", text), ("README.md", "# The `wharf` tour!\n")]);
        check(&tree).into_iter().map(|breach| breach.what).collect()
    }

    #[test]
    fn links_that_lead_somewhere() {
        let text = "[a](../README.md) [b](../README.md#the-wharf-tour) [c](../docs) [d](#here)\n\
            # Here\n[e](https://example.com/x) `[f](gone.md)`\n```\n[g](gone.md)\n```\n\
            [h]: a.md\n";
        assert_eq!(faults(text), [""; 0]);
    }

    #[test]
    fn links_that_lead_nowhere() {
        assert_eq!(faults("[a](b.md)"), ["there is no `docs/b.md`"]);
        assert_eq!(faults("[a]: ../b.md"), ["there is no `b.md`"]);
        assert_eq!(faults("[a](../README.md#x)"), ["`README.md` has no heading for `#x`"]);
        assert!(faults("[a](/README.md)")[0].contains("root of a machine"));
    }
}

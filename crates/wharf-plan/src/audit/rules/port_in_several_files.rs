//! One literal port in several files.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::super::files::Files;
use super::super::finding::Hit;
use super::super::level::Level;
use super::super::literals;
use super::super::rule::{Check, Rule};

pub(super) const RULE: Rule = Rule {
    id: "port-in-several-files",
    level: Level::Info,
    title: "the same port stands in several files",
    why: "who changes one of them has to know the others; in a second worktree all of them mean the first \
          one's server",
    fix: "let one place say it and the others read it: `wharf env` gives each service the URLs of the others",
    sources: &["https://12factor.net/config"],
    page: include_str!("../../../../../docs/audit/port-in-several-files.md"),
    check: Check::Files(check),
};

/// How many places are told.
const PLACES_MAX: usize = 12;

fn check(files: &Files) -> Vec<Hit> {
    let mut by_port: BTreeMap<u16, BTreeMap<PathBuf, usize>> = BTreeMap::new();
    for literal in literals::all(files) {
        by_port.entry(literal.port).or_default().entry(literal.path).or_insert(literal.line);
    }
    // Those of the web itself stand everywhere.
    by_port.retain(|port, places| places.len() > 1 && !matches!(port, 80 | 443));
    by_port.into_iter().filter_map(|(port, places)| hit(port, &places)).collect()
}

fn hit(port: u16, places: &BTreeMap<PathBuf, usize>) -> Option<Hit> {
    let (path, line) = places.first_key_value()?;
    let what = format!("port {port} stands in {} files", places.len());
    let shown = places.iter().map(|(path, line)| format!("{}:{line}", path.display()));
    let hit = Hit::new(RULE.level, what, RULE.fix).all_seen(shown.take(PLACES_MAX));
    Some(hit.at(path, *line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_of_two_files_is_told_once() {
        let files = Files::made(&[
            (".env", "API=http://localhost:8000\nPORT=3000\n"),
            ("Procfile", "api: uvicorn a:b --port 8000\n"),
            ("web/vite.config.ts", "target: 'http://127.0.0.1:8000'"),
        ]);
        let hits = check(&files);
        assert_eq!(hits.len(), 1, "{hits:?}");
        assert_eq!(hits[0].evidence, [".env:1", "Procfile:1", "web/vite.config.ts:1"]);
    }
}

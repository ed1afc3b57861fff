//! The tables of frameworks in README.md and docs/frameworks.md: `cargo xtask readme`.

use std::fs;
use std::path::Path;

use crate::catalog::{self, Entry, Proof};
use crate::repo::Repo;

const BEGIN: &str = "<!-- frameworks: made by `cargo xtask readme` from the catalog -->";
const END: &str = "<!-- end of frameworks -->";

/// The languages in the order of the table, with their names for people.
const LANGUAGES: &[(&str, &str)] = &[
    ("js", "JavaScript, TypeScript"),
    ("python", "Python"),
    ("ruby", "Ruby"),
    ("php", "PHP"),
    ("java", "Java"),
    ("kotlin", "Kotlin"),
    ("scala", "Scala"),
    ("go", "Go"),
    ("rust", "Rust"),
    ("dotnet", ".NET"),
    ("elixir", "Elixir"),
    ("any", "Any, or none"),
];

/// `cargo xtask readme`: writes the tables, and says which files changed.
pub fn run(root: &Path) -> Result<(), String> {
    let repo = Repo::read(root)?;
    for (path, text) in outdated(&repo)? {
        let file = root.join(path);
        fs::write(&file, text).map_err(|error| format!("cannot write {path}: {error}"))?;
        println!("{path}");
    }
    Ok(())
}

/// The files whose table is not what the catalog says, with the text that they should have.
pub fn outdated(repo: &Repo) -> Result<Vec<(&'static str, String)>, String> {
    let entries: Vec<Entry> = catalog::read(repo)?.into_iter().map(|(_, entry)| entry).collect();
    let tables = [("README.md", by_language(&entries)), ("docs/frameworks.md", in_full(&entries))];
    let mut outdated = Vec::new();
    for (path, table) in tables {
        let text = repo.get(path).ok_or_else(|| format!("there is no {path}"))?;
        let wanted = with_table(text, &table)
            .ok_or_else(|| format!("{path} has no `{BEGIN}` with a `{END}` below it"))?;
        if wanted != text {
            outdated.push((path, wanted));
        }
    }
    Ok(outdated)
}

fn with_table(text: &str, table: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{table}\n{END}{after}"))
}

/// One line per language: what is started for real, what has a fixture.
fn by_language(entries: &[Entry]) -> String {
    let mut table = "| for | proof: run | proof: fixture |\n|---|---|---|\n".to_owned();
    for (lang, name) in LANGUAGES {
        let of = |proof| {
            let own = entries.iter().filter(|entry| entry.lang.as_deref() == Some(lang));
            let cells = own.filter(|entry| entry.proof == proof).map(cell);
            cells.collect::<Vec<_>>().join(" · ")
        };
        let (run, fixture) = (of(Proof::Run), of(Proof::Fixture));
        if !run.is_empty() || !fixture.is_empty() {
            table += &format!("| {name} | {run} | {fixture} |\n");
        }
    }
    let frameworks = entries.iter().filter(|entry| entry.lang.is_some()).count();
    let run =
        entries.iter().filter(|entry| entry.lang.is_some() && entry.proof == Proof::Run).count();
    format!("{frameworks} frameworks and servers, {run} of them with the proof *run*.\n\n{table}")
}

fn cell(entry: &Entry) -> String {
    format!("{} {}", entry.name, entry.ports())
}

/// One line per entry.
fn in_full(entries: &[Entry]) -> String {
    let mut table = "| name | id | ports | port handed over by | facts from | proof |\n\
                     |---|---|---|---|---|---|\n"
        .to_owned();
    for entry in entries {
        let by = match entry.inject.as_ref().map(|inject| inject.by.as_str()) {
            Some("env") => "variable",
            Some("flag") => "flag",
            Some("positional") => "argument",
            Some("config") => "derived file",
            Some(_) => "nothing",
            None => "the script's own server",
        };
        let proof = match entry.proof {
            Proof::Run => "run",
            Proof::Fixture => "fixture",
        };
        table += &format!(
            "| {} | `{}` | {} | {by} | {} | {proof} |\n",
            entry.name,
            entry.id,
            entry.ports(),
            entry.tested.as_deref().unwrap_or("–").replace('|', "\\|"),
        );
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repo(readme: &str) -> Repo {
        let entry =
            "id = \"vite\"\nname = \"Vite\"\nlang = \"js\"\nproof = \"run\"\nconventional = 5173\n";
        Repo::of(&[
            ("crates/wharf-plan/catalog/vite.toml", entry),
            ("crates/wharf-plan/catalog/ports.toml", "[[port]]\n"),
            ("README.md", readme),
            ("docs/frameworks.md", &format!("{BEGIN}{END}")),
        ])
    }

    #[test]
    fn the_table_is_made_from_the_catalog_and_stays() {
        let repo_before = repo(&format!("before\n{BEGIN}\nold\n{END}\nafter\n"));
        let made = outdated(&repo_before).unwrap();
        let readme = &made[0].1;
        assert!(readme.contains("| JavaScript, TypeScript | Vite 5173 |  |\n"), "{readme}");
        assert!(readme.starts_with("before\n") && readme.ends_with("after\n"));
        assert!(!readme.contains("old"));
        let paths: Vec<&str> =
            outdated(&repo(readme)).unwrap().iter().map(|(path, _)| *path).collect();
        assert_eq!(paths, ["docs/frameworks.md"]);
    }

    #[test]
    fn a_document_without_markers_is_an_error() {
        assert!(outdated(&repo("nothing")).unwrap_err().contains("README.md"));
    }
}

//! package.json and deno.json: scripts, dependencies, the package manager.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::error::PlanError;
use crate::folder;

/// How far up a manifest is looked for.
const LEVELS_MAX: usize = 40;

/// What is read of a package.json. Every field is lenient: a manifest that npm accepts must do.
#[derive(Debug, Default)]
pub(crate) struct Package {
    /// The folder that it lies in.
    pub(crate) dir: PathBuf,
    /// The package's name.
    pub(crate) name: String,
    /// The scripts, by name.
    pub(crate) scripts: Vec<(String, String)>,
    /// `packageManager`, such as `pnpm@9.15.9`.
    pub(crate) package_manager: String,
    /// `main`.
    pub(crate) main: String,
    /// The workspaces' globs.
    pub(crate) workspaces: Vec<String>,
    /// Names of the dependencies, development ones among them.
    pub(crate) dependencies: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Raw {
    name: Value,
    scripts: Value,
    package_manager: Value,
    main: Value,
    workspaces: Value,
    dependencies: Value,
    dev_dependencies: Value,
    peer_dependencies: Value,
    optional_dependencies: Value,
}

impl Package {
    /// The nearest package.json, from a folder upwards.
    pub(crate) fn nearest(dir: &Path) -> Result<Option<Package>, PlanError> {
        for folder in dir.ancestors().take(LEVELS_MAX) {
            if let Some(package) = Package::in_folder(folder)? {
                return Ok(Some(package));
            }
        }
        Ok(None)
    }

    /// The package.json of a folder.
    pub(crate) fn in_folder(dir: &Path) -> Result<Option<Package>, PlanError> {
        let path = dir.join("package.json");
        let text = folder::text(&path)
            .map_err(|source| PlanError::UnreadableFile { path: path.clone(), source })?;
        let Some(text) = text else { return Ok(None) };
        // npm itself accepts a byte-order mark.
        let text = text.trim_start_matches('\u{feff}');
        let raw: Raw = serde_json::from_str(text).map_err(|why| PlanError::BadPackageJson {
            path: path.clone(),
            line: why.line(),
            why: why.to_string(),
        })?;
        Ok(Some(Package::from_raw(dir, raw)))
    }

    fn from_raw(dir: &Path, raw: Raw) -> Package {
        let mut dependencies = Vec::new();
        for table in [
            raw.dependencies,
            raw.dev_dependencies,
            raw.peer_dependencies,
            raw.optional_dependencies,
        ] {
            dependencies.extend(entries(table).into_keys());
        }
        let text = |value: Value| value.as_str().unwrap_or_default().to_owned();
        let globs = match raw.workspaces {
            Value::Object(mut table) => table.remove("packages").unwrap_or_default(),
            other => other,
        };
        let workspaces = match globs {
            Value::Array(items) => items.into_iter().map(text).collect(),
            _ => Vec::new(),
        };
        Package {
            dir: dir.to_path_buf(),
            name: text(raw.name),
            scripts: string_entries(raw.scripts),
            package_manager: text(raw.package_manager),
            main: text(raw.main),
            workspaces,
            dependencies,
        }
    }

    /// A script's text. `npm start` without a script runs `node server.js`.
    pub(crate) fn script(&self, name: &str) -> Option<&str> {
        let found = self.scripts.iter().find(|(script, _)| script == name);
        match found {
            Some((_, text)) => Some(text),
            None if name == "start" && self.dir.join("server.js").is_file() => {
                Some("node server.js")
            }
            None => None,
        }
    }

    /// The names of the scripts.
    pub(crate) fn script_names(&self) -> Vec<String> {
        self.scripts.iter().map(|(name, _)| name.clone()).collect()
    }

    pub(crate) fn depends_on(&self, name: &str) -> bool {
        self.dependencies.iter().any(|dependency| dependency == name)
    }
}

/// The tasks of a deno.json, with the file's name.
pub(crate) fn deno_tasks(dir: &Path) -> Option<(String, Vec<(String, String)>)> {
    for name in ["deno.json", "deno.jsonc"] {
        let Some(text) = folder::evidence(&dir.join(name)) else {
            continue;
        };
        let json: Value = serde_json::from_str(&without_comments(&text)).ok()?;
        let tasks = entries(json.get("tasks").cloned().unwrap_or_default())
            .into_iter()
            .filter_map(|(task, value)| {
                let text = value.as_str().or_else(|| value.get("command")?.as_str())?;
                Some((task, text.to_owned()))
            })
            .collect();
        return Some((name.to_owned(), tasks));
    }
    None
}

fn entries(value: Value) -> BTreeMap<String, Value> {
    match value {
        Value::Object(table) => table.into_iter().collect(),
        _ => BTreeMap::new(),
    }
}

fn string_entries(value: Value) -> Vec<(String, String)> {
    let text = |(name, value): (String, Value)| Some((name, value.as_str()?.to_owned()));
    entries(value).into_iter().filter_map(text).collect()
}

/// JSON with `//` and `/* */` comments blanked outside of strings, so that places stay the same.
pub(crate) fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let taken = match next {
            '"' => string_len(rest),
            '/' if rest.starts_with("//") => {
                let len = rest.find('\n').unwrap_or(rest.len());
                rest = &rest[len..];
                continue;
            }
            '/' if rest.starts_with("/*") => {
                let len = rest.find("*/").map_or(rest.len(), |at| at + 2);
                out.extend(rest[..len].chars().filter(|c| *c == '\n'));
                rest = &rest[len..];
                continue;
            }
            _ => next.len_utf8(),
        };
        out.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    out
}

/// The length of a JSON string, quotes included.
fn string_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_blanked_outside_of_strings() {
        let text = "{ // x\n\"a//\\\"\": 1 /* y\n*/ }";
        assert_eq!(without_comments(text), "{ \n\"a//\\\"\": 1 \n }");
        assert_eq!(without_comments("\"\\"), "\"\\");
    }

    #[test]
    fn a_broken_manifest_names_its_line() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("package.json"), "{\n  \"scripts\": {,}\n}").unwrap();
        let error = Package::in_folder(dir.path()).unwrap_err();
        assert!(matches!(error, PlanError::BadPackageJson { line: 2, .. }), "{error}");
    }

    #[test]
    fn strange_fields_are_not_errors() {
        let dir = tempfile::tempdir().unwrap();
        let text = "\u{feff}{\"name\": 3, \"scripts\": {\"dev\": [], \"x\": \"vite\"}, \"dependencies\": []}";
        std::fs::write(dir.path().join("package.json"), text).unwrap();
        let package = Package::in_folder(dir.path()).unwrap().unwrap();
        assert_eq!(package.scripts, [("x".to_owned(), "vite".to_owned())]);
    }
}

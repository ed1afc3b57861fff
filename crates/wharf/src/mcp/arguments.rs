//! What a client gives a tool: read strictly, since a word that is not understood was meant.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use rmcp::model::JsonObject;
use serde_json::Value;

use crate::report::{Code, Report};

/// The longest text, in bytes.
const TEXT_MAX: usize = 4096;
/// The longest list.
pub(super) const LIST_MAX: usize = 64;
/// Where the folder of a call stands.
const DIR: &str = "dir";

/// The arguments of one call, each of which is to be taken.
pub(super) struct Arguments {
    tool: &'static str,
    left: JsonObject,
}

impl Arguments {
    pub(super) fn new(tool: &'static str, given: JsonObject) -> Arguments {
        Arguments { tool, left: given }
    }

    /// The folder that the call is about: where the server was started, or one that is named from there.
    pub(super) fn folder(&mut self, started_in: &Path) -> Result<PathBuf, Report> {
        let Some(dir) = self.text(DIR)? else {
            return match started_in.is_dir() {
                true => Ok(started_in.to_owned()),
                false => Err(gone(started_in)),
            };
        };
        let path = started_in.join(&dir);
        let path = std::fs::canonicalize(&path).map_err(|error| {
            Report::new(Code::NotFound, format!("`{dir}` cannot be entered"))
                .because(&error)
                .help("`dir` is a folder of the project or worktree that the call is about")
        })?;
        match path.is_dir() {
            true => Ok(path),
            false => Err(Report::new(Code::Usage, format!("`{dir}` is no folder"))),
        }
    }

    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, Report> {
        match self.taken(name) {
            None => Ok(None),
            Some(Value::String(text)) => self.checked(name, text).map(Some),
            Some(_) => Err(self.bad(name, "is a text")),
        }
    }

    pub(super) fn texts(&mut self, name: &str) -> Result<Vec<String>, Report> {
        let list = match self.taken(name) {
            None => return Ok(Vec::new()),
            Some(Value::Array(list)) if list.len() <= LIST_MAX => list,
            Some(_) => return Err(self.bad(name, &format!("is a list of {LIST_MAX} at most"))),
        };
        let text = |value| match value {
            Value::String(text) => self.checked(name, text),
            // A port is a number to everybody but a command line.
            Value::Number(number) if number.is_u64() => Ok(number.to_string()),
            _ => Err(self.bad(name, "is a list of texts")),
        };
        list.into_iter().map(text).collect()
    }

    pub(super) fn number(
        &mut self,
        name: &str,
        range: RangeInclusive<u64>,
    ) -> Result<Option<u64>, Report> {
        let Some(value) = self.taken(name) else { return Ok(None) };
        match value.as_u64().filter(|number| range.contains(number)) {
            Some(number) => Ok(Some(number)),
            None => {
                let form = format!("is a number from {} to {}", range.start(), range.end());
                Err(self.bad(name, &form))
            }
        }
    }

    pub(super) fn flag(&mut self, name: &str) -> Result<bool, Report> {
        match self.taken(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(_) => Err(self.bad(name, "is true or false")),
        }
    }

    /// Names with a number each.
    pub(super) fn numbers(&mut self, name: &str) -> Result<Vec<(String, u64)>, Report> {
        let form = "has a number for each name, such as {\"web\": 3}";
        let map = match self.taken(name) {
            None => return Ok(Vec::new()),
            Some(Value::Object(map)) if map.len() <= LIST_MAX => map,
            Some(_) => return Err(self.bad(name, form)),
        };
        let one = |(key, value): (String, Value)| match value.as_u64() {
            Some(number) => Ok((self.checked(name, key)?, number)),
            None => Err(self.bad(name, form)),
        };
        map.into_iter().map(one).collect()
    }

    /// Nothing may be left.
    pub(super) fn finish(self) -> Result<(), Report> {
        match self.left.keys().next() {
            None => Ok(()),
            Some(name) => {
                let name: String = name.chars().take(64).collect();
                let what = format!("`{}` has no argument `{name}`", self.tool);
                Err(Report::new(Code::Usage, what).help("`tools/list` tells which it has"))
            }
        }
    }

    fn taken(&mut self, name: &str) -> Option<Value> {
        self.left.remove(name).filter(|value| !value.is_null())
    }

    fn checked(&self, name: &str, text: String) -> Result<String, Report> {
        match text {
            text if text.is_empty() => Err(self.bad(name, "is not empty")),
            text if text.len() > TEXT_MAX => {
                Err(self.bad(name, &format!("has {TEXT_MAX} bytes at most")))
            }
            text if text.chars().any(char::is_control) => {
                Err(self.bad(name, "has no control characters"))
            }
            text => Ok(text),
        }
    }

    fn bad(&self, name: &str, form: &str) -> Report {
        Report::new(Code::Usage, format!("`{name}` of `{}` {form}", self.tool))
            .help("`tools/list` tells what each argument is")
    }
}

fn gone(folder: &Path) -> Report {
    let what = format!("{} is not there any more", folder.display());
    Report::new(Code::NotFound, what)
        .why("the server was started in it")
        .help("name another folder in `dir`")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn arguments(value: Value) -> Arguments {
        let Value::Object(map) = value else { panic!("an object") };
        Arguments::new("up", map)
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for bad in [json!({"a": 7}), json!({"a": "x\u{1b}[2J"}), json!({"a": "x".repeat(5000)})] {
            assert_eq!(arguments(bad).text("a").unwrap_err().code, Code::Usage);
        }
        for bad in [json!({"a": 0}), json!({"a": 1001}), json!({"a": -1}), json!({"a": "5"})] {
            assert!(arguments(bad).number("a", 1..=1000).is_err());
        }
        assert!(arguments(json!({"a": "true"})).flag("a").is_err());
        assert!(arguments(json!({"a": {"web": "3"}})).numbers("a").is_err());
        assert!(arguments(json!({"a": vec!["x"; 65]})).texts("a").is_err());
        let left = arguments(json!({"colour": 1})).finish().unwrap_err();
        assert_eq!(left.what, "`up` has no argument `colour`");
    }

    #[test]
    fn null_is_as_good_as_absent() {
        let mut given = arguments(json!({"a": null, "b": ["web", 8000]}));
        assert_eq!(given.text("a").unwrap(), None);
        assert_eq!(given.texts("b").unwrap(), ["web", "8000"]);
        given.finish().unwrap();
    }

    #[test]
    fn a_folder_is_one_that_is_there() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        std::fs::write(folder.path().join("file"), "").unwrap();
        let of = |dir: &str| arguments(json!({"dir": dir})).folder(folder.path());
        assert!(of("sub").unwrap().ends_with("sub"));
        assert_eq!(of("none").unwrap_err().code, Code::NotFound);
        assert_eq!(of("file").unwrap_err().code, Code::Usage);
        assert_eq!(arguments(json!({})).folder(folder.path()).unwrap(), folder.path());
        let gone = arguments(json!({})).folder(&folder.path().join("gone")).unwrap_err();
        assert_eq!(gone.code, Code::NotFound);
    }
}

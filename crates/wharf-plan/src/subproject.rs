//! Build tools that run one part of a project from its root: which folder that part is.

use std::path::PathBuf;

use crate::command::{Command, Word, program_name};
use crate::folder;

/// The folder of the part that a command runs, if it names one.
pub(crate) fn dir(command: &Command) -> Option<PathBuf> {
    let words = command.from(command.innermost());
    let program = program_name(&words.first()?.text);
    match program {
        "cargo" => {
            if let Some(path) = value(words, &["--manifest-path"]) {
                return Some(command.dir.join(path).parent()?.to_path_buf());
            }
            let name = value(words, &["-p", "--package"])?;
            let globs = [format!("{name}/Cargo.toml"), format!("*/{name}/Cargo.toml")];
            let mut found = globs.iter().flat_map(|glob| folder::find(&command.dir, glob));
            found.next()?.parent().map(PathBuf::from)
        }
        "go" => {
            let run = words.iter().position(|word| word.text == "run")?;
            let mut named = words[run + 1..].iter().filter(|word| !word.text.starts_with('-'));
            inner(command, named.next()?.text.trim_start_matches("./"))
        }
        "mvn" | "mvnw" => inner(command, value(words, &["-pl", "--projects"])?),
        "gradle" | "gradlew" => {
            let task = words.iter().skip(1).find_map(|word| word.text.strip_prefix(':'))?;
            inner(command, &task.rsplit_once(':')?.0.replace(':', "/"))
        }
        "dotnet" => {
            let project = value(words, &["--project", "-p"])?;
            let path = command.dir.join(project);
            if path.is_file() { path.parent().map(PathBuf::from) } else { inner(command, project) }
        }
        _ => None,
    }
}

/// A folder below the command's.
fn inner(command: &Command, name: &str) -> Option<PathBuf> {
    let path = command.dir.join(name);
    (!name.is_empty() && name != "." && path.is_dir()).then_some(path)
}

fn value<'a>(words: &'a [Word], flags: &[&str]) -> Option<&'a str> {
    words.iter().enumerate().find_map(|(index, word)| match word.text.split_once('=') {
        Some((flag, value)) if flags.contains(&flag) => Some(value),
        None if flags.contains(&word.text.as_str()) => Some(&words.get(index + 1)?.text),
        _ => None,
    })
}

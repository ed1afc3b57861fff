//! What `wharf init` writes into a project: texts that tell agents of wharf, between markers, and nothing else.

mod difference;
mod place;
mod section;

use std::path::{Path, PathBuf};

use wharf_plan::project::Project;

use crate::report::Report;
use place::Place;

/// What is written of the skill before the section: what an agent reads to know when it is about wharf.
const SKILL_HEAD: &str = include_str!("init/skill.md");
/// The rules, which are the same in both files.
const RULES: &str = include_str!("init/block.md");
/// Where Claude Code and others look for skills.
const SKILL: &str = ".claude/skills/wharf/SKILL.md";
/// Where most agents look for what a project tells them.
const AGENTS: &str = "AGENTS.md";

/// What becomes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Created,
    Updated,
    Unchanged,
}

/// One file, as it is and as it is to be.
#[derive(Debug)]
pub(crate) struct Edit {
    /// As seen from the root.
    pub(crate) path: PathBuf,
    place: Place,
    new: Vec<u8>,
}

/// Everything that is to be written.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) root: PathBuf,
    pub(crate) edits: Vec<Edit>,
}

impl Plan {
    /// For the project of a folder. Nothing is written yet.
    ///
    /// # Errors
    /// A file is none, lies outside of the project, or has broken markers.
    pub(crate) fn of(folder: &Path) -> Result<Plan, Report> {
        let folder = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
        let root = Project::of(&folder, wharf_os::user::home().as_deref()).root;
        let edits = [(SKILL, SKILL_HEAD), (AGENTS, "")]
            .into_iter()
            .map(|(path, head)| Edit::of(&root, Path::new(path), head))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Plan { root, edits })
    }

    /// The changes, as `diff -u` shows them.
    pub(crate) fn difference(&self) -> String {
        self.edits.iter().map(Edit::difference).collect()
    }

    /// Writes what has changed, after all of it has been looked at once more.
    ///
    /// # Errors
    /// A file has changed since it was read, or cannot be written.
    pub(crate) fn write(&self) -> Result<(), Report> {
        let changed = || self.edits.iter().filter(|edit| edit.action() != Action::Unchanged);
        changed().try_for_each(|edit| edit.place.is_as_it_was())?;
        changed().try_for_each(|edit| edit.place.write(&edit.new))
    }
}

impl Edit {
    fn of(root: &Path, path: &Path, head: &str) -> Result<Edit, Report> {
        let place = Place::look(root, path)?;
        let new = match &place.old {
            Some(old) => section::put(old, RULES, path, !head.is_empty())?,
            None => format!("{head}{}", section::text(RULES)).into_bytes(),
        };
        Ok(Edit { path: path.to_owned(), place, new })
    }

    pub(crate) fn action(&self) -> Action {
        match &self.place.old {
            None => Action::Created,
            Some(old) if *old == self.new => Action::Unchanged,
            Some(_) => Action::Updated,
        }
    }

    fn difference(&self) -> String {
        difference::unified(&self.path, self.place.old.as_deref(), &self.new)
    }
}

/// Both files as they are in a project that has neither.
pub(crate) fn texts() -> String {
    let section = section::text(RULES);
    format!("{SKILL}:\n\n{SKILL_HEAD}{section}\n{AGENTS}:\n\n{section}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bounds of <https://agentskills.io/specification>.
    #[test]
    fn the_head_of_the_skill_is_what_agents_read() {
        let head = SKILL_HEAD.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n"));
        let lines: Vec<&str> = head.expect("a head").0.lines().collect();
        let folder = Path::new(SKILL).parent().unwrap().file_name().unwrap().to_str().unwrap();
        assert_eq!(lines[0], format!("name: {folder}"));
        let description = lines[1].strip_prefix("description: ").expect("a description");
        assert!((100..=1024).contains(&description.len()) && lines.len() == 2);
        // A plain scalar of YAML.
        assert!(!description.contains(": ") && !description.contains(" #"));
    }

    #[test]
    fn the_rules_say_what_they_are_for() {
        for word in ["Never kill by name or port", "wharf url", "wharf up -d", "wharf down"] {
            assert!(RULES.contains(word), "{word}");
        }
        assert!(RULES.lines().all(|line| line.len() <= 125));
    }
}

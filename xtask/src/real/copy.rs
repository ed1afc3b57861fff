//! A copy of a project, as it would come out of a clone: the sources, what was installed into it, and
//! one file of its own that says which copy it is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use super::place::Place;
use super::spec::{Dep, Run};

/// One copy and the files beside it.
#[derive(Clone, Debug)]
pub struct Copy {
    /// `a`, `b` and so on.
    pub letter: char,
    /// What its processes carry in their environment.
    pub mark: String,
    /// The project folder.
    pub folder: PathBuf,
    /// What it must answer.
    pub identity: String,
    /// Where its standard output goes.
    pub stdout: PathBuf,
    /// Where its standard error goes.
    pub stderr: PathBuf,
    /// Where `wharf run --events` writes.
    pub events: PathBuf,
}

impl Copy {
    /// Makes the copy of this letter.
    pub fn make(run: &Run, place: &Place, letter: char) -> Result<Copy, String> {
        Copy::make_at(run, place, letter, &run.project)
    }

    /// Makes the copy of this letter in a folder of this name.
    pub fn make_at(run: &Run, place: &Place, letter: char, folder: &str) -> Result<Copy, String> {
        let base = place.root.join(letter.to_string());
        let copy = Copy {
            letter,
            mark: format!("{}-{letter}", run.name),
            folder: base.join(folder),
            identity: identity(&run.name, letter)?,
            stdout: base.join("stdout"),
            stderr: base.join("stderr"),
            events: base.join("events"),
        };
        // A project may lie in a folder of projects.
        let above = copy.folder.parent().unwrap_or(&base);
        fs::create_dir_all(above)
            .map_err(|error| format!("cannot make {}: {error}", above.display()))?;
        let project = place.repo.join("tests/real/projects").join(&run.project);
        copy_tree(&project, &copy.folder, &["-R"])?;
        for dep in &run.deps {
            copy.add(dep, place)?;
        }
        copy.identify(run)?;
        place.hand_over(&base)?;
        Ok(copy)
    }

    /// Puts into the copy what was installed for it.
    pub fn add(&self, dep: &Dep, place: &Place) -> Result<(), String> {
        let (from, to) = (place.parts.join(&dep.from), self.folder.join(&dep.to));
        // What is handed over to another user is handed over for all who link to it.
        if dep.private || place.ordinary {
            return copy_tree(&from, &to, &["-a"]);
        }
        // A hard link costs nothing, but the parts may lie on another file system.
        copy_tree(&from, &to, &["-al"]).or_else(|_| {
            let _ = fs::remove_dir_all(&to);
            copy_tree(&from, &to, &["-a"])
        })
    }

    /// A copy of another letter that somebody else makes, such as git.
    pub fn elsewhere(
        &self,
        run: &Run,
        place: &Place,
        letter: char,
        folder: &str,
    ) -> Result<Copy, String> {
        let base = place.root.join(letter.to_string());
        fs::create_dir_all(&base)
            .map_err(|error| format!("cannot make {}: {error}", base.display()))?;
        Ok(Copy {
            letter,
            mark: format!("{}-{letter}", run.name),
            folder: base.join(folder),
            identity: identity(&run.name, letter)?,
            ..self.clone()
        }
        .with_files_in(&base, ""))
    }

    /// The same copy, for one of several programs that run in it.
    pub fn output_of(&self, name: &str) -> Copy {
        let base = self.stdout.parent().unwrap_or(&self.folder);
        self.clone().with_files_in(base, &format!("{name}-"))
    }

    fn with_files_in(self, base: &Path, prefix: &str) -> Copy {
        let file = |name: &str| base.join(format!("{prefix}{name}"));
        Copy { stdout: file("stdout"), stderr: file("stderr"), events: file("events"), ..self }
    }

    /// Writes the one file that says which copy it is.
    pub fn identify(&self, run: &Run) -> Result<(), String> {
        let file = self.folder.join(&run.identity);
        let folder = file.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&file, format!("{}\n", self.identity)))
            .map_err(|error| format!("cannot write {}: {error}", file.display()))
    }

    /// The files of the project that are no longer what they were.
    pub fn changed(&self, run: &Run, place: &Place) -> Vec<String> {
        let project = place.repo.join("tests/real/projects").join(&run.project);
        let mut changed = Vec::new();
        compare(&project, &self.folder, &mut changed);
        changed
    }

    /// The path of the folder, for a placeholder in the table.
    pub fn folder_text(&self) -> String {
        self.folder.to_string_lossy().into_owned()
    }
}

/// Text that no page holds by chance, of characters that no page escapes.
fn identity(name: &str, letter: char) -> Result<String, String> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_err(|error| format!("the clock is before 1970: {error}"))?;
    Ok(format!("identity-{name}-{letter}-{:x}", now.as_nanos()))
}

/// What a server adds of its own is no change; what the user has written is.
fn compare(original: &Path, copy: &Path, changed: &mut Vec<String>) {
    if !original.is_dir() {
        if fs::read(original).ok() != fs::read(copy).ok() {
            changed.push(copy.display().to_string());
        }
        return;
    }
    for entry in fs::read_dir(original).into_iter().flatten().flatten() {
        compare(&entry.path(), &copy.join(entry.file_name()), changed);
    }
}

/// By `cp`, which knows about links, times and modes.
fn copy_tree(from: &Path, to: &Path, flags: &[&str]) -> Result<(), String> {
    let done = Command::new("cp")
        .args(flags)
        .args(["--", &from.to_string_lossy(), &to.to_string_lossy()])
        .output()
        .map_err(|error| format!("cannot run cp: {error}"))?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    let last = said.lines().last().unwrap_or("it said nothing");
    Err(format!("cannot copy {} to {}: {last}", from.display(), to.display()))
}

//! The files of a project that a person wrote, within bounds: what is generated, installed or somebody else's
//! is left out.

use std::fs::{self, DirEntry};
use std::path::{Path, PathBuf};

use crate::folder;

/// How many files are read at most.
const FILES_MAX: usize = 4000;
/// How many entries of folders are looked at.
const ENTRIES_MAX: usize = 100_000;
/// How deep.
const LEVELS_MAX: usize = 12;
/// A longer line is not one that a person wrote.
const LINE_MAX: usize = 2000;

/// Folders of what is installed, built or cached.
const SKIPPED: &[&str] = &[
    "node_modules",
    "bower_components",
    "vendor",
    "target",
    "build",
    "dist",
    "out",
    "coverage",
    "venv",
    "env",
    "site-packages",
    "__pycache__",
    "deps",
    "_build",
];

/// Hidden folders that a person writes in; all others are tools' own.
const HIDDEN: &[&str] = &[".devcontainer", ".github", ".vscode", ".idea"];

/// What kind of text a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// package.json and its like.
    Package,
    /// A Procfile, a Makefile, a shell script: lines that are commands.
    Commands,
    /// A Dockerfile: what runs in a container.
    Container,
    /// A compose file.
    Compose,
    /// Variables.
    Dotenv,
    /// `key=value`, YAML or TOML.
    Settings,
    /// Python.
    Python,
    /// JavaScript and TypeScript.
    Script,
    /// Another programming language.
    Code,
}

/// A file of the project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Where it is, seen from the root.
    pub path: PathBuf,
    /// What it holds.
    pub kind: Kind,
    /// Its text.
    pub text: String,
    /// Whether that is all of it, byte by byte.
    pub is_exact: bool,
}

/// The files of a project.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// The folder that was audited.
    pub root: PathBuf,
    /// The files, by path.
    pub all: Vec<SourceFile>,
    /// What was left out, and why.
    pub left_out: Vec<String>,
}

impl SourceFile {
    /// The lines with their numbers, from 1, without those that are comments.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(index, line)| (index + 1, line));
        lines.filter(|(_, line)| line.len() <= LINE_MAX && !self.is_comment(line))
    }

    fn is_comment(&self, line: &str) -> bool {
        let line = line.trim_start();
        match self.kind {
            Kind::Script | Kind::Code | Kind::Package => {
                line.starts_with("//") || line.starts_with('*') || line.starts_with("/*")
            }
            _ => line.starts_with('#'),
        }
    }

    /// Its name, in lower case.
    pub(super) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().to_lowercase()
    }

    /// Whether it is of the tests or an example, which nobody runs as a server of the project.
    pub(super) fn is_test(&self) -> bool {
        let parts = self.path.iter().map(|part| part.to_string_lossy().to_lowercase());
        let of_tests =
            ["test", "tests", "spec", "specs", "__tests__", "fixtures", "examples", "e2e"];
        let name = self.name();
        parts.into_iter().any(|part| of_tests.contains(&part.as_str()))
            || [".test.", ".spec.", "_test."].iter().any(|mark| name.contains(mark))
            || name.starts_with("test_")
            || name == "conftest.py"
    }

    /// The change of a line, where the file may be changed: a text that was not read whole would lose what is
    /// missing.
    pub(super) fn change(&self, line: usize, new: Vec<String>) -> Option<super::Change> {
        let old = self.text.lines().nth(line - 1)?.to_owned();
        (self.is_exact && new != [old.clone()]).then(|| super::Change {
            path: self.path.clone(),
            line,
            old,
            new,
        })
    }
}

impl Files {
    /// Reads the files below a folder. `from` is the root of the project, from which their paths are told.
    pub fn read(folder: &Path, from: &Path) -> Files {
        let mut walk = Walk { from, files: Files::default(), looked: 0, is_cut: false };
        walk.folder(folder, 0);
        let mut files = walk.files;
        if walk.is_cut {
            files.left_out.push(format!(
                "files beyond the first {FILES_MAX} of {}: name a folder to audit it alone",
                folder.display()
            ));
        }
        files.root = from.to_path_buf();
        files.all.sort_by(|one, other| one.path.cmp(&other.path));
        files
    }

    /// A line of a file, from 1.
    pub fn line(&self, path: &Path, line: usize) -> Option<&str> {
        let index = self.all.binary_search_by(|file| file.path.as_path().cmp(path)).ok()?;
        self.all[index].text.lines().nth(line.checked_sub(1)?)
    }

    /// Those of a kind.
    pub(super) fn of(&self, kinds: &[Kind]) -> impl Iterator<Item = &SourceFile> {
        self.all.iter().filter(move |file| kinds.contains(&file.kind))
    }
}

struct Walk<'a> {
    from: &'a Path,
    files: Files,
    looked: usize,
    is_cut: bool,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path, level: usize) {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => {
                let shown = folder.strip_prefix(self.from).unwrap_or(folder).display();
                self.files.left_out.push(format!("the folder {shown}/: {error}"));
                return;
            }
        };
        let mut entries: Vec<DirEntry> =
            entries.flatten().take(ENTRIES_MAX.saturating_sub(self.looked)).collect();
        self.looked += entries.len();
        entries.sort_by_key(DirEntry::file_name);
        for entry in entries {
            if self.files.all.len() >= FILES_MAX || self.looked >= ENTRIES_MAX {
                self.is_cut = true;
                return;
            }
            // What a link leads to is read where it is, if that is in the project at all.
            let Ok(kind) = entry.file_type() else { continue };
            let name = entry.file_name().to_string_lossy().into_owned();
            if kind.is_dir() {
                if level < LEVELS_MAX && is_own(&entry.path(), &name) {
                    self.folder(&entry.path(), level + 1);
                }
            } else if kind.is_file()
                && let Some(kind) = kind_of(&name)
            {
                self.file(&entry.path(), kind);
            }
        }
    }

    fn file(&mut self, path: &Path, kind: Kind) {
        let shown = path.strip_prefix(self.from).unwrap_or(path).to_path_buf();
        match folder::text(path) {
            Ok(Some(text)) => {
                // What is not UTF-8 was replaced; a real U+FFFD in a source file is as good as none.
                let is_exact = !folder::is_too_large(path) && !text.contains('\u{fffd}');
                self.files.all.push(SourceFile { path: shown, kind, text, is_exact });
            }
            Ok(None) => {}
            Err(error) => self.files.left_out.push(format!("{}: {error}", shown.display())),
        }
    }
}

/// Whether a folder is the project's own: neither installed nor another repository's.
fn is_own(path: &Path, name: &str) -> bool {
    let hidden = name.starts_with('.') && !HIDDEN.contains(&name);
    let is_environment = path.join("pyvenv.cfg").exists();
    !hidden && !SKIPPED.contains(&name) && !is_environment && !path.join(".git").exists()
}

/// What a file holds, by its name; `None` for what no rule reads.
fn kind_of(name: &str) -> Option<Kind> {
    let name = name.to_lowercase();
    let (stem, ending) = name.rsplit_once('.').unwrap_or((&name, ""));
    if name.ends_with(".min.js") || name.ends_with(".d.ts") || name.contains("-lock.") {
        return None;
    }
    if (name.contains("compose") || stem.starts_with("stack")) && matches!(ending, "yml" | "yaml") {
        return Some(Kind::Compose);
    }
    if name.starts_with("dockerfile") || name.ends_with(".dockerfile") || name == "containerfile" {
        return Some(Kind::Container);
    }
    if name.starts_with("procfile")
        || matches!(name.as_str(), "makefile" | "justfile" | "gnumakefile")
    {
        return Some(Kind::Commands);
    }
    if name == ".env" || name.starts_with(".env.") || ending == "env" || name == ".envrc" {
        return Some(Kind::Dotenv);
    }
    Some(match ending {
        "sh" | "bash" | "zsh" | "fish" | "mk" => Kind::Commands,
        "json" if matches!(stem, "package" | "deno" | "launch" | "tasks" | "composer") => {
            Kind::Package
        }
        "jsonc" if stem == "deno" => Kind::Package,
        "py" => Kind::Python,
        "js" | "mjs" | "cjs" | "ts" | "mts" | "cts" | "jsx" | "tsx" => Kind::Script,
        "go" | "rs" | "rb" | "java" | "kt" | "php" | "ex" | "exs" | "cs" => Kind::Code,
        "properties" | "yml" | "yaml" | "toml" | "ini" | "cfg" | "conf" => Kind::Settings,
        _ => return None,
    })
}

#[cfg(test)]
impl Files {
    /// Files of these names and texts.
    pub(super) fn made(files: &[(&str, &str)]) -> Files {
        let made = files.iter().map(|(path, text)| SourceFile {
            path: path.into(),
            kind: kind_of(path.rsplit('/').next().unwrap()).expect("a kind"),
            text: (*text).to_owned(),
            is_exact: true,
        });
        let mut all: Vec<SourceFile> = made.collect();
        all.sort_by(|one, other| one.path.cmp(&other.path));
        Files { root: "/p".into(), all, left_out: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_person_wrote_in_this_project_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        for path in [
            "package.json",
            "web/vite.config.ts",
            "node_modules/x/package.json",
            ".venv/lib/a.py",
            "odd/pyvenv.cfg",
            "odd/a.py",
            ".github/workflows/a.yml",
            ".cache/a.py",
            "module/.git",
            "module/a.py",
            "photo.png",
            "app.min.js",
        ] {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), "x = 1\n").unwrap();
        }
        std::os::unix::fs::symlink("/etc/passwd", root.join("link.py")).unwrap();
        let files = Files::read(root, root);
        let names: Vec<_> = files.all.iter().map(|file| file.path.display().to_string()).collect();
        assert_eq!(names, [".github/workflows/a.yml", "package.json", "web/vite.config.ts"]);
        assert_eq!(files.line(Path::new("package.json"), 1), Some("x = 1"));
        assert_eq!(files.line(Path::new("package.json"), 0), None);
        assert_eq!(
            Files::read(&root.join("web"), root).all[0].path,
            Path::new("web/vite.config.ts")
        );
    }

    #[test]
    fn what_was_not_read_whole_is_not_changed() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.sh"), b"x\xff\n").unwrap();
        fs::write(dir.path().join("b.sh"), "x\n".repeat(200_000)).unwrap();
        let files = Files::read(dir.path(), dir.path());
        assert!(files.all.iter().all(|file| !file.is_exact && file.change(1, vec![]).is_none()));
    }

    #[test]
    fn tests_are_known_by_their_place() {
        for (path, is_test) in [
            ("tests/a.py", true),
            ("src/a.test.ts", true),
            ("test_a.py", true),
            ("latest/a.py", false),
        ] {
            let files = Files::made(&[(path, "")]);
            assert_eq!(files.all[0].is_test(), is_test, "{path}");
        }
    }
}

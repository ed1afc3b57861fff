//! What to run when nothing was typed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use wharf_model::Step;

use crate::catalog::{self, Bare, Framework};
use crate::deps;
use crate::error::PlanError;
use crate::folder;
use crate::naming::MAIN_SCRIPTS;
use crate::package::{self, Package};
use crate::runner;

/// Where package.json's scripts stand among the catalog's orders: a backend that keeps a
/// package.json for its assets alone (Rails, Laravel) comes before, everything else after.
const SCRIPTS_ORDER: u16 = 10;

/// What is said of a file that is not there.
const ABSENT: &str = "not there";

/// A command that a folder suggests, and why.
#[derive(Debug)]
pub(crate) struct Suggestion {
    /// The command.
    pub(crate) argv: Vec<OsString>,
    /// What was looked at until it was found.
    pub(crate) steps: Vec<Step>,
}

/// The command of a folder.
pub(crate) fn suggest(dir: &Path) -> Result<Suggestion, PlanError> {
    let mut looked: Vec<Step> = Vec::new();
    let mut rows: Vec<(&Framework, &Bare)> =
        catalog::all().iter().flat_map(|f| f.bare.iter().map(move |bare| (f, bare))).collect();
    rows.sort_by_key(|(_, bare)| bare.order);
    let mut scripts_done = false;
    for (framework, bare) in rows {
        if bare.order > SCRIPTS_ORDER && !scripts_done {
            scripts_done = true;
            if let Some(argv) = scripts(dir, &mut looked)? {
                return Ok(Suggestion { argv, steps: in_short(looked) });
            }
        }
        if let Some(argv) = one(dir, framework, bare, &mut looked) {
            return Ok(Suggestion { argv, steps: in_short(looked) });
        }
    }
    if let Some(argv) = cargo(dir, &mut looked) {
        return Ok(Suggestion { argv, steps: in_short(looked) });
    }
    static_files(dir, &mut looked);
    Err(PlanError::NothingToRun { dir: dir.to_path_buf(), looked_for: looked })
}

/// What was not there, in one step: once something was found, the rest is only order.
fn in_short(looked: Vec<Step>) -> Vec<Step> {
    let (absent, mut steps): (Vec<Step>, Vec<Step>) =
        looked.into_iter().partition(|step| step.found == ABSENT);
    let mut names: Vec<&str> = Vec::new();
    for name in absent.iter().flat_map(|step| step.looked_at.split(", ")) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if !names.is_empty() {
        steps.insert(0, Step::new(names.join(", "), ABSENT));
    }
    steps
}

/// The scripts of package.json, or the tasks of deno.json.
fn scripts(dir: &Path, looked: &mut Vec<Step>) -> Result<Option<Vec<OsString>>, PlanError> {
    if let Some(package) = Package::in_folder(dir)? {
        for name in MAIN_SCRIPTS {
            let Some(text) = package.script(name) else {
                continue;
            };
            if starts_wharf(text) {
                looked.push(Step::new(
                    "package.json",
                    format!("script `{name}` starts wharf itself"),
                ));
                continue;
            }
            let (runner, step) = runner::of_project(&package);
            looked.push(Step::new("package.json", format!("has a script `{name}`")));
            looked.push(step);
            return Ok(Some(runner::argv(runner, name)));
        }
        let found = format!("has no script {}", MAIN_SCRIPTS.join(", "));
        looked.push(Step::new("package.json", found));
    } else {
        looked.push(Step::new("package.json", ABSENT));
    }
    let Some((file, tasks)) = package::deno_tasks(dir) else {
        return Ok(None);
    };
    for name in MAIN_SCRIPTS {
        if tasks.iter().any(|(task, text)| task == name && !starts_wharf(text)) {
            looked.push(Step::new(file, format!("has a task `{name}`")));
            return Ok(Some(["deno", "task", name].map(OsString::from).to_vec()));
        }
    }
    looked.push(Step::new(file, format!("has no task {}", MAIN_SCRIPTS.join(", "))));
    Ok(None)
}

/// A script that runs wharf would run itself for ever.
pub(crate) fn starts_wharf(text: &str) -> bool {
    text.split_whitespace().any(|word| word == "wharf")
}

fn one(
    dir: &Path,
    framework: &Framework,
    bare: &Bare,
    looked: &mut Vec<Step>,
) -> Option<Vec<OsString>> {
    let names = bare.files.join(", ");
    let mut there = false;
    for file in bare.files.iter().flat_map(|glob| folder::find(dir, glob)) {
        there = true;
        if !bare.deps.is_empty() && deps::first(dir, framework.lang, bare.deps).is_none() {
            continue;
        }
        let text = if bare.code.is_empty() { None } else { folder::evidence(&file) };
        let has_code = |text: &String| bare.code.iter().any(|code| text.contains(code));
        if !bare.code.is_empty() && !text.as_ref().is_some_and(has_code) {
            continue;
        }
        let words = Words { dir, file: &file, text: text.as_deref().unwrap_or_default() };
        let Some(argv) = words.fill(bare.argv) else {
            continue;
        };
        let why = framework.name.to_owned();
        looked.push(Step::new(folder::shown(&file, dir), why));
        return Some(argv);
    }
    let found =
        if there { format!("there, but not for {}", framework.name) } else { ABSENT.into() };
    if !looked.iter().any(|step| step.looked_at == names && step.found == found) {
        looked.push(Step::new(names, found));
    }
    None
}

/// A Rust program of which the catalog does not know the framework.
fn cargo(dir: &Path, looked: &mut Vec<Step>) -> Option<Vec<OsString>> {
    if !dir.join("Cargo.toml").is_file() || !dir.join("src/main.rs").is_file() {
        return None;
    }
    looked.push(Step::new("Cargo.toml", "a program, of no framework that the catalog knows"));
    Some(["cargo", "run"].map(OsString::from).to_vec())
}

/// A folder of pages is served by nothing of its own, and wharf does not choose for the user.
fn static_files(dir: &Path, looked: &mut Vec<Step>) {
    let found = match dir.join("index.html").is_file() {
        true => "there, but it names no server: `wharf run python3 -m http.server` is one",
        false => ABSENT,
    };
    looked.push(Step::new("index.html", found));
}

/// What the placeholders of a bare command stand for.
struct Words<'a> {
    dir: &'a Path,
    file: &'a Path,
    text: &'a str,
}

impl Words<'_> {
    fn fill(&self, argv: &[&str]) -> Option<Vec<OsString>> {
        let mut out = Vec::new();
        for word in argv {
            match *word {
                "{python}" => out.extend(python(self.dir)),
                "{mvn}" => out.push(self.own_or("mvnw", "mvn")),
                "{gradle}" => out.push(self.own_or("gradlew", "gradle")),
                "{ruby}" => out.extend(self.bundled(&["ruby"])),
                "{bundle}" => out.extend(self.bundled(&[])),
                "{entry}" => out.push(self.relative().into_os_string()),
                "{gomain}" => out.push(self.go_main()?.into()),
                word => out.push(self.fill_text(word)?.into()),
            }
        }
        Some(out)
    }

    fn relative(&self) -> PathBuf {
        self.file.strip_prefix(self.dir).unwrap_or(self.file).to_path_buf()
    }

    fn own_or(&self, own: &str, other: &str) -> OsString {
        match self.dir.join(own).is_file() {
            true => format!("./{own}").into(),
            false => other.into(),
        }
    }

    fn bundled(&self, words: &[&str]) -> Vec<OsString> {
        let bundle: &[&str] =
            if self.dir.join("Gemfile").is_file() { &["bundle", "exec"] } else { &[] };
        bundle.iter().chain(words).map(OsString::from).collect()
    }

    /// `{module}` and `{object}` within a word.
    fn fill_text(&self, word: &str) -> Option<String> {
        let mut word = word.to_owned();
        if word.contains("{module}") {
            let path = self.relative().with_extension("");
            word = word.replace("{module}", &path.to_str()?.replace('/', "."));
        }
        if word.contains("{object}") {
            word = word.replace("{object}", self.object()?);
        }
        Some(word)
    }

    /// The name of the application in the file's text: `app = FastAPI()`.
    fn object(&self) -> Option<&str> {
        self.text.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            let name = name.split(':').next().unwrap_or(name).trim_end();
            let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            let value = value.trim_start();
            let is_app = value.starts_with("FastAPI(") || value.starts_with("Starlette(");
            (is_name && !name.is_empty() && is_app).then_some(name)
        })
    }

    /// The package with the `main` function: the folder itself, or the only one below `cmd`.
    fn go_main(&self) -> Option<String> {
        let is_main = |path: &PathBuf| {
            folder::evidence(path)
                .is_some_and(|text| text.lines().any(|l| l.trim() == "package main"))
        };
        if folder::find(self.dir, "*.go").iter().any(is_main) {
            return Some(".".to_owned());
        }
        match folder::find(self.dir, "cmd/*/main.go").as_slice() {
            [only] => {
                let package = only.parent()?.strip_prefix(self.dir).ok()?;
                Some(format!("./{}", package.to_str()?))
            }
            _ => None,
        }
    }
}

/// The project's Python: of its virtual environment, of its package manager, or the system's.
fn python(dir: &Path) -> Vec<OsString> {
    for name in [".venv", "venv", "env"] {
        let path = dir.join(name).join("bin").join("python");
        if path.is_file() {
            return vec![path.into_os_string()];
        }
    }
    let managers = [
        ("uv.lock", "uv"),
        ("poetry.lock", "poetry"),
        ("pdm.lock", "pdm"),
        ("Pipfile.lock", "pipenv"),
    ];
    for (lock, manager) in managers {
        if dir.join(lock).is_file() {
            return [manager, "run", "python"].map(OsString::from).to_vec();
        }
    }
    vec!["python3".into()]
}

//! Package managers: from `npm run dev` to the script, and to the words that reach it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use wharf_model::Step;

use crate::catalog::{self, DoubleDash, Runner};
use crate::command::{Command, End, Layer, LayerKind, Place, Word};
use crate::error::PlanError;
use crate::folder;
use crate::package::{self, Package};
use crate::unwrap::{self, Behind, Way};

/// How far up a lockfile is looked for: a workspace's lies at its root.
const LEVELS_MAX: usize = 12;

/// What came of a word that may be a package manager.
pub(crate) enum Entered {
    /// It ran a script, which comes down to these.
    Commands(Vec<Command>),
    /// It runs the program at this index.
    Program(Box<Way>, usize),
    /// It runs nothing that is known.
    No(Box<Way>),
}

/// What stands between a package manager's name and its subcommand.
struct Opening {
    /// The index of the first word that is no flag.
    at: usize,
    /// The folder to run in.
    dir: PathBuf,
    /// Whether it runs in several workspaces.
    several: bool,
}

/// Enters the script or the program that a package manager runs.
pub(crate) fn enter(mut way: Way, at: usize, name: &str) -> Result<Entered, PlanError> {
    let Some(runner) = which(name, &way.command.dir) else {
        return Ok(Entered::No(Box::new(way)));
    };
    way.command.layers.push(Layer { start: at, kind: LayerKind::Program });
    let opening = open(runner, &way.command, at + 1)?;
    let Some(word) = way.command.words.get(opening.at) else {
        return no(way);
    };
    let sub = word.text.clone();
    if opening.several || sub == "workspaces" {
        return several(way, name);
    }
    if sub == "workspace" && name.starts_with("yarn") {
        return workspace(way, runner, &opening);
    }
    let outer_dir = std::mem::replace(&mut way.command.dir, opening.dir.clone());
    if runner.run.contains(&sub.as_str()) {
        let inner = open(runner, &way.command, opening.at + 1)?;
        if inner.several {
            return several(way, name);
        }
        if inner.at < way.command.words.len() {
            way.command.dir = inner.dir;
            return run(way, runner, inner.at);
        }
    } else if runner.exec.contains(&sub.as_str()) {
        match executed(&mut way.command, runner, opening.at + 1) {
            Some(Executed::Program(start)) => return Ok(Entered::Program(Box::new(way), start)),
            Some(Executed::Text(text)) => {
                return Ok(Entered::Commands(unwrap::enter_shell(way, text, Behind::Lost)?));
            }
            None => {}
        }
    } else if runner.shorthands.contains(&sub.as_str()) || runner.any_script {
        let must = !runner.any_script;
        return match script(way, runner, opening.at, must)? {
            // `yarn vite`, `pnpm vite`: a program of the project. bun would take it for a file.
            Entered::No(way) if runner.any_script && runner.package_manager != "bun" => {
                Ok(Entered::Program(way, opening.at))
            }
            entered => Ok(entered),
        };
    }
    way.command.dir = outer_dir;
    no(way)
}

/// It runs a script of several workspaces.
fn several(mut way: Way, name: &str) -> Result<Entered, PlanError> {
    way.command.several = Some(name.to_owned());
    Ok(Entered::Commands(vec![way.command]))
}

fn no(mut way: Way) -> Result<Entered, PlanError> {
    way.command.layers.pop();
    Ok(Entered::No(Box::new(way)))
}

/// The package manager with this name that the project uses: yarn has two kinds.
fn which(name: &str, dir: &Path) -> Option<&'static Runner> {
    let mut named = catalog::runners().iter().filter(|runner| runner.programs.contains(&name));
    let first = named.next()?;
    match named.next() {
        None => Some(first),
        Some(second) if uses(dir, second) => Some(second),
        Some(second) => Some(if uses(dir, first) { first } else { modern(first, second) }),
    }
}

/// Of two kinds, the one that forwards `--`: what is added for it the other takes as well.
fn modern(first: &'static Runner, second: &'static Runner) -> &'static Runner {
    if first.double_dash == DoubleDash::Forwarded { first } else { second }
}

/// Whether a project uses a package manager, by its lockfile.
fn uses(dir: &Path, runner: &Runner) -> bool {
    for folder in dir.ancestors().take(LEVELS_MAX) {
        if !runner.lockfiles.iter().any(|name| folder.join(name).is_file()) {
            continue;
        }
        // Both kinds of yarn write a yarn.lock; only the later one's has metadata, and only the
        // later one has settings in YAML.
        let berry = folder.join(".yarnrc.yml").is_file()
            || folder::evidence(&folder.join("yarn.lock"))
                .is_some_and(|t| t.contains("__metadata:"));
        return match runner.id {
            "runner-yarn-classic" => !berry,
            "runner-yarn-berry" => berry,
            _ => true,
        };
    }
    false
}

/// The package manager of a project: as package.json says, else by the lockfile, else npm.
pub(crate) fn of_project(package: &Package) -> (&'static Runner, Step) {
    let runners = catalog::runners();
    if let Some((name, version)) = package.package_manager.split_once('@') {
        let classic = version.starts_with("1.");
        let said = |runner: &&Runner| match runner.package_manager.split_once('@') {
            Some((manager, _)) => manager == name && classic,
            None => runner.package_manager == name,
        };
        if let Some(runner) = runners
            .iter()
            .find(|r| said(r) && r.package_manager.contains('@'))
            .or_else(|| runners.iter().find(said))
        {
            let found = format!("`packageManager` is {}", package.package_manager);
            return (runner, Step::new("package.json", found));
        }
    }
    for folder in package.dir.ancestors().take(LEVELS_MAX) {
        for runner in runners {
            if let Some(lock) = runner.lockfiles.iter().find(|name| folder.join(name).is_file())
                && uses(folder, runner)
            {
                return (runner, Step::new(*lock, format!("the project uses {}", runner.name)));
            }
        }
        if folder.join(".git").exists() {
            break;
        }
    }
    (&runners[index_of("runner-npm")], Step::new("lockfiles", "none: npm runs the scripts"))
}

fn index_of(id: &str) -> usize {
    catalog::runners().iter().position(|runner| runner.id == id).unwrap_or_default()
}

/// The command that runs a script.
pub(crate) fn argv(runner: &Runner, script: &str) -> Vec<OsString> {
    let sub = runner.run.first().copied().unwrap_or("run");
    [runner.programs[0], sub, script].map(OsString::from).to_vec()
}

/// Reads a package manager's own flags.
fn open(runner: &Runner, command: &Command, mut at: usize) -> Result<Opening, PlanError> {
    let mut opening = Opening { at, dir: command.dir.clone(), several: false };
    let mut named = false;
    while let Some(word) = command.words.get(at) {
        let (flag, value) = match word.text.split_once('=') {
            Some((flag, value)) => (flag, Some(value)),
            None => (word.text.as_str(), None),
        };
        if !flag.starts_with('-') || flag == "--" {
            break;
        }
        let next = command.words.get(at + 1).map(|word| word.text.as_str());
        let value_or_next = value.or(next).unwrap_or_default();
        let takes_one = runner.dir_flags.contains(&flag)
            || runner.workspace_flags.contains(&flag)
            || runner.value_flags.contains(&flag);
        if runner.dir_flags.contains(&flag) {
            opening.dir = opening.dir.join(value_or_next);
        } else if runner.workspace_flags.contains(&flag) {
            match workspace_dir(&opening.dir, value_or_next)? {
                Some(dir) if !named => opening.dir = dir,
                _ => opening.several = true,
            }
            named = true;
        }
        // `--workspaces=false` is one of npm's own spellings.
        opening.several |= matches!(flag, "-r" | "--recursive" | "--workspaces" | "--ws" | "-ws")
            && value != Some("false")
            && runner.package_manager != "bun";
        at += if takes_one && value.is_none() { 2 } else { 1 };
    }
    opening.at = at;
    Ok(opening)
}

/// `npm run NAME`: a script, or with yarn and bun a program, or with bun a file.
fn run(mut way: Way, runner: &Runner, at: usize) -> Result<Entered, PlanError> {
    if runner.double_dash == DoubleDash::Required {
        // npm takes `-w web` and `--prefix web` behind the script's name too.
        let behind = open(runner, &way.command, at + 1)?;
        if behind.several {
            return several(way, runner.programs[0]);
        }
        way.command.dir = behind.dir;
    }
    let programs = matches!(runner.programs[0], "yarn" | "bun");
    let is_file = way.command.dir.join(&way.command.words[at].text).is_file();
    match script(way, runner, at, !programs)? {
        Entered::No(way) if programs && !is_file => Ok(Entered::Program(way, at)),
        entered => Ok(entered),
    }
}

/// `yarn workspace NAME …` is `yarn …` in that workspace.
fn workspace(mut way: Way, runner: &Runner, opening: &Opening) -> Result<Entered, PlanError> {
    let name = way.command.words.get(opening.at + 1).map(|word| word.text.clone());
    let dir = match &name {
        Some(name) => workspace_dir(&opening.dir, name)?,
        None => None,
    };
    let Some(dir) = dir else { return no(way) };
    way.command.dir = dir;
    let mut at = opening.at + 2;
    if way.command.words.get(at).is_some_and(|word| word.text == "run") {
        at += 1;
    }
    if at >= way.command.words.len() {
        return no(way);
    }
    match script(way, runner, at, false)? {
        Entered::No(way) => Ok(Entered::Program(way, at)),
        entered => Ok(entered),
    }
}

/// The folder of a workspace, by its package's name or its path.
fn workspace_dir(dir: &Path, name: &str) -> Result<Option<PathBuf>, PlanError> {
    let Some(root) = Package::nearest(dir)? else {
        return Ok(None);
    };
    let mut globs = root.workspaces.clone();
    if let Some(text) = folder::evidence(&root.dir.join("pnpm-workspace.yaml")) {
        let item = |line: &str| Some(line.trim().strip_prefix("- ")?.trim().to_owned());
        globs.extend(text.lines().filter_map(item));
    }
    let path = root.dir.join(name);
    if path.join("package.json").is_file() {
        return Ok(Some(path));
    }
    for glob in globs {
        let glob = glob.trim_matches(['"', '\'']).trim_end_matches('/').replace("**", "*");
        for dir in folder::find(&root.dir, &glob) {
            if Package::in_folder(&dir)?.is_some_and(|package| package.name == name) {
                return Ok(Some(dir));
            }
        }
    }
    Ok(None)
}

/// What `npm exec` and its like run.
enum Executed {
    /// The program at this index.
    Program(usize),
    /// The shell text at this index.
    Text(usize),
}

/// Finds what `npm exec` and its like run, and leaves the words that reach it.
fn executed(command: &mut Command, runner: &Runner, mut at: usize) -> Option<Executed> {
    let npm = runner.double_dash == DoubleDash::Required;
    let mut dashes = false;
    loop {
        let text = command.words.get(at)?.text.as_str();
        match text {
            "--" => {
                dashes = true;
                at += 1;
            }
            // Those of pnpm and yarn take no value.
            "-c" | "--call" if npm && !dashes => {
                return (at + 1 < command.words.len()).then_some(Executed::Text(at + 1));
            }
            "-p" | "--package" => at += 2,
            _ if text.starts_with('-') => at += 1,
            _ => break,
        }
    }
    if npm && !dashes {
        let passed = passed(command, runner, at + 1);
        command.words.truncate(at + 1);
        command.words.extend(passed);
    }
    unwrap::drop_version(&mut command.words[at]);
    Some(Executed::Program(at))
}

/// Enters the script whose name stands at an index.
fn script(mut way: Way, runner: &Runner, at: usize, must: bool) -> Result<Entered, PlanError> {
    let name = way.command.words[at].text.clone();
    let Some((file, text)) = script_text(&way, runner, &name, must)? else {
        return no(way);
    };
    let step = format!("`{name}` of {} is `{text}`", folder::shown(&file, &way.command.dir));
    way.command.steps.push(Step::new(runner.name, step));
    way.command.script.get_or_insert(name);
    if let Some(dir) = file.parent() {
        way.command.dir = dir.to_path_buf();
    }
    let rest = passed(&mut way.command, runner, at + 1);
    Ok(Entered::Commands(unwrap::enter_text(way, &text, None, rest)?))
}

/// A script's text and the file that it stands in.
fn script_text(
    way: &Way,
    runner: &Runner,
    name: &str,
    must: bool,
) -> Result<Option<(PathBuf, String)>, PlanError> {
    let dir = &way.command.dir;
    if runner.package_manager == "deno"
        && let Some((file, tasks)) = package::deno_tasks(dir)
        && let Some((_, text)) = tasks.into_iter().find(|(task, _)| task == name)
    {
        return Ok(Some((dir.join(file), text)));
    }
    let Some(package) = Package::nearest(dir)? else {
        return Ok(None);
    };
    let path = package.dir.join("package.json");
    match package.script(name) {
        Some(text) => Ok(Some((path, text.to_owned()))),
        // A script that another one calls may be missing with `--if-present`.
        None if must && way.depth == 0 => Err(PlanError::ScriptMissing {
            script: name.to_owned(),
            path,
            known: package.script_names(),
        }),
        None => Ok(None),
    }
}

/// The words after a script's name that reach the script.
fn passed(command: &mut Command, runner: &Runner, from: usize) -> Vec<Word> {
    let words: Vec<Word> = command.words.iter().skip(from).cloned().collect();
    let dashes = words.iter().position(|word| word.text == "--");
    command.tail.dashes.push(if dashes.is_some() { None } else { Some(runner.double_dash) });
    let Some(dashes) = dashes else {
        return match runner.double_dash {
            DoubleDash::Required => unmarked(command, runner, &words),
            DoubleDash::Forwarded | DoubleDash::Dropped => words,
        };
    };
    match runner.double_dash {
        DoubleDash::Forwarded => {
            // The program takes what follows `--` for no flags, so flags go before it.
            command.tail.end = match (&words[dashes].place, &command.tail.end) {
                (Place::Argv(index), End::Argv(_)) => End::Argv(*index),
                (_, End::Nowhere(why)) => End::Nowhere(why.clone()),
                _ => End::Nowhere("a `--` stands before its end".into()),
            };
            words
        }
        DoubleDash::Required | DoubleDash::Dropped => {
            let is_flag = |word: &Word| word.text.starts_with('-');
            let (before, after) = words.split_at(dashes);
            let drop = runner.double_dash == DoubleDash::Required;
            let before = before.iter().filter(|word| !(drop && is_flag(word)));
            before.chain(&after[1..]).cloned().collect()
        }
    }
}

/// The words that npm would pass on, and those that it would keep for itself although the user
/// meant them for the script: they come last, and `kept` says where they begin.
fn unmarked(command: &mut Command, runner: &Runner, words: &[Word]) -> Vec<Word> {
    let mut passed = Vec::new();
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let flag = word.text.split('=').next().unwrap_or_default();
        let valued = [runner.value_flags, runner.dir_flags, runner.workspace_flags].concat();
        if runner.own_flags.contains(&flag) {
            at += 1;
        } else if valued.contains(&flag) {
            at += if word.text.contains('=') { 1 } else { 2 };
        } else if flag.starts_with('-') {
            if let Place::Argv(index) = word.place {
                command.kept = Some(index);
                passed.extend_from_slice(&words[at..]);
            }
            break;
        } else {
            passed.push(word.clone());
            at += 1;
        }
    }
    passed
}

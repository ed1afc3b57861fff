//! The services of a package.json: what its scripts run together.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use wharf_model::request::PortArgument;
use wharf_model::{Ready, Run};

use crate::catalog::Runner;
use crate::error::PlanError;
use crate::naming::MAIN_SCRIPTS;
use crate::package::Package;
use crate::shell::{self, Operator, Simple};
use crate::{bare, folder, naming, runner};

use super::across::{self, Across};
use super::found::Found;
use super::lasting::{self, Lasting};
use super::together::{self, Part, What};
use super::words::{self, Words};
use super::{turbo, workspaces};

/// How deep scripts that run several things may run each other.
const DEPTH_MAX: usize = 6;

/// What stands before or behind the name of a script that says only that it runs.
const NAMELESS: &[&str] = &["dev", "start", "serve", "watch", "run"];

/// The name of a service that is all that a script is about.
const WEB: &str = "web";

/// What a part of a script becomes.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) name: String,
    pub(crate) dir: PathBuf,
    pub(crate) run: Run,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) source: String,
}

/// What a script comes down to.
#[derive(Debug, Default)]
pub(crate) struct Unfolded {
    /// Steps, one after the other.
    before: Vec<Piece>,
    /// What then runs together.
    pieces: Vec<Piece>,
}

/// Reads the package.json of a folder.
pub(crate) fn read(dir: &Path, found: &mut Found<'_>) -> Result<(), PlanError> {
    let Some(package) = Package::in_folder(dir)? else { return Ok(()) };
    let packages = workspaces::packages(&package)?;
    let (runner, _) = runner::of_project(&package);
    let entered = Vec::new();
    let mut unfolder = Unfolder { package: &package, packages: &packages, runner, found, entered };
    let main = MAIN_SCRIPTS
        .iter()
        .find(|name| package.script(name).is_some_and(|text| !bare::starts_wharf(text)));
    let unfolded = match main {
        Some(name) => unfolder.script(name, 0)?,
        None => unfolder.serving_packages()?,
    };
    let shown = found.shown(&dir.join("package.json"));
    let count = unfolded.as_ref().map_or(0, |unfolded| unfolded.pieces.len());
    match (unfolded, main) {
        (Some(unfolded), _) => {
            let what = main.map_or("the workspace".to_owned(), |name| format!("script `{name}`"));
            found.step(shown, format!("{what} runs together: {count}"));
            add(unfolded, found)
        }
        (None, Some(name)) => {
            found.step(shown, format!("script `{name}` is one service, as far as it can be read"));
            Ok(())
        }
        (None, None) => Ok(()),
    }
}

fn add(unfolded: Unfolded, found: &mut Found<'_>) -> Result<(), PlanError> {
    let mut last: Option<String> = None;
    for (piece, is_step) in unfolded
        .before
        .into_iter()
        .map(|piece| (piece, true))
        .chain(unfolded.pieces.into_iter().map(|piece| (piece, false)))
    {
        let service = found.add(&piece.name, piece.dir, piece.source)?;
        service.run = Some(piece.run);
        service.env = piece.env;
        // As a variable of all of them it would be the same port for each.
        let port = service.env.remove("PORT").and_then(|port| port.parse().ok());
        service.port = port.filter(|_| !is_step).map(PortArgument::AtLeast);
        service.depends_on.extend(last.clone());
        if is_step {
            service.ready = Ready::Exit;
            last = Some(service.name.clone());
        }
    }
    Ok(())
}

/// Takes the scripts of one package apart.
struct Unfolder<'a, 'f> {
    package: &'a Package,
    packages: &'a [Package],
    runner: &'static Runner,
    found: &'a mut Found<'f>,
    /// The scripts that are being taken apart, outermost first.
    entered: Vec<String>,
}

impl Unfolder<'_, '_> {
    /// A script's parts; `None` if it is one thing, or cannot be read.
    fn script(&mut self, name: &str, depth: usize) -> Result<Option<Unfolded>, PlanError> {
        let package = self.package;
        let Some(text) = package.script(name) else { return Ok(None) };
        // A script that runs itself is nothing that can be taken apart.
        if self.entered.iter().any(|entered| entered == name) {
            return Ok(None);
        }
        self.entered.push(name.to_owned());
        let unfolded = self.text(text, name, depth);
        self.entered.pop();
        let Some(mut unfolded) = unfolded? else { return Ok(None) };
        // Package managers run `predev` before `dev`; the later yarn does not.
        let earlier = format!("pre{name}");
        if package.script(&earlier).is_some() && self.runner.id != "runner-yarn-berry" {
            unfolded.before.insert(0, self.script_piece(None, &earlier));
        }
        Ok(Some(unfolded))
    }

    fn text(
        &mut self,
        text: &str,
        from: &str,
        depth: usize,
    ) -> Result<Option<Unfolded>, PlanError> {
        let parsed = shell::parse(text);
        if depth > DEPTH_MAX || parsed.opaque.is_some() {
            return Ok(None);
        }
        let mut commands = parsed.commands.as_slice();
        let is_wait = |simple: &Simple| simple.words.len() == 1 && simple.words[0].text == "wait";
        if let [rest @ .., last] = commands
            && is_wait(last)
        {
            commands = rest;
        }
        let Some((last, earlier)) = commands.split_last() else { return Ok(None) };
        let part = |simple: &Simple| {
            let start = simple.words.first().map_or(0, |word| word.span.start);
            let text = text.get(start..simple.end).unwrap_or_default().to_owned();
            Part { name: None, what: What::Text(text) }
        };
        let all = |operator| earlier.iter().all(|simple| simple.then == Some(operator));
        if !earlier.is_empty() && all(Operator::Background) {
            let parts = commands.iter().map(part).collect();
            let unfolded = self.together(parts, from, &BTreeMap::new(), depth)?;
            return Ok(Some(unfolded).filter(|unfolded| !unfolded.pieces.is_empty()));
        }
        let shells_own = |simple: &Simple| {
            matches!(simple.words[0].text.as_str(), "cd" | "export" | "source" | "." | "set")
        };
        if !all(Operator::And) || earlier.iter().any(shells_own) {
            return Ok(None);
        }
        let Some(mut unfolded) = self.simple(last, from, depth)? else { return Ok(None) };
        // What stands before `&&` ends, or what stands behind would never run.
        let mut before: Vec<Piece> =
            earlier.iter().map(|simple| self.piece(&part(simple), from)).collect();
        before.append(&mut unfolded.before);
        unfolded.before = before;
        Ok(Some(unfolded))
    }

    /// A command that runs several things, or a script that does.
    fn simple(
        &mut self,
        simple: &Simple,
        from: &str,
        depth: usize,
    ) -> Result<Option<Unfolded>, PlanError> {
        let Some(Words { env, words }) = words::read(&simple.words) else { return Ok(None) };
        let names = self.package.script_names();
        let mut unfolded = if let Some(script) = words::script(&words, self.package) {
            self.script(script, depth + 1)?
        } else if let Some(together) = together::read(&words, &names) {
            let before = together.before.iter().map(|part| self.piece(part, from)).collect();
            let inner = self.together(together.parts, from, &env, depth)?;
            Some(Unfolded { before, ..inner })
        } else if let Some(across) = across::read(&words) {
            let mut unfolded = self.across(&across)?;
            if words[0] == "turbo" {
                unfolded.before = self.turbo_before(&across, from);
            }
            Some(unfolded)
        } else {
            None
        };
        if let Some(Unfolded { before, pieces }) = &mut unfolded {
            for piece in before.iter_mut().chain(pieces) {
                for (name, value) in &env {
                    piece.env.entry(name.clone()).or_insert_with(|| value.clone());
                }
            }
        }
        Ok(unfolded.filter(|unfolded| !unfolded.pieces.is_empty()))
    }

    fn together(
        &mut self,
        parts: Vec<Part>,
        from: &str,
        env: &BTreeMap<String, String>,
        depth: usize,
    ) -> Result<Unfolded, PlanError> {
        let mut out = Unfolded::default();
        for part in parts {
            out.pieces.extend(self.part(&part, from, depth)?);
        }
        for piece in &mut out.pieces {
            piece.env.extend(env.clone());
        }
        Ok(out)
    }

    /// What a part becomes: nothing if it ends by itself, several services if it runs several things.
    fn part(&mut self, part: &Part, from: &str, depth: usize) -> Result<Vec<Piece>, PlanError> {
        self.found.part()?;
        let called = called(part, self.package);
        let inner = match (&called, &part.what) {
            (Some(script), _) => self.script(script, depth + 1)?,
            (None, What::Script(script)) => {
                self.found.step("package.json", format!("has no script `{script}`: left out"));
                return Ok(Vec::new());
            }
            (None, What::Text(text)) => self.text(text, from, depth + 1)?,
        };
        // With steps of its own it stays as it is: the other parts do not wait for those.
        if let Some(Unfolded { before, mut pieces }) = inner
            && before.is_empty()
        {
            if let ([only], Some(name)) = (pieces.as_mut_slice(), &part.name) {
                only.name.clone_from(name);
            }
            return Ok(pieces);
        }
        let piece = self.piece(part, from);
        let argv = match &piece.run {
            Run::Words(words) => words.clone(),
            Run::Shell(text) => ["sh", "-c", text].map(Into::into).to_vec(),
        };
        if lasting::of(&argv, &piece.dir) == Lasting::Ends {
            self.found.step(piece.source, format!("`{}` ends by itself: left out", piece.name));
            return Ok(Vec::new());
        }
        Ok(vec![piece])
    }

    /// A part as it stands.
    fn piece(&self, part: &Part, from: &str) -> Piece {
        if let Some(script) = called(part, self.package) {
            return self.script_piece(part.name.as_deref(), &script);
        }
        let (What::Text(text) | What::Script(text)) = &part.what;
        let name = part.name.clone().unwrap_or_else(|| self.text_name(text));
        let below = self.package.dir.strip_prefix(self.found.root);
        let levels = below.map_or(0, |below| below.components().count());
        Piece {
            name,
            dir: self.package.dir.clone(),
            run: Run::Shell(words::with_programs(text, levels)),
            env: BTreeMap::new(),
            source: self.source(self.package, from),
        }
    }

    fn script_piece(&self, name: Option<&str>, script: &str) -> Piece {
        Piece {
            name: name.map_or_else(|| script_name(script), str::to_owned),
            dir: self.package.dir.clone(),
            run: Run::Words(runner::argv(self.runner, script)),
            env: BTreeMap::new(),
            source: self.source(self.package, script),
        }
    }

    fn source(&self, package: &Package, script: &str) -> String {
        let file = self.found.shown(&package.dir.join("package.json"));
        format!("{file}: script {script}")
    }

    /// A name after the folder, the script or the program that a text comes down to.
    fn text_name(&self, text: &str) -> String {
        let Some(command) = words::innermost(text, self.package) else { return WEB.to_owned() };
        let dir = &self.package.dir;
        if let Ok(below) = command.dir.strip_prefix(dir)
            && let Some(folder) = below.file_name()
        {
            return folder.to_string_lossy().into_owned();
        }
        match &command.script {
            Some(script) => script_name(script),
            None => naming::program(&command),
        }
    }

    /// A script of several packages.
    fn across(&mut self, across: &Across) -> Result<Unfolded, PlanError> {
        let mut out = Unfolded::default();
        for package in across.filter.select(self.packages, &self.package.dir) {
            for script in &across.scripts {
                let script = match script.split_once('#') {
                    Some((name, script)) if name == package.name => script,
                    Some(_) => continue,
                    None => script,
                };
                out.pieces.extend(self.of_package(package, script, Lasting::Stays)?);
            }
        }
        Ok(out)
    }

    /// The packages that serve something, where the root has no script that says which.
    fn serving_packages(&mut self) -> Result<Option<Unfolded>, PlanError> {
        let mut out = Unfolded::default();
        for package in self.packages {
            let has = |name: &&&str| package.script(name).is_some();
            if let Some(script) = MAIN_SCRIPTS.iter().find(has) {
                out.pieces.extend(self.of_package(package, script, Lasting::Serves)?);
            }
        }
        Ok(Some(out).filter(|out| !out.pieces.is_empty()))
    }

    /// What a script of another package becomes, if it lasts as it must.
    fn of_package(
        &mut self,
        package: &Package,
        script: &str,
        must: Lasting,
    ) -> Result<Vec<Piece>, PlanError> {
        if package.script(script).is_none() {
            return Ok(Vec::new());
        }
        self.found.part()?;
        let own = workspaces::short_name(package);
        let mut inner = Unfolder {
            package,
            packages: &[],
            runner: self.runner,
            found: &mut *self.found,
            entered: Vec::new(),
        };
        if let Some(Unfolded { before, mut pieces }) = inner.script(script, 1)?
            && before.is_empty()
        {
            for piece in &mut pieces {
                piece.name =
                    if piece.name == WEB { own.clone() } else { format!("{own}-{}", piece.name) };
            }
            return Ok(pieces);
        }
        let argv = runner::argv(self.runner, script);
        let source = self.source(package, script);
        let lasting = lasting::of(&argv, &package.dir);
        if lasting != Lasting::Serves && lasting != must {
            let why =
                if lasting == Lasting::Ends { "ends by itself" } else { "serves nothing known" };
            self.found.step(source, format!("{why}: left out"));
            return Ok(Vec::new());
        }
        let name = match MAIN_SCRIPTS.contains(&script) {
            true => own,
            false => format!("{own}-{}", script_name(script)),
        };
        let (dir, env) = (package.dir.clone(), BTreeMap::new());
        Ok(vec![Piece { name, dir, run: Run::Words(argv), env, source }])
    }

    /// What turbo would run before, by its turbo.json.
    fn turbo_before(&mut self, across: &Across, from: &str) -> Vec<Piece> {
        let Some(json) = folder::evidence(&self.package.dir.join("turbo.json")) else {
            return Vec::new();
        };
        let root = &self.package.dir;
        let has = |package: &&Package| across.scripts.iter().any(|s| package.script(s).is_some());
        let mut selected = across.filter.select(self.packages, root);
        selected.retain(has);
        let names: Vec<&str> = selected.iter().map(|package| package.name.as_str()).collect();
        let commands = turbo::before(&json, &across.scripts, &names);
        let part = |(name, text)| Part { name: Some(name), what: What::Text(text) };
        commands.into_iter().map(part).map(|part| self.piece(&part, from)).collect()
    }
}

/// The script of the same package that a part runs.
fn called(part: &Part, package: &Package) -> Option<String> {
    match &part.what {
        What::Script(script) => package.script(script).map(|_| script.clone()),
        What::Text(text) => {
            let parsed = shell::parse(text);
            let [only] = parsed.commands.as_slice() else { return None };
            let Words { env, words } = words::read(&only.words)?;
            if parsed.opaque.is_some() || !env.is_empty() {
                return None;
            }
            words::script(&words, package).map(str::to_owned)
        }
    }
}

/// A service's name by its script's: `dev:api` is `api`.
fn script_name(script: &str) -> String {
    let parts: Vec<&str> = script.split(':').filter(|part| !NAMELESS.contains(part)).collect();
    if parts.is_empty() { WEB.to_owned() } else { parts.join("-") }
}

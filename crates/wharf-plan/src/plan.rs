//! A request becomes a launch plan.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use wharf_model::name::slug;
use wharf_model::plan::{Arg, DerivedFile, FrameworkFacts};
use wharf_model::request::PortArgument;
use wharf_model::{LaunchPlan, PathText, Port, Probe, Step};

use crate::bare;
use crate::catalog::{self, By, Framework};
use crate::choice;
use crate::code;
use crate::command::{Command, LayerKind, program_name};
use crate::detect::{self, Match};
use crate::error::PlanError;
use crate::inject::{self, Injection, Situation};
use crate::naming::{self, Main, Nameless};
use crate::project::Project;
use crate::settings;
use crate::subproject;
use crate::unwrap;

/// How many ports one service may have.
pub(crate) const PORTS_MAX: usize = 4;

/// What a plan is made for.
pub struct Request<'a> {
    /// The folder to run in.
    pub dir: &'a Path,
    /// The command, if one was typed.
    pub command: Option<&'a [OsString]>,
    /// `--port`.
    pub port: Option<PortArgument>,
    /// `--name`.
    pub service: Option<&'a str>,
    /// The environment of `wharf run`.
    pub env: &'a dyn Fn(&str) -> Option<OsString>,
    /// The user's home folder.
    pub home: Option<&'a Path>,
}

/// Makes a launch plan: recognises what runs and decides how its port reaches it. Nothing is
/// started, and nothing outside of the project is read but what git says of its checkouts, and the
/// configuration that the command names, with what that includes.
pub fn plan(request: &Request<'_>) -> Result<LaunchPlan, PlanError> {
    let dir = std::fs::canonicalize(request.dir)
        .and_then(|dir| if dir.is_dir() { Ok(dir) } else { Err(ErrorKind::NotADirectory.into()) })
        .map_err(|source| PlanError::BadFolder { dir: request.dir.to_path_buf(), source })?;
    let project = Project::of(&dir, request.home);
    let mut trace = vec![project.step.clone()];
    let (argv, bare) = match request.command {
        Some(argv) => (argv.to_vec(), false),
        None => {
            let suggestion = bare::suggest(&dir)?;
            trace.extend(suggestion.steps);
            (suggestion.argv, true)
        }
    };
    let commands = unwrap::unwrap(&argv, &dir)?;
    let programs: BTreeSet<String> =
        commands.iter().flat_map(|command| command.programs.iter().cloned()).collect();
    let target = choose(commands);
    trace.extend(target.command.steps.clone());
    trace.extend(target.found.iter().map(|found| found.step.clone()));
    let framework = target.found.as_ref().map(|found| found.framework);
    let (service, primary) = service(request, &dir, &project, &target, bare)?;
    let named = if request.service.is_some() {
        "as `--name` says"
    } else {
        "by folder, script or framework"
    };
    let situation = situation(request, target, bare);
    let name_step = Step::new("service", format!("`{service}`, {named}"));
    let injection = inject::inject(&argv, situation)?;
    trace.extend(injection.steps.iter().cloned());
    trace.push(name_step);
    let hands_host = mentions(&injection, "{host}");
    let extra_ports = extra_ports(&injection);
    Ok(LaunchPlan {
        project: PathText::new(&project.path),
        worktree: project.worktree,
        root: project.root,
        dir,
        service,
        primary,
        framework: framework.and_then(facts).map(|known| without_socket(known, request.env)),
        request: injection.request,
        extra_ports,
        argv: injection.argv,
        env: injection.env,
        files: injection.files,
        hint: injection.hint,
        probe: framework.map_or(Probe::Unknown, probe),
        hands_host,
        programs: programs.into_iter().collect(),
        trace,
    })
}

/// The simple command that serves, and its framework.
struct Target {
    command: Command,
    found: Option<Match>,
}

/// Of several simple commands, the last one that runs a framework, else the last one.
fn choose(commands: Vec<Command>) -> Target {
    let mut target: Option<Target> = None;
    for mut command in commands {
        if let Some(dir) = subproject::dir(&command) {
            command.dir = dir;
        }
        let found = detect::detect(&command);
        if found.is_some() || target.as_ref().is_none_or(|target| target.found.is_none()) {
            target = Some(Target { command, found });
        }
    }
    // Unwrapping gives at least one command.
    target.unwrap_or_else(|| unreachable!("a command without a simple command"))
}

/// The service's name, and whether it is the project's primary one.
fn service(
    request: &Request<'_>,
    dir: &Path,
    project: &Project,
    target: &Target,
    bare: bool,
) -> Result<(String, bool), PlanError> {
    if let Some(name) = request.service {
        let bad = !name.contains(|c: char| c.is_ascii_alphanumeric());
        return match bad {
            true => Err(PlanError::BadServiceName { name: name.to_owned() }),
            false => Ok((slug(name), false)),
        };
    }
    let framework = target.found.as_ref().map(|found| found.framework);
    // A workspace or a part of a build is a service of its own, wherever it was started from.
    let inner = target.command.dir.starts_with(dir) && target.command.dir != *dir;
    let dir = if inner { &target.command.dir } else { dir };
    let entry = target.found.as_ref().and_then(|found| found.entry.as_deref());
    let main = if bare { None } else { main_target(&project.root) };
    Ok(naming::name(&Nameless {
        dir,
        root: &project.root,
        framework,
        entry,
        command: &target.command,
        main,
    }))
}

/// The name of what `wharf run` alone would start in a folder, and how it was found.
pub(crate) fn alone(dir: &Path, project: &Project) -> Result<(String, Vec<Step>), PlanError> {
    let suggestion = bare::suggest(dir)?;
    let target = choose(unwrap::unwrap(&suggestion.argv, dir)?);
    let request =
        Request { dir, command: None, port: None, service: None, env: &|_| None, home: None };
    let (name, _) = service(&request, dir, project, &target, true)?;
    Ok((name, suggestion.steps))
}

/// What `wharf run` alone would run in a folder.
fn main_target(root: &Path) -> Option<Main> {
    let suggestion = bare::suggest(root).ok()?;
    let Target { command, found } = choose(unwrap::unwrap(&suggestion.argv, root).ok()?);
    let framework = found.as_ref().map(|found| found.framework);
    let entry = found.and_then(|found| found.entry);
    Some(Main { framework, entry, program: naming::program(&command) })
}

/// Gathers the evidence for an injection.
fn situation<'a>(request: &Request<'a>, target: Target, bare: bool) -> Situation<'a> {
    let Target { command, found } = target;
    let framework = found.as_ref().map(|found| found.framework);
    let lang = framework.map_or_else(|| inject::lang_of(&command), |framework| framework.lang);
    let code = code::read(&code_files(&command, found.as_ref()), lang);
    let configured = framework.and_then(|framework| settings::read(framework, &command.dir));
    let convention = choice::convention(framework, lang, configured.as_ref(), &code, &command.dir);
    Situation {
        command,
        found,
        argument: request.port,
        convention,
        code,
        lang,
        bare,
        env: request.env,
    }
}

/// The files of the project's own code that may name its port.
fn code_files(command: &Command, found: Option<&Match>) -> Vec<PathBuf> {
    if let Some(found) = found {
        if let Some(entry) = &found.entry {
            return vec![entry.clone()];
        }
        if found.by() != By::Code {
            return Vec::new();
        }
        let program = command.words.get(found.start).map_or("", |word| program_name(&word.text));
        return match program {
            "go" => go_files(command, found),
            _ => code::entry_files(&command.dir, found.framework.detect.entry),
        };
    }
    let layer = command.innermost();
    let Some(word) = command.words.get(layer.start) else {
        return Vec::new();
    };
    match layer.kind {
        LayerKind::Script(_) => detect::script_file(&command.dir, &word.text).into_iter().collect(),
        LayerKind::Module => detect::module_file(&command.dir, &word.text).into_iter().collect(),
        LayerKind::Program => Vec::new(),
    }
}

/// The files of the package that `go run` names.
fn go_files(command: &Command, found: &Match) -> Vec<PathBuf> {
    let words = &command.words[found.end.min(command.words.len())..];
    match words.iter().find(|word| word.text.ends_with(".go")) {
        Some(file) => code::entry_files(&command.dir, &[file.text.as_str()]),
        None => code::entry_files(&command.dir, &["main.go", "*.go"]),
    }
}

fn facts(framework: &'static Framework) -> Option<FrameworkFacts> {
    Some(FrameworkFacts {
        id: framework.id,
        name: framework.name,
        conventional: Port::new(framework.conventional())?,
        bind: framework.bind,
        loopback_advice: framework.loopback_advice,
        socket: framework.socket,
    })
}

/// Variables that are set can mean that it takes no socket.
fn without_socket(
    mut facts: FrameworkFacts,
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> FrameworkFacts {
    let is_set =
        |name: &&str| variable(name).is_some_and(|value| !value.is_empty() && value != "0");
    facts.socket = facts.socket.filter(|takes| !takes.unless_env.iter().any(is_set));
    facts
}

fn probe(framework: &Framework) -> Probe {
    match framework.probe {
        catalog::Probe::Http => Probe::Http,
        catalog::Probe::Listen => Probe::Listen,
    }
}

/// The texts into which values are filled.
fn templates(injection: &Injection) -> impl Iterator<Item = &str> {
    let args = injection.argv.iter().filter_map(|arg| match arg {
        Arg::Template(text) => Some(text.as_str()),
        Arg::Given(_) => None,
    });
    args.chain(injection.env.iter().map(|(_, value)| value.as_str()))
}

fn mentions(injection: &Injection, placeholder: &str) -> bool {
    let in_file = |file: &DerivedFile| file.contents.contains(wharf_model::plan::FILE_HOST);
    templates(injection).any(|text| text.contains(placeholder))
        || injection.files.iter().any(in_file)
}

/// How many ports the templates and the derived files name beyond the first.
fn extra_ports(injection: &Injection) -> usize {
    let in_file = |number| {
        let name = wharf_model::plan::file_port(number);
        injection.files.iter().any(|file| file.contents.contains(&name))
    };
    let named = |number: &usize| {
        templates(injection).any(|t| t.contains(&format!("{{port{number}}}"))) || in_file(*number)
    };
    (2..=PORTS_MAX).take_while(named).count()
}

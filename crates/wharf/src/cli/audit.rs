//! `wharf audit`: what is open, unsafe or in the way, with the evidence.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;
use wharf_plan::audit::{self as rules, Level, Rule};
use wharf_plan::project::Project;

use super::{Outcome, current_dir};
use crate::audit::{Audit, Scope, apply};
use crate::report::{Code, Report};
use crate::{narrate, render};

const AFTER: &str = "\
Exit codes: 0 nothing at or above the level of --fail-on, 8 findings at or above it.
Servers are asked over loopback only, and only those of your own; nothing is asked with --files.";

/// Find what is open, unsafe or in the way: the evidence for a security team.
///
/// Looks at the files of the project, at every listener of this machine, and at what your own servers answer. Each
/// finding has its place, what was seen, why it matters and what to do; `--rule ID` prints all about one rule.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(crate) struct Args {
    /// The folder whose files are audited; the whole project where none is named
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    /// Look at files only, unless --listeners or --answers is there too
    #[arg(long)]
    files: bool,
    /// Look at listeners only, unless --files or --answers is there too
    #[arg(long)]
    listeners: bool,
    /// Look at listeners and ask your own servers
    #[arg(long)]
    answers: bool,
    /// Exit with 8 where a finding is of this level or worse
    #[arg(long, value_name = "LEVEL", value_enum, default_value_t = FailOn::High)]
    fail_on: FailOn,
    /// Print one JSON document
    #[arg(long, conflicts_with_all = ["sarif", "markdown", "fix"])]
    json: bool,
    /// Print a SARIF 2.1.0 log, for code scanning
    #[arg(long, conflicts_with_all = ["markdown", "fix"])]
    sarif: bool,
    /// Print a report in Markdown, for the security team
    #[arg(long, conflicts_with = "fix")]
    markdown: bool,
    /// Print a patch for the findings in files that have a certain change
    #[arg(long)]
    fix: bool,
    /// Write the changes of --fix into the files
    #[arg(long, requires = "fix")]
    apply: bool,
    /// Print everything about one rule, or the list of all with `all`
    #[arg(long, value_name = "ID", exclusive = true)]
    rule: Option<String>,
}

/// The least level that is a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// Every finding
    Info,
    /// Low and worse
    Low,
    /// Medium and worse
    Medium,
    /// High and critical
    High,
    /// Critical only
    Critical,
    /// No finding is a failure
    Never,
}

impl FailOn {
    fn level(self) -> Option<Level> {
        match self {
            FailOn::Info => Some(Level::Info),
            FailOn::Low => Some(Level::Low),
            FailOn::Medium => Some(Level::Medium),
            FailOn::High => Some(Level::High),
            FailOn::Critical => Some(Level::Critical),
            FailOn::Never => None,
        }
    }
}

/// Audits, and prints what was found.
pub(crate) fn run(args: &Args) -> Outcome {
    if let Some(id) = &args.rule {
        return explain(id);
    }
    let (project, folder) = subject(args.path.as_deref())?;
    if args.fix {
        return fix(&project, &folder, args.apply);
    }
    let audit = Audit::of(&project, &folder, scope(args))?;
    let least = args.fail_on.level();
    if args.json {
        render::audit::json(&audit, least)?;
    } else if args.sarif {
        render::audit::sarif(&audit)?;
    } else if args.markdown {
        render::audit::markdown(&audit)?;
    } else {
        render::audit::text(&audit)?;
    }
    let fails = least.is_some_and(|least| audit.worst().is_some_and(|worst| worst >= least));
    Ok(if fails { ExitCode::from(Code::Findings.number()) } else { ExitCode::SUCCESS })
}

fn scope(args: &Args) -> Scope {
    let everything = !args.files && !args.listeners && !args.answers;
    Scope {
        files: everything || args.files,
        listeners: everything || args.listeners || args.answers,
        answers: everything || args.answers,
    }
}

/// The project, and the folder whose files are read.
fn subject(path: Option<&Path>) -> Result<(Project, PathBuf), Report> {
    let here = current_dir()?;
    let folder = here.join(path.unwrap_or(Path::new(".")));
    let real = std::fs::canonicalize(&folder).map_err(|error| {
        Report::new(Code::NotFound, format!("cannot use the folder {}", folder.display()))
            .because(&error)
            .help("name the folder of a project: `wharf audit PATH`")
    })?;
    if !real.is_dir() {
        return Err(Report::new(Code::Usage, format!("{} is no folder", real.display()))
            .help("a file is audited with the folder that it lies in"));
    }
    let project = Project::of(&real, wharf_os::user::home().as_deref());
    let folder = if path.is_some() { real } else { project.root.clone() };
    Ok((project, folder))
}

/// Prints the patch, or writes it.
fn fix(project: &Project, folder: &Path, write: bool) -> Outcome {
    let scope = Scope { files: true, listeners: false, answers: false };
    let audit = Audit::of(project, folder, scope)?;
    let edited = rules::edited(&audit.files, audit.changes());
    render::text(&rules::unified(&edited))?;
    if write {
        apply(&project.root, &edited)?;
    }
    let count = audit.changes().count();
    let done = match (count, write) {
        (0, _) => "no finding has a certain change".to_owned(),
        (_, true) => format!("written: {}", extent(count, edited.len())),
        (_, false) => format!(
            "{}: write that with `wharf audit --fix --apply`, or by `git apply` in {}",
            extent(count, edited.len()),
            audit.root.display()
        ),
    };
    narrate::line(&done);
    Ok(ExitCode::SUCCESS)
}

fn extent(changes: usize, files: usize) -> String {
    let many = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    };
    format!("{} in {}", many(changes, "change"), many(files, "file"))
}

fn explain(id: &str) -> Outcome {
    if id == "all" {
        render::audit::rules()?;
        return Ok(ExitCode::SUCCESS);
    }
    let Some(rule) = rules::by_id(id) else { return Err(unknown(id)) };
    render::audit::rule(rule)?;
    Ok(ExitCode::SUCCESS)
}

fn unknown(id: &str) -> Report {
    let report = Report::new(Code::NotFound, format!("there is no rule `{id}`"));
    let near = |rule: &&'static Rule| strsim::jaro_winkler(rule.id, id) > NEAR;
    let near: Vec<&str> = rules::all().filter(near).map(|rule| rule.id).collect();
    let report = match near.is_empty() {
        true => report,
        false => report.help(format!("did you mean {}?", near.join(", "))),
    };
    report.help("`wharf audit --rule all` lists them")
}

/// From which likeness on a name is suggested.
const NEAR: f64 = 0.85;

//! `wharf import nginx`, `wharf import caddy`: what a web server in front of a project is told, in a `wharf.toml`.

use std::path::{Path, PathBuf};

use wharf_plan::PlanError;
use wharf_plan::fronts::{self, Front};
use wharf_plan::project::Project;

use super::super::Outcome;
use super::super::export::Place;
use super::super::run::current_dir;
use crate::behind;
use crate::report::{Code, Report};
use crate::up::project::Wanted;
use crate::{narrate, render};

/// How many things that are left are said one by one; all of them are in the file that is written.
const SAID: usize = 12;

/// A file of another web server's.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file [default: the one that lies here]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    output: Place,
}

/// Whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Nginx,
    Caddy,
}

impl Kind {
    /// The word of the command.
    fn word(self) -> &'static str {
        match self {
            Kind::Nginx => "nginx",
            Kind::Caddy => "caddy",
        }
    }

    /// Where its file lies in a project, the likeliest first.
    fn usual(self) -> &'static [&'static str] {
        match self {
            Kind::Nginx => &[
                "nginx.conf",
                "nginx/nginx.conf",
                "conf/nginx.conf",
                "nginx/default.conf",
                "nginx/conf.d/default.conf",
                "docker/nginx/nginx.conf",
                "docker/nginx.conf",
            ],
            Kind::Caddy => &["Caddyfile", "caddy/Caddyfile", "docker/Caddyfile"],
        }
    }

    fn read(self, path: &Path) -> Result<Front, PlanError> {
        match self {
            Kind::Nginx => fronts::nginx::read(path),
            Kind::Caddy => fronts::caddy::read(path),
        }
    }
}

/// Prints or writes it.
pub(super) fn run(args: &Args, kind: Kind) -> Outcome {
    let dir = current_dir()?;
    let dir = std::fs::canonicalize(&dir).unwrap_or(dir);
    let project = Project::of(&dir, wharf_os::user::home().as_deref());
    let file = file(args, kind, &dir)?;
    let front = kind.read(&file).map_err(|error| refused(error, kind))?;
    args.output.goes_to(&project.root)?;
    let wanted = wanted(&dir)?;
    let behind = behind::of(&front, wanted.as_ref(), &project.root, &file);
    if behind.aliases.is_empty() && behind.services.is_empty() && front.routes.is_empty() {
        say_left(&behind.notes);
        let what = format!("{} leads no name or path to a server", file.display());
        return Err(Report::new(Code::NotFound, what)
            .why("read are servers, locations and what is passed on to a port of this machine")
            .help(format!("`wharf import {} FILE` reads another one", kind.word())));
    }
    let document = wharf_export::front_toml(&behind);
    say_left(&behind.notes);
    if args.output.is_json() {
        render::import::front(&document, &front, &project.root)?;
        return Ok(std::process::ExitCode::SUCCESS);
    }
    args.output.take(&[document])
}

fn file(args: &Args, kind: Kind, dir: &Path) -> Result<PathBuf, Report> {
    if let Some(file) = &args.file {
        return match dir.join(file) {
            path if path.is_file() => Ok(path),
            path => Err(Report::new(Code::NotFound, format!("{} is no file", path.display()))),
        };
    }
    let mut all = kind.usual().iter().map(|name| dir.join(name));
    all.find(|path| path.is_file()).ok_or_else(|| {
        Report::new(Code::NotFound, format!("there is no file of {} here", kind.word()))
            .why(format!("looked for {} in {}", kind.usual().join(", "), dir.display()))
            .help(format!("`wharf import {} FILE` reads another one", kind.word()))
    })
}

fn refused(error: PlanError, kind: Kind) -> Report {
    let is_malformed = matches!(error, PlanError::MalformedFile { .. });
    let mut report = Report::from(error);
    report.help.clear();
    match is_malformed {
        true => report.help(match kind {
            Kind::Nginx => "`nginx -t -c FILE` says what nginx thinks of it",
            Kind::Caddy => "`caddy validate --config FILE` says what Caddy thinks of it",
        }),
        false => report,
    }
}

/// What the project runs; nothing is no fault: then all of it is started by somebody else.
fn wanted(dir: &Path) -> Result<Option<Wanted>, Report> {
    match Wanted::read(dir) {
        Ok(wanted) => Ok(Some(wanted)),
        Err(report) if report.code == Code::NotFound => Ok(None),
        Err(report) => Err(report),
    }
}

fn say_left(notes: &[String]) {
    for note in notes.iter().take(SAID) {
        narrate::line(note);
    }
    if let Some(more) = notes.len().checked_sub(SAID).filter(|more| *more > 0) {
        narrate::line(&format!("and {more} more, all of which are comments of the file"));
    }
}

//! `wharf env`: the environment that an instance holds, for a shell, a file or a program.

use std::process::ExitCode;

use super::Outcome;
use crate::render::env::Form;
use crate::subject::Subject;
use crate::up::crew::called;
use crate::{narrate, render};

/// Print the environment that a service holds.
///
/// What wharf adds to it: its port and URLs, those of the other services of this checkout, and what
/// `wharf.toml` says. For a shell: `eval "$(wharf env)"`. Where the service does not run, its remembered
/// port is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A service (`web`), an instance (`web.2`), or a name as `wharf ls` shows it [default: the primary one]
    #[arg(value_name = "SERVICE")]
    service: Option<String>,
    /// Print one JSON document
    #[arg(long, group = "form")]
    json: bool,
    /// As lines of a `.env` file
    #[arg(long, group = "form")]
    dotenv: bool,
    /// For an `.envrc`: `eval "$(wharf env --direnv)"`, which direnv reads again when wharf.toml changes
    #[arg(long, group = "form")]
    direnv: bool,
}

/// Prints the variables.
pub(crate) fn run(args: &Args) -> Outcome {
    let subject = super::block_on(Subject::find(args.service.as_deref()))??;
    say_whether_it_runs(&subject);
    let form = match (args.json, args.dotenv, args.direnv) {
        (true, ..) => Form::Json,
        (_, true, _) => Form::Dotenv,
        (.., true) => Form::Direnv,
        _ => Form::Shell,
    };
    let left_out = render::env::print(&subject, form)?;
    for name in left_out {
        narrate::warning(&format!(
            "`{name}` is left out: no shell can set a variable of that name"
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// That a port is only remembered is not to be seen by its number.
pub(super) fn say_whether_it_runs(subject: &Subject) {
    if !subject.runs {
        let name = called(&subject.key.service, subject.key.instance);
        narrate::line(&format!("{name} does not run: this is what it will have"));
    }
}

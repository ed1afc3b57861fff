//! `wharf exec`: a command with the environment of a service, in its folder.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use wharf_os::guard::SpawnError;
use wharf_os::program;

use super::Outcome;
use super::env::say_whether_it_runs;
use crate::report::{Code, Report};
use crate::subject::Subject;

/// Run a command in a service's folder, with its environment.
///
/// The command takes wharf's place: terminal, signals and exit code are its own. Such as
/// `wharf exec api python manage.py shell`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A service (`web`), an instance (`web.2`), or a name as `wharf ls` shows it
    #[arg(value_name = "SERVICE")]
    service: String,
    /// The command and its arguments
    #[arg(trailing_var_arg = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// Becomes the command.
pub(crate) fn run(args: &Args) -> Outcome {
    let subject = super::block_on(Subject::find(Some(&args.service)))??;
    say_whether_it_runs(&subject);
    let env = subject.told().over_callers();
    let (name, rest) = args.command.split_first().ok_or_else(|| {
        Report::new(Code::Usage, "there is no command").help("`wharf exec SERVICE CMD ARG…`")
    })?;
    let path = env.iter().find(|(name, _)| name == "PATH").map(|(_, path)| path.as_os_str());
    let file = program::find(name, path, &subject.dir)
        .map_err(|error| Report::from(SpawnError::from(error)))?;
    let mut command = Command::new(file);
    command.arg0(name).args(rest).current_dir(&subject.dir).env_clear().envs(env);
    let error = command.exec();
    let what = format!("{} cannot be executed", name.display());
    Err(Report::new(Code::CannotExecute, what).because(&error))
}

//! What went wrong, why, and what to do next: every error that a person sees is made here.

use std::error::Error;

use wharf_model::Step;
use wharf_os::guard::SpawnError;
use wharf_os::program::ProgramError;
use wharf_plan::PlanError;

/// The kind of an error, which decides the exit code. The numbers are a promise to scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Failed,
    Usage,
    NotFound,
    Conflict,
    Permission,
    TimedOut,
    Daemon,
    /// What was looked for was found, as `audit` and `doctor` do.
    Findings,
    Bug,
    /// What a shell says of a command that cannot be executed.
    CannotExecute,
    /// What a shell says of a command that is not there.
    NoCommand,
}

impl Code {
    const ALL: [Code; 11] = [
        Code::Failed,
        Code::Usage,
        Code::NotFound,
        Code::Conflict,
        Code::Permission,
        Code::TimedOut,
        Code::Daemon,
        Code::Findings,
        Code::Bug,
        Code::CannotExecute,
        Code::NoCommand,
    ];

    pub(crate) fn number(self) -> u8 {
        match self {
            Code::Failed => 1,
            Code::Usage => 2,
            Code::NotFound => 3,
            Code::Conflict => 4,
            Code::Permission => 5,
            Code::TimedOut => 6,
            Code::Daemon => 7,
            Code::Findings => 8,
            Code::Bug => 70,
            Code::CannotExecute => 126,
            Code::NoCommand => 127,
        }
    }

    /// The kind of a number, as one wharf tells another.
    pub(crate) fn of_number(number: u8) -> Code {
        Code::ALL.into_iter().find(|code| code.number() == number).unwrap_or(Code::Failed)
    }
}

/// An error for a person: what, why, what next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) code: Code,
    pub(crate) what: String,
    pub(crate) why: Vec<String>,
    pub(crate) help: Vec<String>,
}

impl Report {
    pub(crate) fn new(code: Code, what: impl Into<String>) -> Report {
        Report { code, what: what.into(), why: Vec::new(), help: Vec::new() }
    }

    pub(crate) fn why(mut self, why: impl Into<String>) -> Report {
        self.why.push(why.into());
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Report {
        self.help.push(help.into());
        self
    }

    /// Adds the whole chain of an error's causes.
    pub(crate) fn because(mut self, error: &dyn Error) -> Report {
        let mut next = Some(error);
        while let Some(error) = next {
            self.why.push(error.to_string());
            next = error.source();
        }
        self
    }

    /// The error that a command of wharf's has written, and what it narrated before it.
    pub(crate) fn read(code: Code, text: &str) -> (Option<Report>, Vec<String>) {
        let (mut report, mut before) = (None::<Report>, Vec::new());
        for line in text.lines() {
            if let Some(what) = line.strip_prefix("error: ") {
                report = Some(Report::new(code, what));
                continue;
            }
            match &mut report {
                None => before.push(line.to_owned()),
                Some(report) => match (line.strip_prefix("  why: "), line.strip_prefix("  help: "))
                {
                    (Some(why), _) => report.why.push(why.to_owned()),
                    (None, Some(help)) => report.help.push(help.to_owned()),
                    // What clap adds.
                    (None, None) if line.trim().is_empty() => {}
                    (None, None) => report.why.push(line.trim().to_owned()),
                },
            }
        }
        (report, before)
    }

    /// The error as a person reads it, without colours.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("error: {}\n", self.what);
        self.why.iter().for_each(|why| text.push_str(&format!("  why: {why}\n")));
        self.help.iter().for_each(|help| text.push_str(&format!("  help: {help}\n")));
        text
    }

    /// Something that cannot happen did.
    pub(crate) fn bug(what: &str, error: &dyn Error) -> Report {
        Report::new(Code::Bug, what)
            .because(error)
            .help("this is a bug in wharf: please report it with the command that you ran")
    }
}

impl From<SpawnError> for Report {
    fn from(error: SpawnError) -> Report {
        let what = error.to_string();
        match &error {
            SpawnError::Program(program) => program_report(program, what),
            SpawnError::Folder { source, .. } => {
                Report::new(Code::CannotExecute, what).because(source)
            }
            SpawnError::Fork(source) => Report::new(Code::Failed, what)
                .because(source)
                .help("see `ulimit -u`, and the limits of the container"),
            SpawnError::Exec { source, .. } => {
                Report::new(Code::CannotExecute, what).because(source)
            }
        }
    }
}

/// What was not there in one sentence, what was there and did not do in one each.
fn nothing_to_run(what: String, looked_for: &[Step]) -> Report {
    let is_missing = |step: &&Step| step.found == "not there";
    let missing: Vec<&str> =
        looked_for.iter().filter(is_missing).map(|step| step.looked_at.as_str()).collect();
    let mut report = Report::new(Code::NotFound, what);
    for step in looked_for.iter().filter(|step| !is_missing(step)) {
        report = report.why(format!("{}: {}", step.looked_at, step.found));
    }
    if !missing.is_empty() {
        report = report.why(format!("none of these is there: {}", missing.join("; ")));
    }
    report.help("name the command: `wharf run -- CMD ARG…`")
}

fn program_report(error: &ProgramError, what: String) -> Report {
    match error {
        ProgramError::NotFound { name } => Report::new(Code::NoCommand, what).help(format!(
            "check the spelling, install it, or activate its environment; `command -v {}` in your \
             shell should print its path",
            name.display()
        )),
        ProgramError::NoFile { .. } => Report::new(Code::NoCommand, what)
            .help("paths are taken from the folder in which you run wharf"),
        ProgramError::NotExecutable { path } => Report::new(Code::CannotExecute, what)
            .help(format!("`chmod +x {}`, or name the program that reads it", path.display())),
        ProgramError::IsFolder { .. } => Report::new(Code::CannotExecute, what)
            .help("name a program; to run in that folder, `cd` there first"),
        ProgramError::Nul | ProgramError::Empty => {
            Report::new(Code::Usage, what).help("`wharf run -- CMD ARG…`")
        }
    }
}

impl From<PlanError> for Report {
    fn from(error: PlanError) -> Report {
        let what = error.to_string();
        match error {
            PlanError::BadFolder { source, .. } | PlanError::UnreadableFile { source, .. } => {
                Report::new(Code::Failed, what).because(&source)
            }
            PlanError::BadPackageJson { .. } => Report::new(Code::Failed, what)
                .help("mend the file; `npm pkg get` reads it in the same way"),
            PlanError::MalformedFile { .. } => Report::new(Code::Usage, what)
                .help("mend the file, or say in `wharf.toml` what the project runs"),
            PlanError::TooMuch { .. } => Report::new(Code::Usage, what)
                .why("that is more than wharf reads, whatever other programs make of it")
                .help("say in `wharf.toml` what the project runs"),
            PlanError::FileTooLarge { .. } => Report::new(Code::Failed, what)
                .why("no file of this kind is that large, so it is not read at all")
                .help("say in `wharf.toml` what the project runs"),
            PlanError::TooManyServices { .. } => Report::new(Code::Failed, what)
                .why("what was found is likely no list of services")
                .help("say in `wharf.toml` what the project runs"),
            PlanError::NothingToRun { looked_for, .. } => nothing_to_run(what, &looked_for),
            PlanError::ScriptMissing { known, .. } if known.is_empty() => {
                Report::new(Code::NotFound, what).why("it has no scripts at all")
            }
            PlanError::ScriptMissing { known, .. } => {
                Report::new(Code::NotFound, what).help(format!("it has: {}", known.join(", ")))
            }
            PlanError::PortConflict { typed, .. } => Report::new(Code::Usage, what)
                .help(format!("leave out `--port`, which makes {typed} the request"))
                .help("or take the port out of that place"),
            PlanError::EmptyCommand => {
                Report::new(Code::Usage, what).help("`wharf run -- CMD ARG…`")
            }
            PlanError::BadServiceName { .. } => {
                Report::new(Code::Usage, what).help("name it with `--name`, such as `--name web`")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::PathBuf;

    use super::*;
    use wharf_model::Port;

    fn text(report: &Report) -> String {
        format!("[{}] {}", report.code.number(), report.text())
    }

    fn denied() -> io::Error {
        io::Error::from_raw_os_error(13)
    }

    fn spawn_errors() -> Vec<SpawnError> {
        let path = PathBuf::from("/srv/app");
        vec![
            SpawnError::Program(ProgramError::NotFound { name: "vitte".into() }),
            SpawnError::Program(ProgramError::NoFile { path: path.clone() }),
            SpawnError::Program(ProgramError::NotExecutable { path: path.clone() }),
            SpawnError::Program(ProgramError::IsFolder { path: path.clone() }),
            SpawnError::Program(ProgramError::Nul),
            SpawnError::Program(ProgramError::Empty),
            SpawnError::Folder { dir: path.clone(), source: denied() },
            SpawnError::Fork(io::Error::from_raw_os_error(11)),
            SpawnError::Exec { path, source: io::Error::from_raw_os_error(8) },
        ]
    }

    fn plan_errors() -> Vec<PlanError> {
        let path = PathBuf::from("/srv/shop/package.json");
        let port = |number| Port::new(number).expect("not 0");
        vec![
            PlanError::BadFolder { dir: "/srv".into(), source: denied() },
            PlanError::UnreadableFile { path: path.clone(), source: denied() },
            PlanError::BadPackageJson { path: path.clone(), line: 3, why: "a comma".into() },
            PlanError::MalformedFile {
                path: "/srv/shop/Procfile".into(),
                line: 2,
                why: "it is no `name: command`".into(),
            },
            PlanError::TooMuch {
                path: "/srv/shop/compose.yaml".into(),
                line: 7,
                why: "more than 20000 ports".into(),
            },
            PlanError::FileTooLarge { path: "/srv/shop/compose.yaml".into(), limit: 256 * 1024 },
            PlanError::TooManyServices { dir: "/srv/shop".into(), limit: 200 },
            PlanError::EmptyCommand,
            PlanError::NothingToRun {
                dir: "/srv/shop".into(),
                looked_for: vec![
                    Step::new("manage.py", "not there"),
                    Step::new("go.mod", "not there"),
                    Step::new("index.html", "a page, and no server is invented for it"),
                ],
            },
            PlanError::ScriptMissing { script: "dve".into(), path: path.clone(), known: vec![] },
            PlanError::ScriptMissing { script: "dve".into(), path, known: vec!["dev".into()] },
            PlanError::PortConflict {
                asked: port(9000),
                typed: port(3000),
                place: "the script `dev`".into(),
            },
            PlanError::BadServiceName { name: "!!".into() },
        ]
    }

    /// What every error says, to be read by a person when it changes.
    #[test]
    fn every_error_says_what_why_and_what_next() {
        let spawn = spawn_errors().into_iter().map(Report::from);
        let plan = plan_errors().into_iter().map(Report::from);
        let all: Vec<String> = spawn.chain(plan).map(|report| text(&report)).collect();
        insta::assert_snapshot!(all.join("\n"));
    }

    #[test]
    fn what_is_written_can_be_read_back() {
        let report = Report::new(Code::Conflict, "port 7 is taken").why("by echo").help("wait");
        let text = format!("wharf: a line\n{}", report.text());
        let read = Report::read(Code::Conflict, &text);
        assert_eq!(read, (Some(report), vec!["wharf: a line".to_owned()]));
        assert_eq!(Report::read(Code::Failed, "wharf: x\n"), (None, vec!["wharf: x".to_owned()]));
    }

    #[test]
    fn exit_codes_are_the_documented_ones() {
        assert_eq!(Code::ALL.map(Code::number), [1, 2, 3, 4, 5, 6, 7, 8, 70, 126, 127]);
    }
}

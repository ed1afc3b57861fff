//! `wharf logs`: what instances have put out.

mod since;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::ExitCode;

use wharf_model::Instance;
use wharf_model::path_text::PathText;
use wharf_plan::project::Project;
use wharf_supervisor::log::{Follow, Line, Matcher, Start, now_ms, place};

use super::Outcome;
use super::run::current_dir;
use crate::checkout::split;
use crate::link::{self, Link};
use crate::render::logs::{Lines, Speaker};
use crate::render::stream::{Look, Stream};
use crate::report::{Code, Report};
use crate::up::crew::called;
use crate::{choice, narrate, render};

/// How many kept lines are shown before those that come.
const BEFORE: usize = 20;
/// So much is written at once, in bytes.
const SHOWN_BYTES: usize = 64 * 1024;

/// Show what instances have put out.
///
/// Kept are the last lines of everything that `wharf up` starts, 8 to 16 MiB of each instance, for 30 days
/// after the last. They are there while it runs and when it has ended. What `wharf run` starts has its
/// terminal for that, and nothing is kept of it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Services (`web`), instances (`web.2`), or names as `wharf ls` shows them; all of this checkout
    /// without any
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Go on with each line as it comes, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// Only lines since then: `10m`, `2h`, `2026-07-02T10:11:12Z`, or seconds since 1970
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only lines that have this regular expression anywhere, colours aside
    #[arg(long, value_name = "PATTERN")]
    grep: Option<String>,
    /// Only the last so many lines; all of them without this, the last 20 with `-f`
    #[arg(short = 'n', long, value_name = "LINES")]
    lines: Option<usize>,
    /// When servers keep their colours: `auto` is on a terminal, and not with `NO_COLOR`
    #[arg(long, value_name = "WHEN", default_value = "auto", conflicts_with_all = ["no_colour", "raw"])]
    ansi: Ansi,
    /// No colours at all
    #[arg(long, alias = "no-color", conflicts_with = "raw")]
    no_colour: bool,
    /// The bytes as they came, whatever they do to a terminal, and no names
    #[arg(long, conflicts_with = "json")]
    raw: bool,
    /// Print one JSON document; with `-f` one a line
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Ansi {
    /// Also on a pipe
    Always,
    /// Never
    Never,
    /// On a terminal
    Auto,
}

/// Shows the lines that were asked for.
pub(crate) fn run(args: &Args) -> Outcome {
    let wanted = Wanted::new(args)?;
    super::block_on(async {
        let logs = Logs::of_here(link::paths()?.logs)?;
        let mut follow = logs.chosen(&args.names, args.follow).await?;
        let mut out = Out::new(args, &follow);
        // What comes while this is read is for those who follow.
        let until = now_ms();
        if !past(&mut follow, until, &wanted, &mut out)? {
            return Ok(ExitCode::SUCCESS);
        }
        if args.follow {
            return coming(follow, &wanted, out).await;
        }
        out.end()?;
        Ok(ExitCode::SUCCESS)
    })?
}

/// Writes what is kept; false once nobody reads.
fn past(
    follow: &mut Follow<Speaker>,
    until: u64,
    wanted: &Wanted,
    out: &mut Out,
) -> Result<bool, Report> {
    let mut last = VecDeque::new();
    while let Some((speaker, line)) = follow.past(until).map_err(|error| unreadable(&error))? {
        if !wanted.has(&line) {
            continue;
        }
        match wanted.last {
            None => {
                out.add(&speaker, &line)?;
                if out.waiting() >= SHOWN_BYTES && !out.show()? {
                    return Ok(false);
                }
            }
            Some(0) => {}
            Some(count) => {
                if last.len() == count {
                    last.pop_front();
                }
                last.push_back((speaker, line));
            }
        }
    }
    last.iter().try_for_each(|(speaker, line)| out.add(speaker, line))?;
    out.show()
}

/// Writes what comes, until nobody reads.
async fn coming(mut follow: Follow<Speaker>, wanted: &Wanted, mut out: Out) -> Outcome {
    loop {
        let mut next = Some(follow.next().await.map_err(|error| unreadable(&error))?);
        while let Some((speaker, line)) = next {
            if wanted.has(&line) {
                out.add(&speaker, &line)?;
            }
            next = if out.waiting() < SHOWN_BYTES { follow.ready() } else { None };
        }
        if out.waiting() > 0 && !out.show()? {
            return Ok(ExitCode::SUCCESS);
        }
    }
}

fn unreadable(error: &std::io::Error) -> Report {
    Report::new(Code::Failed, "a log cannot be read").because(error)
}

/// Which lines are shown.
struct Wanted {
    since: Option<u64>,
    grep: Option<Matcher>,
    last: Option<usize>,
}

impl Wanted {
    fn new(args: &Args) -> Result<Wanted, Report> {
        let since = match &args.since {
            None => None,
            Some(text) => Some(since::moment(text, now_ms()).ok_or_else(|| {
                Report::new(Code::Usage, format!("`{text}` is no time")).help(since::FORMS)
            })?),
        };
        let grep = args.grep.as_deref().map(Matcher::new).transpose();
        let grep = grep
            .map_err(|error| Report::new(Code::Usage, error.to_string()).because(&error.source))?;
        let few = args.follow && args.since.is_none();
        Ok(Wanted { since, grep, last: args.lines.or(few.then_some(BEFORE)) })
    }

    fn has(&self, line: &Line) -> bool {
        self.since.is_none_or(|since| line.time_ms >= since)
            && self.grep.as_ref().is_none_or(|grep| grep.is_match(&line.bytes))
    }
}

/// The logs that are kept, seen from one checkout.
struct Logs {
    folder: PathBuf,
    root: PathText,
}

impl Logs {
    fn of_here(folder: PathBuf) -> Result<Logs, Report> {
        let dir = current_dir()?;
        let dir = std::fs::canonicalize(&dir).unwrap_or(dir);
        let project = Project::of(&dir, wharf_os::user::home().as_deref());
        Ok(Logs { folder, root: PathText::new(&project.root) })
    }

    /// The logs that were named. With `is_awaited` also those of this checkout that do not exist yet.
    async fn chosen(&self, names: &[String], is_awaited: bool) -> Result<Follow<Speaker>, Report> {
        let here = place::list(&self.folder, &self.root).map_err(|error| unreadable(&error))?;
        let kept = here.iter().map(|entry| (speaker(&self.root, entry), entry.path.clone()));
        let kept: Vec<_> = kept.collect();
        if names.is_empty() {
            if kept.is_empty() && !is_awaited {
                return Err(self.nothing());
            }
            let mut follow = opened(kept)?;
            if is_awaited {
                let root = self.root.clone();
                let admit = move |entry: &place::Entry| Some(speaker(&root, entry));
                follow.admit(place::folder(&self.folder, &self.root), admit);
            }
            if here.is_empty() {
                narrate::line("nothing is kept of this checkout yet; lines are shown as they come");
            }
            return Ok(follow);
        }
        let mut chosen = Vec::new();
        let mut instances = None;
        for name in names {
            let of_here: Vec<_> = kept.iter().filter(|(whose, _)| is_named(whose, name)).collect();
            if of_here.is_empty() {
                if instances.is_none() {
                    instances = Some(known_instances().await);
                }
                let all = instances.as_deref().unwrap_or_default();
                chosen.push(self.elsewhere(name, all, &here)?);
            }
            chosen.extend(of_here.into_iter().cloned());
        }
        opened(chosen)
    }

    /// An instance of any checkout, by what the daemon knows of it.
    fn elsewhere(
        &self,
        name: &str,
        instances: &[Instance],
        here: &[place::Entry],
    ) -> Result<(Speaker, PathBuf), Report> {
        let unknown = |report: Report| {
            let here: Vec<String> = here.iter().map(label).collect();
            let report = match here.is_empty() {
                true => report,
                false => report.help(format!("kept of this checkout: {}", here.join(", "))),
            };
            report.help(HOW)
        };
        if instances.is_empty() {
            let what = format!("no log is kept of anything named `{name}`");
            return Err(unknown(Report::new(Code::NotFound, what)));
        }
        let instance = choice::one(instances, name).map_err(|report| match report.code {
            Code::NotFound => unknown(report),
            _ => report,
        })?;
        let key = &instance.key;
        let path = place::path(&self.folder, &instance.root, &key.service, key.instance);
        if !place::is_kept(&path) {
            let what = format!("no log is kept of {}", choice::short_name(instance));
            return Err(Report::new(Code::NotFound, what)
                .why("`wharf run` started it, and its output went to that terminal")
                .help("`wharf up` keeps what its services put out"));
        }
        let speaker = Speaker {
            root: instance.root.as_str().to_owned(),
            service: key.service.clone(),
            instance: key.instance,
            label: choice::short_name(instance),
        };
        Ok((speaker, path))
    }

    fn nothing(&self) -> Report {
        Report::new(Code::NotFound, format!("nothing is kept of {}", self.root)).help(HOW)
    }
}

/// How logs come to be.
const HOW: &str = "`wharf up` starts the services of a project and keeps what they put out; \
                   what `wharf run` starts writes to its terminal, and is not kept";

fn label(entry: &place::Entry) -> String {
    called(&entry.service, entry.instance)
}

fn speaker(root: &PathText, entry: &place::Entry) -> Speaker {
    Speaker {
        root: root.as_str().to_owned(),
        service: entry.service.clone(),
        instance: entry.instance,
        label: label(entry),
    }
}

/// `web` is every instance of that service, `web.1` and `web.2` are one.
fn is_named(speaker: &Speaker, name: &str) -> bool {
    let is_it = |(service, number)| speaker.service == service && number == Some(speaker.instance);
    speaker.service == name || is_it(split(name))
}

/// Of a daemon that runs; none is started for this.
async fn known_instances() -> Vec<Instance> {
    let Ok(link) = Link::open_running().await else { return Vec::new() };
    link.snapshot_now().await.map(|snapshot| snapshot.instances).unwrap_or_default()
}

fn opened(files: Vec<(Speaker, PathBuf)>) -> Result<Follow<Speaker>, Report> {
    Follow::new(files, Start::Beginning).map_err(|error| unreadable(&error))
}

/// Where lines go, and in which form.
enum Out {
    Text(Stream),
    Json { lines: Option<Lines>, keeps_colours: bool, text: String },
}

impl Out {
    fn new(args: &Args, follow: &Follow<Speaker>) -> Out {
        if args.json {
            let lines = (!args.follow).then(Lines::default);
            let keeps_colours = args.ansi == Ansi::Always;
            return Out::Json { lines, keeps_colours, text: String::new() };
        }
        let look = Look::of_stdout();
        let look = match args.ansi {
            _ if args.raw => Look { is_raw: true, ..look },
            _ if args.no_colour => Look { paints: false, keeps_colours: false, ..look },
            Ansi::Always => Look { keeps_colours: true, ..look },
            Ansi::Never => Look { keeps_colours: false, ..look },
            Ansi::Auto => look,
        };
        let labels: Vec<&str> = follow.tags().map(|speaker| speaker.label.as_str()).collect();
        // Of those that are still to come nobody knows how many there are.
        let is_alone = labels.len() == 1 && !(args.follow && args.names.is_empty());
        Out::Text(Stream::new(labels, !is_alone && !args.raw, look))
    }

    fn add(&mut self, speaker: &Speaker, line: &Line) -> Result<(), Report> {
        match self {
            Out::Text(stream) => stream.line(&speaker.label, line),
            Out::Json { lines, keeps_colours, text } => text.push_str(&match lines {
                Some(lines) => lines.next(speaker, line, *keeps_colours)?,
                None => render::logs::one(speaker, line, *keeps_colours)?,
            }),
        }
        Ok(())
    }

    fn waiting(&self) -> usize {
        match self {
            Out::Text(stream) => stream.waiting(),
            Out::Json { text, .. } => text.len(),
        }
    }

    /// Writes what was added; false once nobody reads.
    fn show(&mut self) -> Result<bool, Report> {
        match self {
            Out::Text(stream) => stream.show(),
            Out::Json { text, .. } => render::still_read(&std::mem::take(text)),
        }
    }

    fn end(self) -> Result<(), Report> {
        match self {
            Out::Json { lines: Some(lines), .. } => render::text(&lines.end()),
            _ => Ok(()),
        }
    }
}

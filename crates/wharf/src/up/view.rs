//! What a person sees of a project that is up: the output of all instances in one stream, and what wharf has to
//! say of them.

use std::time::Duration;

use wharf_model::Instance;
use wharf_supervisor::log::{Follow, Line, Start, Who, now_ms, place};

use super::crew::called;
use super::project::Wanted;
use super::running::Wishes;
use super::session::{Change, Session};
use crate::render::stream::{Look, Stream};
use crate::report::{Code, Report};
use crate::{link, narrate, render};

/// Who speaks where wharf itself does.
const WHARF: &str = "wharf";

/// So much is written at once.
const SHOWN_BYTES: usize = 64 * 1024;

/// How long a silent log is waited for at the end.
const LAST_LINES: Duration = Duration::from_millis(100);

/// What is shown of a project on its way up.
pub(crate) struct View {
    out: Out,
    follow: Option<Follow<String>>,
}

/// Where it is shown.
enum Out {
    /// All output, on stdout.
    Stream(Box<Stream>),
    /// What happens only, on stderr.
    Narration,
}

impl View {
    /// The view of these instances. What they have said before is not shown.
    ///
    /// # Errors
    /// The logs cannot be read.
    pub(crate) fn new(wanted: &Wanted, wishes: &Wishes, names: &[String]) -> Result<View, Report> {
        if wishes.detach || wishes.json {
            return Ok(View { out: Out::Narration, follow: None });
        }
        let mut out = Stream::new(names.iter().map(String::as_str), true, Look::of_stdout());
        out.set_status(Some("starting"));
        let logs = link::paths()?.logs;
        let files = names.iter().map(|name| {
            let (service, instance) = split(name);
            (name.clone(), place::path(&logs, &wanted.root(), service, instance))
        });
        let follow =
            Follow::new(files.collect(), Start::End).map_err(|error| unreadable(&error))?;
        Ok(View { out: Out::Stream(Box::new(out)), follow: Some(follow) })
    }

    /// Shows the next line of output, and whatever else has come. Without output to show it waits for ever.
    ///
    /// # Errors
    /// A log cannot be read, or stdout cannot be written.
    pub(crate) async fn next(&mut self) -> Result<(), Report> {
        let (Some(follow), Out::Stream(out)) = (&mut self.follow, &mut self.out) else {
            return std::future::pending().await;
        };
        let mut next = Some(follow.next().await.map_err(|error| unreadable(&error))?);
        while let Some((name, line)) = next {
            out.line(&name, &line);
            next = if out.waiting() < SHOWN_BYTES { follow.ready() } else { None };
        }
        // A service that writes faster than is shown leaves nothing to wait for, and signals, ends and limits have
        // their turn all the same.
        tokio::task::yield_now().await;
        // Who does not read any more has not said that the servers are to end.
        if !out.show()? {
            self.follow = None;
        }
        Ok(())
    }

    /// Shows what has been said to the end.
    ///
    /// # Errors
    /// As [`View::next`].
    pub(crate) async fn drain(&mut self) -> Result<(), Report> {
        if let Out::Stream(out) = &mut self.out {
            out.set_status(None);
        }
        while let Ok(shown) = tokio::time::timeout(LAST_LINES, self.next()).await {
            shown?;
        }
        self.flush()
    }

    /// Tells what has become of an instance.
    ///
    /// # Errors
    /// Stdout cannot be written.
    pub(crate) fn change(&mut self, change: &Change) -> Result<(), Report> {
        let is_stream = matches!(self.out, Out::Stream(_));
        match change {
            // Its own output says so.
            Change::Up(_) | Change::Again(_) | Change::Restarts(_) if is_stream => Ok(()),
            Change::Up(instance) => self.say(&up(instance)),
            Change::Again(instance) => self.say(&format!("{} is up again", name(instance))),
            Change::Restarts(instance) => {
                self.say(&format!("{} has ended and starts again", name(instance)))
            }
            Change::Failed(instance) => {
                self.say(&format!("{} ended{} and never came up", name(instance), code(instance)))
            }
            Change::Ended(instance) => self.say(&format!(
                "{} has ended{}; the others go on",
                name(instance),
                code(instance)
            )),
            Change::Lost { name, report } => self.say(&format!("{name}: {}", report.what)),
            Change::Blocked { name, by } => {
                self.say(&format!("{name} is not started: {by}, which it depends on, is not up"))
            }
        }
    }

    /// Tells why a pilot has failed.
    ///
    /// # Errors
    /// Stdout cannot be written.
    pub(crate) fn failed(&mut self, name: &str, report: &Report) -> Result<(), Report> {
        match &self.out {
            // It stands in its output.
            Out::Stream(_) => Ok(()),
            Out::Narration => {
                narrate::line(&format!("{name}: {}", report.what));
                for why in &report.why {
                    narrate::line(&format!("  why: {why}"));
                }
                for help in &report.help {
                    narrate::line(&format!("  help: {help}"));
                }
                Ok(())
            }
        }
    }

    /// Everything has come up, or will not.
    ///
    /// # Errors
    /// Stdout cannot be written.
    pub(crate) fn settled(
        &mut self,
        session: &Session,
        wanted: &Wanted,
        json: bool,
    ) -> Result<(), Report> {
        let failures = session.failures();
        if json {
            let instances: Vec<&Instance> = session.instances().collect();
            return render::up::json(wanted, &instances, &failures);
        }
        let mut urls: Vec<String> = session.instances().filter(|i| is_served(i)).map(up).collect();
        urls.sort();
        for line in urls {
            self.say(&line)?;
        }
        match failures.is_empty() {
            true => self.say("everything is up; Ctrl-C ends it"),
            false => self.say(&format!("not everything came up: {}", failures.join(", "))),
        }
    }

    /// The line below all others, on a terminal.
    pub(crate) fn status(&mut self, session: &Session) {
        let Out::Stream(out) = &mut self.out else { return };
        let open = session.unsettled();
        let text = match open.is_empty() {
            true => format!("{} up · Ctrl-C ends all", session.up()),
            false => format!("{} up · waiting for {}", session.up(), open.join(", ")),
        };
        out.set_status(Some(&text));
    }

    /// Says what is waited for, where no line below all others does.
    pub(crate) fn waiting(&self, session: &Session) {
        if matches!(self.out, Out::Narration) {
            narrate::line(&format!("still waiting for {}", session.unsettled().join(", ")));
        }
    }

    /// Everything is told to end.
    ///
    /// # Errors
    /// Stdout cannot be written.
    pub(crate) fn ending(&mut self) -> Result<(), Report> {
        if let Out::Stream(out) = &mut self.out {
            out.set_status(Some("ending · Ctrl-C again: by force"));
        }
        self.say("ending everything")
    }

    fn say(&mut self, text: &str) -> Result<(), Report> {
        match &mut self.out {
            Out::Narration => narrate::line(text),
            Out::Stream(out) => {
                let bytes = text.as_bytes().to_vec();
                out.line(WHARF, &Line { time_ms: now_ms(), who: Who::Server, bytes });
            }
        }
        self.flush()
    }

    fn flush(&mut self) -> Result<(), Report> {
        if let Out::Stream(out) = &mut self.out
            && !out.show()?
        {
            self.follow = None;
        }
        Ok(())
    }
}

fn name(instance: &Instance) -> String {
    called(&instance.key.service, instance.key.instance)
}

/// The service and the number in a name such as `web.2`.
fn split(name: &str) -> (&str, u32) {
    match name.rsplit_once('.').map(|(service, number)| (service, number.parse())) {
        Some((service, Ok(number))) => (service, number),
        _ => (name, 1),
    }
}

fn is_served(instance: &Instance) -> bool {
    instance.state.is_live() && !instance.listeners.is_empty()
}

fn up(instance: &Instance) -> String {
    let name = name(instance);
    match is_served(instance) || instance.held {
        true => format!("{name} is up at {} (direct {})", instance.url, instance.direct_url),
        false if instance.state.is_live() => format!("{name} runs"),
        false => format!("{name} is done"),
    }
}

fn code(instance: &Instance) -> String {
    instance.exit_code.map_or_else(String::new, |code| format!(" with code {code}"))
}

fn unreadable(error: &std::io::Error) -> Report {
    Report::new(Code::Failed, "a log cannot be read").because(error)
}

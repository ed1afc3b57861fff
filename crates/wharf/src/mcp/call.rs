//! One command of wharf's own, run for a tool: bounded in time and output, and ended when nobody wants its answer
//! any more.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::ProgressNotificationParam;
use rmcp::service::RequestContext;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::unix::pipe::Receiver;
use tokio::time::timeout;
use wharf_os::pidfd::Pidfd;
use wharf_os::process;
use wharf_os::signals::{self, SIGKILL, SIGTERM};

use crate::link::own_program;
use crate::narrate;
use crate::report::{Code, Report};

/// The largest answer, in bytes.
const ANSWER_MAX: u64 = 4 * 1024 * 1024;
/// How much of what a command says beside its answer is kept, in bytes.
const NOTES_MAX: usize = 16 * 1024;
/// How long a command has to end when it is told to: `up` ends what it has started.
const GRACE: Duration = Duration::from_secs(30);
/// The longest piece of it that is taken for a line, in bytes.
const LINE_MAX: u64 = 4096;

/// A command line with a time by which it has to be done.
pub(super) struct Line {
    words: Vec<String>,
    limit: Duration,
}

impl Line {
    pub(super) fn new(command: &str, limit: Duration) -> Line {
        Line { words: vec![command.to_owned(), "--json".to_owned()], limit }
    }

    pub(super) fn flag(mut self, flag: &str, is_set: bool) -> Line {
        self.words.extend(is_set.then(|| flag.to_owned()));
        self
    }

    /// In one word, so that a value with `-` at its beginning stays one.
    pub(super) fn option(mut self, option: &str, value: Option<String>) -> Line {
        self.words.extend(value.map(|value| format!("{option}={value}")));
        self
    }

    /// What is named, last.
    pub(super) fn names(mut self, names: Vec<String>) -> Line {
        if !names.is_empty() {
            self.words.push("--".to_owned());
            self.words.extend(names);
        }
        self
    }
}

/// A command to run.
pub(super) struct Call {
    pub(super) line: Line,
    pub(super) dir: PathBuf,
    pub(super) variables: Vec<(&'static str, String)>,
}

/// What a command has said.
pub(super) struct Said {
    /// Its exit code; none where a signal ended it.
    pub(super) code: Option<i32>,
    /// What it was.
    pub(super) command: String,
    pub(super) answer: Vec<u8>,
    pub(super) notes: String,
}

impl Call {
    /// Runs it to its end.
    ///
    /// # Errors
    /// It cannot be started, takes too long, says too much, or the client has taken its call back.
    pub(super) async fn run(self, context: &RequestContext<RoleServer>) -> Result<Said, Report> {
        let limit = self.line.limit;
        let command = self.line.words.first().cloned().unwrap_or_default();
        let mut running = self.start().map_err(|error| unstarted(&error))?;
        let end = tokio::select! {
            heard = timeout(limit, running.listen(context)) => match heard {
                Ok(heard) => heard,
                Err(_) => Err(too_late(&command, limit)),
            },
            () = context.ct.cancelled() => {
                Err(Report::new(Code::Failed, "the call was taken back"))
            }
        };
        match end {
            Ok(()) => running.said(command).await,
            Err(report) => {
                running.end().await;
                Err(report)
            }
        }
    }

    fn start(self) -> io::Result<Running> {
        let program = own_program().map_err(|report| io::Error::other(report.what))?;
        let mut command = Command::new(program);
        command.args(&self.line.words).current_dir(&self.dir);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env("NO_COLOR", "1").envs(self.variables);
        // Ours waits for signals with a mask, under which it could not be told to end.
        let mut child = signals::unblocked(&mut command).spawn()?;
        let pipes = (child.stdout.take(), child.stderr.take());
        let identity = process::identity(child.id());
        // Not reaped before `Running` is dropped: its number stays its own.
        let pidfd = identity.and_then(|identity| Pidfd::open(&identity));
        let (Some(out), Some(err)) = pipes else { return Err(io::ErrorKind::BrokenPipe.into()) };
        Ok(Running {
            child,
            pidfd: pidfd?.map(Arc::new),
            out: readable(out)?,
            err: readable(err)?,
            answer: Vec::new(),
            notes: Vec::new(),
        })
    }
}

fn readable(pipe: impl Into<OwnedFd>) -> io::Result<Receiver> {
    Receiver::from_owned_fd(pipe.into())
}

fn too_late(command: &str, limit: Duration) -> Report {
    Report::new(
        Code::TimedOut,
        format!("`wharf {command}` is not done after {} s", limit.as_secs()),
    )
    .help("`wharf daemon status` tells whether the daemon answers")
}

fn unstarted(error: &io::Error) -> Report {
    Report::new(Code::Failed, "the command of the tool cannot be started").because(error)
}

/// A command under way.
struct Running {
    child: Child,
    /// None where it has ended already.
    pidfd: Option<Arc<Pidfd>>,
    out: Receiver,
    err: Receiver,
    answer: Vec<u8>,
    notes: Vec<u8>,
}

impl Running {
    /// Reads what it says until it has closed both streams, and passes on what it narrates.
    async fn listen(&mut self, context: &RequestContext<RoleServer>) -> Result<(), Report> {
        let Running { out, err, answer, notes, .. } = self;
        let mut out = out.take(ANSWER_MAX + 1);
        let read = async {
            out.read_to_end(answer).await.map_err(|error| unheard(&error))?;
            match answer.len() as u64 > ANSWER_MAX {
                false => Ok(()),
                true => Err(too_large()),
            }
        };
        let narration = async {
            narrated(err, notes, context).await;
            Ok(())
        };
        tokio::try_join!(read, narration).map(drop)
    }

    /// What it has said, once it has ended.
    async fn said(mut self, command: String) -> Result<Said, Report> {
        if !self.ends_within(GRACE).await {
            self.end().await;
            return Err(Report::new(Code::TimedOut, format!("`wharf {command}` does not end")));
        }
        let status = self.child.wait().map_err(|error| unheard(&error))?;
        let notes = String::from_utf8_lossy(&self.notes).into_owned();
        Ok(Said { code: status.code(), command, answer: self.answer, notes })
    }

    /// Has it end, by force if need be.
    async fn end(mut self) {
        self.signal(SIGTERM);
        if !self.ends_within(GRACE).await {
            self.signal(SIGKILL);
            if !self.ends_within(GRACE).await {
                return;
            }
        }
        let _ = self.child.wait();
    }

    fn signal(&self, signal: i32) {
        // One that has ended needs none.
        let _ = self.pidfd.as_ref().map(|pidfd| pidfd.signal(signal));
    }

    async fn ends_within(&self, time: Duration) -> bool {
        let Some(pidfd) = self.pidfd.clone() else { return true };
        let ended = tokio::task::spawn_blocking(move || pidfd.wait(time)).await;
        matches!(ended, Ok(Ok(true)))
    }
}

/// Keeps the last of what a command narrates, and tells each line to a client that wants to know how it goes.
async fn narrated(err: &mut Receiver, notes: &mut Vec<u8>, context: &RequestContext<RoleServer>) {
    let token = context.meta.get_progress_token();
    let mut reader = BufReader::new(err);
    let (mut line, mut count) = (Vec::new(), 0.0);
    loop {
        line.clear();
        let read = (&mut reader).take(LINE_MAX).read_until(b'\n', &mut line).await;
        if !matches!(read, Ok(bytes) if bytes > 0) {
            return;
        }
        notes.extend_from_slice(&line);
        let surplus = notes.len().saturating_sub(NOTES_MAX);
        notes.drain(..surplus);
        let text = String::from_utf8_lossy(&line);
        // What went wrong is told by the result.
        if let (Some(token), Some(text)) = (&token, text.strip_prefix(narrate::MARK)) {
            count += 1.0;
            let told = ProgressNotificationParam::new(token.clone(), count);
            let told = told.with_message(text.trim());
            // A client that is not there any more needs no news.
            let _ = context.peer.notify_progress(told).await;
        }
    }
}

fn too_large() -> Report {
    Report::new(Code::Failed, "the answer is too large for a tool")
        .why(format!("it has more than {} MiB", ANSWER_MAX >> 20))
        .help("ask for less: fewer lines, one name, one port")
}

fn unheard(error: &io::Error) -> Report {
    Report::new(Code::Failed, "the answer of the command cannot be read").because(error)
}

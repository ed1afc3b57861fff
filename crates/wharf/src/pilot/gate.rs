//! What has to happen, beyond what the supervisor sees, before an instance counts as ready.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use wharf_model::Listener;
use wharf_model::service::Ready;
use wharf_os::descendants;
use wharf_os::signals::SIGKILL;
use wharf_supervisor::Answer;
use wharf_supervisor::log::{LogKeeper, Matcher};

use super::notified::Notified;
use super::watch::at;
use crate::report::{Code, Report};

/// How long what is not known to serve has to run, listening on nothing, until it counts as up.
const SETTLED_AFTER: Duration = Duration::from_secs(5);

/// How long a server that is asked by a command has to listen on nothing until it is asked all the same. Before
/// it listens a command may ask another checkout's server, which names the same port.
const SILENT: Duration = Duration::from_secs(10);

/// The pause between two questions.
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// How long one question may take.
const ONE_QUESTION: Duration = Duration::from_secs(10);

/// How often a command that asks is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The most of an answer that is read: a status line.
const STATUS_LINE: usize = 64;

/// What the supervisor has told of readiness, until it may be told.
pub(super) struct HeldBack {
    pub(super) listener: Listener,
    pub(super) dialled: SocketAddr,
    pub(super) answer: Answer,
    pub(super) after: Duration,
    pub(super) again: bool,
}

/// Why the gate has opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opened {
    /// What was asked for has happened.
    Met,
    /// Nothing is known of it but that it runs.
    Settled,
}

/// Whether an instance may count as ready.
pub(super) struct Gate {
    ready: Ready,
    /// Whether running for a while is all that can be expected of it.
    may_settle: bool,
    settles_at: Option<Instant>,
    signal: Option<oneshot::Receiver<String>>,
    is_closed: bool,
    /// Whether the command runs: its first line may be read before its launch is told.
    is_launched: bool,
    asker: Option<Asker>,
    /// With what a command is asked, until it is.
    question: Option<(Vec<(OsString, OsString)>, PathBuf)>,
    asks_at: Option<Instant>,
    pub(super) held_back: Option<HeldBack>,
    /// Where it says that it is ready, where that is what was wanted.
    pub(super) notified: Option<Notified>,
}

impl Gate {
    /// A gate that is open: the supervisor's word is enough.
    pub(super) fn open() -> Gate {
        Gate {
            ready: Ready::Auto,
            may_settle: false,
            settles_at: None,
            signal: None,
            is_closed: false,
            is_launched: false,
            asker: None,
            question: None,
            asks_at: None,
            held_back: None,
            notified: None,
        }
    }

    /// The gate of a declared service.
    pub(super) fn of(ready: Ready, may_settle: bool) -> Gate {
        Gate { ready, may_settle, ..Gate::open() }
    }

    /// Before each launch.
    ///
    /// # Errors
    /// The pattern of the log is none.
    pub(super) fn close(&mut self, log: Option<&Rc<LogKeeper>>) -> Result<(), Report> {
        self.is_closed = matches!(
            self.ready,
            Ready::Http(Some(_)) | Ready::Log(_) | Ready::Command(_) | Ready::Notify
        );
        (self.signal, self.asker, self.settles_at, self.held_back) = (None, None, None, None);
        self.is_launched = false;
        (self.question, self.asks_at) = (None, None);
        if let (Ready::Log(pattern), Some(log)) = (&self.ready, log) {
            let matcher = Matcher::new(pattern).map_err(|error| {
                Report::new(Code::Usage, format!("`{pattern}` in `ready` is no pattern"))
                    .because(&error)
                    .help("it is a regular expression; `\\` takes a sign for itself")
            })?;
            self.signal = Some(log.watch(matcher));
        }
        if let Some(notified) = &self.notified {
            self.signal = Some(notified.await_ready());
        }
        Ok(())
    }

    /// After each launch.
    pub(super) fn launched(&mut self, env: &[(OsString, OsString)], dir: PathBuf) {
        self.is_launched = true;
        if matches!(self.ready, Ready::Command(_)) {
            self.question = Some((env.to_vec(), dir));
            self.asks_at = Some(Instant::now() + SILENT);
        }
        if self.may_settle {
            self.settles_at = Some(Instant::now() + SETTLED_AFTER);
        }
    }

    /// The server listens: nothing is left to guess, and a command asks this server and no other.
    pub(super) fn listens(&mut self) {
        self.settles_at = None;
        self.ask();
    }

    /// Begins to ask by the command, where that is what was wanted.
    fn ask(&mut self) {
        self.asks_at = None;
        if let (Ready::Command(text), Some((env, dir))) = (&self.ready, self.question.take()) {
            let (asker, signal) = Asker::start(text.clone(), env, dir);
            (self.asker, self.signal) = (Some(asker), Some(signal));
        }
    }

    /// Whether the supervisor's word is not enough. What it says is kept.
    pub(super) fn holds_back(&mut self, said: HeldBack) -> Option<HeldBack> {
        self.settles_at = None;
        // TLS is not spoken here: that it listens has to do.
        let asks = matches!(self.ready, Ready::Http(Some(_)));
        if !self.is_closed || (asks && said.answer == Answer::Tls) {
            self.is_closed = false;
            return Some(said);
        }
        if let Ready::Http(Some(path)) = &self.ready {
            self.signal = Some(ask_http(said.dialled, path.clone()));
        }
        self.held_back = Some(said);
        None
    }

    /// Waits until it opens; for ever where it is open, or waits for the supervisor.
    pub(super) async fn opened(&mut self) -> Opened {
        if self.is_launched && self.signal.is_none() {
            tokio::select! {
                () = at(self.asks_at) => self.ask(),
                () = at(self.settles_at) => {}
            }
        }
        tokio::select! {
            () = std::future::pending(), if !self.is_launched => Opened::Settled,
            () = met(&mut self.signal), if self.is_launched => {
                (self.is_closed, self.settles_at) = (false, None);
                Opened::Met
            }
            () = at(self.settles_at), if self.is_launched => {
                self.settles_at = None;
                Opened::Settled
            }
        }
    }
}

async fn met(signal: &mut Option<oneshot::Receiver<String>>) {
    let Some(waiting) = signal else { return std::future::pending().await };
    let said = waiting.await;
    *signal = None;
    if said.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Asks until the answer is a good one.
fn ask_http(to: SocketAddr, path: String) -> oneshot::Receiver<String> {
    let (tell, told) = oneshot::channel();
    tokio::task::spawn_local(async move {
        while !tell.is_closed() {
            let asked = tokio::time::timeout(ONE_QUESTION, status(to, &path)).await;
            if let Ok(Ok(status @ 100..=399)) = asked {
                let _ = tell.send(status.to_string());
                return;
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    });
    told
}

async fn status(to: SocketAddr, path: &str) -> std::io::Result<u16> {
    let mut stream = TcpStream::connect(to).await?;
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost:{}\r\nAccept: */*\r\nConnection: close\r\n\r\n",
        to.port()
    );
    stream.write_all(head.as_bytes()).await?;
    let mut line = Vec::new();
    stream.take(STATUS_LINE as u64).read_to_end(&mut line).await?;
    let line = String::from_utf8_lossy(&line);
    let code = line.split(' ').nth(1).and_then(|code| code.parse().ok());
    code.ok_or_else(|| std::io::ErrorKind::InvalidData.into())
}

/// A thread that asks by a command. Ends with its owner.
struct Asker {
    is_over: Arc<AtomicBool>,
}

impl Asker {
    fn start(
        text: String,
        env: Vec<(OsString, OsString)>,
        dir: PathBuf,
    ) -> (Asker, oneshot::Receiver<String>) {
        let (tell, told) = oneshot::channel();
        let is_over = Arc::new(AtomicBool::new(false));
        let over = is_over.clone();
        let ask = move || {
            let mut command = Command::new("sh");
            command.arg("-c").arg(&text).env_clear().envs(env).current_dir(dir);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            while !over.load(Ordering::Relaxed) {
                if command.spawn().is_ok_and(|child| succeeds(child, &over)) {
                    let _ = tell.send(text);
                    return;
                }
                std::thread::sleep(ASK_AGAIN);
            }
        };
        // Without a thread the command is never asked, and the instance stays "starting", which is true.
        let _ = std::thread::Builder::new().name("wharf-ready".into()).spawn(ask);
        (Asker { is_over }, told)
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

/// Whether it ends with success in time; what does not end is ended.
fn succeeds(mut child: Child, over: &AtomicBool) -> bool {
    let until = Instant::now() + ONE_QUESTION;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) if Instant::now() < until && !over.load(Ordering::Relaxed) => {
                std::thread::sleep(LOOK_AGAIN);
            }
            Ok(None) | Err(_) => {
                // The shell alone would leave behind what it waits for: one more with every question.
                descendants::signal(child.id(), SIGKILL);
                let _ = child.kill();
                let _ = child.wait();
                return false;
            }
        }
    }
}

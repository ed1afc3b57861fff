//! Finding the daemon, or making one: exactly one, however many commands want it at once.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use semver::Version;
use wharf_control::api::Status;
use wharf_control::{CallError, Client, Paths};
use wharf_os::detached;
use wharf_os::lock::FileLock;
use wharf_os::private_dir;

use super::{CALL, PAUSE, failure, report};
use crate::report::{Code, Report};
use crate::version;

/// What a new daemon says first on its standard output.
pub(crate) const READY: &str = "ready\n";
/// What it says instead when another daemon was faster.
pub(crate) const ALREADY_RUNS: &str = "already runs\n";

/// Variables that are about the caller and would be wrong in a process that outlives it.
pub(crate) const NOT_FOR_OTHERS: [&str; 11] = [
    "PORT",
    "HOST",
    "WHARF_ID",
    "WHARF_PORT",
    "WHARF_ROOT",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "LISTEN_PID",
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];

/// How a daemon is made: by a program in life, not at all in tests.
pub(crate) trait Starter {
    /// Starts one and waits for its first word: whether it is ready, or else another is there that may
    /// not answer yet.
    fn start(&self, patience: Duration) -> Result<bool, Report>;
}

/// The file of this very program, to be started again.
///
/// # Errors
/// The system does not tell.
pub(crate) fn own_program() -> Result<PathBuf, Report> {
    let program = std::env::current_exe()
        .map_err(|error| Report::bug("this program does not know its own path", &error))?;
    // While wharf is being replaced its old path leads nowhere, but the kernel keeps the file.
    Ok(if program.exists() { program } else { PathBuf::from("/proc/self/exe") })
}

/// Starts this very program as the daemon.
#[derive(Clone, Debug)]
pub(crate) struct ProgramStarter {
    program: PathBuf,
}

impl ProgramStarter {
    pub(crate) fn new() -> Result<ProgramStarter, Report> {
        Ok(ProgramStarter { program: own_program()? })
    }
}

impl Starter for ProgramStarter {
    fn start(&self, patience: Duration) -> Result<bool, Report> {
        let failed = |error: &dyn std::error::Error| {
            Report::new(Code::Daemon, "the daemon cannot be started").because(error)
        };
        let arguments = [OsString::from("daemon"), OsString::from("run")];
        let said = detached::spawn(&self.program, &arguments, &NOT_FOR_OTHERS)
            .and_then(|pipe| pipe.wait(patience))
            .map_err(|error| failed(&error))?;
        let said = String::from_utf8_lossy(&said);
        if said == READY || said == ALREADY_RUNS {
            return Ok(said == READY);
        }
        let mut report = Report::new(Code::Daemon, "the daemon does not start");
        for line in said.lines() {
            report = report.why(line);
        }
        if said.is_empty() {
            report = report.why("it ended without a word");
        }
        Err(report)
    }
}

/// The way to the daemon.
#[derive(Debug)]
pub(crate) struct Summoner<S> {
    paths: Paths,
    starter: S,
}

impl<S: Starter> Summoner<S> {
    pub(crate) fn new(paths: Paths, starter: S) -> Summoner<S> {
        Summoner { paths, starter }
    }

    /// A client of a daemon that answers and is not older than this program.
    pub(crate) async fn summon(&self, deadline: Instant) -> Result<Client, Report> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.running().await {
                Ok((client, status)) if !is_older(&status.version) => return Ok(client),
                Ok((_, status)) if left.is_zero() => return Err(stays(&status)),
                // What it knows is in the store, for its successor; who it serves, keeps serving.
                Ok((client, _)) => replace(&client).await,
                Err(error @ CallError::Timeout { .. }) => {
                    return Err(failure(error, &self.client()));
                }
                Err(error) if left.is_zero() || !error.is_passing() => return Err(report(error)),
                Err(CallError::NoDaemon { .. }) => {
                    if self.start(left)? {
                        // It has said that it is ready: no pause.
                        continue;
                    }
                }
                Err(_) => {}
            }
            tokio::time::sleep(PAUSE.min(left)).await;
        }
    }

    /// The daemon that runs, and how it is.
    pub(crate) async fn running(&self) -> Result<(Client, Status), CallError> {
        let client = self.client();
        match client.status().await {
            Ok(status) => Ok((client, status)),
            Err(error @ CallError::NoDaemon { .. }) => {
                // Another login of this user may have another runtime folder, and a daemon there.
                let Some(client) = self.advertised() else { return Err(error) };
                match client.status().await {
                    Ok(status) => Ok((client, status)),
                    Err(_) => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    pub(super) fn client(&self) -> Client {
        Client::new(&self.paths.socket).with_timeout(CALL)
    }

    fn advertised(&self) -> Option<Client> {
        let socket =
            PathBuf::from(OsString::from_vec(std::fs::read(&self.paths.database_lock).ok()?));
        let elsewhere = socket.is_absolute() && socket != self.paths.socket;
        elsewhere.then(|| Client::new(socket).with_timeout(CALL))
    }

    /// Starts a daemon unless somebody else is just doing so: they are waited for. Whether one is ready.
    fn start(&self, patience: Duration) -> Result<bool, Report> {
        let begun = Instant::now();
        private_dir::ensure(&self.paths.runtime_dir).map_err(|error| {
            Report::new(Code::Daemon, "the folder for the control socket cannot be used")
                .because(&error)
                .help("remove it, or set XDG_RUNTIME_DIR to a folder of your own")
        })?;
        let lock = FileLock::exclusive(&self.paths.start_lock, patience).map_err(|error| {
            let what = format!("`{}` cannot be locked", self.paths.start_lock.display());
            Report::new(Code::Daemon, what).because(&error)
        })?;
        // Whoever held the lock until now has started it.
        let reached = UnixStream::connect(&self.paths.socket).is_ok();
        if lock.is_none() || reached {
            return Ok(reached);
        }
        self.starter.start(patience.saturating_sub(begun.elapsed()))
    }
}

/// An older daemon that was asked to end and answers all the same.
fn stays(status: &Status) -> Report {
    let Status { pid, version, .. } = status;
    Report::new(
        Code::Daemon,
        format!("an older daemon (pid {pid}, version {version}) does not end"),
    )
    .help(format!("`kill {pid}` ends it: nothing that it keeps is lost"))
}

/// Has a daemon end in favour of the next one. One that is too old to hand anything over just ends.
pub(super) async fn replace(client: &Client) {
    if client.hand_over().await.is_err() {
        // It may be gone already.
        let _ = client.stop().await;
    }
}

/// Whether that daemon is of an earlier version. One whose version cannot be read is left alone.
pub(super) fn is_older(version: &str) -> bool {
    let own = Version::parse(version::own());
    matches!((Version::parse(version), own), (Ok(theirs), Ok(own)) if theirs < own)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use wharf_control::Environment;

    use super::*;

    /// Starts nothing, and says so.
    #[derive(Default)]
    struct Idler {
        calls: Cell<u32>,
        refuses: bool,
    }

    impl Starter for Idler {
        fn start(&self, _: Duration) -> Result<bool, Report> {
            self.calls.set(self.calls.get() + 1);
            match self.refuses {
                true => Err(Report::new(Code::Daemon, "not today")),
                false => Ok(false),
            }
        }
    }

    fn summon(starter: Idler, patience: Duration) -> (Report, u32) {
        let folder = tempfile::tempdir().unwrap();
        let home = Some(folder.path().as_os_str().to_owned());
        let paths = Paths::new(&Environment { home, ..Environment::default() }).unwrap();
        let summoner = Summoner::new(paths, starter);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let outcome = runtime.block_on(summoner.summon(Instant::now() + patience));
        (outcome.unwrap_err(), summoner.starter.calls.get())
    }

    #[test]
    fn a_daemon_that_never_comes_is_waited_for_until_patience_ends() {
        let patience = Duration::from_millis(150);
        let begun = Instant::now();
        let (report, calls) = summon(Idler::default(), patience);
        assert_eq!((report.code, report.what.as_str()), (Code::Daemon, crate::link::NO_DAEMON));
        assert!(begun.elapsed() >= patience);
        assert!((2..=20).contains(&calls), "{calls}");
    }

    #[test]
    fn why_none_can_be_started_is_said_at_once() {
        let refusing = Idler { refuses: true, ..Idler::default() };
        let (report, calls) = summon(refusing, Duration::from_secs(60));
        assert_eq!((report.what.as_str(), calls), ("not today", 1));
    }

    #[test]
    fn only_an_earlier_version_is_older() {
        assert!(is_older("0.0.9"));
        assert!(is_older("0.1.0-alpha"));
        assert!(!is_older(env!("CARGO_PKG_VERSION")));
        assert!(!is_older("99.0.0"));
        assert!(!is_older("not a version"));
    }
}

//! `wharf daemon`: the process that keeps the leases, for those who want to see or handle it.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use wharf_control::api::{ProxyWish, Status};
use wharf_daemon::{Config, IDLE, ServeError};
use wharf_model::holder::Age;
use wharf_os::pidfd::Pidfd;
use wharf_os::{process, sd_notify};

use super::Outcome;
use crate::link::{self, Link};
use crate::report::{Code, Report};
use crate::settings::Settings;
use crate::{narrate, render, version};

/// How long the daemon may take to end: it answers what was asked before.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// Run, ask or stop the daemon that keeps the leases.
///
/// Commands start it by themselves. It ends when nothing has needed it for a while, and can be ended
/// at any time: servers that run are not touched, and their leases are kept.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Be the daemon, in the foreground
    Run {
        /// Seconds without anybody needing it after which it ends
        #[arg(long, value_name = "SECONDS", default_value_t = IDLE.as_secs())]
        idle: u64,
    },
    /// Start it, unless it runs
    Start {
        /// Print one JSON document, that of `status`
        #[arg(long)]
        json: bool,
    },
    /// Say how it is
    Status {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Replace it by a new one of this program; no connection to a name is refused
    Restart {
        /// Print one JSON document, that of `status`
        #[arg(long)]
        json: bool,
    },
    /// End it
    Stop {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
}

/// Does what was asked.
pub(crate) fn run(args: Args) -> Outcome {
    match args.action {
        Action::Run { idle } => be(Duration::from_secs(idle)),
        Action::Start { json } => start(json),
        Action::Status { json } => status(json),
        Action::Restart { json } => restart(json),
        Action::Stop { json } => stop(json),
    }
}

fn be(idle: Duration) -> Outcome {
    let activated = wharf_os::activation::listeners();
    let config = Config {
        activated,
        paths: link::paths()?,
        version: version::own().to_owned(),
        idle,
        proxy: wish(),
        revive: crate::up::revival::order,
        ready: || {
            // Whoever started us has the other end, and may have gone.
            let _ = render::text(link::READY);
            wharf_daemon::leave_stdout();
            sd_notify::tell(sd_notify::Word::Ready("keeps the leases"));
        },
    };
    match wharf_daemon::serve(config) {
        Ok(()) => {
            sd_notify::tell(sd_notify::Word::Stopping);
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            let report = failure(&error);
            // Our standard error may be nowhere, so whoever waits for the first word gets it all.
            let word = if already_runs(&error) {
                link::ALREADY_RUNS.to_owned()
            } else {
                format!("{}\n{}\n", report.what, report.why.join("\n"))
            };
            let _ = render::text(&word);
            Err(report)
        }
    }
}

/// A file of settings that is not understood must not keep the leases from anybody; commands that read it
/// say what is wrong with it.
fn wish() -> ProxyWish {
    Settings::of_user().map(|settings| settings.proxy()).unwrap_or_default()
}

fn already_runs(error: &ServeError) -> bool {
    use wharf_daemon::SingletonError;
    matches!(error, ServeError::Singleton(SingletonError::AlreadyRuns { .. }))
}

fn failure(error: &ServeError) -> Report {
    let report = Report::new(Code::Daemon, "the daemon cannot serve").because(error);
    match error {
        _ if already_runs(error) => Report { code: Code::Conflict, ..report },
        ServeError::Store(_) => report
            .help("use the wharf that wrote it, or move that file away: nothing else needs it"),
        ServeError::Socket(_) => report.help("move what is there away, and start wharf again"),
        _ => report,
    }
}

fn start(json: bool) -> Outcome {
    super::block_on(async {
        Link::open().await?;
        let status = Link::open_running().await?.status().await?;
        let Status { pid, version, .. } = &status;
        match json {
            true => render::json(&status)?,
            false => narrate::line(&format!("the daemon runs (pid {pid}, version {version})")),
        }
        Ok(ExitCode::SUCCESS)
    })?
}

fn restart(json: bool) -> Outcome {
    super::block_on(async {
        // One that is started here needs no replacement.
        if let Ok(link) = Link::open_running().await {
            link.replace_daemon().await?;
        }
        Ok::<(), Report>(())
    })??;
    start(json)
}

fn status(json: bool) -> Outcome {
    let status = super::block_on(async { Link::open_running().await?.status().await })??;
    if json {
        render::json(&status)?
    } else {
        render::text(&text(&status))?
    }
    Ok(ExitCode::SUCCESS)
}

fn text(status: &Status) -> String {
    let mut text = format!(
        "pid      {}\nversion  {}\nsocket   {}\nup       {}\nstore    {}{}\nleases   {}\ninstances {}\n",
        status.pid,
        status.version,
        render::printable(&status.socket),
        Age(status.uptime_s),
        render::printable(&status.store.path),
        if status.store.writable { "" } else { " (in memory only)" },
        status.leases,
        status.instances,
    );
    for warning in &status.store.warnings {
        text.push_str(&format!("warning: {}\n", render::printable(warning)));
    }
    text
}

fn stop(json: bool) -> Outcome {
    let pid = end()?;
    match (json, pid) {
        (true, pid) => render::daemon::stopped(pid)?,
        (false, None) => narrate::line("no daemon runs"),
        (false, Some(_)) => narrate::line("the daemon has ended; leases are kept"),
    }
    Ok(ExitCode::SUCCESS)
}

/// Ends the daemon and waits for that; gives its process number, `None` where none ran.
pub(super) fn end() -> Result<Option<u32>, Report> {
    let pid = super::block_on(async { Link::open_running().await?.stop().await })?;
    let pid = match pid {
        Ok(pid) => pid,
        // What does not run need not be ended.
        Err(report) if report.what == link::NO_DAEMON => return Ok(None),
        Err(report) => return Err(report),
    };
    if !has_ended(pid, Instant::now() + STOP_LIMIT) {
        return Err(Report::new(
            Code::TimedOut,
            format!("the daemon (pid {pid}) has not ended yet"),
        ));
    }
    Ok(Some(pid))
}

fn has_ended(pid: u32, deadline: Instant) -> bool {
    let Ok(identity) = process::identity(pid) else { return true };
    match Pidfd::open(&identity) {
        Ok(Some(daemon)) => {
            daemon.wait(deadline.saturating_duration_since(Instant::now())).unwrap_or(false)
        }
        Ok(None) => true,
        Err(_) => !process::is_alive(&identity),
    }
}

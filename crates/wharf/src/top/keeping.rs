//! The process that the shell knows: it starts the screen as another one, and gives the terminal back whatever
//! becomes of that.

use std::process::{Child, Command, ExitCode};
use std::time::Duration;

use wharf_os::screen::{self, Screen};
use wharf_os::signals::{SIGCHLD, SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGTERM, SIGTSTP, SignalFd};

use crate::cli::{Outcome, block_on};
use crate::report::{Code, Report};

/// How long the screen may take to end once it is told to.
const GRACE: Duration = Duration::from_secs(2);

/// Runs the screen to its end.
pub(crate) fn run(terminal: &Screen) -> Outcome {
    let unreceived = |error| Report::bug("signals cannot be received", &error);
    let wanted = [SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP];
    let signals = SignalFd::new(&wanted).map_err(unreceived)?;
    let unstarted = |error| Report::bug("the screen cannot be started", &error);
    let own = std::env::current_exe().map_err(unstarted)?;
    let own_id = std::process::id().to_string();
    let child = Command::new(own).args(["top", "--screen-of", &own_id]).spawn();
    let mut child = child.map_err(unstarted)?;
    let ended = block_on(kept(signals, &mut child))?;
    if !matches!(ended, Ok(Ended::Itself(0))) {
        let _ = child.kill();
        let _ = child.wait();
        terminal.leave();
    }
    match ended? {
        Ended::Itself(code) => Ok(ExitCode::from(code)),
        Ended::Told(signal) => Ok(ExitCode::from(u8::try_from(128 + signal).unwrap_or(1))),
        Ended::Killed => Err(Report::new(Code::Failed, "the screen was killed")
            .why("another process ended it; what it showed goes on")),
    }
}

enum Ended {
    Itself(u8),
    /// By a signal that came to us.
    Told(i32),
    Killed,
}

async fn kept(signals: SignalFd, child: &mut Child) -> Result<Ended, Report> {
    let failed = |error| Report::bug("the screen cannot be waited for", &error);
    let signals = super::awaited(signals)?;
    let mut told = None;
    loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            return Ok(match (told, status.code()) {
                (Some(signal), _) => Ended::Told(signal),
                (None, Some(code)) => Ended::Itself(u8::try_from(code).unwrap_or(1)),
                (None, None) => Ended::Killed,
            });
        }
        let ready = tokio::time::timeout(GRACE, signals.readable()).await;
        let Ok(ready) = ready else {
            if told.is_some() {
                screen::signal_child(child.id(), SIGKILL);
            }
            continue;
        };
        let mut ready = ready.map_err(failed)?;
        match signals.get_ref().next().map_err(failed)? {
            None => ready.clear_ready(),
            Some(received) if received.signal == SIGCHLD => {}
            Some(received) if received.signal == SIGTSTP => {
                screen::signal_child(child.id(), SIGTSTP);
            }
            Some(received) => {
                told = Some(received.signal);
                screen::signal_child(child.id(), SIGTERM);
            }
        }
    }
}

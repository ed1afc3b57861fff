//! The process that the shell knows: it starts the screen as another one, and gives the terminal back whatever
//! becomes of that.

use std::process::{Child, Command, ExitCode};
use std::time::Duration;

use wharf_os::inherited::stderr_takes_a_line;
use wharf_os::screen::{self, Notes, Screen};
use wharf_os::signals::{
    self, SIGCHLD, SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGTERM, SIGTSTP, SIGTTOU, SignalFd,
};

use crate::cli::{Outcome, block_on};
use crate::link::Link;
use crate::narrate;
use crate::report::{Code, Report};

/// How long the screen may take to end once it is told to.
const GRACE: Duration = Duration::from_secs(2);
/// How long the terminal may take to take an error.
const PATIENCE: Duration = Duration::from_millis(100);

/// Runs the screen to its end.
pub(crate) fn run(mut terminal: Screen) -> Outcome {
    // A daemon that cannot be had is told of before the screen is taken.
    block_on(Link::known())??;
    let unreceived = |error| Report::bug("signals cannot be received", &error);
    let wanted = [SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP];
    let signals = SignalFd::new(&wanted).map_err(unreceived)?;
    let unstarted = |error| Report::bug("the screen cannot be started", &error);
    let own = std::env::current_exe().map_err(unstarted)?;
    let own_id = std::process::id().to_string();
    let notes = Notes::new().map_err(unstarted)?;
    let mut command = Command::new(own);
    command.args(["top", "--screen-of", &own_id]).stderr(notes.file().map_err(unstarted)?);
    let mut child = command.spawn().map_err(unstarted)?;
    let ended = block_on(kept(signals, &mut child)).flatten();
    if !matches!(ended, Ok(Ended::Itself(0))) {
        let _ = child.kill();
        let _ = child.wait();
        // In the background too: the modes are the shell's.
        signals::ignore(SIGTTOU);
        terminal.give_back();
    }
    narrate::verbatim(&notes.text());
    match ended? {
        Ended::Itself(code) => Ok(ExitCode::from(code)),
        Ended::Told(signal) => Ok(ExitCode::from(u8::try_from(128 + signal).unwrap_or(1))),
        // A terminal that takes nothing shall not hold us up.
        Ended::Killed if !stderr_takes_a_line(PATIENCE) => {
            Ok(ExitCode::from(Code::Failed.number()))
        }
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

/// Passes on what we are told, until the screen has ended.
async fn kept(signals: SignalFd, child: &mut Child) -> Result<Ended, Report> {
    let failed = |error| Report::bug("the screen cannot be waited for", &error);
    let signals = super::awaited(signals, tokio::io::Interest::READABLE)?;
    let mut told = None;
    loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            return Ok(match (told, status.code()) {
                (Some(signal), _) => Ended::Told(signal),
                (None, Some(code)) => Ended::Itself(u8::try_from(code).unwrap_or(1)),
                (None, None) => Ended::Killed,
            });
        }
        let ready = tokio::select! {
            ready = signals.readable() => ready,
            () = tokio::time::sleep(GRACE), if told.is_some() => {
                screen::signal_child(child.id(), SIGKILL);
                continue;
            }
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

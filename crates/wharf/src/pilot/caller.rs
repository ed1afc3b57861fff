//! What our caller gave us: signals that come for us, and settings that the command shall find.

use tokio::io::unix::AsyncFd;
use wharf_os::limits::CallerLimits;
use wharf_os::signals::{self, CallerSignals, Received, SignalFd};
use wharf_os::signals::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

use crate::cli::restart::RESTART;
use crate::report::Report;

/// What our caller set, for the command to find as it was.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(super) signals: CallerSignals,
    pub(super) limits: CallerLimits,
    pub(super) ignored: Vec<i32>,
}

impl Caller {
    /// Read before anything is changed.
    pub(crate) fn now() -> Caller {
        let inheritable = [SIGHUP, SIGINT, SIGQUIT, SIGTERM];
        Caller {
            signals: CallerSignals::current(),
            limits: CallerLimits::current(),
            ignored: inheritable.into_iter().filter(|s| signals::is_ignored(*s)).collect(),
        }
    }
}

/// The signals that people and systems send to end or to poke a server.
#[derive(Debug)]
pub(crate) struct Orders {
    signals: AsyncFd<SignalFd>,
}

impl Orders {
    /// Keeps signals waiting until they are taken. To be called before there is a second thread, which would
    /// otherwise end the process by the first of them.
    pub(crate) fn hold_back(caller: &Caller) -> Result<(), Report> {
        // They stay blocked although the descriptor goes.
        SignalFd::new(&wanted(caller)).map(drop).map_err(unreceived)
    }

    /// Takes the signals from their ordinary delivery. One that our caller ignored (`nohup`) stays
    /// ignored.
    pub(crate) fn take(caller: &Caller) -> Result<Orders, Report> {
        let signals = SignalFd::new(&wanted(caller)).map_err(unreceived)?;
        Ok(Orders { signals: registered(signals).map_err(unreceived)? })
    }

    /// The exit code by which a signal ends wharf before there is anything to end.
    pub(crate) async fn ended_by(&self) -> u8 {
        loop {
            let signal = self.next().await.signal;
            if ![SIGUSR1, SIGUSR2, RESTART].contains(&signal) {
                return u8::try_from(128 + signal).unwrap_or(1);
            }
        }
    }

    /// The next one.
    pub(crate) async fn next(&self) -> Received {
        loop {
            let Ok(mut ready) = self.signals.readable().await else {
                return std::future::pending().await;
            };
            match ready.get_inner().next() {
                Ok(Some(received)) => return received,
                Ok(None) | Err(_) => ready.clear_ready(),
            }
        }
    }
}

fn wanted(caller: &Caller) -> Vec<i32> {
    let all = [RESTART, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];
    all.into_iter().filter(|signal| !caller.ignored.contains(signal)).collect()
}

fn unreceived(error: std::io::Error) -> Report {
    Report::bug("signals cannot be received", &error)
}

#[expect(
    deprecated,
    reason = "its successor is unsafe, and the signals own their descriptor and never replace it"
)]
fn registered(signals: SignalFd) -> std::io::Result<AsyncFd<SignalFd>> {
    AsyncFd::new(signals)
}

//! An instance without a pilot, to see what the supervisor alone knows and when.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use wharf_model::{Port, Probe};
use wharf_os::guard::Command;
use wharf_os::limits::CallerLimits;
use wharf_os::remap::Mode;
use wharf_os::reserve::Reservation;
use wharf_os::signals::CallerSignals;
use wharf_supervisor::remap::{Group, Remapping};
use wharf_supervisor::{Keeping, Launch, Update, start};

use crate::world::PATIENCE;
use crate::{Failure, clock};

/// What the clock said.
pub(crate) struct Moments {
    /// When the program called, as it wrote down itself.
    pub(crate) called: i64,
    /// When the thread that answers had the call; `None` where a look at the tree was faster than its word.
    pub(crate) in_hand: Option<i64>,
    /// When the owner of the instance got the update.
    pub(crate) told: i64,
}

/// Runs the words until it is known that they listen. `stamped` waits for what they wrote down.
pub(crate) fn seen(
    words: &[OsString],
    dir: &Path,
    stamped: impl FnOnce() -> Result<i64, Failure>,
) -> Result<Moments, Failure> {
    let launch = launch(words, dir)?;
    // Until it executes, the program holds our own listeners.
    let leased = launch.port.get();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut handle = start(launch)?;
        let search = async {
            while let Some(update) = handle.next().await {
                let Update::Listening { listener, called } = update else { continue };
                if listener.port == leased {
                    let told = clock::now();
                    let since = called.map(|called| i64::try_from(called.elapsed().as_nanos()));
                    let in_hand = since.transpose()?.map(|since| told - since);
                    return Ok(Moments { called: stamped()?, in_hand, told });
                }
            }
            Err("it ended without a listener".into())
        };
        tokio::time::timeout(PATIENCE, search).await?
    })
}

/// The port that the words name is the kernel's choice here: only the time is of interest.
fn launch(words: &[OsString], dir: &Path) -> Result<Launch, Failure> {
    let reservation = Reservation::take(0).map_err(|_| "no port is free")?;
    let port = Port::new(reservation.port()).ok_or("no port is free")?;
    let named = words.last().and_then(|word| word.to_str()).and_then(|word| word.parse().ok());
    let mark = ("WHARF_ID", format!("bench-{port}"));
    let mut env: Vec<_> = std::env::vars_os().collect();
    env.push((mark.0.into(), mark.1.clone().into()));
    Ok(Launch {
        keeping: Keeping::default(),
        command: Command {
            argv: words.to_vec(),
            env,
            dir: dir.to_owned(),
            signals: CallerSignals::current(),
            ignored: Vec::new(),
            limits: CallerLimits::current(),
            orphan_grace: Duration::from_millis(200),
            filter: None,
            cgroup: None,
            listener: None,
        },
        mark,
        port,
        further: Vec::new(),
        likely: named.into_iter().collect(),
        probe: Probe::Listen,
        grace: Duration::from_secs(1),
        reservations: vec![reservation],
        remapping: Some(Remapping {
            address: None,
            names: false,
            mode: Mode::Duplicate,
            connect: true,
            loopback: false,
            group: Group::default(),
        }),
    })
}

//! One after another: who changes what a checkout runs. Each turn is a file lock, so that it ends with whoever
//! has it, however that one ends.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use wharf_model::{PathText, name};
use wharf_os::lock::FileLock;
use wharf_os::private_dir;

use crate::report::{Code, Report};
use crate::{link, narrate};

/// The digits that tell checkouts of one name apart.
const DIGITS: usize = 16;

/// How often it is looked whether the turn has come.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// How long a pilot that is being made again is waited for: longer than it may take.
const REVIVAL: Duration = Duration::from_secs(60);

/// The private folder of what is kept of pilots.
///
/// # Errors
/// It cannot be made, or is open to others.
pub(crate) fn folder() -> Result<PathBuf, Report> {
    let folder = link::paths()?.runtime_dir.join("pilots");
    private_dir::ensure(&folder).map_err(|error| {
        Report::new(Code::Failed, "what is known of pilots cannot be kept").because(&error).help(
            "XDG_RUNTIME_DIR must name a folder that you may write; `wharf doctor` tells more",
        )
    })?;
    Ok(folder)
}

/// How the files of a checkout begin in that folder.
pub(crate) fn label(root: &PathText) -> String {
    name::project_label(root, DIGITS)
}

/// The turn of one `wharf up`, from its plan until everything is up or has failed: a second one then finds what
/// the first has started.
///
/// # Errors
/// It does not come in time, or there are no locks.
pub(crate) async fn of_up(root: &PathText, patience: Duration) -> Result<FileLock, Report> {
    let waits = || narrate::line("another `wharf up` of this checkout is at work: waits for it");
    take(root, "up", patience, waits).await?.ok_or_else(|| {
        Report::new(Code::TimedOut, "another `wharf up` of this checkout is still at work")
            .why(format!("{} s have passed", patience.as_secs()))
            .help("`wharf ls` shows how far it is, `wharf down` ends what it has started")
    })
}

/// The turn of whoever makes a pilot again, until the daemon knows it; or of whoever calls that off. It is short.
///
/// # Errors
/// As [`of_up`].
pub(crate) async fn of_revival(root: &PathText) -> Result<FileLock, Report> {
    take(root, "revival", REVIVAL, || ()).await?.ok_or_else(|| {
        Report::new(
            Code::TimedOut,
            "a pilot of this checkout is being made again, and it takes long",
        )
        .why(format!("{} s have passed", REVIVAL.as_secs()))
    })
}

async fn take(
    root: &PathText,
    what: &str,
    patience: Duration,
    waits: impl FnOnce(),
) -> Result<Option<FileLock>, Report> {
    let file = folder()?.join(format!("{}.{what}.lock", label(root)));
    let deadline = Instant::now() + patience;
    let mut waits = Some(waits);
    loop {
        let taken = FileLock::try_exclusive(&file).map_err(|error| {
            Report::new(Code::Failed, format!("{} cannot be locked", file.display()))
                .because(&error)
        })?;
        if taken.is_some() || Instant::now() >= deadline {
            return Ok(taken);
        }
        if let Some(waits) = waits.take() {
            waits();
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

//! Telling the daemon how the instance is.

use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use wharf_model::Instance;

use crate::link::Link;

/// After this time without a change the daemon is told again, in case it has lost what it knew and nothing was
/// heard of that.
const REMIND_AFTER: Duration = Duration::from_secs(60);

/// The same where the daemon is followed, so that it is heard of.
const REMIND_SELDOM: Duration = Duration::from_secs(1800);

/// How long a daemon that is away is left alone before it is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Sends each change to the daemon, the newest only, until the pilot ends; and all of it once more to a daemon
/// that may know nothing of it, of which `forgotten` tells. A daemon that is away is tried again: the server
/// never waits for it.
pub(super) async fn report_changes(
    link: Option<Rc<Link>>,
    mut changes: watch::Receiver<Instance>,
    forgotten: Rc<Notify>,
    looked_after: watch::Receiver<bool>,
) {
    let Some(link) = link else { return };
    loop {
        let instance = changes.borrow_and_update().clone();
        let sent = link.report(&instance).await.is_ok();
        let pause = match sent {
            true if *looked_after.borrow() => REMIND_SELDOM,
            true => REMIND_AFTER,
            false => AGAIN_AFTER,
        };
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { break },
            () = forgotten.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
    let last = changes.borrow().clone();
    let _ = link.report(&last).await;
}

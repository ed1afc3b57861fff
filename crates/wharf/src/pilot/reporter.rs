//! Telling the daemon how the instance is.

use std::time::Duration;

use tokio::sync::watch;
use wharf_model::Instance;

use crate::link::Link;

/// How long a daemon that is away is left alone before it is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Sends each change to the daemon, the newest only, until the pilot ends. A daemon that is away is
/// tried again: the server never waits for it.
pub(super) async fn report_changes(link: Option<Link>, mut changes: watch::Receiver<Instance>) {
    let Some(link) = link else { return };
    loop {
        let instance = changes.borrow_and_update().clone();
        let sent = link.report(&instance).await.is_ok();
        let changed = changes.changed();
        if sent {
            if changed.await.is_err() {
                break;
            }
        } else if let Ok(Err(_)) = tokio::time::timeout(AGAIN_AFTER, changed).await {
            break;
        }
    }
    let last = changes.borrow().clone();
    let _ = link.report(&last).await;
}

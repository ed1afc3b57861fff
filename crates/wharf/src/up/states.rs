//! What becomes of instances, as the daemon hears it.

use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc;
use wharf_control::api::NoticeKind;
use wharf_model::{Instance, PathText};

use crate::link::Link;

/// How long a daemon that is away is left alone before it is asked again.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// How many states may lie unread.
const STATES_MAX: usize = 256;

/// Every state of every instance of a checkout, from now on; the newest again whenever some may have been
/// missed. A daemon that dies is made again.
pub(crate) fn follow(link: Rc<Link>, root: PathText) -> mpsc::Receiver<Instance> {
    let (states_out, states) = mpsc::channel(STATES_MAX);
    tokio::task::spawn_local(async move {
        while !states_out.is_closed() {
            follow_once(&link, &root, &states_out).await;
            tokio::time::sleep(AGAIN_AFTER).await;
            // That it cannot be made is told by whoever waits in vain.
            let _ = link.revive().await;
        }
    });
    states
}

/// Until the stream of events ends.
async fn follow_once(link: &Link, root: &PathText, states: &mpsc::Sender<Instance>) {
    let Ok(mut events) = link.events().await else { return };
    // First of all what happened before the stream began.
    let Ok(snapshot) = link.snapshot_now().await else { return };
    for instance in snapshot.instances {
        if instance.root == *root && states.send(instance).await.is_err() {
            return;
        }
    }
    while let Ok(Some(notice)) = events.next().await {
        let instance = match notice.kind {
            NoticeKind::Instance { instance } => instance,
            NoticeKind::Stopping | NoticeKind::Lagged { .. } => return,
            _ => continue,
        };
        if instance.root == *root && states.send(*instance).await.is_err() {
            return;
        }
    }
}

//! Connections to a listener of our own, each of which is a sign that its server is used.

use std::io;
use std::sync::Arc;

use tokio::io::unix::AsyncFd;
use wharf_os::remap::Held;

/// The listener, where there is one and it matters.
pub(crate) struct Pulse {
    held: Option<Arc<Held>>,
    /// None while the listener is ended.
    watched: Option<AsyncFd<Arc<Held>>>,
}

impl Pulse {
    pub(crate) fn new(held: Option<Arc<Held>>) -> io::Result<Pulse> {
        Ok(Pulse { watched: held.clone().map(registered).transpose()?, held })
    }

    /// Waits for the next connection, or for the end of the listener.
    pub(crate) async fn next(&mut self) {
        let Some(watched) = &self.watched else { return std::future::pending().await };
        if is_over(watched).await {
            self.watched = None;
        }
    }

    /// Waits for connections again, where a server has ended the listener and it listens again since.
    pub(crate) fn renew(&mut self) {
        if self.watched.is_none() {
            let held = self.held.clone().filter(|held| held.is_listening());
            self.watched = held.and_then(|held| registered(held).ok());
        }
    }
}

/// Waits for a connection to a listener (`false`), or for its end (`true`), after which it is of no use any
/// more: that readiness stays, and would be there again at once and for ever.
pub(crate) async fn is_over(watched: &AsyncFd<Arc<Held>>) -> bool {
    let Ok(mut ready) = watched.readable().await else { return true };
    let is_over = ready.ready().is_read_closed();
    ready.clear_ready();
    is_over
}

#[expect(
    deprecated,
    reason = "its successor is unsafe, and a held listener owns its descriptor and never replaces it"
)]
pub(crate) fn registered(held: Arc<Held>) -> io::Result<AsyncFd<Arc<Held>>> {
    AsyncFd::new(held)
}

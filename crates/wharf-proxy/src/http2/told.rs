//! What is told of a request of HTTP/2 when its answer is at its end.

use std::sync::Arc;
use std::time::Instant;

use hyper::{Method, Uri};
use wharf_model::Route;

use crate::record::{Log, Record, masked, now_ms};

/// What will be told of a request. It is when this is dropped: its answer has been sent by then, or
/// nobody wants more of it.
pub(super) struct Told {
    pub(super) log: Log,
    pub(super) host: String,
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) status: u16,
    /// Whose the answer is; the proxy's own without one.
    pub(super) route: Option<Arc<Route>>,
    pub(super) https: bool,
    pub(super) upgraded: bool,
    /// When its head had come.
    pub(super) begun: Instant,
    /// Bytes of body sent back so far.
    pub(super) bytes: u64,
}

impl Drop for Told {
    fn drop(&mut self) {
        self.log.write(|| {
            let upstream = self.route.as_ref().map(|route| &route.upstream);
            Record {
                time_ms: now_ms(),
                host: std::mem::take(&mut self.host),
                method: self.method.as_str().to_owned(),
                path: masked(self.uri.path_and_query().map_or("/", |target| target.as_str())),
                status: self.status,
                micros: u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX),
                bytes: self.bytes,
                upstream: upstream.map(|upstream| upstream.name.clone()),
                instance: upstream.and_then(|upstream| upstream.instance.clone()),
                https: self.https,
                upgraded: self.upgraded,
            }
        });
    }
}

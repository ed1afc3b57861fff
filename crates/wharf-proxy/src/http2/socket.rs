//! A WebSocket over HTTP/2 (RFC 8441), which is one over HTTP/1 for its server.

use std::rc::Rc;

use bytes::BytesMut;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use super::spawner::Begun;
use super::streams::Open;
use super::told::Told;
use crate::shared::Shared;
use crate::tunnel;
use crate::upstream::Connection;

/// Carries the bytes once the client has had its answer. `carrying` is what then writes to the stream.
pub(super) fn open(
    upgrade: OnUpgrade,
    mut upstream: Connection,
    told: Told,
    (shared, open): (Rc<Shared>, Rc<Open>),
    carrying: Begun,
) {
    tokio::task::spawn_local(async move {
        let (_open, mut told) = (open, told);
        let Ok(upgraded) = upgrade.await else { return };
        let mut client = TokioIo::new(upgraded);
        let read = std::mem::take(&mut upstream.input);
        let ends = (&mut client, BytesMut::new());
        let (moved, ended) = tunnel::run(ends, (&mut upstream.stream, read), &shared).await;
        told.bytes = moved;
        if ended.is_err() {
            // A reset must not look like an end (RFC 8441, section 5).
            carrying.abort();
        }
    });
}

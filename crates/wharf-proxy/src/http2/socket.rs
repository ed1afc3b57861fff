//! A WebSocket over HTTP/2 (RFC 8441), which is one over HTTP/1 for its server.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::rc::Rc;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use super::streams::Open;
use crate::record::Record;
use crate::shared::Shared;
use crate::tunnel;
use crate::upstream::Connection;

/// A key as the handshake of HTTP/1 wants it. Nothing secret hangs on it: it is to show that the server
/// knows the protocol.
pub(super) fn key() -> String {
    // Each `RandomState` is seeded anew from the system's randomness.
    let random = || RandomState::new().build_hasher().finish().to_ne_bytes();
    STANDARD.encode([random(), random()].concat())
}

/// Carries the bytes once the client has had its answer.
pub(super) fn open(
    upgrade: OnUpgrade,
    mut upstream: Connection,
    (shared, told): (Rc<Shared>, Record),
    open: Rc<Open>,
) {
    let begun = Instant::now();
    tokio::task::spawn_local(async move {
        let _open = open;
        let Ok(upgraded) = upgrade.await else { return };
        let mut client = TokioIo::new(upgraded);
        let read = std::mem::take(&mut upstream.input);
        let ends = (&mut client, BytesMut::new());
        let moved = tunnel::run(ends, (&mut upstream.stream, read), &shared).await;
        shared.log.write(|| Record {
            bytes: moved.unwrap_or(0),
            micros: u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
            upgraded: true,
            ..told
        });
    });
}

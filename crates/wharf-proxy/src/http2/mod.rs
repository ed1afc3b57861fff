//! HTTP/2 in front: hyper and h2 speak it; what a request may do, and what goes on of it, is decided
//! by the same rules as for HTTP/1.

mod body;
mod exchange;
pub(crate) mod onward;
mod request;
mod rewind;
mod socket;
mod up;

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;

use bytes::BytesMut;
use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};

pub(crate) use onward::Onward;
pub(crate) use up::{Piece, Up, pieces};

use crate::http1::serve::Io;
use crate::limits::{
    CONNECTION_WINDOW, HEAD_TIMEOUT, MAX_HEAD, MAX_STREAMS, PING, READ, STREAM_WINDOW,
};
use crate::reach::Door;
use crate::shared::Shared;
use rewind::Rewind;

/// Serves a connection to its end. `input` is what has been read of it.
pub(crate) async fn serve<C: Io + 'static>(
    stream: C,
    input: BytesMut,
    door: Door,
    shared: Rc<Shared>,
) {
    let mut draining = shared.draining.clone();
    let service = service_fn(move |request| {
        let (door, shared) = (door.clone(), shared.clone());
        async move { Ok::<_, Infallible>(exchange::answer(request, &door, &shared).await) }
    });
    let connection = http2::Builder::new(Local)
        .timer(TokioTimer::new())
        .enable_connect_protocol()
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(READ)
        .keep_alive_interval(PING)
        .keep_alive_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(Rewind::new(stream, input)), service);
    let mut connection = pin!(connection);
    // A connection that breaks is its client's affair.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = draining.wait_for(|draining| *draining) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// Runs what a connection spawns on this thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Local;

impl<F: Future<Output = ()> + 'static> Executor<F> for Local {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}

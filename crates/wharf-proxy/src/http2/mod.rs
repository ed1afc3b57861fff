//! HTTP/2 in front: hyper and h2 speak it; what a request may do, and what goes on of it, is decided
//! by the same rules as for HTTP/1.

mod body;
mod exchange;
mod key;
pub(crate) mod onward;
mod request;
mod rewind;
mod socket;
mod spawner;
mod streams;
mod told;
mod up;

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use bytes::BytesMut;
use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::timeout;

pub(crate) use onward::Onward;
pub(crate) use up::{Piece, Up, pieces};

use crate::http1::serve::Io;
use crate::limits::{
    CONNECTION_WINDOW, HEAD_TIMEOUT, IDLE_TIMEOUT, MAX_HEAD, MAX_STREAMS, PING, READ, STREAM_WINDOW,
};
use crate::reach::Door;
use crate::shared::Shared;
use rewind::Rewind;
use spawner::Spawner;
use streams::Streams;

/// How long a connection may be quiet.
#[derive(Clone, Copy, Debug)]
struct Terms {
    /// How often the client is asked whether it is still there.
    ping: Duration,
    /// How long it may take to say so; whoever stops in the middle of a head cannot.
    answer: Duration,
    /// How long it may stay without a stream.
    idle: Duration,
}

/// Serves a connection to its end. `input` is what has been read of it.
pub(crate) async fn serve<C: Io + 'static>(
    stream: C,
    input: BytesMut,
    door: Door,
    shared: Rc<Shared>,
) {
    let terms = Terms { ping: PING, answer: HEAD_TIMEOUT, idle: IDLE_TIMEOUT };
    serve_on(terms, Rewind::new(stream, input), door, shared).await;
}

async fn serve_on<C: Io + 'static>(
    terms: Terms,
    stream: Rewind<C>,
    door: Door,
    shared: Rc<Shared>,
) {
    let mut draining = shared.draining.clone();
    let streams = Streams::new();
    let spawner = Spawner::default();
    let (begun, spawned) = (streams.clone(), spawner.clone());
    let service = service_fn(move |request| {
        let (door, shared, open) = (door.clone(), shared.clone(), begun.begin());
        let spawner = spawned.clone();
        async move {
            let open = (open, spawner.begun());
            Ok::<_, Infallible>(exchange::answer(request, &door, &shared, open).await)
        }
    });
    let connection = http2::Builder::new(spawner)
        .timer(TokioTimer::new())
        .enable_connect_protocol()
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(READ)
        .keep_alive_interval(terms.ping)
        .keep_alive_timeout(terms.answer)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    // A connection that breaks is its client's affair.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = draining.wait_for(|draining| *draining) => connection.as_mut().graceful_shutdown(),
        () = streams.idle(terms.idle) => {
            connection.as_mut().graceful_shutdown();
            // A request that crossed the farewell is still answered.
            while timeout(terms.answer, connection.as_mut()).await.is_err() {
                if !streams.are_open() {
                    return;
                }
            }
            return;
        }
    }
    let _ = connection.await;
}

/// Runs what a connection to a server spawns on this thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Local;

impl<F: Future<Output = ()> + 'static> Executor<F> for Local {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::task::LocalSet;
    use tokio::time::Instant;

    use super::*;
    use crate::front::tests::{door, shared};

    const BUFFER: usize = 64 * 1024;
    const TERMS: Terms = Terms {
        ping: Duration::from_secs(20),
        answer: Duration::from_secs(5),
        idle: Duration::from_secs(100),
    };

    /// How long a connection with this client lasts. Time passes only when nothing else happens.
    fn lasts<F: Future<Output = ()> + 'static>(client: impl FnOnce(DuplexStream) -> F) -> Duration {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        LocalSet::new().block_on(&runtime, async {
            let (ours, theirs) = duplex(BUFFER);
            let begun = Instant::now();
            tokio::task::spawn_local(client(ours));
            let (_ends, shared) = shared();
            let stream = Rewind::new(theirs, BytesMut::new());
            serve_on(TERMS, stream, door(), shared).await;
            begun.elapsed()
        })
    }

    #[test]
    fn whoever_answers_pings_and_asks_for_nothing_is_let_go() {
        let lasted = lasts(|stream| async {
            let (_sender, connection) = h2::client::handshake(stream).await.unwrap();
            connection.await.unwrap();
        });
        assert!(lasted >= TERMS.idle && lasted < TERMS.idle + TERMS.answer * 2, "{lasted:?}");
    }

    #[test]
    fn a_request_begins_the_time_anew() {
        let pause = TERMS.idle / 2;
        let lasted = lasts(move |stream| async move {
            let (mut sender, connection) = h2::client::handshake(stream).await.unwrap();
            tokio::task::spawn_local(async move {
                tokio::time::advance(pause).await;
                let request = hyper::Request::get("http://a.localhost/").body(()).unwrap();
                let (answer, _) = sender.send_request(request, true).unwrap();
                assert_eq!(answer.await.unwrap().status(), 421);
                std::future::pending::<()>().await;
            });
            connection.await.unwrap();
        });
        let least = TERMS.idle + pause;
        assert!(lasted >= least && lasted < least + TERMS.answer * 2, "{lasted:?}");
    }

    #[test]
    fn whoever_stops_in_the_middle_of_a_head_is_let_go() {
        let lasted = lasts(|mut stream| async move {
            stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
            stream.write_all(b"\0\0\0\x04\0\0\0\0\0").await.unwrap();
            // HEADERS of one byte, without the flag that ends a head.
            stream.write_all(b"\0\0\x01\x01\0\0\0\0\x01\x82").await.unwrap();
            let mut heard = Vec::new();
            let _ = stream.read_to_end(&mut heard).await;
        });
        assert!(lasted <= TERMS.ping + TERMS.answer * 2, "{lasted:?}");
    }
}

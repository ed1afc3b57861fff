//! One connection: HTTP in, events out.

use std::convert::Infallible;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::UnixStream;
use tokio::sync::{broadcast, mpsc, watch};

use crate::event::Event;
use crate::requests::Requests;
use crate::route;
use crate::subscriber::Told;

/// How long a request's head may take to arrive, and how long a connection may wait for the next.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// The most that is buffered of a connection, in bytes; also the largest head.
const MAX_BUFFER: usize = 16 * 1024;

/// Who is connected, and what they can reach.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// Whether this is our own user, or root.
    pub(crate) allowed: bool,
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) notices: broadcast::Sender<Told>,
    pub(crate) requests: Requests,
}

/// Serves the connection to its end. When the daemon ends, the request under way is still answered.
pub(crate) async fn serve(stream: UnixStream, caller: Caller, mut ending: watch::Receiver<bool>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let caller = caller.clone();
        async move { Ok::<_, Infallible>(route::answer(request, &caller).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_BUFFER)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    // A connection that breaks is its caller's affair; the caller asks again.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = end(&mut ending) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// Waits until the daemon is to end; a coordinator that is gone counts as that.
pub(crate) async fn end(ending: &mut watch::Receiver<bool>) {
    let _ = ending.wait_for(|ending| *ending).await;
}

//! One question to an engine: a connection of its own, a bounded answer, an end to every wait.

use std::io;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use super::{Container, answer};

/// The largest answer that is read: some 4,000 containers.
const ANSWER_MAX: usize = 8 * 1024 * 1024;

/// Why an engine gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EngineError {
    /// Nobody listens on the socket.
    #[error("no engine listens there")]
    Absent,
    /// Its socket is not open to this user.
    #[error("this user may not ask it")]
    Denied,
    /// It did not answer in time.
    #[error("it did not answer within {} s", .0.as_secs())]
    Timeout(Duration),
    /// It said something else than the API.
    #[error("its answer is not that of a container engine: {0}")]
    Malformed(String),
    /// It refused, in its own words.
    #[error("it refuses: {0}")]
    Refused(String),
}

pub(super) async fn containers(
    engine: &'static str,
    socket: &Path,
    limit: Duration,
) -> Result<Vec<Container>, EngineError> {
    let (status, body) = ask(socket, Method::GET, "/containers/json", limit).await?;
    if status != StatusCode::OK {
        return Err(refused(status, &body));
    }
    answer::containers(engine, socket, &body)
        .map_err(|error| EngineError::Malformed(error.to_string()))
}

pub(super) async fn stop(
    socket: &Path,
    id: &str,
    grace: Duration,
    limit: Duration,
) -> Result<(), EngineError> {
    // The id is the engine's own word, which need not fit into a path.
    if !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(EngineError::Malformed("an id that is none".to_owned()));
    }
    let path = format!("/containers/{id}/stop?t={}", grace.as_secs());
    let (status, body) = ask(socket, Method::POST, &path, limit).await?;
    match status {
        // 304: it has ended already.
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => Ok(()),
        status => Err(refused(status, &body)),
    }
}

fn refused(status: StatusCode, body: &[u8]) -> EngineError {
    EngineError::Refused(answer::refusal(body).unwrap_or_else(|| format!("status {status}")))
}

async fn ask(
    socket: &Path,
    method: Method,
    path: &str,
    limit: Duration,
) -> Result<(StatusCode, Bytes), EngineError> {
    let exchange = exchange(socket, method, path);
    tokio::time::timeout(limit, exchange).await.unwrap_or(Err(EngineError::Timeout(limit)))
}

async fn exchange(
    socket: &Path,
    method: Method,
    path: &str,
) -> Result<(StatusCode, Bytes), EngineError> {
    let stream = UnixStream::connect(socket).await.map_err(|error| unreached(&error))?;
    let malformed = |error: hyper::Error| EngineError::Malformed(error.to_string());
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(malformed)?;
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "localhost")
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| EngineError::Malformed(error.to_string()))?;
    let answered = async {
        let response = sender.send_request(request).await.map_err(malformed)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_MAX).collect().await;
        let body = body.map_err(|error| EngineError::Malformed(error.to_string()))?;
        Ok((status, body.to_bytes()))
    };
    // The connection is driven beside the answer, and given up with it.
    tokio::pin!(answered);
    tokio::select! {
        biased;
        result = &mut answered => result,
        _ = connection => answered.await,
    }
}

fn unreached(error: &io::Error) -> EngineError {
    match error.kind() {
        io::ErrorKind::PermissionDenied => EngineError::Denied,
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => EngineError::Absent,
        _ => EngineError::Malformed(error.to_string()),
    }
}

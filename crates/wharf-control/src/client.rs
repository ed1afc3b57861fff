//! Asking the daemon: one connection per call, with an end to every wait.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, header};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::task::JoinHandle;
use wharf_model::{Instance, Lease, Port};

use crate::api::{
    Done, EVENTS, HAND_OVER, INSTANCES, LEASE_BATCH, LEASES, LeaseBatch, LeaseBatchReply,
    LeaseReply, LeaseRequest, MAX_REPLY_BODY, PROXY, ProxyStatus, RELEASE, ReleaseReply,
    ReleaseRequest, SNAPSHOT, STATUS, STOP, Snapshot, Status, Stopping, TRUST,
};
use crate::error::{Code, ErrorBody, ErrorReply};
use crate::event_stream::{EventStream, Lines};
use crate::focus::{FOCUS, FOCUSES, FocusList, FocusRequest};
use crate::names::{
    ALIAS, ALIASES, AliasList, AliasRequest, TCP_NAME, TCP_NAMES, TcpList, TcpRequest,
};
use crate::request_stream::RequestStream;
use crate::requests::{INSPECT, InspectRequest, Inspecting, KEPT, REQUESTS, RequestList};

/// How long one call may take unless said otherwise. A daemon answers in milliseconds; one that takes
/// this long is stopped or stuck.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(4);

/// Why a call gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nobody listens on the socket.
    #[error("no daemon listens on {}", socket.display())]
    NoDaemon {
        /// The socket.
        socket: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The socket cannot be connected to for another reason.
    #[error("cannot connect to {}", socket.display())]
    Connect {
        /// The socket.
        socket: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The connection ended before the answer did: the request may or may not have been done.
    #[error("the daemon ended the connection before its answer was complete")]
    Lost(#[source] hyper::Error),
    /// No answer in time.
    #[error("the daemon did not answer within {:.1} s", after.as_secs_f64())]
    Timeout {
        /// How long it was waited for.
        after: Duration,
    },
    /// The answer is larger than any answer should be.
    #[error("the daemon's answer has more than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// The answer is not what this version understands.
    #[error("the daemon's answer cannot be read: {reason}")]
    Malformed {
        /// Why.
        reason: String,
    },
    /// The daemon refused.
    #[error(transparent)]
    Refused(Box<ErrorBody>),
}

impl CallError {
    /// Whether the same call may succeed a moment later, perhaps at another daemon. Every call of
    /// this wire may be repeated: leases carry a request id, and the rest is idempotent.
    pub fn is_passing(&self) -> bool {
        match self {
            CallError::NoDaemon { .. } | CallError::Lost(_) => true,
            CallError::Connect { source, .. } => matches!(
                source.kind(),
                // The queue of the listening socket is full: many commands at once.
                io::ErrorKind::WouldBlock
                    // The daemon died with us in its queue.
                    | io::ErrorKind::ConnectionReset
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::BrokenPipe
                    | io::ErrorKind::NotConnected
            ),
            CallError::Refused(body) => body.code.is_passing(),
            _ => false,
        }
    }

    /// The daemon's own word for it, where it gave one.
    pub fn code(&self) -> Option<Code> {
        match self {
            CallError::Refused(body) => Some(body.code),
            _ => None,
        }
    }
}

/// The client of one socket.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
    timeout: Duration,
}

impl Client {
    /// A client that connects anew for every call. Calls need a tokio runtime with I/O and time.
    pub fn new(socket: impl Into<PathBuf>) -> Client {
        Client { socket: socket.into(), timeout: CALL_TIMEOUT }
    }

    /// The same client with another limit for each call.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Client {
        self.timeout = timeout;
        self
    }

    /// The socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// How the daemon is.
    pub async fn status(&self) -> Result<Status, CallError> {
        self.call(Method::GET, STATUS, None::<&()>).await
    }

    /// Asks for ports.
    pub async fn lease(&self, request: &LeaseRequest) -> Result<LeaseReply, CallError> {
        self.call(Method::POST, LEASES, Some(request)).await
    }

    /// Asks for the ports of a whole project.
    pub async fn lease_all(&self, batch: &LeaseBatch) -> Result<Vec<LeaseReply>, CallError> {
        let reply: LeaseBatchReply = self.call(Method::POST, LEASE_BATCH, Some(batch)).await?;
        Ok(reply.replies)
    }

    /// Releases leases; gives those that were.
    pub async fn release(&self, request: &ReleaseRequest) -> Result<Vec<Lease>, CallError> {
        let reply: ReleaseReply = self.call(Method::POST, RELEASE, Some(request)).await?;
        Ok(reply.leases)
    }

    /// Reports an instance.
    pub async fn put_instance(&self, instance: &Instance) -> Result<(), CallError> {
        let path = format!("{INSTANCES}{}", instance.id);
        let Done { .. } = self.call(Method::PUT, &path, Some(instance)).await?;
        Ok(())
    }

    /// Makes the daemon forget an instance.
    pub async fn delete_instance(&self, id: &str) -> Result<(), CallError> {
        let path = format!("{INSTANCES}{id}");
        let Done { .. } = self.call(Method::DELETE, &path, None::<&()>).await?;
        Ok(())
    }

    /// Everything that the daemon knows.
    pub async fn snapshot(&self) -> Result<Snapshot, CallError> {
        self.call(Method::GET, SNAPSHOT, None::<&()>).await
    }

    /// How the proxy is.
    pub async fn proxy(&self) -> Result<ProxyStatus, CallError> {
        self.call(Method::GET, PROXY, None::<&()>).await
    }

    /// Has the daemon look for the local CA anew.
    pub async fn trust(&self) -> Result<ProxyStatus, CallError> {
        self.call(Method::POST, TRUST, None::<&()>).await
    }

    /// Asks the daemon to end. It answers first; the socket is gone a moment later.
    pub async fn stop(&self) -> Result<Stopping, CallError> {
        self.call(Method::POST, STOP, None::<&()>).await
    }

    /// Asks the daemon to end in favour of the next one, which gets its listeners.
    pub async fn hand_over(&self) -> Result<Stopping, CallError> {
        self.call(Method::POST, HAND_OVER, None::<&()>).await
    }

    /// Follows what happens. Only the beginning has a time limit.
    pub async fn events(&self) -> Result<EventStream, CallError> {
        self.follow(EVENTS).await.map(EventStream)
    }

    /// Follows the requests that go through the proxy. Only the beginning has a time limit.
    pub async fn requests(&self) -> Result<RequestStream, CallError> {
        self.follow(REQUESTS).await.map(RequestStream)
    }

    /// The requests that are kept.
    pub async fn kept_requests(&self) -> Result<RequestList, CallError> {
        self.call(Method::GET, KEPT, None::<&()>).await
    }

    /// Has requests kept although nobody looks, or no longer.
    pub async fn inspect(&self, request: &InspectRequest) -> Result<Inspecting, CallError> {
        self.call(Method::POST, INSPECT, Some(request)).await
    }

    /// Every alias.
    pub async fn aliases(&self) -> Result<AliasList, CallError> {
        self.call(Method::GET, ALIASES, None::<&()>).await
    }

    /// Has a name lead there.
    pub async fn put_alias(&self, name: &str, to: &AliasRequest) -> Result<AliasList, CallError> {
        self.call(Method::PUT, &format!("{ALIAS}{name}"), Some(to)).await
    }

    /// Takes an alias away.
    pub async fn delete_alias(&self, name: &str) -> Result<AliasList, CallError> {
        self.call(Method::DELETE, &format!("{ALIAS}{name}"), None::<&()>).await
    }

    /// Every name for TCP.
    pub async fn tcp_names(&self) -> Result<TcpList, CallError> {
        self.call(Method::GET, TCP_NAMES, None::<&()>).await
    }

    /// Has a name for TCP lead there.
    pub async fn put_tcp_name(&self, name: &str, to: &TcpRequest) -> Result<TcpList, CallError> {
        self.call(Method::PUT, &format!("{TCP_NAME}{name}"), Some(to)).await
    }

    /// Takes a name for TCP away.
    pub async fn delete_tcp_name(&self, name: &str) -> Result<TcpList, CallError> {
        self.call(Method::DELETE, &format!("{TCP_NAME}{name}"), None::<&()>).await
    }

    /// Every port that leads to the checkout of the user's choice.
    pub async fn focuses(&self) -> Result<FocusList, CallError> {
        self.call(Method::GET, FOCUSES, None::<&()>).await
    }

    /// Leads a port there.
    pub async fn put_focus(&self, port: Port, to: &FocusRequest) -> Result<FocusList, CallError> {
        self.call(Method::PUT, &format!("{FOCUS}{port}"), Some(to)).await
    }

    /// Gives such a port back.
    pub async fn delete_focus(&self, port: Port) -> Result<FocusList, CallError> {
        self.call(Method::DELETE, &format!("{FOCUS}{port}"), None::<&()>).await
    }

    async fn follow(&self, path: &str) -> Result<Lines, CallError> {
        let begun = self.begin(Method::GET, path, Bytes::new());
        let (response, driver) = self.in_time(begun).await?;
        if !response.status().is_success() {
            let body = self.in_time(read(response)).await?;
            return Err(refusal(&body));
        }
        Ok(Lines::new(response.into_body(), driver))
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, CallError> {
        let body = match body.map(serde_json::to_vec).transpose() {
            Ok(body) => Bytes::from(body.unwrap_or_default()),
            Err(error) => return Err(CallError::Malformed { reason: error.to_string() }),
        };
        let exchange = async {
            let (response, _driver) = self.begin(method, path, body).await?;
            let success = response.status().is_success();
            Ok((success, read(response).await?))
        };
        let (success, body) = self.in_time(exchange).await?;
        if !success {
            return Err(refusal(&body));
        }
        serde_json::from_slice(&body)
            .map_err(|error| CallError::Malformed { reason: error.to_string() })
    }

    async fn begin(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<(Response<Incoming>, Driver), CallError> {
        let stream = UnixStream::connect(&self.socket).await.map_err(|e| self.unconnected(e))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(CallError::Lost)?;
        let driver = Driver(tokio::spawn(async move {
            // What ends the connection also ends the call, which says so.
            let _ = connection.await;
        }));
        let request = Request::builder()
            .method(method)
            .uri(path)
            // HTTP/1.1 demands a host; behind a Unix socket it means nothing.
            .header(header::HOST, "wharf")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| CallError::Malformed { reason: error.to_string() })?;
        let response = sender.send_request(request).await.map_err(CallError::Lost)?;
        Ok((response, driver))
    }

    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        let after = self.timeout;
        tokio::time::timeout(after, work).await.unwrap_or(Err(CallError::Timeout { after }))
    }

    fn unconnected(&self, source: io::Error) -> CallError {
        let socket = self.socket.clone();
        match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                CallError::NoDaemon { socket, source }
            }
            _ => CallError::Connect { socket, source },
        }
    }
}

/// The task that moves a connection's bytes; it ends with whoever reads the answer.
#[derive(Debug)]
pub(crate) struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn read(response: Response<Incoming>) -> Result<Bytes, CallError> {
    match Limited::new(response.into_body(), MAX_REPLY_BODY).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(CallError::TooLarge { limit: MAX_REPLY_BODY })
        }
        Err(error) => Err(match error.downcast::<hyper::Error>() {
            Ok(error) => CallError::Lost(*error),
            Err(error) => CallError::Malformed { reason: error.to_string() },
        }),
    }
}

fn refusal(body: &[u8]) -> CallError {
    match serde_json::from_slice::<ErrorReply>(body) {
        Ok(reply) => CallError::Refused(Box::new(reply.error)),
        Err(error) => CallError::Malformed { reason: error.to_string() },
    }
}

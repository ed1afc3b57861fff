//! HTTP/2 to upstreams that speak it in the clear, gRPC above all.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper::header::{HeaderName, HeaderValue, TE};
use hyper::{Request, Response, Uri};
use hyper_util::rt::{TokioIo, TokioTimer};
use wharf_model::Route;

use super::Local;
use super::up::Up;
use crate::forward::{self, Rules};
use crate::head::Head;
use crate::limits::{CONNECTION_WINDOW, READ, STREAM_WINDOW};
use crate::reach::Visit;
use crate::refusal::Refusal;
use crate::upstream::Stream;

/// Sends requests on one connection, many at once.
pub(crate) type Sender = SendRequest<Up>;

/// Which instance, where.
type Key = (Option<Arc<str>>, SocketAddr);

/// The connections of HTTP/2 to upstreams. One each is enough.
#[derive(Debug, Default)]
pub(crate) struct Onward {
    senders: RefCell<HashMap<Key, Sender>>,
}

impl Onward {
    fn open(&self, route: &Route) -> Option<Sender> {
        let mut senders = self.senders.borrow_mut();
        senders.retain(|_, sender| !sender.is_closed());
        let instance = &route.upstream.instance;
        let mut addresses = route.upstream.addresses.iter();
        addresses.find_map(|address| senders.get(&(instance.clone(), *address)).cloned())
    }
}

/// The route and a connection of HTTP/2 to its upstream.
pub(crate) async fn connect(visit: &Visit<'_>) -> Result<(Arc<Route>, Sender), Refusal> {
    let route = visit.route()?;
    if let Some(sender) = visit.shared.onward.open(&route) {
        return Ok((route, sender));
    }
    let (route, connection) = visit.connect(true).await?;
    let bad = |why| Refusal::BadAnswer { name: route.upstream.name.clone(), why };
    let Stream::Plain(stream) = connection.stream else {
        return Err(bad("HTTP/2 over TLS is not spoken to servers"));
    };
    let Ok(address) = stream.peer_addr() else { return Err(bad("it broke off")) };
    let shaken = http2::Builder::new(Local)
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(READ)
        .handshake(TokioIo::new(stream))
        .await;
    let (sender, connection) = shaken.map_err(|_| bad("it does not speak HTTP/2"))?;
    tokio::task::spawn_local(async move {
        // Whoever waits for an answer on it is told by the answer's failure.
        let _ = connection.await;
    });
    let key = (route.upstream.instance.clone(), address);
    visit.shared.onward.senders.borrow_mut().insert(key, sender.clone());
    Ok((route, sender))
}

/// The request as it goes on.
pub(crate) fn request(
    head: &Head<'_>,
    rules: &Rules<'_>,
    body: Up,
) -> Result<Request<Up>, Refusal> {
    let malformed = |_| Refusal::Malformed("a target that is none");
    let uri = format!("http://{}{}", rules.authority, head.target);
    let uri: Uri = uri.parse().map_err(malformed)?;
    let mut request = Request::new(body);
    *request.uri_mut() = uri;
    let method = head.method.parse();
    *request.method_mut() = method.map_err(|_| Refusal::Malformed("a method that is none"))?;
    forward::request_fields(head.fields, rules, &mut |name, value| {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
            request.headers_mut().append(name, value);
        }
    });
    // gRPC servers refuse requests whose sender may not understand trailers.
    request.headers_mut().insert(TE, HeaderValue::from_static("trailers"));
    Ok(request)
}

/// Sends it and waits for the head of the answer.
pub(crate) async fn send(
    mut sender: Sender,
    request: Request<Up>,
) -> Result<Response<Incoming>, ()> {
    sender.ready().await.map_err(drop)?;
    sender.send_request(request).await.map_err(drop)
}

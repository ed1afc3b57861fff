//! A client that behaves: the one of the `h2` crate.

use std::future::{Future, poll_fn};
use std::net::Ipv4Addr;
use std::sync::{Arc, mpsc};

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{Ping, RecvStream, SendStream};
use hyper::http::{HeaderMap, Request, Response};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_rustls::TlsConnector;

use crate::stage::{HOST, LIMIT, tls};
use crate::way::{Door, Way};

/// An answer as a whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) fields: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: HeaderMap,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// One connection. Its frames move on a thread of their own, so that a test may wait for anything.
pub(crate) struct Peer {
    pub(crate) sender: SendRequest<Bytes>,
    runtime: Runtime,
    origin: String,
}

impl Peer {
    pub(crate) fn new(door: &Door) -> Peer {
        Peer::with(door, &Builder::new())
    }

    pub(crate) fn with(door: &Door, builder: &Builder) -> Peer {
        let (told, sender) = mpsc::sync_channel(1);
        let (way, port, builder) = (door.way, door.port, builder.clone());
        std::thread::spawn(move || runtime().block_on(run(way, port, builder, told)));
        let sender = sender.recv_timeout(LIMIT).unwrap();
        let origin = format!("{}://{HOST}", door.way.scheme());
        Peer { sender, runtime: runtime(), origin }
    }

    /// The beginning of a request to the host that is served.
    pub(crate) fn request(&self, method: &str, target: &str) -> hyper::http::request::Builder {
        Request::builder().method(method).uri(format!("{}{target}", self.origin))
    }

    /// Waits, but not for ever.
    #[track_caller]
    pub(crate) fn wait<F: Future>(&self, what: F) -> F::Output {
        self.runtime.block_on(async { tokio::time::timeout(LIMIT, what).await }).expect("too late")
    }

    /// Sends a head. The body is still to come, where it is not the end.
    #[track_caller]
    pub(crate) fn send(
        &mut self,
        request: Request<()>,
        end: bool,
    ) -> (ResponseFuture, SendStream<Bytes>) {
        let ready = self.sender.clone().ready();
        let mut sender = self.wait(ready).unwrap();
        sender.send_request(request, end).unwrap()
    }

    /// Sends a request without a body.
    #[track_caller]
    pub(crate) fn ask(&mut self, request: Request<()>) -> Result<Answer, h2::Error> {
        let (answer, _) = self.send(request, true);
        self.wait(whole(answer))
    }

    /// Sends a request with this body.
    #[track_caller]
    pub(crate) fn post(&mut self, request: Request<()>, body: &[u8]) -> Result<Answer, h2::Error> {
        let (answer, mut sending) = self.send(request, false);
        sending.send_data(Bytes::copy_from_slice(body), true)?;
        self.wait(whole(answer))
    }

    /// Asks for a target with `GET`.
    #[track_caller]
    pub(crate) fn get(&mut self, target: &str) -> Answer {
        let request = self.request("GET", target).body(()).unwrap();
        self.ask(request).unwrap()
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

async fn run(way: Way, port: u16, builder: Builder, told: mpsc::SyncSender<SendRequest<Bytes>>) {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
    match way {
        Way::Clear => drive(stream, builder, told).await,
        Way::Tls => {
            let config = Arc::new(tls::client(&[b"h2"], rustls::ALL_VERSIONS));
            let name = ServerName::try_from(HOST).unwrap();
            let stream = TlsConnector::from(config).connect(name, stream).await.unwrap();
            drive(stream, builder, told).await;
        }
    }
}

async fn drive<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    builder: Builder,
    told: mpsc::SyncSender<SendRequest<Bytes>>,
) {
    let (sender, mut connection) = builder.handshake(stream).await.unwrap();
    let mut ping = connection.ping_pong().unwrap();
    // What answers has sent its settings before.
    tokio::select! {
        ended = &mut connection => panic!("ended at once: {ended:?}"),
        pong = ping.ping(Ping::opaque()) => drop(pong.unwrap()),
    }
    if told.send(sender).is_ok() {
        // How it ends is seen by the streams.
        let _ = connection.await;
    }
}

/// All of an answer.
pub(crate) async fn whole(answer: ResponseFuture) -> Result<Answer, h2::Error> {
    rest(answer.await?).await
}

/// The rest of an answer.
pub(crate) async fn rest(answer: Response<RecvStream>) -> Result<Answer, h2::Error> {
    let (parts, mut stream) = answer.into_parts();
    let mut body = Vec::new();
    while let Some(piece) = piece(&mut stream).await? {
        body.extend_from_slice(&piece);
    }
    let trailers = stream.trailers().await?.unwrap_or_default();
    Ok(Answer { status: parts.status.as_u16(), fields: parts.headers, body, trailers })
}

/// The next piece of a body, for which there is room again.
pub(crate) async fn piece(stream: &mut RecvStream) -> Result<Option<Bytes>, h2::Error> {
    let Some(piece) = stream.data().await.transpose()? else { return Ok(None) };
    stream.flow_control().release_capacity(piece.len())?;
    Ok(Some(piece))
}

/// How much may be sent at the moment, once it is anything.
pub(crate) async fn room(stream: &mut SendStream<Bytes>, wanted: usize) -> Option<usize> {
    stream.reserve_capacity(wanted);
    poll_fn(|cx| stream.poll_capacity(cx)).await.and_then(Result::ok)
}

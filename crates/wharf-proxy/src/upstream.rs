//! Connections to upstreams: made, judged, kept for the next request.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use wharf_model::{Protocol, Upstream};

use crate::limits::{CONNECT_TIMEOUT, KEEP_IDLE, MAX_IDLE, SURELY_OPEN};

/// A server that handles one connection at a time keeps a second one waiting for as long as the first
/// is open. A connection that has waited for its first answer this long may be waiting for that.
const STUCK_AFTER: Duration = Duration::from_millis(500);

/// Says whether the listener behind an upstream is the right one.
pub trait Ownership: Send + Sync {
    /// Called with each new connection, before a byte is sent on it.
    ///
    /// # Errors
    /// Who holds the listener instead, as a clause: `port 8000 is held by user 1001`.
    fn verify(&self, upstream: &Upstream, address: SocketAddr) -> Result<(), String>;
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum NoConnection {
    /// Nothing takes it.
    Refused(String),
    /// Somebody else would.
    Stranger(String),
}

/// What is sent to and read from.
#[derive(Debug)]
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

/// A connection to an upstream.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) stream: Stream,
    /// What has been read and not yet used.
    pub(crate) input: BytesMut,
    /// Whether it has carried a request before.
    pub(crate) reused: bool,
    key: Key,
    /// Dropped with the first answer.
    waiting: Option<Waiting>,
}

/// Which connections may stand in for each other. The instance is part of it: a port may have gone
/// from one to another while an old connection is still open.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    instance: Option<Arc<str>>,
    address: SocketAddr,
    protocol: Protocol,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
}

/// The idle connections of one upstream, and when those that wait for a first answer began to.
#[derive(Debug, Default)]
struct Shelf {
    idle: Vec<Idle>,
    waiting: Rc<RefCell<Vec<Instant>>>,
}

impl Shelf {
    fn is_stuck(&self) -> bool {
        self.waiting.borrow().first().is_some_and(|since| since.elapsed() > STUCK_AFTER)
    }
}

/// One entry in the list of those that wait.
#[derive(Debug)]
struct Waiting {
    list: Rc<RefCell<Vec<Instant>>>,
    since: Instant,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut list = self.list.borrow_mut();
        if let Some(at) = list.iter().position(|since| *since == self.since) {
            list.remove(at);
        }
    }
}

/// All connections to upstreams that nobody uses at the moment.
pub(crate) struct Upstreams {
    shelves: RefCell<HashMap<Key, Shelf>>,
    ownership: Arc<dyn Ownership>,
    tls: Option<TlsConnector>,
}

impl Upstreams {
    pub(crate) fn new(ownership: Arc<dyn Ownership>, tls: Option<TlsConnector>) -> Upstreams {
        Upstreams { shelves: RefCell::default(), ownership, tls }
    }

    /// One that is idle. `repeatable` is a request that may be sent again should the server just be
    /// closing it; any other gets one only if that can hardly be.
    pub(crate) fn take(&self, upstream: &Upstream, repeatable: bool) -> Option<Connection> {
        let mut shelves = self.shelves.borrow_mut();
        for address in &upstream.addresses {
            let Some(shelf) = shelves.get_mut(&Key::new(upstream, *address)) else { continue };
            while let Some(Idle { mut connection, since }) = shelf.idle.pop() {
                if !repeatable && since.elapsed() > SURELY_OPEN {
                    shelf.idle.push(Idle { connection, since });
                    break;
                }
                if connection.is_quiet() {
                    connection.reused = true;
                    return Some(connection);
                }
            }
        }
        None
    }

    /// A new one.
    pub(crate) async fn dial(&self, upstream: &Upstream) -> Result<Connection, NoConnection> {
        let (stream, address) = self.plain(upstream).await?;
        self.prepare(upstream, address, stream).await
    }

    /// A new one without anything on it, and where to. Its listener is the right one.
    pub(crate) async fn plain(
        &self,
        upstream: &Upstream,
    ) -> Result<(TcpStream, SocketAddr), NoConnection> {
        let mut why = "it listens nowhere".to_owned();
        for address in &upstream.addresses {
            match self.connect(*address).await {
                Ok(stream) => {
                    let verdict = self.ownership.verify(upstream, *address);
                    return verdict.map(|()| (stream, *address)).map_err(NoConnection::Stranger);
                }
                Err(error) => why = format!("{address}: {error}"),
            }
        }
        Err(NoConnection::Refused(why))
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let connecting = TcpStream::connect(address);
        let stream = match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(stream) => stream?,
            Err(_) => return Err(io::ErrorKind::TimedOut.into()),
        };
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn prepare(
        &self,
        upstream: &Upstream,
        address: SocketAddr,
        stream: TcpStream,
    ) -> Result<Connection, NoConnection> {
        let stream = match upstream.protocol {
            Protocol::Http1 | Protocol::H2c => Stream::Plain(stream),
            Protocol::Tls => self
                .secure(stream)
                .await
                .map_err(|error| NoConnection::Refused(format!("{address}: no TLS: {error}")))?,
        };
        let key = Key::new(upstream, address);
        let list = self.shelves.borrow_mut().entry(key.clone()).or_default().waiting.clone();
        let since = Instant::now();
        list.borrow_mut().push(since);
        let waiting = Some(Waiting { list, since });
        Ok(Connection { stream, input: BytesMut::new(), reused: false, key, waiting })
    }

    async fn secure(&self, stream: TcpStream) -> io::Result<Stream> {
        let connector = self.tls.as_ref().ok_or(io::ErrorKind::Unsupported)?;
        // Whoever holds the listener has been judged already; the name is for servers that want one.
        let name = rustls::pki_types::ServerName::try_from("localhost")
            .map_err(|_| io::ErrorKind::InvalidInput)?;
        let stream = tokio::time::timeout(CONNECT_TIMEOUT, connector.connect(name, stream)).await;
        let stream = stream.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        Ok(Stream::Tls(Box::new(stream)))
    }

    /// Keeps a connection whose last answer is complete.
    pub(crate) fn put(&self, mut connection: Connection) {
        connection.answered();
        if !connection.input.is_empty() {
            // Bytes that nobody asked for would be taken for the next answer.
            return;
        }
        connection.input = BytesMut::new();
        let mut shelves = self.shelves.borrow_mut();
        let shelf = shelves.entry(connection.key.clone()).or_default();
        if shelf.idle.len() < MAX_IDLE && !shelf.is_stuck() {
            shelf.idle.push(Idle { connection, since: Instant::now() });
        }
    }

    /// Lets go of all that is idle: descriptors are used up.
    pub(crate) fn clear(&self) {
        self.shelves.borrow_mut().values_mut().for_each(|shelf| shelf.idle.clear());
    }

    /// Lets go of what nobody needs, or what keeps a server from its next connection.
    pub(crate) fn sweep(&self) {
        self.shelves.borrow_mut().retain(|_, shelf| {
            if shelf.is_stuck() {
                shelf.idle.clear();
            }
            let quiet =
                |idle: &mut Idle| idle.since.elapsed() < KEEP_IDLE && idle.connection.is_quiet();
            shelf.idle.retain_mut(quiet);
            !shelf.idle.is_empty() || !shelf.waiting.borrow().is_empty()
        });
    }
}

/// A connection that somebody else writes to.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) stream: ReadHalf<Stream>,
    pub(crate) input: BytesMut,
    key: Key,
    waiting: Option<Waiting>,
}

impl Reading {
    /// The server has answered.
    pub(crate) fn answered(&mut self) {
        self.waiting = None;
    }

    /// The connection as a whole again.
    pub(crate) fn join(self, write: WriteHalf<Stream>) -> Connection {
        let Reading { stream, input, key, waiting } = self;
        Connection { stream: stream.unsplit(write), input, reused: true, key, waiting }
    }
}

impl Key {
    fn new(upstream: &Upstream, address: SocketAddr) -> Key {
        Key { instance: upstream.instance.clone(), address, protocol: upstream.protocol }
    }
}

impl Connection {
    /// The server has answered: it does not wait for another connection to be closed.
    pub(crate) fn answered(&mut self) {
        self.waiting = None;
    }

    /// A half to read from, and one to write to.
    pub(crate) fn split(self) -> (Reading, WriteHalf<Stream>) {
        let Connection { stream, input, key, waiting, .. } = self;
        let (stream, write) = tokio::io::split(stream);
        (Reading { stream, input, key, waiting }, write)
    }

    /// Whether it is open and nothing has come on it.
    fn is_quiet(&mut self) -> bool {
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        let mut cx = Context::from_waker(Waker::noop());
        Pin::new(&mut self.stream).poll_read(&mut cx, &mut buffer).is_pending()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, data),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, data),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, parts),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, parts),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

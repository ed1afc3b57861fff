//! A front: where clients connect.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::forward::Arrival;
use crate::http1::serve::{Io, serve};
use crate::http2;
use crate::limits::{ACCEPT_PAUSE, FIRST_BUFFER, HANDSHAKE_TIMEOUT};
use crate::reach::Door;
use crate::shared::Shared;
use crate::tcp::Listed;
use crate::tls;

/// The first bytes of HTTP/2 (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The first byte of TLS (RFC 8446, section 5.1).
const TLS_HANDSHAKE: u8 = 0x16;

/// How TLS is spoken at the moment, if it is.
pub type TlsConfig = watch::Receiver<Option<Arc<rustls::ServerConfig>>>;

/// Ends a front: nothing is ever sent, its other side goes.
pub type Ended = watch::Receiver<()>;

/// Where clients connect, and how.
#[derive(Debug)]
pub struct Front {
    /// Listens already.
    pub listener: std::net::TcpListener,
    /// How TLS is spoken, where it is. The front ends when there is no way any more.
    pub tls: Option<TlsConfig>,
    /// Whether it can be reached from beyond this machine: only routes that say so are served then.
    pub lan: bool,
    /// The host of the one route that is served there, to whoever asks for `localhost` or for a loopback
    /// address at this port. Without one every route is served by its own host.
    pub only: Option<Arc<str>>,
}

/// How many connections are open, and how many may be.
#[derive(Debug)]
pub(crate) struct Capacity {
    open: Cell<usize>,
    most: usize,
    freed: Notify,
}

impl Capacity {
    pub(crate) fn new(most: usize) -> Capacity {
        Capacity { open: Cell::new(0), most, freed: Notify::new() }
    }

    pub(crate) fn open(&self) -> usize {
        self.open.get()
    }

    /// When there is a place for one more connection. Several fronts may see the same one: it does not
    /// matter if a few more come than were thought of.
    pub(crate) async fn room(&self) {
        while self.open.get() >= self.most {
            self.freed.notified().await;
        }
    }

    /// A place for one connection.
    pub(crate) fn take(self: &Rc<Self>) -> Place {
        self.open.set(self.open.get() + 1);
        Place(self.clone())
    }

    /// When there is none any more.
    pub(crate) async fn emptied(&self) {
        while self.open.get() > 0 {
            self.freed.notified().await;
        }
    }
}

/// One connection's place.
pub(crate) struct Place(Rc<Capacity>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get().saturating_sub(1));
        // More than one may wait: each front, and whoever drains.
        self.0.freed.notify_waiters();
    }
}

/// Accepts until the proxy drains or the front ends, or for ever.
pub(crate) async fn accept(
    front: Front,
    mut over: Option<Ended>,
    shared: Rc<Shared>,
    capacity: Rc<Capacity>,
) -> io::Result<()> {
    front.listener.set_nonblocking(true)?;
    let address = front.listener.local_addr()?;
    // Pages of names come from the other fronts, never from this one.
    let _listed = front.only.as_ref().map(|_| Listed::add(&shared.services, address));
    let (port, everywhere) = (address.port(), address.ip().is_unspecified());
    let listener = TcpListener::from_std(front.listener)?;
    let mut tls = front.tls;
    let mut draining = shared.draining.clone();
    loop {
        tokio::select! {
            () = capacity.room() => {}
            () = gone(&mut over) => return Ok(()),
        }
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = draining.wait_for(|draining| *draining) => return Ok(()),
            () = ended(&mut tls) => return Ok(()),
            () = gone(&mut over) => return Ok(()),
        };
        match accepted {
            Ok((stream, client)) => {
                let place = capacity.take();
                // On every address of this machine the one that was dialled says from where it is.
                let near = !everywhere
                    || stream.local_addr().is_ok_and(|own| own.ip().to_canonical().is_loopback());
                let door = door(client, tls.is_some(), port, front.lan || !near);
                let door = Door { only: front.only.clone(), ..door };
                let acceptor = tls.as_ref().and_then(|tls| tls.borrow().clone());
                let (shared, tls) = (shared.clone(), acceptor.map(TlsAcceptor::from));
                by_itself(place, welcome(stream, tls, door, shared));
            }
            Err(_) => {
                // Most likely descriptors are used up: what is only kept for later is let go.
                shared.upstreams.clear();
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves a connection: whatever goes wrong with it goes wrong with no other.
fn by_itself(place: Place, serving: impl Future<Output = ()> + 'static) {
    tokio::task::spawn_local(async move {
        let _place = place;
        serving.await;
    });
}

/// When TLS is not spoken any more, where it was.
async fn ended(tls: &mut Option<TlsConfig>) {
    match tls {
        Some(tls) => drop(tls.wait_for(Option::is_none).await),
        None => std::future::pending().await,
    }
}

/// When nobody wants the front any more.
async fn gone(over: &mut Option<Ended>) {
    match over {
        Some(over) => while over.changed().await.is_ok() {},
        None => std::future::pending().await,
    }
}

fn door(client: SocketAddr, https: bool, port: u16, lan: bool) -> Door {
    Door { arrival: Arrival { client: client.ip(), https, port }, shown: None, lan, only: None }
}

async fn welcome(
    mut stream: TcpStream,
    tls: Option<TlsAcceptor>,
    mut door: Door,
    shared: Rc<Shared>,
) {
    // Small answers must not wait for a larger one.
    let _ = stream.set_nodelay(true);
    let Some(acceptor) = tls else {
        return plain(stream, door, shared).await;
    };
    let mut first = [0];
    match timeout(HANDSHAKE_TIMEOUT, stream.peek(&mut first)).await {
        Ok(Ok(1)) if first[0] == TLS_HANDSHAKE => {}
        Ok(Ok(1)) => return crate::http1::serve::send_to_https(&mut stream, door, &shared).await,
        _ => return,
    }
    let Ok(Ok(stream)) = timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await else { return };
    door.shown = stream.get_ref().1.server_name().map(|name| tls::host(name).into());
    match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => http2::serve(stream, BytesMut::new(), door, shared).await,
        _ => serve(stream, BytesMut::new(), door, shared).await,
    }
}

/// In the clear a client says by its first bytes which version it speaks.
async fn plain(mut stream: TcpStream, door: Door, shared: Rc<Shared>) {
    let mut input = BytesMut::new();
    let told = timeout(HANDSHAKE_TIMEOUT, speaks_http2(&mut stream, &mut input)).await;
    match told {
        Ok(Ok(true)) => http2::serve(stream, input, door, shared).await,
        Ok(Ok(false)) => serve(stream, input, door, shared).await,
        // Browsers open connections for later: what comes then may be anything, so it is no error.
        Err(_) => serve(stream, input, door, shared).await,
        Ok(Err(_)) => {}
    }
}

/// Reads until it is known.
async fn speaks_http2<C: Io>(stream: &mut C, input: &mut BytesMut) -> io::Result<bool> {
    loop {
        let known = PREFACE.len().min(input.len());
        if input[..known] != PREFACE[..known] {
            return Ok(false);
        }
        if known == PREFACE.len() {
            return Ok(true);
        }
        input.reserve(FIRST_BUFFER);
        if stream.read_buf(input).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;
    use std::time::SystemTime;

    use tokio::io::AsyncWriteExt;
    use tokio::sync::broadcast;
    use tokio::time::Instant;
    use wharf_model::{RouteTable, Upstream};

    use super::*;
    use crate::record::Log;
    use crate::upstream::{Ownership, Upstreams};
    use crate::{Ca, Tls};

    struct Anybody;

    impl Ownership for Anybody {
        fn verify(&self, _: &Upstream, _: SocketAddr) -> Result<(), String> {
            Ok(())
        }
    }

    type Ends = (watch::Sender<Arc<RouteTable>>, watch::Sender<bool>);

    /// A proxy without a route.
    pub(crate) fn shared() -> (Ends, Rc<Shared>) {
        let (routes, table) = watch::channel(Arc::new(RouteTable::default()));
        let (drain, draining) = watch::channel(false);
        let log = Log::new(broadcast::channel(1).0);
        let upstreams = Upstreams::new(Arc::new(Anybody), None);
        ((routes, drain), Rc::new(Shared::new(table, upstreams, log, draining)))
    }

    pub(crate) fn door() -> Door {
        super::door(([127, 0, 0, 1], 1).into(), false, 80, false)
    }

    #[test]
    fn a_connection_that_panics_takes_no_other_with_it() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, async {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let (_ends, shared) = shared();
            let capacity = Rc::new(Capacity::new(1));
            by_itself(capacity.take(), async { panic!("on purpose") });
            // The only place is given back, or nobody is accepted.
            let front = Front { listener, tls: None, lan: false, only: None };
            tokio::task::spawn_local(accept(front, None, shared, capacity));
            let mut client = TcpStream::connect(address).await.unwrap();
            let request = b"GET / HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n";
            client.write_all(request).await.unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 421 "), "{answer}");
        });
    }

    /// A client that says this by TLS and then nothing more: how long it is waited for. Time passes only
    /// when nothing else happens.
    fn lasts(said: &'static [u8]) -> std::time::Duration {
        let dir = tempfile::tempdir().unwrap();
        let ca = Ca::create(&dir.path().join("ca"), "anna@laptop", SystemTime::now()).unwrap();
        let acceptor = TlsAcceptor::from(Tls::new(ca, |_| true).server_config());
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(true).build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            client.write_all(said).await.unwrap();
            let (stream, address) = listener.accept().await.unwrap();
            let (_ends, shared) = shared();
            let begun = Instant::now();
            welcome(stream, Some(acceptor), super::door(address, true, 443, false), shared).await;
            begun.elapsed()
        })
    }

    #[test]
    fn a_handshake_that_stands_still_is_ended() {
        let limit = HANDSHAKE_TIMEOUT;
        for said in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"] {
            let lasted = lasts(said);
            // The first byte and the handshake have the time once each.
            assert!(lasted >= limit && lasted <= 2 * limit, "{said:?}: {lasted:?}");
        }
        assert!(lasts(b"\x16\x03\x01\xff\xff") < limit, "what is no handshake is ended at once");
    }
}

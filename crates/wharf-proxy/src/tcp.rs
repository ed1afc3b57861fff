//! Services that do not speak HTTP, each by a port of its own: whose bytes they are, nobody reads.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use wharf_model::{Condition, Upstream};

use crate::front::Capacity;
use crate::limits::{ACCEPT_PAUSE, HOLD, HOLD_REFUSED, MAX_HELD, TRY_AGAIN};
use crate::reach::Place;
use crate::shared::Shared;
use crate::splice;
use crate::upstream::NoConnection;

/// Where the clients of one service connect.
#[derive(Debug)]
pub struct TcpFront {
    /// They listen already.
    pub listeners: Vec<std::net::TcpListener>,
    /// Where connections lead. With the end of its sender the listeners close; what is open goes on.
    pub upstream: watch::Receiver<Arc<Upstream>>,
}

type Leads = watch::Receiver<Arc<Upstream>>;

/// Accepts at each of the listeners.
pub(crate) fn open(front: TcpFront, shared: &Rc<Shared>, capacity: &Rc<Capacity>) {
    for listener in front.listeners {
        let (leads, shared, capacity) = (front.upstream.clone(), shared.clone(), capacity.clone());
        tokio::task::spawn_local(async move {
            // A listener that cannot be watched serves nobody; the others go on.
            let _ = accept(listener, leads, shared, capacity).await;
        });
    }
}

async fn accept(
    listener: std::net::TcpListener,
    leads: Leads,
    shared: Rc<Shared>,
    capacity: Rc<Capacity>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let own = listener.local_addr()?;
    let listener = TcpListener::from_std(listener)?;
    let _listed = Listed::add(&shared.services, own);
    let (mut draining, mut end) = (shared.draining.clone(), leads.clone());
    loop {
        let next = async {
            capacity.room().await;
            listener.accept().await
        };
        let accepted = tokio::select! {
            accepted = next => accepted,
            _ = draining.wait_for(|draining| *draining) => return Ok(()),
            () = ended(&mut end) => return Ok(()),
        };
        match accepted {
            Ok((client, _)) => {
                let (leads, shared, place) = (leads.clone(), shared.clone(), capacity.take());
                tokio::task::spawn_local(async move {
                    let _place = place;
                    carry(client, leads, &shared).await;
                });
            }
            Err(_) => {
                shared.upstreams.clear();
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// When nobody can change any more where connections lead.
async fn ended(leads: &mut Leads) {
    while leads.changed().await.is_ok() {}
}

/// One listener among those that nobody may be led to.
pub(crate) struct Listed<'a> {
    all: &'a RefCell<Vec<SocketAddr>>,
    own: SocketAddr,
}

impl Listed<'_> {
    pub(crate) fn add(all: &RefCell<Vec<SocketAddr>>, own: SocketAddr) -> Listed<'_> {
        all.borrow_mut().push(own);
        Listed { all, own }
    }
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        self.all.borrow_mut().retain(|listed| *listed != self.own);
    }
}

/// Takes a client to the service, and stays until both have said their last word.
async fn carry(client: TcpStream, mut leads: Leads, shared: &Shared) {
    let client = Side::new(client);
    let Ok(server) = reach(&mut leads, shared).await else { return };
    let server = Side::new(server);
    if splice::run(&client.stream, &server.stream, shared).await.is_ok() {
        client.is_whole.set(true);
        server.is_whole.set(true);
    }
}

/// One side of a conversation. Unless that came to its end, it is reset and not closed: what was cut off
/// must not look like all that there was, and a client whom nobody answers must not take that for silence.
struct Side {
    stream: TcpStream,
    is_whole: std::cell::Cell<bool>,
}

impl Side {
    fn new(stream: TcpStream) -> Side {
        // Small messages must not wait for larger ones.
        let _ = stream.set_nodelay(true);
        Side { stream, is_whole: std::cell::Cell::new(false) }
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        if !self.is_whole.get() {
            let _ = set_socket_linger(&self.stream, Some(Duration::ZERO));
        }
    }
}

/// A connection to the service, once it serves; its listener is the right one.
async fn reach(leads: &mut Leads, shared: &Shared) -> Result<TcpStream, NoConnection> {
    let begun = Instant::now();
    loop {
        let upstream = leads.borrow_and_update().clone();
        let until = match upstream.condition {
            Condition::Starting => begun + HOLD,
            Condition::Ended { .. } => {
                return Err(NoConnection::Refused("it has ended".to_owned()));
            }
            Condition::Up | Condition::Dormant => {
                if upstream.addresses.iter().any(|address| shared.is_own(address.port())) {
                    return Err(NoConnection::Stranger("it is a port of wharf's own".to_owned()));
                }
                match shared.upstreams.plain(&upstream).await {
                    Ok((stream, _)) => return Ok(stream),
                    // Its end, or its restart, may not have been told yet.
                    Err(NoConnection::Refused(_))
                        if upstream.instance.is_some() && begun.elapsed() < HOLD_REFUSED =>
                    {
                        Instant::now() + TRY_AGAIN
                    }
                    Err(error) => return Err(error),
                }
            }
        };
        if Instant::now() >= until || shared.held.get() >= MAX_HELD {
            return Err(NoConnection::Refused("it does not serve yet".to_owned()));
        }
        let _place = Place::take(&shared.held);
        if let Ok(Err(_)) = timeout_at(until, leads.changed()).await {
            return Err(NoConnection::Refused("its name is no more".to_owned()));
        }
    }
}

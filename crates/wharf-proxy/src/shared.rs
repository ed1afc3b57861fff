//! What all connections of one proxy share. One thread runs them all: no locks.

use std::cell::{Cell, RefCell, RefMut};
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::watch;
use wharf_model::RouteTable;

use crate::http2::Onward;
use crate::limits::READ;
use crate::record::Log;
use crate::splice::Pipes;
use crate::upstream::Upstreams;

/// See above.
pub(crate) struct Shared {
    pub(crate) routes: watch::Receiver<Arc<RouteTable>>,
    /// The ports of the fronts, and whether each speaks TLS.
    pub(crate) fronts: RefCell<Vec<(u16, bool)>>,
    /// The listeners that lead to one server each.
    pub(crate) services: RefCell<Vec<SocketAddr>>,
    /// What their bytes go through.
    pub(crate) pipes: Pipes,
    pub(crate) upstreams: Upstreams,
    /// The connections to upstreams that speak HTTP/2.
    pub(crate) onward: Onward,
    pub(crate) log: Log,
    /// How many requests wait for an instance.
    pub(crate) held: Cell<usize>,
    /// Whether connections are to end after the request under way.
    pub(crate) draining: watch::Receiver<bool>,
    /// Where reads go first: an idle connection then needs no buffer of its own.
    scratch: RefCell<Box<[u8]>>,
}

impl Shared {
    pub(crate) fn new(
        routes: watch::Receiver<Arc<RouteTable>>,
        upstreams: Upstreams,
        log: Log,
        draining: watch::Receiver<bool>,
    ) -> Shared {
        let scratch = RefCell::new(vec![0; READ].into_boxed_slice());
        let (fronts, held) = (RefCell::default(), Cell::new(0));
        Shared {
            routes,
            fronts,
            services: RefCell::default(),
            pipes: Pipes::default(),
            upstreams,
            onward: Onward::default(),
            log,
            held,
            draining,
            scratch,
        }
    }

    /// The routes as they are now.
    pub(crate) fn table(&self) -> Arc<RouteTable> {
        self.routes.borrow().clone()
    }

    /// For the time of one poll; never held over an await.
    pub(crate) fn scratch(&self) -> RefMut<'_, Box<[u8]>> {
        self.scratch.borrow_mut()
    }

    /// Whether this proxy itself listens on a port: what it forwards there would come back.
    pub(crate) fn is_own(&self, port: u16) -> bool {
        self.fronts.borrow().iter().any(|(front, _)| *front == port)
            || self.services.borrow().iter().any(|service| service.port() == port)
    }

    pub(crate) fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }
}

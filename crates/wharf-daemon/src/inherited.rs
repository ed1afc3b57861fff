//! Listeners of services that a daemon before this one has given, until they are used.

use std::net::TcpListener;

use wharf_lease::{Kernel, Occupancy};
use wharf_model::{Holder, Port};

use crate::eyes::Eyes;

/// The scheme by which they are handed over.
pub(crate) const SCHEME: &str = "tcp";

/// What has been given; the port says whose it is.
#[derive(Debug, Default)]
pub(crate) struct Inherited(Vec<TcpListener>);

impl Inherited {
    pub(crate) fn new(given: Vec<TcpListener>) -> Inherited {
        Inherited(given)
    }

    /// Those of one port.
    pub(crate) fn of(&self, port: u16) -> Vec<TcpListener> {
        self.0.iter().filter(|one| has(one, port)).filter_map(|one| one.try_clone().ok()).collect()
    }

    /// They are in use now.
    pub(crate) fn forget(&mut self, port: u16) {
        self.0.retain(|one| !has(one, port));
    }

    /// Nobody wants the rest: whoever connects shall be refused, not left waiting.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

fn has(listener: &TcpListener, port: u16) -> bool {
    listener.local_addr().is_ok_and(|address| address.port() == port)
}

/// The kernel, but for our own listeners, which are in nobody's way.
pub(crate) struct PastOurs<'a> {
    pub(crate) eyes: &'a mut Eyes,
    pub(crate) inherited: &'a Inherited,
}

impl Kernel for PastOurs<'_> {
    fn occupancy(&mut self, port: Port) -> Occupancy {
        match self.inherited.0.iter().any(|one| has(one, port.get())) {
            true => Occupancy::Free,
            false => self.eyes.occupancy(port),
        }
    }

    fn holder(&mut self, port: Port) -> Holder {
        self.eyes.holder(port)
    }

    fn process(&mut self, pid: u32) -> Holder {
        self.eyes.process(pid)
    }
}

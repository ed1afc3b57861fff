//! The table as one request sees it while it is being decided.

use wharf_model::{Holder, LeaseKind, Port, ServiceKey};

use crate::kernel::{Kernel, Occupancy};
use crate::request::Busy;
use crate::table::{Held, Table};

/// Why a port cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// Another lease is on it, perhaps one of this very request.
    Lease,
    /// It is another service's home, which does not run.
    Home,
    /// Somebody who is not of wharf holds it.
    Foreign,
    /// The kernel refuses the bind.
    Denied,
}

/// The table, less the leases that this request gives up, plus those that it has got so far.
pub(crate) struct View<'a> {
    pub(crate) table: &'a Table,
    pub(crate) wall_s: u64,
    pub(crate) busy: &'a [Busy],
    /// Leases that the same request replaces.
    pub(crate) given_up: Vec<i64>,
    /// Ports that the same request has taken already.
    pub(crate) taken: Vec<Port>,
    /// How often the kernel was asked.
    pub(crate) asked: u32,
}

impl<'a> View<'a> {
    /// The live lease on a port.
    pub(crate) fn lease_on(&self, port: Port) -> Option<&'a Held> {
        self.table.lease_on(port).filter(|held| !self.given_up.contains(&held.lease.id))
    }

    /// The live lease of a key.
    pub(crate) fn lease_of(&self, key: &ServiceKey) -> Option<&'a Held> {
        self.table.lease_of(key).filter(|held| !self.given_up.contains(&held.lease.id))
    }

    /// The port that a key is remembered on.
    pub(crate) fn home_of(&self, key: Option<&ServiceKey>) -> Option<Port> {
        Some(self.table.home_of(key?, self.wall_s)?.port)
    }

    /// The first thing that keeps `key` from the port: wharf's own table is asked before the kernel,
    /// because a leased port may not be bound yet and a home never is.
    pub(crate) fn obstacle(
        &mut self,
        port: Port,
        key: Option<&ServiceKey>,
        kernel: &mut dyn Kernel,
    ) -> Option<Obstacle> {
        if self.taken.contains(&port) {
            return Some(Obstacle::Lease);
        }
        if self.table.is_spoken_for(port) {
            if self.lease_on(port).is_some() {
                return Some(Obstacle::Lease);
            }
            if self.home_of_another(port, key) {
                return Some(Obstacle::Home);
            }
        }
        self.seen(port, kernel)
    }

    /// What the kernel alone, and the caller's own attempt, say of the port.
    pub(crate) fn seen(&mut self, port: Port, kernel: &mut dyn Kernel) -> Option<Obstacle> {
        if self.busy.iter().any(|busy| busy.port == port) {
            return Some(Obstacle::Foreign);
        }
        self.asked += 1;
        match kernel.occupancy(port) {
            Occupancy::Free => None,
            Occupancy::Taken => Some(Obstacle::Foreign),
            Occupancy::Denied => Some(Obstacle::Denied),
        }
    }

    /// Whether the port is remembered for another service.
    pub(crate) fn home_of_another(&self, port: Port, key: Option<&ServiceKey>) -> bool {
        self.table.home_on(port, self.wall_s).is_some_and(|home| Some(&home.key) != key)
    }

    /// Who is in the way, for people.
    pub(crate) fn holder(&self, port: Port, obstacle: Obstacle, kernel: &mut dyn Kernel) -> Holder {
        match obstacle {
            Obstacle::Lease => self.lessee(port, kernel),
            Obstacle::Home => Holder {
                key: self.table.home_on(port, self.wall_s).map(|home| home.key.clone()),
                note: Some("not running".to_owned()),
                ..Holder::default()
            },
            Obstacle::Foreign => {
                let told = self.busy.iter().find(|busy| busy.port == port);
                match told.and_then(|busy| busy.holder.clone()) {
                    Some(holder) => holder,
                    None => kernel.holder(port),
                }
            }
            Obstacle::Denied => Holder {
                note: Some("the system, which does not permit binding it".to_owned()),
                ..Holder::default()
            },
        }
    }

    fn lessee(&self, port: Port, kernel: &mut dyn Kernel) -> Holder {
        let Some(held) = self.lease_on(port) else {
            return Holder { note: Some("this request".to_owned()), ..Holder::default() };
        };
        if let Some(focus) = self.table.focus_on(port) {
            let note = format!("`wharf focus`, which leads to {}", focus.key);
            return Holder { note: Some(note), ..Holder::default() };
        }
        let (mut holder, note) = match &held.lease.kind {
            LeaseKind::Process(owner) => (kernel.process(owner.pid), None),
            LeaseKind::Ttl(_) => (Holder::default(), Some("a lease of `wharf port`".to_owned())),
        };
        holder.key.clone_from(&held.lease.key);
        holder.note = note.or(holder.note);
        holder
    }
}

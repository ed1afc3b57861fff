//! What of an instance's ports stays from one launch to the next.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::Arc;

use wharf_os::diag;
use wharf_os::remap::Held;
use wharf_os::reserve::Reservation;

use super::table::{Course, Table};

/// Which port stands for which, the sockets that keep the ports, and the listeners that outlive their
/// servers.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) table: Table,
    reservations: BTreeMap<u16, Reservation>,
    held: Vec<Arc<Held>>,
    /// Those that a server of this launch has got.
    handed_out: BTreeSet<u64>,
}

impl Kept {
    pub(crate) fn new(table: Table, reservations: Vec<Reservation>) -> Kept {
        let reservations = reservations.into_iter().map(|one| (one.port(), one)).collect();
        Kept { table, reservations, held: Vec::new(), handed_out: BTreeSet::new() }
    }

    /// Keeps one more port.
    pub(crate) fn reserve(&mut self, reservation: Reservation) {
        self.reservations.insert(reservation.port(), reservation);
    }

    /// Keeps a listener beyond its server.
    pub(crate) fn hold(&mut self, held: Arc<Held>) {
        if !self.held.iter().any(|other| other.inode() == held.inode()) {
            self.held.push(held);
        }
    }

    /// The listeners that are held.
    pub(crate) fn held(&self) -> &[Arc<Held>] {
        &self.held
    }

    /// The held listener for a bind on this address: the very same one if there is one, and first of
    /// all one that no server of this launch has yet, since workers may have one each.
    pub(super) fn hand_out(&mut self, target: SocketAddr) -> Option<Arc<Held>> {
        let given =
            |held: &Held| held.inode().is_some_and(|inode| self.handed_out.contains(&inode));
        let on_port = self.held.iter().filter_map(|held| {
            let address = held.address().ok().filter(|at| at.port() == target.port())?;
            Some((held, address))
        });
        let best = on_port.min_by_key(|(held, at)| {
            let other_family = at.is_ipv4() != target.is_ipv4();
            (place(*at) != place(target), other_family, given(held))
        });
        let held = best.map(|(held, _)| held.clone())?;
        self.handed_out.extend(held.inode());
        Some(held)
    }

    /// The same, of this address alone: a port means nothing by itself where each instance has an address.
    pub(super) fn hand_out_at(&mut self, target: SocketAddr) -> Option<Arc<Held>> {
        let is_there = |held: &Arc<Held>| held.address().is_ok_and(|at| place(at) == place(target));
        if self.held.iter().any(is_there) { self.hand_out(target) } else { None }
    }

    /// A new launch: no server has any of the listeners yet.
    pub(crate) fn begin(&mut self) {
        self.handed_out.clear();
        self.table.begin();
    }

    /// The server serves: what it has not taken of the listeners before it takes no more.
    pub(crate) fn drop_unclaimed(&mut self) {
        let handed_out = &self.handed_out;
        if !handed_out.is_empty() {
            self.held.retain(|held| held.inode().is_some_and(|inode| handed_out.contains(&inode)));
        }
    }

    /// Listens again where a server has ended that for all who have the socket.
    pub(crate) fn mend(&self) {
        for held in self.held.iter().filter(|held| !held.is_listening()) {
            let port = held.address().map_or(0, |address| address.port());
            // Another may be faster, which the next bind will tell.
            let _ = self.shared(port, || held.listen_again());
        }
    }

    /// Does something for which the reservation of a port has to step aside.
    pub(crate) fn shared<T>(&self, port: u16, work: impl FnOnce() -> T) -> T {
        let reservation = self.reservations.get(&port);
        let _ = reservation.map(|reservation| reservation.share(true));
        let result = work();
        let _ = reservation.map(|reservation| reservation.share(false));
        result
    }

    /// Lets a program bind over the reservation by itself, from now on.
    pub(crate) fn share(&self, port: u16) {
        if let Some(reservation) = self.reservations.get(&port) {
            let _ = reservation.share(true);
        }
    }

    /// Keeps a port no more.
    pub(crate) fn give_up(&mut self, port: u16) {
        self.reservations.remove(&port);
    }

    /// The same for every port.
    pub(crate) fn share_all(&self) {
        for port in self.reservations.keys() {
            self.share(*port);
        }
    }

    /// The program does not use its leased port: nobody keeps it any more.
    pub(super) fn give_up_leased(&mut self) {
        if let Some(port) = self.table.give_up_leased() {
            self.reservations.remove(&port);
        }
    }

    /// What becomes of a bind.
    pub(super) fn course(&mut self, named: u16) -> Course {
        let Kept { table, reservations, .. } = self;
        table.bind(named, |port| is_bound(port, reservations.get(&port)))
    }
}

/// An address, whichever family it is written in.
fn place(address: SocketAddr) -> (IpAddr, u16) {
    (address.ip().to_canonical(), address.port())
}

/// Whether anybody but our reservation has a socket on the port.
fn is_bound(port: u16, reservation: Option<&Reservation>) -> bool {
    let own = reservation.and_then(inode);
    diag::holding(port).is_ok_and(|sockets| sockets.iter().any(|socket| Some(socket.inode) != own))
}

fn inode(reservation: &Reservation) -> Option<u64> {
    let fd = reservation.as_fd().try_clone_to_owned().ok()?;
    let facts = std::fs::File::from(fd).metadata().ok()?;
    Some(std::os::unix::fs::MetadataExt::ino(&facts))
}

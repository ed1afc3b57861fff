//! The thread that answers an instance's calls.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use wharf_os::diag;
use wharf_os::remap::{Call, Doorbell, Kind, Mode, Notifier, Protocol, Sight, on_loopback};
use wharf_os::reserve::Reservation;

use super::ask::{Note, Notes, PortAsk};
use super::caller::Home;
use super::table::{Course, Table};
use super::{Asks, Group, Remapping, Seen, Unmapped};

/// How long a bind waits for a port. Longer than the owner's own patience with whom it asks.
const ASK_LIMIT: Duration = Duration::from_secs(7);

/// How many binds may wait for a port at once; a further one is left as it is.
const PENDING_MAX: usize = 256;

/// How much of what was seen may lie unread. The sockets themselves tell what is lost.
const SEEN_MAX: usize = 256;

/// Questions that the owner has not read yet.
const ASKS_MAX: usize = 64;

/// The thread needs little: a few frames, and buffers for one line of `/proc`.
const STACK: usize = 256 * 1024;

/// What the thread is made of.
pub(crate) struct Answering {
    notifier: Notifier,
    bell: Arc<Doorbell>,
    inbox: Receiver<Note>,
    notes: Notes,
    seen: mpsc::Sender<Seen>,
    asks: mpsc::Sender<PortAsk>,

    mode: Mode,
    loopback: bool,
    ephemeral: (u16, u16),
    home: Home,
    table: Table,
    /// The sockets that keep the leased ports, by port.
    reservations: BTreeMap<u16, Reservation>,
    pending: Vec<Pending>,
    told: BTreeSet<(u16, Unmapped)>,
    /// Ports on which the loopback guard bound IPv4 alone for a dual-stack socket.
    only_v4: BTreeSet<u16>,
}

/// A bind that waits for its port.
struct Pending {
    call: Call,
    address: SocketAddr,
    sight: Sight,
    until: Instant,
}

/// The ways to a thread that runs.
pub(crate) struct Started {
    pub(crate) notes: Notes,
    /// Ends with the last process under the filter.
    pub(crate) seen: mpsc::Receiver<Seen>,
}

impl Answering {
    /// Makes the channel of questions, before there is a thread to ask them.
    pub(crate) fn questions() -> (mpsc::Sender<PortAsk>, Asks) {
        mpsc::channel(ASKS_MAX)
    }

    /// Starts the thread.
    pub(crate) fn start(
        notifier: Notifier,
        remapping: &Remapping,
        mark: (&'static str, String),
        table: Table,
        reservations: Vec<Reservation>,
        asks: mpsc::Sender<PortAsk>,
    ) -> std::io::Result<Started> {
        let bell = Arc::new(Doorbell::new()?);
        let (notes, inbox) = Notes::new(bell.clone());
        let (seen, seen_out) = mpsc::channel(SEEN_MAX);
        let mut answering = Answering {
            notifier,
            bell,
            inbox,
            notes: notes.clone(),
            seen,
            asks,
            mode: remapping.mode,
            loopback: remapping.loopback,
            ephemeral: wharf_os::reserve::ephemeral_range(),
            home: Home::new(mark),
            table,
            reservations: reservations.into_iter().map(|one| (one.port(), one)).collect(),
            pending: Vec::new(),
            told: BTreeSet::new(),
            only_v4: BTreeSet::new(),
        };
        std::thread::Builder::new()
            .name("wharf-remap".to_owned())
            .stack_size(STACK)
            .spawn(move || answering.run())?;
        Ok(Started { notes, seen: seen_out })
    }

    /// Until no process under the filter is left.
    fn run(&mut self) {
        loop {
            let next = self.pending.iter().map(|pending| pending.until).min();
            let timeout = next.map(|until| until.saturating_duration_since(Instant::now()));
            let Ok(woken) = self.notifier.wait(&self.bell, timeout) else { return };
            if woken.over {
                return;
            }
            if woken.bell {
                self.read_notes();
            }
            self.give_up_late();
            if !woken.call {
                continue;
            }
            match self.notifier.receive() {
                Ok(Some(call)) => self.without_fail(call, |all| all.answer(call)),
                Ok(None) => {}
                // Refused from now on: calls that fail are better than calls that wait for ever.
                Err(_) => return,
            }
        }
    }

    /// Whatever goes wrong here, the caller's call is done as if there were no filter.
    fn without_fail(&mut self, call: Call, answer: impl FnOnce(&mut Answering)) {
        if catch_unwind(AssertUnwindSafe(|| answer(self))).is_err() {
            self.notifier.proceed(&call);
        }
    }

    fn answer(&mut self, call: Call) {
        match call.kind {
            Kind::Bind => self.bind(call),
            Kind::Listen { .. } => self.listen(call),
            Kind::Connect => self.connect(call),
            Kind::Name => {
                self.notifier.proceed(&call);
            }
        }
    }

    fn bind(&mut self, call: Call) {
        let address = match call.address() {
            Ok(Some(address)) => address,
            Ok(None) => return self.leave(&call),
            Err(error) if is_hidden(&error) => return self.leave_hidden(&call),
            Err(_) => return self.leave(&call),
        };
        let named = address.port();
        let guarded = self.loopback && on_loopback(address, false) != address;
        if named == 0 && !guarded {
            return self.leave(&call);
        }
        let sight = match self.sight_of(&call, named) {
            Ok(sight) => sight,
            Err(Some(why)) => return self.leave_and_say(&call, named, why),
            Err(None) => return self.leave(&call),
        };
        if named == 0 {
            return self.bind_on(&call, &sight, address, 0);
        }
        match self.table.bind(named, |port| is_bound(port, &self.reservations)) {
            Course::On(port) => self.bind_on(&call, &sight, address, port),
            Course::TooMany => self.leave_and_say(&call, named, Unmapped::TooMany),
            Course::Ask => self.ask(call, sight, address),
        }
    }

    /// The socket of a bind that is to be remapped; else why it is not, where that is worth a word.
    fn sight_of(&self, call: &Call, named: u16) -> Result<Sight, Option<Unmapped>> {
        if !self.home.has_our_network(call.thread) {
            return Err(Some(Unmapped::ElsewhereNet));
        }
        let sight = self.mode.look(call).map_err(|e| is_hidden(&e).then_some(Unmapped::Opaque))?;
        // What was read is the caller's only if the caller still waits.
        if !self.notifier.is_valid(call) {
            return Err(None);
        }
        match sight.protocol {
            Protocol::Tcp => {}
            Protocol::Udp => return Err(Some(Unmapped::Udp)),
            Protocol::Other => return Err(None),
        }
        let process = call.thread;
        if self.home.is_wharf(process) || self.home.is_leased_inside(process, named) {
            return Err(None);
        }
        Ok(sight)
    }

    /// Does a bind on a port of ours.
    fn bind_on(&mut self, call: &Call, sight: &Sight, address: SocketAddr, port: u16) {
        let mut target = address;
        target.set_port(port);
        let target = self.guarded(sight, target);
        if self.mode == Mode::Rewrite {
            // Whether the caller's socket may share the port cannot be seen, so it gets all of it.
            self.reservations.remove(&port);
        }
        let reservation = self.reservations.get(&port);
        let _ = reservation.map(|reservation| reservation.share(true));
        let pair = (&self.notifier, call);
        let result = self.mode.bind(pair, sight, target, None);
        // Where the caller binds by itself, it does so after this.
        if self.mode == Mode::Duplicate {
            let _ = reservation.map(|reservation| reservation.share(false));
        }
        match result {
            Ok(Ok(())) => {
                let (named, pid) = (address.port(), call.thread);
                // Whoever names no port is not on port 0.
                let given = sight.socket.as_ref().filter(|_| port == 0);
                let address = given.and_then(|socket| socket.local().ok()).unwrap_or(target);
                self.tell(Seen::Bound { named, address, pid });
            }
            Ok(Err(_)) => {}
            Err(_) => self.leave(call),
        }
    }

    /// The address that a bind has in the end: a loopback one where the guard is on.
    fn guarded(&mut self, sight: &Sight, target: SocketAddr) -> SocketAddr {
        if !self.loopback {
            return target;
        }
        let v6_only = sight.socket.as_ref().is_some_and(|socket| socket.is_v6_only());
        let guarded = on_loopback(target, v6_only);
        if guarded != target && guarded.ip().to_canonical().is_ipv4() && target.is_ipv6() {
            self.only_v4.insert(target.port());
        }
        guarded
    }

    /// Asks the owner for a port, or joins those who wait for the same one.
    fn ask(&mut self, call: Call, sight: Sight, address: SocketAddr) {
        let named = address.port();
        if self.is_ephemeral(named) && self.is_had_as_it_is(&call, &sight, address) {
            return;
        }
        let is_asked = self.pending.iter().any(|pending| pending.address.port() == named);
        let full = self.pending.len() >= PENDING_MAX;
        if full {
            return self.leave_and_say(&call, named, Unmapped::NoPort);
        }
        if !is_asked {
            let ask = PortAsk::new(named, self.notes.clone());
            if let Err(refused) = self.asks.try_send(ask) {
                // Its drop leaves a note that there is no port, which finds nobody waiting.
                drop(refused);
                return self.leave_and_say(&call, named, Unmapped::NoPort);
            }
        }
        let until = Instant::now() + ASK_LIMIT;
        self.pending.push(Pending { call, address, sight, until });
    }

    fn is_ephemeral(&self, port: u16) -> bool {
        (self.ephemeral.0..=self.ephemeral.1).contains(&port)
    }

    /// A port of the kernel's own range is most often one that the program was given a moment ago: as
    /// long as nobody else has it, there is nothing to lease and to remember.
    fn is_had_as_it_is(&mut self, call: &Call, sight: &Sight, address: SocketAddr) -> bool {
        if let Some(socket) = &sight.socket {
            // The kernel knows best: workers may share the port by options of their own.
            let address = self.guarded(sight, address);
            let is_bound = socket.bind(address).is_ok();
            if is_bound {
                self.notifier.answer(call, Ok(()));
                self.tell(Seen::Bound { named: address.port(), address, pid: call.thread });
            }
            return is_bound;
        }
        let port = address.port();
        if diag::holding(port).map_or(true, |holders| !holders.is_empty()) {
            return false;
        }
        self.bind_on(call, sight, address, port);
        true
    }

    fn read_notes(&mut self) {
        while let Ok(note) = self.inbox.try_recv() {
            match note {
                Note::Lent { named, reservation } => self.lent(named, reservation),
                Note::Group(group) => self.table.regroup(group),
            }
        }
    }

    /// A port has come for those who wait for it, or none.
    fn lent(&mut self, named: u16, reservation: Option<Reservation>) {
        let port = reservation.as_ref().map(Reservation::port);
        if let Some(reservation) = reservation {
            self.table.lend(named, reservation.port());
            self.reservations.insert(reservation.port(), reservation);
        }
        let waiting = self.pending.extract_if(.., |pending| pending.address.port() == named);
        for Pending { call, address, sight, .. } in waiting.collect::<Vec<_>>() {
            if !self.notifier.is_valid(&call) {
                continue;
            }
            self.without_fail(call, |all| match port {
                Some(port) => all.bind_on(&call, &sight, address, port),
                None => all.leave_and_say(&call, named, Unmapped::NoPort),
            });
        }
    }

    fn give_up_late(&mut self) {
        let now = Instant::now();
        let late = self.pending.extract_if(.., |pending| pending.until <= now);
        for Pending { call, address, .. } in late.collect::<Vec<_>>() {
            self.leave_and_say(&call, address.port(), Unmapped::NoPort);
        }
    }

    fn listen(&mut self, call: Call) {
        let Ok(sight) = self.mode.look(&call) else { return self.leave(&call) };
        if sight.protocol != Protocol::Tcp || !self.notifier.is_valid(&call) {
            return self.leave(&call);
        }
        let at = sight.socket.as_ref().and_then(|socket| socket.local().ok());
        let reservation = at.and_then(|at| self.reservations.get(&at.port()));
        // The kernel looks at the port once more when a socket begins to listen.
        let _ = reservation.map(|reservation| reservation.share(true));
        let result = self.mode.listen((&self.notifier, &call), &sight);
        if self.mode == Mode::Duplicate {
            let _ = reservation.map(|reservation| reservation.share(false));
        }
        if result.is_ok() {
            // A socket that was not bound is now.
            let address = sight.socket.as_ref().and_then(|socket| socket.local().ok()).or(at);
            self.tell(Seen::Listening { address, pid: call.thread });
        }
    }

    fn connect(&mut self, call: Call) {
        let Ok(Some(address)) = call.address() else { return self.leave(&call) };
        let port = self.table.connect(address.port()).filter(|_| means_this_machine(address));
        let Some(port) = port else { return self.leave(&call) };
        let process = call.thread;
        if !self.home.has_our_network(process) || self.home.is_wharf(process) {
            return self.leave(&call);
        }
        let Ok(sight) = self.mode.look(&call) else { return self.leave(&call) };
        if sight.protocol != Protocol::Tcp || !self.notifier.is_valid(&call) {
            return self.leave(&call);
        }
        let target = self.connect_target(address, port, &sight);
        if self.mode.connect((&self.notifier, &call), &sight, target).is_err() {
            self.leave(&call);
        }
    }

    fn connect_target(&self, address: SocketAddr, port: u16, sight: &Sight) -> SocketAddr {
        let mut target = address;
        target.set_port(port);
        let v6_only = sight.socket.as_ref().is_some_and(|socket| socket.is_v6_only());
        // Where the loopback guard took a dual-stack socket to IPv4, whoever asks for ::1 follows.
        if self.only_v4.contains(&port) && address.is_ipv6() && !v6_only {
            target.set_ip(std::net::Ipv4Addr::LOCALHOST.to_ipv6_mapped().into());
        }
        target
    }

    /// The kernel does the call as if there were no filter.
    fn leave(&self, call: &Call) {
        self.notifier.proceed(call);
    }

    /// As [`Answering::leave`], and it is told once for each port and reason.
    fn leave_and_say(&mut self, call: &Call, named: u16, why: Unmapped) {
        // Whoever binds by itself binds over the reservation.
        if let Some(reservation) = self.reservations.get(&named) {
            let _ = reservation.share(true);
        }
        let pid = call.thread;
        self.leave(call);
        if self.told.insert((named, why)) {
            self.tell(Seen::Unmapped { named, pid, why });
        }
    }

    /// Which port is named cannot be seen. It may be one that is kept, over which the caller binds.
    fn leave_hidden(&mut self, call: &Call) {
        for reservation in self.reservations.values() {
            let _ = reservation.share(true);
        }
        self.leave_and_say(call, 0, Unmapped::Opaque);
    }

    fn tell(&self, seen: Seen) {
        // Whoever is behind looks at the sockets themselves.
        let _ = self.seen.try_send(seen);
    }
}

/// Whether the caller may not be inspected, or else has made a mistake that the kernel will tell.
fn is_hidden(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::PermissionDenied
}

/// Whether anybody but a reservation of ours has a socket on the port.
fn is_bound(port: u16, reservations: &BTreeMap<u16, Reservation>) -> bool {
    let kept = reservations.get(&port).and_then(inode);
    diag::holding(port).is_ok_and(|sockets| sockets.iter().any(|socket| Some(socket.inode) != kept))
}

fn inode(reservation: &Reservation) -> Option<u64> {
    let file = reservation.as_fd().try_clone_to_owned().ok().map(std::fs::File::from)?;
    std::os::unix::fs::MetadataExt::ino(&file.metadata().ok()?).into()
}

/// Loopback, or no address at all, by which clients mean the same.
fn means_this_machine(address: SocketAddr) -> bool {
    let ip = address.ip().to_canonical();
    ip.is_loopback() || ip.is_unspecified()
}

impl Notes {
    /// The group has changed.
    pub(crate) fn regroup(&self, group: Group) {
        self.tell(Note::Group(group));
    }
}

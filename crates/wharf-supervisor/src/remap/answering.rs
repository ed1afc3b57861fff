//! The thread that answers an instance's calls.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use wharf_os::diag;
use wharf_os::remap::{Call, Doorbell, Held, Kind, Mode, Notifier, Protocol, Sight, on_loopback};
use wharf_os::reserve::Reservation;

use super::ask::{Note, Notes, PortAsk};
use super::caller::Home;
use super::kept::Kept;
use super::spared::Spared;
use super::table::Course;
use super::{Asks, Group, Peer, Remapping, Seen, Unmapped};

/// How long a bind waits for a port. Longer than the owner's own patience with whom it asks.
const ASK_LIMIT: Duration = Duration::from_secs(7);

/// How many binds may wait for a port at once; a further one is left as it is.
const PENDING_MAX: usize = 256;

/// How much of what was seen may lie unread. The sockets themselves tell what is lost.
pub(crate) const SEEN_MAX: usize = 256;

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
    address: Option<Ipv4Addr>,
    ephemeral: (u16, u16),
    home: Home,
    kept: Kept,
    pending: Vec<Pending>,
    spared: Spared,
    told: BTreeSet<(u16, Unmapped)>,
    /// The thread that bound a port last, and its process.
    binder: Option<(u32, u32)>,
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
    /// What is there to keep when it has ended.
    pub(crate) thread: std::thread::JoinHandle<Kept>,
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
        kept: Kept,
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
            address: remapping.address,
            ephemeral: wharf_os::reserve::ephemeral_range(),
            home: Home::new(mark),
            kept,
            pending: Vec::new(),
            spared: Spared::default(),
            told: BTreeSet::new(),
            binder: None,
            only_v4: BTreeSet::new(),
        };
        let thread = std::thread::Builder::new()
            .name("wharf-remap".to_owned())
            .stack_size(STACK)
            .spawn(move || {
            answering.run();
            answering.kept
        })?;
        Ok(Started { notes, thread, seen: seen_out })
    }

    /// Until no process under the filter is left.
    fn run(&mut self) {
        loop {
            let next = self.pending.iter().map(|pending| pending.until).min();
            let timeout = next.map(|until| until.saturating_duration_since(Instant::now()));
            let timeout = timeout.into_iter().chain(self.spared.pause()).min();
            let held: Vec<_> = self.kept.held().iter().map(|held| held.as_fd()).collect();
            let Ok(woken) = self.notifier.wait(&self.bell, &held, timeout) else { return };
            // A listener to be held is told just before its server ends.
            if woken.bell || woken.over {
                self.read_notes();
            }
            if !woken.call {
                self.spared.look();
            }
            // A server may end the listener just before it ends itself.
            if woken.held {
                self.kept.mend();
            }
            if woken.over {
                return;
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
            Kind::Name => self.name(&call),
            Kind::Shutdown => self.shutdown(call),
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
        let guarded = guarded && self.address.is_none();
        if named == 0 && !guarded {
            return self.leave(&call);
        }
        let sight = match self.sight_of(&call, named) {
            Ok(sight) => sight,
            Err(Some(why)) => return self.leave_and_say(&call, named, why),
            Err(None) => return self.leave(&call),
        };
        if let Some(own) = self.address {
            return self.bind_at_home(&call, &sight, address, own);
        }
        if named == 0 {
            return self.bind_on(&call, &sight, address, 0);
        }
        match self.kept.course(named) {
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
        let mode = self.mode;
        let held = if address.port() == 0 { None } else { self.kept.hand_out(target) };
        let fd = held.as_ref().map(|held| held.as_fd());
        let result = self.over(port, |notifier| mode.bind((notifier, call), sight, target, fd));
        match result {
            Ok(Ok(())) => {
                let pid = call.process().unwrap_or(call.thread);
                self.binder = Some((call.thread, pid));
                let named = address.port();
                // Whoever names no port is not on port 0.
                let given = sight.socket.as_ref().filter(|_| port == 0);
                let given = given.and_then(|socket| socket.local().ok());
                let held = held.and_then(|held| held.address().ok());
                let address = held.or(given).unwrap_or(target);
                self.tell(Seen::Bound { named, address, pid });
            }
            Ok(Err(_)) => {}
            Err(_) => self.leave(call),
        }
    }

    /// Does a bind on the instance's own address: what reaches this machine from elsewhere stays as it
    /// is only where the program names an address of the network.
    fn bind_at_home(&mut self, call: &Call, sight: &Sight, address: SocketAddr, own: Ipv4Addr) {
        if !means_this_machine(address) {
            return self.leave(call);
        }
        let mut target = address;
        target.set_ip(if address.is_ipv6() { own.to_ipv6_mapped().into() } else { own.into() });
        if let Some(socket) = sight.socket.as_ref().filter(|_| address.is_ipv6()) {
            let twin = self.kept.table.is_settled(address.port()) && socket.is_v6_only();
            let _ = socket.set_v6_only(false);
            // The program has IPv4's socket already, and this one would be for IPv6 alone: nobody asks
            // for that at this address, so it only has to be somewhere.
            if twin {
                target = SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, 0));
            }
        }
        let held = self.kept.hand_out_at(target);
        let fd = held.as_ref().map(|held| held.as_fd());
        match self.mode.bind((&self.notifier, call), sight, target, fd) {
            Ok(Ok(())) if target.port() != 0 => {
                self.kept.table.settle(address.port());
                let (named, pid) = (address.port(), call.thread);
                self.tell(Seen::Bound { named, address: target, pid });
            }
            Ok(_) => {}
            Err(_) => self.leave(call),
        }
    }

    /// Does something over the reservation of a port. Where the caller does it by itself, it does so
    /// after this, so the port stays open to it.
    fn over<T>(&mut self, port: u16, work: impl FnOnce(&Notifier) -> T) -> T {
        match self.mode {
            Mode::Duplicate => return self.kept.shared(port, || work(&self.notifier)),
            Mode::Inject => self.kept.share(port),
            // Whether the caller's socket may share the port cannot be seen, so it gets all of it.
            Mode::Rewrite => self.kept.give_up(port),
        }
        work(&self.notifier)
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
                Note::Group(group) => self.kept.table.regroup(group),
                Note::Hold(held) => self.kept.hold(held),
                Note::Serves => self.kept.drop_unclaimed(),
                Note::GiveUpLeased => self.kept.give_up_leased(),
            }
        }
    }

    /// A port has come for those who wait for it, or none.
    fn lent(&mut self, named: u16, reservation: Option<Reservation>) {
        let port = reservation.as_ref().map(Reservation::port);
        if let Some(reservation) = reservation {
            self.kept.table.lend(named, reservation.port());
            self.kept.reserve(reservation);
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
        let called = Instant::now();
        let Ok(sight) = self.mode.look(&call) else { return self.leave(&call) };
        if sight.protocol != Protocol::Tcp || !self.notifier.is_valid(&call) {
            return self.leave(&call);
        }
        let at = sight.socket.as_ref().and_then(|socket| socket.local().ok());
        let (mode, seen) = (self.mode, self.seen.clone());
        let port = at.map_or(0, |at| at.port());
        let pid = self.process_of(&call);
        let told = || {
            // A socket that was not bound is now.
            let address = sight.socket.as_ref().and_then(|socket| socket.local().ok()).or(at);
            let _ = seen.try_send(Seen::Listening { address, pid, called });
        };
        // The kernel looks at the port once more when a socket begins to listen.
        self.over(port, |notifier| mode.listen((notifier, &call), &sight, told));
    }

    /// The process of a thread that has bound a port a moment ago: to look it up takes longer than all
    /// else that a `listen` does.
    fn process_of(&self, call: &Call) -> u32 {
        match self.binder {
            Some((thread, process)) if thread == call.thread => process,
            _ => call.process().unwrap_or(call.thread),
        }
    }

    /// Tells a program the port that it named, in the place of the one that it has.
    fn name(&self, call: &Call) {
        let named = self.mode.look(call).ok().and_then(|sight| {
            let mut address = sight.socket.as_ref()?.local().ok()?;
            let named = self.kept.table.named_of(address.port())?;
            let tcp = sight.protocol == Protocol::Tcp && self.notifier.is_valid(call);
            address.set_port(named);
            tcp.then_some(address)
        });
        match named {
            Some(address) if call.name(address).is_ok() => {
                self.notifier.answer(call, Ok(()));
            }
            _ => self.leave(call),
        }
    }

    /// Keeps a server from ending a held listener for all who have it: nobody shall be refused between it
    /// and the next one.
    fn shutdown(&mut self, call: Call) {
        let held = self.kept.held();
        let inode = if held.is_empty() { None } else { call.inode() };
        let is_it = |held: &&Arc<Held>| held.inode() == inode && held.is_listening();
        let held = held.iter().find(is_it).filter(|_| inode.is_some());
        if held.cloned().is_some_and(|held| self.spared.takes(&call, held)) {
            self.notifier.answer(&call, Ok(()));
        } else {
            self.leave(&call);
        }
    }

    fn connect(&mut self, call: Call) {
        let Ok(Some(address)) = call.address() else { return self.leave(&call) };
        let table = &self.kept.table;
        let peer = match self.address {
            _ if !means_this_machine(address) => None,
            Some(own) => table.connect_from(own, address.port()),
            None => table.connect(address.port()),
        };
        let Some(peer) = peer else { return self.leave(&call) };
        let process = call.thread;
        if !self.home.has_our_network(process) || self.home.is_wharf(process) {
            return self.leave(&call);
        }
        let Ok(sight) = self.mode.look(&call) else { return self.leave(&call) };
        if sight.protocol != Protocol::Tcp || !self.notifier.is_valid(&call) {
            return self.leave(&call);
        }
        let target = self.connect_target(address, peer, &sight);
        if self.mode.connect((&self.notifier, &call), &sight, target).is_err() {
            self.leave(&call);
        }
    }

    fn connect_target(&self, address: SocketAddr, peer: Peer, sight: &Sight) -> SocketAddr {
        let (mut target, port) = (address, peer.port);
        target.set_port(port);
        let v6_only = sight.socket.as_ref().is_some_and(|socket| socket.is_v6_only());
        // Where the loopback guard took a dual-stack socket to IPv4, whoever asks for ::1 follows.
        if self.only_v4.contains(&port) && address.is_ipv6() && !v6_only {
            target.set_ip(std::net::Ipv4Addr::LOCALHOST.to_ipv6_mapped().into());
        }
        if let Some(own) = peer.address {
            target.set_ip(if target.is_ipv6() { own.to_ipv6_mapped().into() } else { own.into() });
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
        self.kept.share(named);
        // Told first: once it goes on, the caller may be at its end before this thread runs again.
        if self.told.insert((named, why)) {
            self.tell(Seen::Unmapped { named, pid: call.thread, why });
        }
        self.leave(call);
    }

    /// Which port is named cannot be seen. It may be one that is kept, over which the caller binds.
    fn leave_hidden(&mut self, call: &Call) {
        self.kept.share_all();
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

    /// A listener is to outlive its server.
    pub(crate) fn hold(&self, held: Arc<Held>) {
        self.tell(Note::Hold(held));
    }

    /// The program does not use its leased port.
    pub(crate) fn give_up_leased(&self) {
        self.tell(Note::GiveUpLeased);
    }

    /// The server serves.
    pub(crate) fn serves(&self) {
        self.tell(Note::Serves);
    }
}

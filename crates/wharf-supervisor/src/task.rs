//! The task of one instance: one loop that owns its state.

use std::collections::BTreeSet;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::time::{Duration, Instant};

use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;
use wharf_model::{Listener, Probe};
use wharf_os::guard::{Exit, Guard, Message, Packet};
use wharf_os::reserve::Reservation;
use wharf_os::signals::{SIGCONT, SIGKILL, SIGTERM};
use wharf_os::{descendants, process};

use crate::launch::{Launch, Order};
use crate::probe::{self, Outcome};
use crate::readiness::Expectation;
use crate::sight::{OnPort, Sight};
use crate::update::{Answer, Update};

/// After a refused or empty answer the server is asked again this much later.
const PROBE_AGAIN: Duration = Duration::from_millis(20);

/// After a question that was closed without a word, and when that is believed to be the server's way.
const CLOSED_AGAIN: Duration = Duration::from_millis(100);
const CLOSED_BELIEVED: Duration = Duration::from_millis(500);

/// A reload closes the listener for about a second; longer is an outage.
const UNREADY_AFTER: Duration = Duration::from_millis(1500);

/// When a silent start is worth a word.
const WAITING_AFTER: Duration = Duration::from_secs(15);

/// How often SIGKILL is sent again to what is left: a process may fork between the look and the signal.
const KILL_AGAIN: Duration = Duration::from_millis(20);

/// `Sync` as well, since the loop holds it across its other waits.
type Question = Pin<Box<dyn Future<Output = Reply> + Send + Sync>>;

/// What became of a question: of which listener, at which address.
type Reply = (Listener, SocketAddr, Outcome);

/// Everything about one running instance.
pub(crate) struct Task {
    guard: AsyncFd<Guard>,
    sight: Sight,
    expectation: Expectation,
    probe: Probe,
    grace: Duration,
    mark: (&'static str, String),
    /// Held, not read: the sockets that keep the ports.
    _reservations: Vec<Reservation>,
    orders: mpsc::Receiver<Order>,
    updates: mpsc::Sender<Update>,

    launched: Instant,
    command: Option<u32>,
    seen: BTreeSet<Listener>,
    next_scan: Instant,
    question: Option<Question>,
    ask_after: Instant,
    /// When the server first closed a question without a word.
    closed_since: Option<Instant>,
    serving: Serving,
    told_waiting: bool,
    told_strangers: BTreeSet<Listener>,
    ending: Option<Ending>,
}

/// Whether the instance serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Serving {
    NotYet,
    Yes,
    /// The listener is gone, since then.
    Missing(Instant),
    /// Gone for long, and said.
    Lost,
}

/// How far the end has come.
#[derive(Clone, Copy, Debug)]
struct Ending {
    kill_at: Instant,
    killing: bool,
}

impl Task {
    pub(crate) fn new(
        launch: Launch,
        guard: Guard,
        orders: mpsc::Receiver<Order>,
        updates: mpsc::Sender<Update>,
    ) -> io::Result<Task> {
        let now = Instant::now();
        let (first, last) = wharf_os::reserve::ephemeral_range();
        Ok(Task {
            sight: Sight::new(guard.pid(), launch.mark.clone())?,
            guard: registered(guard)?,
            expectation: Expectation::new(
                launch.port,
                &launch.further,
                &launch.likely,
                first..=last,
            ),
            probe: launch.probe,
            grace: launch.grace,
            mark: launch.mark,
            _reservations: launch.reservations,
            orders,
            updates,
            launched: now,
            command: None,
            seen: BTreeSet::new(),
            next_scan: now,
            question: None,
            ask_after: now,
            closed_since: None,
            serving: Serving::NotYet,
            told_waiting: false,
            told_strangers: BTreeSet::new(),
            ending: None,
        })
    }

    /// Runs until nothing of the tree is left.
    pub(crate) async fn run(mut self) {
        loop {
            let pause = self.pace();
            tokio::select! {
                biased;
                ready = self.guard.readable() => {
                    let Ok(mut ready) = ready else { break };
                    let (packets, channel) = read_packets(ready.get_inner());
                    if channel == Channel::Dry {
                        ready.clear_ready();
                    }
                    for packet in packets {
                        self.take(packet).await;
                    }
                    if channel == Channel::Closed {
                        break;
                    }
                }
                Some(order) = self.orders.recv() => self.obey(order),
                reply = answer(&mut self.question), if self.question.is_some() => {
                    self.question = None;
                    self.judge(reply).await;
                }
                () = tokio::time::sleep(pause) => self.look().await,
            }
        }
        self.clear_up().await;
    }

    /// How long to wait for the next look: short while a first answer is awaited, since a person waits
    /// for it too.
    fn pace(&self) -> Duration {
        if self.ending.is_some() {
            return KILL_AGAIN;
        }
        let age = self.launched.elapsed();
        match self.serving {
            Serving::Yes => Duration::from_millis(500),
            Serving::Missing(_) | Serving::Lost => Duration::from_millis(50),
            Serving::NotYet if age < Duration::from_secs(30) => Duration::from_millis(2),
            Serving::NotYet if age < Duration::from_secs(300) => Duration::from_millis(20),
            Serving::NotYet => Duration::from_millis(100),
        }
    }

    /// How long to wait before the whole tree is searched again: that reads `/proc` of each process.
    fn scan_pace(&self) -> Duration {
        let age = self.launched.elapsed();
        match self.serving {
            Serving::Yes if age < Duration::from_secs(30) => Duration::from_secs(1),
            Serving::Yes => Duration::from_secs(5),
            _ if age < Duration::from_secs(30) => Duration::from_millis(100),
            _ => Duration::from_secs(1),
        }
    }

    async fn take(&mut self, packet: Packet) {
        match packet {
            Packet::Message(Message::Started { pid }) => {
                self.command = Some(pid);
                self.tell(Update::Launched { pid }).await;
            }
            Packet::Message(Message::Stopped { signal }) => {
                self.tell(Update::Suspended { signal }).await;
            }
            Packet::Message(Message::Exited(exit)) => self.exited(exit).await,
            Packet::Refused { folder, errno } => self.tell(Update::Refused { folder, errno }).await,
        }
    }

    /// The command has ended: so does what it left behind.
    async fn exited(&mut self, exit: Exit) {
        self.command = None;
        self.question = None;
        let ordered = self.ending.is_some();
        let left_behind = self.sight.members();
        if !left_behind.is_empty() {
            self.begin_end(SIGTERM);
        }
        // After an order to stop, members that are still ending are not "left behind".
        let left_behind = if ordered { Vec::new() } else { left_behind };
        self.tell(Update::Exited { exit, left_behind }).await;
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Stop { signal } => self.begin_end(signal),
            Order::Pass { signal } => {
                if let Some(pid) = self.command {
                    descendants::signal_one(self.guard.get_ref().pid(), pid, signal);
                }
            }
        }
    }

    /// First signal to all; a second order while ending shortens the grace to nothing.
    fn begin_end(&mut self, signal: i32) {
        let now = Instant::now();
        match &mut self.ending {
            Some(ending) if self.command.is_some() => ending.kill_at = now,
            Some(_) => {}
            None => {
                let root = self.guard.get_ref().pid();
                descendants::signal(root, signal);
                // A stopped process acts on no signal but SIGKILL until it is continued.
                descendants::signal(root, SIGCONT);
                self.ending = Some(Ending { kill_at: now + self.grace, killing: false });
            }
        }
    }

    async fn look(&mut self) {
        if self.ending.is_some() {
            return self.press_the_end().await;
        }
        if self.command.is_none() {
            return;
        }
        let now = Instant::now();
        if now >= self.next_scan {
            self.scan(now).await;
        }
        // A kernel that does not answer now is asked again at the next look.
        if let Ok(on_port) = self.sight.on_port(self.expectation.port()) {
            self.weigh(&on_port, now).await;
        }
        if !self.told_waiting && self.serving == Serving::NotYet {
            let since = self.launched.elapsed();
            if since >= WAITING_AFTER {
                self.told_waiting = true;
                let listens = !self.seen.is_empty();
                self.tell(Update::Waiting { since, listens }).await;
            }
        }
    }

    async fn press_the_end(&mut self) {
        let Some(ending) = self.ending else { return };
        if Instant::now() < ending.kill_at {
            return;
        }
        let pids = descendants::signal(self.guard.get_ref().pid(), SIGKILL);
        if !ending.killing && !pids.is_empty() {
            self.tell(Update::Killed { pids }).await;
        }
        self.ending = Some(Ending { killing: true, ..ending });
    }

    /// Compares what the whole tree listens on with what was known.
    async fn scan(&mut self, now: Instant) {
        self.next_scan = now + self.scan_pace();
        let Ok(seen) = self.sight.everything() else { return };
        let known = |listener: &Listener, set: &BTreeSet<Listener>| {
            set.iter().any(|other| same_socket(other, listener))
        };
        for listener in &seen {
            if !known(listener, &self.seen) {
                self.tell(Update::Listening(listener.clone())).await;
            }
        }
        for listener in self.seen.clone() {
            if !known(&listener, &seen) {
                self.tell(Update::Closed(listener)).await;
            }
        }
        self.seen = seen;
        if let Some(port) = self.expectation.consider(&self.seen, now) {
            // Of the other port nothing is known yet.
            self.question = None;
            self.serving = Serving::NotYet;
            self.ask_after = now;
            self.tell(Update::Moved { port }).await;
        }
    }

    /// Takes in who listens on the expected port.
    async fn weigh(&mut self, on_port: &OnPort, now: Instant) {
        for listener in &on_port.foreign {
            if self.told_strangers.insert(listener.clone()) {
                self.tell(Update::Stranger { listener: listener.clone() }).await;
            }
        }
        let Some(listener) = choose(&on_port.own) else {
            return self.missing(now).await;
        };
        if !self.seen.iter().any(|known| same_socket(known, &listener)) {
            self.scan(now).await;
        }
        match self.serving {
            Serving::Yes => {}
            Serving::Missing(_) => self.serving = Serving::Yes,
            Serving::NotYet | Serving::Lost if self.question.is_none() && now >= self.ask_after => {
                let addresses = addresses(&listener, &on_port.foreign);
                self.question = Some(Box::pin(question(listener, addresses, self.probe)));
            }
            Serving::NotYet | Serving::Lost => {}
        }
    }

    async fn missing(&mut self, now: Instant) {
        match self.serving {
            Serving::Yes => self.serving = Serving::Missing(now),
            Serving::Missing(since) if now.duration_since(since) >= UNREADY_AFTER => {
                self.serving = Serving::Lost;
                self.tell(Update::Unready).await;
            }
            Serving::Missing(_) | Serving::Lost | Serving::NotYet => {}
        }
    }

    /// An answer counts only if the tree still holds a listener where it was asked for, and nobody else
    /// does: Vite opens and closes listeners before its real one, and a stranger may follow.
    async fn judge(&mut self, (listener, dialled, outcome): Reply) {
        let now = Instant::now();
        self.ask_after = now + PROBE_AGAIN;
        let Some(answer) = self.believe(outcome, now) else { return };
        let Ok(on_port) = self.sight.on_port(listener.port) else { return };
        let still = on_port.own.iter().any(|other| same_socket(other, &listener));
        let foreign = on_port.foreign.iter().any(|other| serves(other, dialled));
        if !still || foreign || self.command.is_none() {
            return;
        }
        let again = self.serving == Serving::Lost;
        self.serving = Serving::Yes;
        let after = self.launched.elapsed();
        let known = self.seen.iter().find(|known| same_socket(known, &listener)).cloned();
        let listener = known.unwrap_or(listener);
        self.tell(Update::Ready { listener, dialled, answer, after, again }).await;
    }

    /// A server that closes without a word may have just died of the question: it is no web server only
    /// if it does so again later.
    fn believe(&mut self, outcome: Outcome, now: Instant) -> Option<Answer> {
        match outcome {
            Outcome::Answered(answer) => Some(answer),
            Outcome::NotYet => None,
            Outcome::Closed => {
                let since = *self.closed_since.get_or_insert(now);
                self.ask_after = now + CLOSED_AGAIN;
                (now.duration_since(since) >= CLOSED_BELIEVED).then_some(Answer::NotHttp)
            }
        }
    }

    /// The guard has gone. If it was killed, what it left is now ours, and ends.
    async fn clear_up(mut self) {
        self.guard.get_ref().reap();
        if self.command.take().is_some() {
            let exit = Exit::Signal(SIGKILL);
            self.tell(Update::Exited { exit, left_behind: Vec::new() }).await;
        }
        for child in self.orphans() {
            descendants::signal(child, SIGKILL);
            descendants::signal_one(std::process::id(), child, SIGKILL);
        }
        self.tell(Update::Gone).await;
    }

    /// Children of ours that a killed guard left to us. Other instances' guards are our children too.
    fn orphans(&self) -> Vec<u32> {
        let (name, value) = &self.mark;
        let is_marked = |pid: &u32| {
            process::environment_value(*pid, name)
                .is_ok_and(|found| found.as_deref() == Some(value.as_ref()))
        };
        process::children(std::process::id()).into_iter().filter(is_marked).collect()
    }

    /// Nobody listening to updates any more is the same as an order to end: the guard follows.
    async fn tell(&self, update: Update) {
        let _ = self.updates.send(update).await;
    }
}

#[expect(
    deprecated,
    reason = "its successor is unsafe, and the guard owns its descriptor and never replaces it"
)]
fn registered(guard: Guard) -> io::Result<AsyncFd<Guard>> {
    AsyncFd::new(guard)
}

/// Whether more may come from the guard.
#[derive(PartialEq, Eq)]
enum Channel {
    /// Nothing more now.
    Dry,
    /// Nothing more ever: the guard has gone.
    Closed,
}

/// All packets that have come.
fn read_packets(guard: &Guard) -> (Vec<Packet>, Channel) {
    let mut packets = Vec::new();
    loop {
        match guard.next() {
            Ok(Some(packet)) => packets.push(packet),
            Ok(None) => return (packets, Channel::Dry),
            Err(_) => return (packets, Channel::Closed),
        }
    }
}

async fn answer(question: &mut Option<Question>) -> Reply {
    match question {
        Some(question) => question.await,
        None => std::future::pending().await,
    }
}

/// Where to dial a listener. A `::` may be of either kind, so both families are tried, but never one
/// on which somebody else listens: the answer would be theirs.
fn addresses(listener: &Listener, foreign: &[Listener]) -> Vec<SocketAddr> {
    let mut hosts = vec![listener.dial_address()];
    if listener.address == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        hosts.push(Ipv6Addr::LOCALHOST.into());
    }
    hosts
        .into_iter()
        .map(|host| SocketAddr::new(host, listener.port))
        .filter(|address| !foreign.iter().any(|other| serves(other, *address)))
        .collect()
}

/// Whether a connection to the address may reach this listener.
fn serves(listener: &Listener, address: SocketAddr) -> bool {
    let own = listener.address.to_canonical();
    listener.port == address.port()
        && (own == address.ip()
            || (own.is_unspecified() && (own.is_ipv6() || own.is_ipv4() == address.is_ipv4())))
}

/// Asks at each address until one gives more than a refusal.
async fn question(listener: Listener, addresses: Vec<SocketAddr>, probe: Probe) -> Reply {
    let mut reply = (SocketAddr::new(listener.dial_address(), listener.port), Outcome::NotYet);
    for address in addresses {
        reply = (address, probe::ask(address, probe).await);
        if reply.1 != Outcome::NotYet {
            break;
        }
    }
    (listener, reply.0, reply.1)
}

/// The listener to ask: IPv4 first, since every client reaches it.
fn choose(own: &[Listener]) -> Option<Listener> {
    own.iter().min_by_key(|listener| listener.address.is_ipv6()).cloned()
}

/// The holder may change (a reloader hands the socket on), the socket stays the same.
fn same_socket(one: &Listener, other: &Listener) -> bool {
    one.address == other.address && one.port == other.port
}

//! The task of one instance: one loop that owns its state.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::unix::AsyncFd;
use tokio::sync::{mpsc, watch};
use wharf_model::{Listener, Probe, Restart};
use wharf_os::descendants;
use wharf_os::guard::{Exit, Guard, Message, Packet};
use wharf_os::remap::Held;
use wharf_os::signals::{SIGCONT, SIGINT, SIGKILL, SIGTERM};

use crate::after::{After, Next};
use crate::answers::Answers;
use crate::asking::{Question, Reply, addresses, answer, choose, question, same_socket, serves};
use crate::channel::{Channel, read_packets, registered};
use crate::ending::{Ending, out_of_reach};
use crate::holder::Holder;
use crate::launch::{Keeping, Launch, Order};
use crate::pace::STILL;
use crate::probe::Outcome;
use crate::pulse::Pulse;
use crate::readiness::Expectation;
use crate::remap::{Group, Kept, PortAsk, SEEN_MAX, Seen};
use crate::serving::Serving;
use crate::sight::{OnPort, Sight};
use crate::update::{Answer, Cause, Member, Update};

mod over;

/// After a refused or empty answer the server is asked again this much later.
const PROBE_AGAIN: Duration = Duration::from_millis(20);

/// After a question that was closed without a word, and when that is believed to be the server's way.
const CLOSED_AGAIN: Duration = Duration::from_millis(100);
const CLOSED_BELIEVED: Duration = Duration::from_millis(500);

/// A reload closes the listener for about a second; longer is an outage.
const UNREADY_AFTER: Duration = Duration::from_millis(1500);

/// When a silent start is worth a word.
const WAITING_AFTER: Duration = Duration::from_secs(15);

/// A command that ends within this time after Ctrl-C ends because of it.
const INTERRUPTED_FOR: Duration = Duration::from_secs(10);

/// Everything about one running instance.
pub(crate) struct Task {
    guard: AsyncFd<Guard>,
    sight: Sight,
    expectation: Expectation,
    probe: Probe,
    grace: Duration,
    mark: (&'static str, String),
    pub(crate) lines: Lines,
    pub(crate) keeping: Keeping,
    /// Wakes at each connection to our own listener, where there is one and it matters.
    pulse: Pulse,
    /// Wakes when the process ends that holds the server's listener.
    pub(crate) holder: Holder,
    /// When somebody was last connected.
    used: Instant,
    next: Next,
    interrupted: Option<Instant>,
    exit: Option<Exit>,
    pub(crate) answers: Answers,

    pub(crate) launched: Instant,
    command: Option<u32>,
    pub(crate) seen: BTreeSet<Listener>,
    next_scan: Instant,
    /// When its sockets were last looked at: what else happens does not put the next look off.
    looked: Instant,
    /// Whether it is to look at once, at everything.
    pub(crate) is_called: bool,
    /// When the tree last bound a socket or listened on one, or was launched.
    pub(crate) stirred: Instant,
    question: Option<Question>,
    ask_after: Instant,
    /// When the server first closed a question without a word.
    closed_since: Option<Instant>,
    pub(crate) serving: Serving,
    accepted: bool,
    told_waiting: bool,
    told_strangers: BTreeSet<Listener>,
    pub(crate) ending: Option<Ending>,
}

/// How the task is connected to the handle.
pub(crate) struct Lines {
    pub(crate) orders: mpsc::Receiver<Order>,
    pub(crate) updates: mpsc::Sender<Update>,
    pub(crate) asks: mpsc::Sender<PortAsk>,
    pub(crate) groups: watch::Receiver<Group>,
    /// Whether its sockets are looked at from outside as well.
    pub(crate) care: watch::Receiver<bool>,
}

impl Task {
    pub(crate) fn new(
        launch: &Launch,
        guard: Guard,
        lines: Lines,
        kept: Kept,
        front: Option<Arc<Held>>,
    ) -> io::Result<Task> {
        let now = Instant::now();
        let (first, last) = wharf_os::reserve::ephemeral_range();
        let all = kept.held().iter().chain(&front);
        let ours: Vec<u64> = all.filter_map(|held| held.inode()).collect();
        let address = launch.remapping.as_ref().and_then(|remapping| remapping.address);
        let address = address.map(IpAddr::from);
        let demand = front.filter(|_| launch.keeping.idle.is_some());
        Ok(Task {
            answers: Answers::new(
                launch.remapping.clone(),
                launch.mark.clone(),
                kept,
                launch.keeping.pass,
            ),
            keeping: launch.keeping.clone(),
            pulse: Pulse::new(demand)?,
            holder: Holder::default(),
            used: now,
            next: Next::End,
            interrupted: None,
            exit: None,
            sight: Sight::new(guard.pid(), launch.mark.clone(), address, &ours)?,
            guard: registered(guard)?,
            expectation: Expectation::new(
                launch.port,
                &launch.further,
                &launch.likely,
                first..=last,
            ),
            probe: launch.probe,
            grace: launch.grace,
            mark: launch.mark.clone(),
            lines,
            launched: now,
            command: None,
            seen: BTreeSet::new(),
            next_scan: now,
            looked: now,
            is_called: false,
            stirred: now,
            question: None,
            ask_after: now,
            closed_since: None,
            serving: Serving::NotYet,
            accepted: false,
            told_waiting: false,
            told_strangers: BTreeSet::new(),
            ending: None,
        })
    }

    /// Runs until nothing of the tree is left.
    pub(crate) async fn run(mut self) -> After {
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
                Some(order) = self.lines.orders.recv() => self.obey(order),
                Some(seen) = self.answers.next() => self.note(seen).await,
                Ok(()) = self.lines.groups.changed() => {
                    self.answers.regroup(self.lines.groups.borrow_and_update().clone());
                }
                Ok(()) = self.lines.care.changed() => self.is_called = true,
                reply = answer(&mut self.question), if self.question.is_some() => {
                    self.question = None;
                    self.judge(reply).await;
                }
                () = self.pulse.next() => self.used = Instant::now(),
                () = self.holder.ended() => {
                    self.next_scan = Instant::now();
                    self.look().await;
                }
                () = tokio::time::sleep_until((self.looked + pause).into()) => self.look().await,
            }
        }
        self.clear_up().await
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
            Packet::Filtered(notifier) => {
                if let Err(error) = self.answers.start(notifier, self.lines.asks.clone()) {
                    let errno = error.raw_os_error().unwrap_or_default();
                    self.tell(Update::NotFiltered { errno }).await;
                }
            }
            Packet::NotGrouped { errno } => self.tell(Update::NotGrouped { errno }).await,
            Packet::NotFiltered { errno } => {
                self.answers.stand_aside();
                self.tell(Update::NotFiltered { errno }).await;
            }
        }
    }

    /// Takes in what was seen of the tree's calls.
    async fn note(&mut self, seen: Seen) {
        self.stirred = Instant::now();
        match seen {
            Seen::Bound { named, address, pid } => {
                self.expectation.expect(address.port());
                self.tell(Update::Bound { named, address, pid }).await;
            }
            Seen::Listening { address, pid, called } => {
                if let Some(address) = address {
                    self.heard(address, pid, called).await;
                    // The owner, who may share this thread, reads it before the tree is searched.
                    tokio::task::yield_now().await;
                }
                self.next_scan = self.stirred;
                self.look().await;
            }
            Seen::Unmapped { named, pid, why } => {
                self.tell(Update::Unmapped { named, pid, why }).await;
            }
        }
    }

    /// A socket of the tree listens since just now: told before anything is looked at.
    async fn heard(&mut self, address: SocketAddr, pid: u32, called: Instant) {
        let listener = Listener { address: address.ip(), port: address.port(), pid: Some(pid) };
        if !self.seen.iter().any(|known| same_socket(known, &listener)) {
            self.seen.insert(listener.clone());
            self.tell(Update::Listening { listener, called: Some(called) }).await;
        }
    }

    /// The command has ended: so does what it left behind.
    async fn exited(&mut self, exit: Exit) {
        // Its calls came before its end; the guard's word of that end is read first.
        // What lives on may go on calling: no more than the queue holds.
        for _ in 0..SEEN_MAX {
            let Some(seen) = self.answers.unread() else { break };
            self.note(seen).await;
        }
        self.command = None;
        self.question = None;
        let ordered = self.ending.is_some();
        // Before they are signalled: who has ended has no name any more.
        let left_behind: Vec<Member> = self.sight.members().into_iter().map(Member::of).collect();
        if !left_behind.is_empty() {
            self.begin_end(SIGTERM);
        }
        if !ordered && self.is_to_go_on(exit) {
            self.next =
                Next::Again(if self.is_crash(exit) { Cause::Crashed } else { Cause::Ended });
            self.exit = Some(exit);
        }
        // After an order to stop, members that are still ending are not "left behind".
        let left_behind = if ordered { Vec::new() } else { left_behind };
        if self.next == Next::End {
            self.tell(Update::Exited { exit, left_behind }).await;
        }
    }

    fn is_to_go_on(&self, exit: Exit) -> bool {
        match self.keeping.restart {
            Restart::No => false,
            Restart::OnFailure => self.is_crash(exit),
            Restart::Always => !self.was_interrupted(),
        }
    }

    /// Not an end in good order, nor one that somebody asked for at the terminal.
    fn is_crash(&self, exit: Exit) -> bool {
        !self.was_interrupted() && exit != Exit::Code(0) && exit != Exit::Signal(SIGINT)
    }

    fn was_interrupted(&self) -> bool {
        self.interrupted.is_some_and(|at| at.elapsed() < INTERRUPTED_FOR)
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Stop { signal } => {
                self.next = Next::End;
                self.begin_end(signal);
            }
            Order::Interrupted => self.interrupted = Some(Instant::now()),
            Order::GiveUpLeased => self.answers.give_up_leased(),
            Order::Look => self.is_called = true,
            Order::Restart if self.ending.is_some() => {}
            Order::Restart => {
                self.adopt();
                self.end_for(Cause::Asked);
            }
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
            Some(ending) if self.command.is_some() => ending.hurry(now),
            Some(_) => {}
            None => {
                let root = self.guard.get_ref().pid();
                descendants::signal(root, signal);
                // A stopped process acts on no signal but SIGKILL until it is continued.
                descendants::signal(root, SIGCONT);
                self.ending = Some(Ending::begun(now, self.grace));
            }
        }
    }

    async fn look(&mut self) {
        self.looked = Instant::now();
        let is_called = std::mem::take(&mut self.is_called);
        if self.ending.is_some() {
            return self.press_the_end().await;
        }
        if self.command.is_none() {
            return;
        }
        self.pulse.renew();
        let now = Instant::now();
        if is_called || now >= self.next_scan || self.has_closed() {
            self.scan(now).await;
        }
        // A kernel that does not answer now is asked again at the next look.
        if let Ok(on_port) = self.sight.on_port(self.expectation.port()) {
            self.weigh(&on_port, now).await;
        }
        self.holder.follow(self.holder_of(self.expectation.port()));
        self.rest(now);
        if !self.told_waiting && self.serving == Serving::NotYet {
            let since = self.launched.elapsed();
            if since >= WAITING_AFTER {
                self.told_waiting = true;
                let listens = !self.seen.is_empty();
                self.tell(Update::Waiting { since, listens }).await;
            }
        }
    }

    /// Whether one of the sockets that are known to listen does so no more, where the tree is seldom searched.
    fn has_closed(&mut self) -> bool {
        if self.pace() < STILL {
            return false;
        }
        let Task { seen, sight, .. } = self;
        seen.iter().any(|known| {
            let on_port = sight.on_port(known.port);
            on_port.is_ok_and(|now| !now.own.iter().any(|other| same_socket(other, known)))
        })
    }

    /// A process that holds a listener on this port.
    fn holder_of(&self, port: u16) -> Option<u32> {
        let mut on_port = self.seen.iter().filter(|listener| listener.port == port);
        on_port.find_map(|listener| listener.pid)
    }

    /// Ends what is to be launched again.
    fn end_for(&mut self, cause: Cause) {
        self.next = Next::Again(cause);
        self.begin_end(SIGTERM);
    }

    /// Ends a server on demand that nobody has been connected to for long.
    fn rest(&mut self, now: Instant) {
        let Some(idle) = self.keeping.idle.filter(|_| self.serving == Serving::Yes) else { return };
        if self.sight.is_connected(self.expectation.port()) {
            self.used = now;
        } else if now.duration_since(self.used) >= idle {
            self.end_for(Cause::Idle);
        }
    }

    /// Keeps the listeners of a server that serves, so that connections wait while there is none.
    fn adopt(&mut self) {
        if !self.answers.are_exact() {
            return;
        }
        let port = self.expectation.port();
        for inode in self.sight.listening(port) {
            if self.sight.is_ours(inode) {
                continue;
            }
            if let Some(held) = self.sight.duplicate(inode) {
                self.sight.take_for_ours(inode);
                self.answers.hold(held);
            }
        }
    }

    async fn press_the_end(&mut self) {
        let now = Instant::now();
        let Some(ending) = self.ending.as_mut().filter(|ending| ending.is_due(now)) else { return };
        let (first, in_vain) = (ending.kill(now), ending.is_in_vain(now));
        let mut members: Vec<Member> = match first {
            true => self.sight.members().into_iter().map(Member::of).collect(),
            false => Vec::new(),
        };
        let reached = descendants::signal(self.guard.get_ref().pid(), SIGKILL);
        members.retain(|member| reached.contains(&member.pid));
        if !members.is_empty() {
            self.tell(Update::Killed { members }).await;
        }
        let left = if in_vain { out_of_reach(self.sight.members(), &reached) } else { Vec::new() };
        if let Some(ending) = self.ending.as_mut().filter(|_| !left.is_empty()) {
            ending.lingers = true;
            self.tell(Update::Lingering { members: left }).await;
        }
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
                self.tell(Update::Listening { listener: listener.clone(), called: None }).await;
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
        if !self.answers.may_serve(self.expectation.port()) {
            return;
        }
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
            Serving::NotYet | Serving::Lost(_)
                if self.question.is_none() && now >= self.ask_after =>
            {
                let addresses = addresses(&listener, &on_port.foreign);
                self.question = Some(Box::pin(question(listener, addresses, self.probe)));
            }
            Serving::NotYet | Serving::Lost(_) => {}
        }
    }

    async fn missing(&mut self, now: Instant) {
        match self.serving {
            Serving::Yes => self.serving = Serving::Missing(now),
            Serving::Missing(since) if now.duration_since(since) >= UNREADY_AFTER => {
                self.serving = Serving::Lost(now);
                self.tell(Update::Unready).await;
            }
            Serving::Missing(_) | Serving::Lost(_) | Serving::NotYet => {}
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
        if matches!(answer, Answer::Http(_) | Answer::Tls) && !self.accepted {
            self.accepted = true;
            self.tell(Update::Accepted { address: dialled }).await;
        }
        let again = matches!(self.serving, Serving::Lost(_));
        self.serving = Serving::Yes;
        self.answers.serves();
        if self.keeping.adopt || self.keeping.holds() {
            self.adopt();
        }
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

    /// Nobody listening to updates any more is the same as an order to end: the guard follows.
    async fn tell(&self, update: Update) {
        let _ = self.lines.updates.send(update).await;
    }
}

//! The one task that owns the state.

use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::{Interval, MissedTickBehavior};
use wharf_control::api::{
    Done, HomeReport, LeaseBatch, LeaseBatchReply, LeaseReply, LeaseRequest, NoticeKind,
    ReleaseReply, ReleaseRequest, Released, SCHEMA, Snapshot, Status, Stopping, StoreReport,
};
use wharf_control::{Code, ErrorBody};
use wharf_lease::{Busy, KeyRequest, Ledger, Reported, Request, Selection};
use wharf_model::{Instance, Lease, LeaseKind, PathText, PortRange, ProcessId};
use wharf_os::{process, reserve};

use crate::clock;
use crate::event::Event;
use crate::eyes::Eyes;
use crate::gateway::Gateway;
use crate::journal::Journal;
use crate::lookout::{Lookout, Seen};
use crate::owners::Owners;
use crate::refusal;
use crate::subscriber::Told;

/// How often leases are expired, the store is mended and idleness is judged.
const TICK: Duration = Duration::from_secs(2);
/// How many instances are kept; nobody runs as many servers on one machine.
const MAX_INSTANCES: usize = 4096;
/// How many events may wait; whoever sends more waits as well.
pub(crate) const MAX_EVENTS: usize = 256;
/// How many notices a slow reader may be behind before it is dropped.
pub(crate) const MAX_NOTICES: usize = 256;

/// What the daemon is, for whoever asks.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) version: String,
    pub(crate) socket: String,
    pub(crate) idle: Duration,
    /// How many processes it may watch.
    pub(crate) watches: usize,
    /// Has the pilot of an instance made again.
    pub(crate) revive: fn(&Instance),
}

/// How the coordinator is connected to the rest.
pub(crate) struct Wires {
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) notices: broadcast::Sender<Told>,
    /// How many connections to the control socket are open.
    pub(crate) open: watch::Receiver<usize>,
}

/// The state, and how it is reached.
pub(crate) struct Coordinator {
    identity: Identity,
    pub(crate) ledger: Ledger,
    owners: Owners,
    eyes: Eyes,
    lookout: Lookout,
    journal: Journal,
    pub(crate) gateway: Gateway,
    /// Whether the routes may be others than the proxy has been told.
    pub(crate) rerouted: bool,
    notices: broadcast::Sender<Told>,
    open: watch::Receiver<usize>,
    begun: Instant,
    /// On the boot clock: a machine that slept was idle as well.
    active_at_ms: u64,
    stopping: bool,
    /// Whether another daemon is to follow at once.
    hands_over: bool,
    /// The network namespace that it sees.
    network: Option<u64>,
}

impl Coordinator {
    pub(crate) fn new(
        identity: Identity,
        ledger: Ledger,
        journal: Journal,
        gateway: Gateway,
        wires: Wires,
    ) -> Coordinator {
        let Wires { events, notices, open } = wires;
        let mut coordinator = Coordinator {
            lookout: Lookout::new(events.clone()),
            owners: Owners::new(events, identity.watches),
            identity,
            ledger,
            eyes: Eyes::default(),
            journal,
            gateway,
            rerouted: true,
            notices,
            open,
            begun: Instant::now(),
            active_at_ms: clock::now().boot_ms,
            stopping: false,
            hands_over: false,
            network: process::network_namespace(std::process::id()).ok(),
        };
        coordinator.take_up();
        coordinator
    }

    /// Folds events until the daemon is to end. A connection that is open then is refused politely.
    pub(crate) async fn run(&mut self, events: &mut mpsc::Receiver<Event>) -> std::io::Result<()> {
        let mut tick = ticks();
        let (mut terminate, mut interrupt) = signals()?;
        while !self.stopping {
            tokio::select! {
                Some(event) = events.recv() => self.fold(event),
                _ = tick.tick() => self.tick(),
                _ = terminate.recv() => self.stop("SIGTERM"),
                _ = interrupt.recv() => self.stop("SIGINT"),
            }
        }
        Ok(())
    }

    /// For the time after [`Coordinator::run`]: everybody is sent to the next daemon.
    pub(crate) async fn refuse_all(&self, events: &mut mpsc::Receiver<Event>) {
        while let Some(event) = events.recv().await {
            event.refuse(ErrorBody::new(Code::Stopping, "the daemon is ending"));
        }
    }

    /// What was left behind by the last daemon: whoever still lives keeps what it has.
    fn take_up(&mut self) {
        self.journal.line(&format!(
            "daemon {} (pid {}) on {}",
            self.identity.version,
            std::process::id(),
            self.identity.socket
        ));
        for owner in self.ledger.table().owners() {
            if !self.owners.watch(&owner) {
                self.owner_gone(&owner);
            }
        }
        self.expire();
        self.reroute();
        self.tell_news();
    }

    /// Tells the proxy where names lead, if that may have changed.
    pub(crate) fn reroute(&mut self) {
        if !std::mem::take(&mut self.rerouted) {
            return;
        }
        let Coordinator { ledger, eyes, gateway, .. } = self;
        gateway.route(ledger.table());
        for kind in gateway.settle_services(ledger, eyes) {
            self.tell(kind);
        }
    }

    /// The end of all but the proxy, which is given back with whether another daemon follows at once. The
    /// database is closed.
    pub(crate) fn end(mut self) -> (Gateway, bool) {
        self.gateway.services.close(&mut self.ledger, &mut self.eyes);
        self.gateway.focuses.close(&mut self.ledger, &mut self.eyes);
        (self.gateway, self.hands_over)
    }

    fn fold(&mut self, event: Event) {
        self.active_at_ms = clock::now().boot_ms;
        // Whoever asked may have gone meanwhile; the state has changed all the same.
        match event {
            Event::Status(reply) => drop(reply.send(Ok(self.status()))),
            Event::Lease(request, reply) => drop(reply.send(self.lease(*request))),
            Event::LeaseAll(batch, reply) => drop(reply.send(self.lease_all(batch))),
            Event::Release(request, reply) => drop(reply.send(self.release(*request))),
            Event::PutInstance(instance, reply) => drop(reply.send(self.put(*instance))),
            Event::DeleteInstance(id, reply) => drop(reply.send(self.delete(id))),
            Event::Snapshot(reply) => drop(reply.send(Ok(self.snapshot()))),
            Event::Proxy(reply) => drop(reply.send(Ok(self.gateway.status()))),
            Event::Trust(reply) => {
                self.gateway.trust();
                drop(reply.send(Ok(self.gateway.status())));
            }
            Event::Given(asked) => self.given(asked),
            Event::Focus(asked) => self.focusing(asked),
            Event::Stop(reply) => {
                self.stop("asked over the control socket");
                drop(reply.send(Ok(Stopping { schema: SCHEMA, pid: std::process::id() })));
            }
            Event::HandOver(reply) => {
                self.hands_over = true;
                self.stop("another daemon takes over");
                drop(reply.send(Ok(Stopping { schema: SCHEMA, pid: std::process::id() })));
            }
            Event::OwnerGone(owner) => self.owner_gone(&owner),
            Event::LookedAfter(seen) => self.looked_after(seen),
            Event::Fault(text) => self.journal.line(&text),
            Event::Superseded => self.stop("another daemon has taken the runtime folder"),
        }
        self.reroute();
        self.tell_news();
    }

    fn tick(&mut self) {
        for owner in self.owners.ask() {
            self.owner_gone(&owner);
        }
        self.expire();
        self.ledger.check_store(clock::now());
        self.lookout.turn(self.ledger.table());
        self.rerouted |= self.gateway.services.wait() || self.gateway.focuses.wait();
        self.reroute();
        self.gateway.tick();
        self.tell_news();
        if self.is_idle() {
            self.stop("idle");
        }
    }

    fn looked_after(&mut self, seen: Seen) {
        let ids = self.lookout.changed(seen);
        if !ids.is_empty() {
            self.tell(NoticeKind::LookAgain { ids });
        }
    }

    fn is_idle(&mut self) -> bool {
        let now = clock::now().boot_ms;
        let needed = self.ledger.table().lease_count() > self.gateway.leases()
            || self.live_instances() > 0
            || *self.open.borrow() > 0
            || self.gateway.connections() > 0;
        if needed {
            self.active_at_ms = now;
        }
        u128::from(now.saturating_sub(self.active_at_ms)) >= self.identity.idle.as_millis()
    }

    fn stop(&mut self, why: &str) {
        if !self.stopping {
            self.stopping = true;
            self.journal.line(&format!("ends: {why}"));
            self.tell(NoticeKind::Stopping);
            self.gateway.requests.close();
        }
    }

    fn status(&self) -> Status {
        let store = self.ledger.status();
        Status {
            schema: SCHEMA,
            pid: std::process::id(),
            version: self.identity.version.clone(),
            socket: self.identity.socket.clone(),
            uptime_s: self.begun.elapsed().as_secs(),
            store: StoreReport {
                path: PathText::new(&store.path).to_string(),
                writable: store.writable,
                warnings: store.warnings,
            },
            leases: self.ledger.table().lease_count(),
            instances: self.live_instances(),
        }
    }

    fn live_instances(&self) -> usize {
        self.ledger.table().instances().filter(|instance| instance.state.is_live()).count()
    }

    fn lease(&mut self, asked: LeaseRequest) -> Result<LeaseReply, ErrorBody> {
        // A lease whose time is up must not stand in the way of this one.
        self.expire();
        self.watch_owner(&asked)?;
        let request = request(asked);
        let leases = self
            .ledger
            .request(&request, clock::now(), &mut self.eyes)
            .map_err(refusal::of_request)?;
        self.tell_granted(&leases);
        Ok(self.granted(&request, leases))
    }

    /// All of a project's requests, or none.
    fn lease_all(&mut self, batch: LeaseBatch) -> Result<LeaseBatchReply, ErrorBody> {
        self.expire();
        for asked in &batch.requests {
            self.watch_owner(asked)?;
        }
        let requests: Vec<Request> = batch.requests.into_iter().map(request).collect();
        let granted = self
            .ledger
            .request_all(&requests, clock::now(), &mut self.eyes)
            .map_err(|(number, refusal)| refusal::of_one_of(&requests[number], refusal))?;
        self.tell_granted(&granted.concat());
        let replies = requests.iter().zip(granted);
        let replies = replies.map(|(request, leases)| self.granted(request, leases)).collect();
        Ok(LeaseBatchReply { schema: SCHEMA, replies })
    }

    fn watch_owner(&mut self, asked: &LeaseRequest) -> Result<(), ErrorBody> {
        match &asked.owner {
            LeaseKind::Process(owner) if !self.owners.watch(owner) => {
                let message = format!("the owner of the lease ({owner}) has ended");
                Err(ErrorBody::new(Code::OwnerGone, message))
            }
            _ => Ok(()),
        }
    }

    fn tell_granted(&self, leases: &[Lease]) {
        for lease in leases {
            self.tell(NoticeKind::LeaseGranted { lease: Box::new(lease.clone()) });
        }
    }

    fn granted(&self, request: &Request, leases: Vec<Lease>) -> LeaseReply {
        let project = request.key.as_ref().map(|key| &key.project);
        let label = project.and_then(|project| self.ledger.table().label_of(project));
        let label = label.map(|label| label.text.clone());
        let warnings = self.ledger.status().warnings;
        LeaseReply { schema: SCHEMA, leases, label, warnings, proxy: self.gateway.ports() }
    }

    fn release(&mut self, asked: ReleaseRequest) -> Result<ReleaseReply, ErrorBody> {
        let selection = match asked.release {
            Released::Ports(ports) => Selection::Ports(ports),
            Released::Key(key) => Selection::Key(key),
            Released::Leases(ids) => Selection::Ids(ids),
            Released::AllTtl => Selection::AllTtl,
            Released::Unused(key) => Selection::Unused(key),
            Released::Homes(keys) => Selection::Homes(keys),
        };
        let leases = self
            .ledger
            .release(&selection, asked.by.as_ref(), clock::now(), &mut self.eyes)
            .map_err(refusal::of_release)?;
        self.tell_released(&leases);
        Ok(ReleaseReply { schema: SCHEMA, leases })
    }

    fn put(&mut self, mut instance: Instance) -> Result<Done, ErrorBody> {
        let table = self.ledger.table();
        if table.instance(&instance.id).is_none() && table.instances().count() >= MAX_INSTANCES {
            let message = format!("{MAX_INSTANCES} instances are the most that are kept");
            return Err(ErrorBody::new(Code::BadRequest, message));
        }
        // The last word of a pilot may be read after its end was seen.
        if instance.state.is_live() && !self.owners.watch(&instance.pilot) {
            instance.state = instance.state.ended();
        }
        // Pilots repeat themselves: what is no news is told to nobody, of whom there may be hundreds.
        if let Reported::News { claimed } = self.ledger.put_instance(instance.clone(), clock::now())
        {
            self.rerouted = true;
            self.tell(NoticeKind::Instance { instance: Box::new(instance) });
            claimed.into_iter().for_each(|lease| self.tell(NoticeKind::LeaseGranted { lease }));
        }
        Ok(Done { schema: SCHEMA })
    }

    fn delete(&mut self, id: String) -> Result<Done, ErrorBody> {
        if self.ledger.delete_instance(&id, clock::now()).is_none() {
            return Err(ErrorBody::new(Code::NotFound, format!("there is no instance `{id}`")));
        }
        self.rerouted = true;
        self.tell(NoticeKind::InstanceForgotten { id });
        Ok(Done { schema: SCHEMA })
    }

    fn snapshot(&self) -> Snapshot {
        let table = self.ledger.table();
        let mut leases: Vec<Lease> = table.leases().map(|held| held.lease.clone()).collect();
        leases.sort_by_key(|lease| lease.port);
        let mut instances: Vec<Instance> = table.instances().cloned().collect();
        instances.sort_by(|one, other| one.key.cmp(&other.key));
        let homes = table.homes(clock::now().wall_s).cloned();
        let mut homes: Vec<HomeReport> = homes
            .map(|home| HomeReport { key: home.key, port: home.port, last_use: home.last_use })
            .collect();
        homes.sort_by_key(|home| home.port);
        let version = Some(self.identity.version.clone());
        Snapshot { schema: SCHEMA, version, leases, instances, homes, looks_after: self.network }
    }

    fn owner_gone(&mut self, owner: &ProcessId) {
        self.owners.forget(owner);
        // Before its end is written: a daemon that is killed in between leaves it to the next one, and twice does
        // no harm.
        let instances = self.ledger.table().instances();
        for instance in instances.filter(|i| i.revive && i.pilot == *owner && i.state.is_live()) {
            (self.identity.revive)(instance);
        }
        let ended = self.ledger.owner_gone(owner, clock::now());
        self.tell_released(&ended.leases);
        self.rerouted |= !ended.instances.is_empty();
        for instance in ended.instances {
            self.tell(NoticeKind::Instance { instance: Box::new(instance) });
        }
    }

    fn expire(&mut self) {
        let expired = self.ledger.expire(clock::now());
        self.tell_released(&expired);
    }

    fn tell_released(&self, leases: &[Lease]) {
        for lease in leases {
            self.tell(NoticeKind::LeaseReleased { lease: Box::new(lease.clone()) });
        }
    }

    fn tell_news(&mut self) {
        for message in self.ledger.take_news() {
            self.journal.line(&message);
            self.tell(NoticeKind::Store { message });
        }
    }

    fn tell(&self, kind: NoticeKind) {
        if self.notices.receiver_count() > 0 {
            // Nobody may be left to hear it by now.
            let _ = self.notices.send(Told::new(kind));
        }
    }
}

fn request(asked: LeaseRequest) -> Request {
    let (first, last) = reserve::ephemeral_range();
    Request {
        request_id: asked.request_id,
        key: asked.key.map(|key| KeyRequest {
            project: key.project,
            worktree: key.worktree,
            service: key.service,
            instance: key.instance,
        }),
        request: asked.request,
        slots: asked.slots,
        owner: asked.owner,
        busy: asked
            .busy
            .into_iter()
            .map(|busy| Busy { port: busy.port, holder: busy.holder })
            .collect(),
        agent: asked.agent,
        ephemeral: PortRange { first, last },
    }
}

fn ticks() -> Interval {
    let mut tick = tokio::time::interval_at(tokio::time::Instant::now() + TICK, TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tick
}

fn signals() -> std::io::Result<(Signal, Signal)> {
    Ok((signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?))
}

//! The pilot in the foreground: one instance from its lease to its end, told to the terminal, to
//! `--events` and to the daemon.

mod again;
mod caller;
mod changes;
mod declared;
mod derived;
mod gate;
mod group;
mod lan;
mod lend;
mod memory;
mod notified;
mod passing;
mod reporter;
mod settle;
mod ties;
mod watch;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc, watch as changing};
use tokio::task::JoinHandle;
use wharf_control::api::{ProxyPorts, Snapshot};
use wharf_model::plan::{Hint, Values};
use wharf_model::service::Ready;
use wharf_model::{Access, EventKind, Instance, LaunchPlan, PathText, Remap, State, name};
use wharf_os::guard::Command;
use wharf_os::remap::Mode;
use wharf_os::terminal::Modes;
use wharf_supervisor::remap::Remapping;
use wharf_supervisor::{Keeping, Launch};

pub(crate) use caller::{Caller, Orders};
use changes::Changes;
pub(crate) use declared::Declared;
use derived::DerivedFiles;
use gate::Gate;
use group::{Follower, Word};
use memory::MemoryLimit;
use notified::Notified;
use reporter::report_changes;
use watch::Pilot;

use crate::environment::{ID_VARIABLE, Told, Variables};
use crate::events::{Sink, now_ms};
use crate::link::Link;
use crate::narrate;
use crate::place::Place;
use crate::report::Report;
use crate::settings::Bind;
use crate::up::crew::said_in_a_file;
use crate::up::order::{Published, Sibling, Siblings};

/// The address that wharf hands to servers that take one.
pub(crate) const HOST: &str = "127.0.0.1";

/// How long the last word to the daemon may take: nobody waits for it.
const LAST_WORD: Duration = Duration::from_millis(500);

/// How many words of the daemon may lie unread.
const WORDS_MAX: usize = 4;

/// How many answers of where other machines reach it may lie unread.
const OPENINGS_MAX: usize = 1;

/// How long a tree that lost its pilot has between SIGTERM and SIGKILL, at most.
const ORPHAN_GRACE: Duration = Duration::from_secs(2);

/// What is expected of the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It serves: its readiness is told.
    Server,
    /// It only needs a port (`wharf port -- CMD`): it may be a test suite, and nothing is told unless
    /// it concerns safety.
    Command,
    /// A step of a project that ends, such as a migration.
    Step,
}

/// One run, ready to begin.
pub(crate) struct Run {
    pub(crate) plan: LaunchPlan,
    pub(crate) place: Place,
    pub(crate) link: Option<Link>,
    pub(crate) caller: Caller,
    pub(crate) orders: Orders,
    pub(crate) events: Sink,
    pub(crate) begun: Instant,
    pub(crate) grace: Duration,
    pub(crate) loopback_only: bool,
    pub(crate) bind: Bind,
    /// Whether the program sees the ports that it really has.
    pub(crate) true_names: bool,
    /// Files whose changes start it again, as globs below its folder.
    pub(crate) watch: Vec<String>,
    pub(crate) kind: Kind,
    /// Who may ask it by its name.
    pub(crate) access: Access,
    /// How ports that the program names itself are remapped, if they are.
    pub(crate) mode: Option<Mode>,
    /// When it is launched, and launched again.
    pub(crate) keeping: Keeping,
    /// What a project says of it, where one has declared it.
    pub(crate) declared: Option<Declared>,
}

impl Run {
    /// Launches the command and stays with it until nothing of it is left. Gives its exit code.
    pub(crate) async fn until_the_end(mut self) -> Result<u8, Report> {
        let mut instance = self.described();
        let files = DerivedFiles::write(&self.plan, &self.place, self.host(), &instance.id)?;
        let values =
            Values { host: self.host(), ports: self.place.ports(), files: files.folder.clone() };
        let argv = self.argv(&values);
        instance.command = argv.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        self.tell_lease(&instance);
        let link = self.link.take().map(Rc::new);
        // A daemon that does not answer now costs what is known of the others, not the run.
        let snapshot = match &link {
            Some(link) => link.snapshot_now().await.ok(),
            None => None,
        };
        let mut env = self.environment(&values, &instance, snapshot.as_ref());
        let notified = self.notified(&instance.id)?;
        env.extend(notified.iter().map(|one| ("NOTIFY_SOCKET".into(), one.path().into())));
        let remapping = self.remapping(link.is_some(), snapshot.as_ref(), &instance);
        let (words_out, words) = mpsc::channel(WORDS_MAX);
        let (care, looked_after) = changing::channel(false);
        let (openings_out, openings) = mpsc::channel(OPENINGS_MAX);
        let story = self.story();
        // Before the launch: a pattern that is none starts nothing.
        let changes = Changes::watch(&self.plan.dir, &self.watch)?;
        let gate = self.gate(notified)?;
        let modes = Modes::save();
        let command_env = env.clone();
        let (launch, limit) = self.launch(argv, env, instance.id.clone(), remapping);
        let handle = wharf_supervisor::start(launch)?;
        instance.state = instance.state.leased();
        let (reports, reports_in) = changing::channel(instance);
        let reporter = told_both_ways(link.clone(), reports_in, words_out, care, self.published());
        let pilot = Pilot {
            plan: self.plan,
            place: self.place,
            events: self.events,
            begun: self.begun,
            loopback_only: self.loopback_only,
            kind: self.kind,
            handle,
            changes,
            link,
            words,
            looked_after,
            openings,
            openings_out: self.access.lan.then_some(openings_out),
            reports,
            named: BTreeSet::new(),
            story,
            launches: 0,
            dormant: false,
            lingers: false,
            interrupts: 0,
            last_interrupt: None,
            exposed: BTreeSet::new(),
            doubtful: Vec::new(),
            rests_at: None,
            verdict: None,
            gate,
            env: command_env,
            declared: self.declared,
            is_told_to_end: false,
            forgets_its_home: false,
            limit,
        };
        let outcome = pilot.stay(&self.orders).await;
        modes.restore();
        drop(files);
        // `stay` has dropped the sender: the reporter sends the last state and ends.
        let _ = tokio::time::timeout(LAST_WORD, reporter).await;
        outcome
    }

    /// Where it says that it is ready, where that is what was wanted.
    fn notified(&self, id: &str) -> Result<Option<Notified>, Report> {
        let ready = self.declared.as_ref().map(|declared| &declared.order.service.ready);
        match ready {
            Some(Ready::Notify) => Notified::open(crate::link::notify_socket(id)?).map(Some),
            _ => Ok(None),
        }
    }

    /// What has to happen before it counts as ready.
    fn gate(&self, notified: Option<Notified>) -> Result<Gate, Report> {
        let Some(declared) = &self.declared else { return Ok(Gate::open()) };
        let service = &declared.order.service;
        // What the project is mainly about serves; of others nobody knows.
        let may_settle = service.ready == Ready::Auto
            && self.plan.framework.is_none()
            && service.port.is_none()
            && !declared.order.primary;
        let mut gate = Gate::of(service.ready.clone(), may_settle);
        gate.notified = notified;
        gate.close(Some(&declared.log))?;
        Ok(gate)
    }

    /// The address that servers are handed: loopback, or their own where it shall stay as it is.
    fn host(&self) -> String {
        let own = self.plan.framework.as_ref().and_then(|framework| framework.own_host());
        match (self.bind, own) {
            (Bind::AsIs, Some(own)) => own.to_string(),
            _ => HOST.to_owned(),
        }
    }

    /// Tells what is to be said of the port: at once, or later where a program that nobody knows may
    /// name another itself.
    fn story(&self) -> Vec<String> {
        if self.kind != Kind::Server {
            return Vec::new();
        }
        let mut lines = self.place.story(&self.plan);
        if self.declared.is_some() {
            lines.iter_mut().for_each(|line| *line = said_in_a_file(line));
        }
        let is_open =
            matches!(self.plan.hint, Hint::Convention | Hint::None) && self.mode.is_some();
        if is_open && !self.keeping.holds() {
            return lines;
        }
        lines.iter().for_each(|line| narrate::line(line));
        Vec::new()
    }

    /// The instance, as it is known before anything runs.
    fn described(&self) -> Instance {
        let mut instance = describe(&self.plan, &self.place, self.mode);
        instance.held = self.keeping.holds();
        instance.access = self.access.clone();
        instance.agent = match &self.declared {
            Some(declared) => declared.order.agent.clone(),
            None => crate::agent::of_caller(),
        };
        if let Some(declared) = &self.declared {
            instance.definition = Some(declared.order.definition.clone());
            instance.revive = declared.is_revived();
        }
        instance
    }

    fn published(&self) -> Vec<Published> {
        self.declared.as_ref().map(|one| one.order.published.clone()).unwrap_or_default()
    }

    fn argv(&self, values: &Values) -> Vec<OsString> {
        let argv = match self.keeping.pass {
            true => self.plan.argv_with_socket(values),
            false => self.plan.argv(values),
        };
        match &self.declared {
            Some(declared) => declared.argv(argv),
            None => argv,
        }
    }

    fn tell_lease(&mut self, instance: &Instance) {
        self.events.name(&instance.key.service, instance.key.instance);
        self.events.write(EventKind::Leased {
            port: instance.port,
            requested_port: instance.requested_port,
            why: self.place.why().clone(),
        });
    }

    /// What the command finds in its environment.
    fn environment(
        &self,
        values: &Values,
        instance: &Instance,
        snapshot: Option<&Snapshot>,
    ) -> Variables {
        let (own, siblings) = match &self.declared {
            Some(one) => (one.own.clone(), one.siblings.clone()),
            None => {
                let all = snapshot.map(|snapshot| snapshot.instances.as_slice());
                let siblings = Siblings::living(all.unwrap_or_default(), &instance.root);
                (Sibling::of(instance), siblings)
            }
        };
        let told = Told {
            key: &instance.key,
            root: &self.plan.root,
            own: &own,
            siblings: &siblings,
            hints: self.plan.env(values),
            declared: self.declared.as_ref().map(|one| &one.order.service),
        };
        let mut env = told.over_callers();
        env.push((ID_VARIABLE.into(), instance.id.clone().into()));
        if self.declared.is_some() {
            declared::add_terminal(&mut env);
        }
        if self.keeping.pass {
            passing::tell(&mut env, &self.plan);
        }
        env
    }

    /// How the calls of the program are answered, and what its group looks like now.
    fn remapping(
        &self,
        is_told: bool,
        snapshot: Option<&Snapshot>,
        instance: &Instance,
    ) -> Option<Remapping> {
        let mode = self.mode?;
        let group = snapshot.map(|snapshot| group::of(snapshot, &instance.key));
        Some(Remapping {
            mode,
            connect: group::needs_connect(is_told, instance),
            names: !self.true_names,
            loopback: self.loopback_only,
            address: self.place.address(),
            group: group.unwrap_or_default(),
        })
    }

    fn launch(
        &mut self,
        argv: Vec<OsString>,
        env: Vec<(OsString, OsString)>,
        id: String,
        remapping: Option<Remapping>,
    ) -> (Launch, Option<MemoryLimit>) {
        let ports = self.place.ports();
        let limit = self.declared.as_ref().and_then(|declared| declared.order.service.memory_max);
        let limit = limit.and_then(MemoryLimit::set);
        let launch = Launch {
            command: Command {
                argv,
                env,
                dir: self.plan.dir.clone(),
                signals: self.caller.signals,
                ignored: self.caller.ignored.clone(),
                limits: self.caller.limits,
                orphan_grace: self.grace.min(ORPHAN_GRACE),
                // The supervisor's to say.
                filter: None,
                cgroup: limit.as_ref().map(MemoryLimit::entrance),
                // As above.
                listener: None,
            },
            mark: (ID_VARIABLE, id),
            port: ports[0],
            further: ports[1..].to_vec(),
            likely: likely_ports(&self.plan),
            probe: self.plan.probe,
            grace: self.grace,
            reservations: self.place.take_reservations(),
            remapping,
            keeping: self.keeping.clone(),
        };
        (launch, limit)
    }
}

/// Has the daemon told of the instance, and the pilot of what the daemon knows of the others.
fn told_both_ways(
    link: Option<Rc<Link>>,
    reports: changing::Receiver<Instance>,
    words: mpsc::Sender<Word>,
    looked_after: changing::Sender<bool>,
    published: Vec<Published>,
) -> JoinHandle<()> {
    let forgotten = Rc::new(Notify::new());
    let is_looked_after = looked_after.subscribe();
    if let Some(link) = link.clone() {
        let Instance { key, id, .. } = reports.borrow().clone();
        let forgotten = forgotten.clone();
        let follower = Follower { key, id, words, looked_after, published, forgotten };
        tokio::task::spawn_local(async move { follower.follow(&link).await });
    }
    tokio::task::spawn_local(report_changes(link, reports, forgotten, is_looked_after))
}

/// Where the program goes when it ignores its port.
fn likely_ports(plan: &LaunchPlan) -> Vec<wharf_model::Port> {
    let conventional = plan.framework.as_ref().map(|framework| framework.conventional);
    std::iter::once(plan.request.wanted()).chain(conventional).collect()
}

fn describe(plan: &LaunchPlan, place: &Place, mode: Option<Mode>) -> Instance {
    let key = plan.key(place.instance());
    let pilot = crate::facts::own_process();
    let port = place.ports()[0].get();
    Instance {
        id: match place.outer() {
            Some(outer) => outer.to_owned(),
            None => format!("{}-{:x}", pilot.pid, pilot.start_ticks),
        },
        url: named_url(plan, place, &key, port, "http"),
        direct_url: format!("http://{}:{port}", place.host()),
        key,
        root: PathText::new(&plan.root),
        framework: plan.framework.as_ref().map(|framework| framework.id.to_owned()),
        state: State::Planned,
        port,
        requested_port: plan.request.wanted().get(),
        listeners: Vec::new(),
        remap: match place.address() {
            Some(_) => Remap::Address,
            None => crate::remap::shown(mode),
        },
        remapped: Vec::new(),
        held: false,
        access: Access::default(),
        pid: None,
        pilot_pid: pilot.pid,
        pilot,
        started_at: now_ms(),
        definition: None,
        last_lines: Vec::new(),
        revive: false,
        restarts: 0,
        ready_ms: None,
        exit_code: None,
        command: Vec::new(),
        agent: None,
    }
}

/// The URL by name: through the proxy where there is one and the server speaks what it passes on, else at
/// the server's own port.
pub(crate) fn named_url(
    plan: &LaunchPlan,
    place: &Place,
    key: &wharf_model::ServiceKey,
    port: u16,
    scheme: &str,
) -> String {
    match place.address() {
        // A name means 127.0.0.1 to whoever resolves it.
        Some(address) => format!("{scheme}://{address}:{port}"),
        None => {
            url_of_host(&name::host(key, place.label(), plan.primary), place.proxy(), port, scheme)
        }
    }
}

/// The URL of a host.
pub(crate) fn url_of_host(host: &str, proxy: ProxyPorts, port: u16, scheme: &str) -> String {
    match (proxy.https, proxy.http) {
        (Some(https), _) if scheme != "tcp" => name::url("https", host, https),
        (None, Some(http)) if scheme != "tcp" => name::url("http", host, http),
        _ => format!("{scheme}://{host}:{port}"),
    }
}

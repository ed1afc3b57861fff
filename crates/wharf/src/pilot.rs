//! The pilot in the foreground: one instance from its lease to its end, told to the terminal, to
//! `--events` and to the daemon.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::io::unix::AsyncFd;
use tokio::sync::watch;
use wharf_model::plan::Values;
use wharf_model::{
    EventKind, Exposure, Instance, LaunchPlan, Listener, PathText, Remap, State, name,
};
use wharf_os::guard::{Command, Exit};
use wharf_os::limits::CallerLimits;
use wharf_os::signals::{self, CallerSignals, Received, SignalFd};
use wharf_os::terminal::Modes;
use wharf_supervisor::{Answer, Handle, Launch, Order, Update};

use crate::events::{Sink, now_ms};
use crate::link::Link;
use crate::narrate;
use crate::place::Place;
use crate::report::{Code, Report};
use crate::render::printable;

const SIGHUP: i32 = 1;
const SIGINT: i32 = 2;
const SIGQUIT: i32 = 3;
const SIGUSR1: i32 = 10;
const SIGUSR2: i32 = 12;
const SIGTERM: i32 = 15;

/// Ctrl-C as often as this ends a server that does not end by itself.
const INSISTENCE: u32 = 3;

/// The address that wharf hands to servers that take one.
pub(crate) const HOST: &str = "127.0.0.1";

/// Names the execution in its own environment, by which its processes are told from others'.
const ID_VARIABLE: &str = "WHARF_ID";

/// How long the last word to the daemon may take: nobody waits for it.
const LAST_WORD: Duration = Duration::from_millis(500);

/// What our caller set, for the command to find as it was.
#[derive(Debug)]
pub(crate) struct Caller {
    signals: CallerSignals,
    limits: CallerLimits,
    ignored: Vec<i32>,
}

impl Caller {
    /// Read before anything is changed.
    pub(crate) fn now() -> Caller {
        let inheritable = [SIGHUP, SIGINT, SIGQUIT, SIGTERM];
        Caller {
            signals: CallerSignals::current(),
            limits: CallerLimits::current(),
            ignored: inheritable.into_iter().filter(|s| signals::is_ignored(*s)).collect(),
        }
    }
}

/// The signals that people and systems send to end or to poke a server.
#[derive(Debug)]
pub(crate) struct Orders {
    signals: AsyncFd<SignalFd>,
}

impl Orders {
    /// Takes the signals from their ordinary delivery. One that our caller ignored (`nohup`) stays
    /// ignored.
    pub(crate) fn take(caller: &Caller) -> Result<Orders, Report> {
        let all = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];
        let wanted: Vec<i32> = all.into_iter().filter(|s| !caller.ignored.contains(s)).collect();
        let failed = |error| Report::bug("signals cannot be received", &error);
        let signals = SignalFd::new(&wanted).map_err(failed)?;
        Ok(Orders { signals: registered(signals).map_err(failed)? })
    }

    async fn next(&self) -> Received {
        loop {
            let Ok(mut ready) = self.signals.readable().await else {
                return std::future::pending().await;
            };
            match ready.get_inner().next() {
                Ok(Some(received)) => return received,
                Ok(None) | Err(_) => ready.clear_ready(),
            }
        }
    }
}

#[expect(
    deprecated,
    reason = "its successor is unsafe, and the signals own their descriptor and never replace it"
)]
fn registered(signals: SignalFd) -> std::io::Result<AsyncFd<SignalFd>> {
    AsyncFd::new(signals)
}

/// What is expected of the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It serves: its readiness is told.
    Server,
    /// It only needs a port (`wharf port -- CMD`): it may be a test suite, and nothing is told unless
    /// it concerns safety.
    Command,
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
    pub(crate) kind: Kind,
}

/// A run under way.
struct Pilot {
    plan: LaunchPlan,
    place: Place,
    events: Sink,
    begun: Instant,
    loopback_only: bool,
    kind: Kind,
    handle: Handle,
    reports: watch::Sender<Instance>,
    interrupts: u32,
    exposed: BTreeSet<(std::net::IpAddr, u16)>,
    /// Why wharf itself ended the server, where it did.
    verdict: Option<Report>,
}

impl Run {
    /// Launches the command and stays with it until nothing of it is left. Gives its exit code.
    pub(crate) async fn to_the_end(mut self) -> Result<u8, Report> {
        let mut instance = describe(&self.plan, &self.place);
        let files = DerivedFiles::write(&self.plan, &self.place, &instance.id)?;
        let values = Values {
            host: HOST.to_owned(),
            ports: self.place.ports(),
            files: files.folder.clone(),
        };
        let argv = self.plan.argv(&values);
        instance.command = argv.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        self.events.name(&instance.key.service, instance.key.instance);
        self.events.write(EventKind::Leased {
            port: instance.port,
            requested_port: instance.requested_port,
            why: self.place.why().clone(),
        });
        let env = environment(&self.plan, &values, &instance);
        let modes = Modes::save();
        let handle = wharf_supervisor::start(self.launch(argv, env, instance.id.clone()))?;
        instance.state = instance.state.leased().launched();
        let (reports, reports_in) = watch::channel(instance);
        let reporter = tokio::spawn(report_changes(self.link.take(), reports_in));
        let pilot = Pilot {
            plan: self.plan,
            place: self.place,
            events: self.events,
            begun: self.begun,
            loopback_only: self.loopback_only,
            kind: self.kind,
            handle,
            reports,
            interrupts: 0,
            exposed: BTreeSet::new(),
            verdict: None,
        };
        let outcome = pilot.stay(&self.orders).await;
        modes.restore();
        files.remove();
        // `stay` has dropped the sender: the reporter sends the last state and ends.
        let _ = tokio::time::timeout(LAST_WORD, reporter).await;
        outcome
    }

    fn launch(
        &mut self,
        argv: Vec<OsString>,
        env: Vec<(OsString, OsString)>,
        id: String,
    ) -> Launch {
        let ports = self.place.ports();
        Launch {
            command: Command {
                argv,
                env,
                dir: self.plan.dir.clone(),
                signals: self.caller.signals,
                ignored: self.caller.ignored.clone(),
                limits: self.caller.limits,
                orphan_grace: self.grace.min(Duration::from_secs(2)),
            },
            mark: (ID_VARIABLE, id),
            port: ports[0],
            further: ports[1..].to_vec(),
            likely: likely_ports(&self.plan),
            probe: self.plan.probe,
            grace: self.grace,
            reservations: self.place.take_reservations(),
        }
    }
}

/// Where the program goes when it ignores its port.
fn likely_ports(plan: &LaunchPlan) -> Vec<wharf_model::Port> {
    let conventional = plan.framework.as_ref().map(|framework| framework.conventional);
    std::iter::once(plan.request.wanted()).chain(conventional).collect()
}

impl Pilot {
    async fn stay(mut self, orders: &Orders) -> Result<u8, Report> {
        let mut exit = Exit::Code(0);
        loop {
            tokio::select! {
                update = self.handle.next() => match update {
                    Some(Update::Exited { exit: how, left_behind }) => {
                        exit = how;
                        self.exited(how, &left_behind);
                    }
                    Some(Update::Gone) | None => break,
                    Some(update) => self.take(update),
                },
                received = orders.next() => self.obey(received),
            }
        }
        if let Some(verdict) = self.verdict {
            return Err(verdict);
        }
        Ok(u8::try_from(exit.shell_code()).unwrap_or(1))
    }

    fn obey(&mut self, received: Received) {
        match received.signal {
            // The terminal's keys reach the whole foreground group: the server has it already.
            SIGINT | SIGQUIT if received.from_kernel => {
                self.interrupts += 1;
                if self.interrupts == INSISTENCE {
                    self.stop(SIGTERM);
                } else if self.interrupts + 1 == INSISTENCE {
                    narrate::line("the server is still ending; Ctrl-C once more ends it by force");
                }
            }
            SIGUSR1 | SIGUSR2 => self.handle.order(Order::Pass { signal: received.signal }),
            signal => self.stop(signal),
        }
    }

    fn stop(&mut self, signal: i32) {
        self.change(|instance| instance.state = instance.state.stop_asked());
        self.handle.order(Order::Stop { signal });
    }

    /// Everything but the end.
    fn take(&mut self, update: Update) {
        match update {
            Update::Launched { pid } => {
                self.change(|instance| instance.pid = Some(pid));
                let command = self.reports.borrow().command.join(" ");
                self.events.write(EventKind::Launched { pid, command: printable(&command) });
            }
            Update::Refused { folder, errno } => self.refused(folder, errno),
            // Not if a Ctrl-Z for the whole group stopped us too, and `fg` has continued both since.
            Update::Suspended { .. } if self.command_is_stopped() => signals::stop_self(),
            Update::Suspended { .. } => {}
            Update::Listening(listener) => self.listening(listener),
            Update::Closed(listener) => {
                self.change(|instance| {
                    instance.listeners.retain(|other| other != &listener);
                });
            }
            Update::Moved { port } => self.moved(port),
            Update::Stranger { listener } => self.stranger(&listener),
            Update::Waiting { since, listens } => self.waiting(since, listens),
            Update::Ready { listener, answer, again, .. } => self.ready(&listener, answer, again),
            Update::Unready => {
                self.change(|instance| instance.state = instance.state.lost_listener());
                let port = self.reports.borrow().port;
                narrate::warning(&format!("nothing listens on port {port} any more; waiting for it"));
            }
            Update::Killed { pids } => {
                narrate::line(&format!("did not end in time and was killed: {}", pids_text(&pids)));
            }
            Update::Exited { .. } | Update::Gone => {}
        }
    }

    fn command_is_stopped(&self) -> bool {
        let pid = self.reports.borrow().pid;
        pid.and_then(|pid| wharf_os::process::stat(pid).ok())
            .is_some_and(|stat| matches!(stat.state, 'T' | 't'))
    }

    fn refused(&mut self, folder: bool, errno: i32) {
        let error = std::io::Error::from_raw_os_error(errno);
        let (code, what) = if folder {
            (Code::CannotExecute, format!("cannot enter `{}`", self.plan.dir.display()))
        } else {
            let command = self.reports.borrow().command.first().cloned().unwrap_or_default();
            (Code::CannotExecute, format!("cannot execute `{command}`"))
        };
        self.verdict = Some(Report::new(code, what).because(&error));
    }

    fn listening(&mut self, listener: Listener) {
        self.events.write(EventKind::Listening {
            address: listener.address,
            port: listener.port,
            pid: listener.pid.unwrap_or_default(),
        });
        self.change(|instance| instance.listeners.push(listener.clone()));
        if listener.exposure() != Exposure::Loopback
            && self.exposed.insert((listener.address, listener.port))
        {
            self.exposed(&listener);
        }
    }

    /// Said once for each listener: that other machines can reach it, and how to stop that.
    fn exposed(&mut self, listener: &Listener) {
        self.events.write(EventKind::Exposed { address: listener.address, port: listener.port });
        let scope = match listener.exposure() {
            Exposure::All => "all interfaces".to_owned(),
            _ => listener.address.to_string(),
        };
        let advice = self.plan.framework.as_ref().and_then(|framework| framework.loopback_advice);
        let advice = advice.unwrap_or("bind 127.0.0.1 in the program's settings");
        let what = format!("port {} is open to the LAN ({scope})", listener.port);
        if self.loopback_only {
            let report = Report::new(Code::Permission, format!("{what}, and --loopback forbids that"))
                .why("the program chose the address itself; wharf has ended it")
                .help(advice);
            self.verdict = Some(report);
            self.stop(SIGTERM);
        } else {
            narrate::warning(&format!("{what}; to keep it to this machine: {advice}"));
        }
    }

    fn moved(&mut self, port: u16) {
        let leased = self.place.ports()[0].get();
        self.change(|instance| {
            instance.port = port;
            instance.url = named_url(&self.plan, &instance.key, port, "http");
            instance.direct_url = format!("http://{HOST}:{port}");
        });
        if self.kind == Kind::Command {
            return;
        }
        if port == leased {
            narrate::line(&format!("the server is on its leased port {leased} now"));
            return;
        }
        self.events.write(EventKind::Moved { leased, port });
        narrate::warning(&format!(
            "the server was given port {leased} and ignored it: it listens on {port}. Two copies of \
             it would collide there"
        ));
    }

    fn stranger(&mut self, listener: &Listener) {
        let holder = crate::facts::holder_of(listener);
        narrate::warning(&format!(
            "port {} is answered by another process, {holder}; that is not this server, which is not \
             ready",
            listener.port
        ));
    }

    fn waiting(&self, since: Duration, listens: bool) {
        if self.kind == Kind::Command {
            return;
        }
        let instance = self.reports.borrow();
        let seconds = since.as_secs();
        narrate::line(&match listens {
            false => format!("nothing listens after {seconds} s; still waiting for port {}", instance.port),
            true => format!("it listens but has not answered after {seconds} s; still waiting"),
        });
    }

    fn ready(&mut self, listener: &Listener, answer: Answer, again: bool) {
        let (scheme, http_status) = match answer {
            Answer::Http(status) => ("http", Some(status)),
            Answer::Tls => ("https", None),
            Answer::NotHttp => ("tcp", None),
        };
        let ready_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let dial = std::net::SocketAddr::new(listener.dial_address(), listener.port);
        let direct_url = format!("{scheme}://{dial}");
        let key = self.reports.borrow().key.clone();
        // A name resolves to loopback; a server that listens on one other address has none.
        let url = match listener.exposure() {
            Exposure::Lan => direct_url.clone(),
            _ => named_url(&self.plan, &key, listener.port, scheme),
        };
        self.change(|instance| {
            instance.state = instance.state.served();
            instance.ready_ms = instance.ready_ms.or(Some(ready_ms));
            instance.url.clone_from(&url);
            instance.direct_url.clone_from(&direct_url);
        });
        let note = match answer {
            Answer::Http(status) if status >= 500 => format!(", answers with status {status}"),
            Answer::NotHttp => ", does not speak HTTP".to_owned(),
            _ => String::new(),
        };
        if self.kind == Kind::Command {
            // It asked for a port, not for an opinion.
        } else if again {
            narrate::ready("ready again", &url, &note);
        } else {
            let text = format!("ready in {}", duration(ready_ms));
            narrate::ready(&text, &url, &format!(" (direct {direct_url}){note}"));
        }
        let port = listener.port;
        self.events.write(EventKind::Ready { port, url, direct_url, ready_ms, http_status });
    }

    fn exited(&mut self, exit: Exit, left_behind: &[u32]) {
        let code = exit.shell_code();
        let before = self.reports.borrow().state;
        self.change(|instance| {
            instance.state = instance.state.ended();
            instance.exit_code = Some(code);
            instance.listeners.clear();
        });
        self.events.write(EventKind::Exited { exit_code: code });
        if !left_behind.is_empty() && self.verdict.is_none() {
            narrate::warning(&format!(
                "the command ended and left {} behind, which wharf ends too; a server has to stay in \
                 the foreground",
                pids_text(left_behind)
            ));
        }
        let waited = before == State::Starting && self.kind == Kind::Server && self.verdict.is_none() && self.interrupts == 0;
        if waited && left_behind.is_empty() {
            self.never_served(exit);
        }
    }

    fn never_served(&self, exit: Exit) {
        let how = match exit {
            Exit::Code(code) => format!("ended with code {code}"),
            Exit::Signal(signal) => format!("was ended by signal {signal}"),
        };
        narrate::line(&format!("the command {how} and never served on port {}", self.reports.borrow().port));
        if self.plan.framework.is_none() && exit != Exit::Code(0) {
            narrate::line(
                "  if it says that the address is in use, it binds without SO_REUSEADDR: \
                 `wharf run --no-reserve`",
            );
        }
    }

    fn change(&self, change: impl FnOnce(&mut Instance)) {
        self.reports.send_modify(change);
    }
}

/// Sends each change to the daemon, the newest only, until the pilot ends. A daemon that is away is
/// tried again: the server never waits for it.
async fn report_changes(link: Option<Link>, mut changes: watch::Receiver<Instance>) {
    let Some(link) = link else { return };
    loop {
        let instance = changes.borrow_and_update().clone();
        let sent = link.report(&instance).await.is_ok();
        let changed = changes.changed();
        if sent {
            if changed.await.is_err() {
                break;
            }
        } else if let Ok(Err(_)) = tokio::time::timeout(Duration::from_secs(1), changed).await {
            break;
        }
    }
    let last = changes.borrow().clone();
    let _ = link.report(&last).await;
}

fn describe(plan: &LaunchPlan, place: &Place) -> Instance {
    let key = plan.key(place.instance());
    let pilot = crate::facts::own_process();
    let port = place.ports()[0].get();
    Instance {
        id: format!("{}-{:x}", pilot.pid, pilot.start_ticks),
        url: named_url(plan, &key, port, "http"),
        direct_url: format!("http://{HOST}:{port}"),
        key,
        root: PathText::new(&plan.root),
        framework: plan.framework.as_ref().map(|framework| framework.id.to_owned()),
        state: State::Planned,
        port,
        requested_port: plan.request.wanted().get(),
        listeners: Vec::new(),
        remap: Remap::Cooperative,
        pid: None,
        pilot_pid: pilot.pid,
        pilot,
        started_at: now_ms(),
        ready_ms: None,
        exit_code: None,
        command: Vec::new(),
    }
}

fn named_url(plan: &LaunchPlan, key: &wharf_model::ServiceKey, port: u16, scheme: &str) -> String {
    format!("{scheme}://{}:{port}", name::host(key, plan.primary))
}

/// The caller's environment, the plan's hints, and what an instance may know of itself.
fn environment(plan: &LaunchPlan, values: &Values, instance: &Instance) -> Vec<(OsString, OsString)> {
    let is_ours = |name: &OsString| name.to_string_lossy().starts_with("WHARF_");
    // Under another wharf, PORT and HOST are that instance's, not this one's.
    let nested = std::env::var_os("WHARF_ROOT").is_some();
    let is_stale = |name: &OsString| nested && (name == "PORT" || name == "HOST");
    let mut env: Vec<(OsString, OsString)> = std::env::vars_os()
        .filter(|(name, _)| !is_ours(name) && !is_stale(name))
        .filter(|(name, _)| !plan.env.iter().any(|(set, _)| name == set.as_str()))
        .collect();
    env.extend(plan.env(values));
    let own = [
        (ID_VARIABLE, instance.id.clone()),
        ("WHARF_PORT", instance.port.to_string()),
        ("WHARF_URL", instance.url.clone()),
        ("WHARF_DIRECT_URL", instance.direct_url.clone()),
        ("WHARF_SERVICE", instance.key.service.clone()),
        ("WHARF_PROJECT", instance.key.project_name()),
        ("WHARF_WORKTREE", instance.key.worktree.clone()),
        ("WHARF_INSTANCE", instance.key.instance.to_string()),
    ];
    env.extend(own.map(|(name, value)| (name.into(), value.into())));
    env.push(("WHARF_ROOT".into(), plan.root.clone().into_os_string()));
    env
}

/// The files of a plan, in a folder of this instance's own.
struct DerivedFiles {
    folder: PathBuf,
    written: bool,
}

impl DerivedFiles {
    fn write(plan: &LaunchPlan, place: &Place, id: &str) -> Result<DerivedFiles, Report> {
        if plan.files.is_empty() {
            return Ok(DerivedFiles { folder: PathBuf::new(), written: false });
        }
        let folder = crate::link::derived_folder(id)?;
        let values =
            Values { host: HOST.to_owned(), ports: place.ports(), files: folder.clone() };
        let files = DerivedFiles { folder, written: true };
        for file in &plan.files {
            let path = files.folder.join(&file.name);
            std::fs::write(&path, values.fill_file(file)).map_err(|error| {
                Report::new(Code::Failed, format!("cannot write `{}`", path.display())).because(&error)
            })?;
        }
        Ok(files)
    }

    fn remove(&self) {
        if self.written {
            // What cannot be removed is a few kilobytes in the state folder.
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

fn pids_text(pids: &[u32]) -> String {
    let names: Vec<String> = pids.iter().take(5).map(|pid| {
        match wharf_os::process::stat(*pid) {
            Ok(stat) => format!("`{}` (pid {pid})", stat.comm),
            Err(_) => format!("pid {pid}"),
        }
    }).collect();
    let more = pids.len().saturating_sub(names.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", names.join(", "))
}

/// Milliseconds for people: `412 ms`, `3.2 s`.
fn duration(ms: u64) -> String {
    if ms < 1000 { format!("{ms} ms") } else { format!("{}.{} s", ms / 1000, ms % 1000 / 100) }
}

//! Staying with an instance to its end: every update becomes a line, an event and a report.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use wharf_control::api::ProxyPorts;
use wharf_model::{EventKind, Exposure, Instance, LaunchPlan, Listener, Remap, State};
use wharf_os::diag;
use wharf_os::guard::Exit;
use wharf_os::sd_notify;
use wharf_os::signals::{self, Received};
use wharf_os::signals::{SIGCONT, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use wharf_os::terminal;
use wharf_supervisor::{Answer, Handle, Member, News, Order, Update};

use super::caller::Orders;
use super::changes::Changes;
use super::declared::Declared;
use super::gate::{Gate, HeldBack};
use super::group::Word;
use super::lan::Opening;
use super::memory::{self, MemoryLimit};
use super::ties::Ties;
use super::{Kind, likely_ports, named_url};
use crate::cli::restart::RESTART;
use crate::events::Sink;
use crate::link::Link;
use crate::place::Place;
use crate::render::printable;
use crate::report::{Code, Report};
use crate::{facts, narrate, rights};

/// Ctrl-C as often as this ends a server that does not end by itself.
const INSISTENCE: u32 = 3;

/// The time within which they count together.
const INSISTENCE_WINDOW: Duration = Duration::from_secs(5);

/// A run under way.
pub(super) struct Pilot {
    pub(super) plan: LaunchPlan,
    pub(super) place: Place,
    pub(super) events: Sink,
    pub(super) begun: Instant,
    pub(super) loopback_only: bool,
    pub(super) kind: Kind,
    pub(super) handle: Handle,
    pub(super) changes: Changes,
    pub(super) link: Option<Rc<Link>>,
    /// What the group stands for, whenever that changes.
    pub(super) words: mpsc::Receiver<Word>,
    /// Whether the daemon looks after it.
    pub(super) looked_after: watch::Receiver<bool>,
    /// Where other machines reach it, once that was asked for.
    pub(super) openings: mpsc::Receiver<Opening>,
    /// Until it was asked for.
    pub(super) openings_out: Option<mpsc::Sender<Opening>>,
    pub(super) reports: watch::Sender<Instance>,
    pub(super) interrupts: u32,
    pub(super) last_interrupt: Option<Instant>,
    pub(super) exposed: BTreeSet<(std::net::IpAddr, u16)>,
    /// Listeners beyond loopback that may be there for a moment only, and since when.
    pub(super) doubtful: Vec<(Listener, Instant)>,
    /// When what was needed to become ready is no longer needed.
    pub(super) rests_at: Option<Instant>,
    /// Pairs that were told: the port that the program named, the port that it has.
    pub(super) named: BTreeSet<(u16, u16)>,
    /// What a person should know of the port, if the program uses it.
    pub(super) story: Vec<String>,
    /// How often the command was launched.
    pub(super) launches: u32,
    /// Whether it has waited for a connection: then wharf's own start says nothing about it.
    pub(super) dormant: bool,
    /// Whether all has ended but for processes that cannot be ended.
    pub(super) lingers: bool,
    /// Why wharf itself ended the server, where it did.
    pub(super) verdict: Option<Report>,
    /// What has to happen before it counts as ready.
    pub(super) gate: Gate,
    /// The command's environment, for what asks whether it is ready.
    pub(super) env: Vec<(OsString, OsString)>,
    pub(super) declared: Option<Declared>,
    /// Whether somebody wanted it to end.
    pub(super) is_told_to_end: bool,
    /// Whether its port is not to be remembered: its checkout has gone.
    pub(super) forgets_its_home: bool,
    pub(super) limit: Option<MemoryLimit>,
}

/// How long a listener beyond loopback is there before it is told of.
const LASTING: Duration = Duration::from_millis(500);

/// How long after its server is ready the pilot has told everybody.
const REST: Duration = Duration::from_secs(1);

pub(super) async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}

/// When the oldest of these has been there long enough.
async fn past_doubt(doubtful: &[(Listener, Instant)]) {
    at(doubtful.first().map(|(_, since)| *since + LASTING)).await;
}

impl Pilot {
    /// Until nothing of the command is left. Gives its exit code.
    pub(super) async fn stay(mut self, orders: &Orders) -> Result<u8, Report> {
        let mut exit = Exit::Code(0);
        let mut ties = Ties::new(&self.plan.root, self.declared.as_ref());
        loop {
            tokio::select! {
                news = self.handle.next_news() => match news {
                    Some(News::Update(Update::Exited { exit: how, left_behind })) => {
                        exit = how;
                        self.exited(how, &left_behind);
                    }
                    Some(News::Update(Update::Gone)) | None => break,
                    Some(News::Update(update)) => self.take(update),
                    Some(News::Ask(ask)) => self.lend(ask),
                },
                path = self.changes.next() => {
                    narrate::line(&format!("{} has changed", path.display()));
                    self.handle.order(Order::Restart);
                }
                Some(word) = self.words.recv() => match word {
                    Word::Group(group) => self.handle.regroup(group),
                    Word::Look => {
                        self.handle.order(Order::Look);
                        ties.look_now();
                    }
                },
                Ok(()) = self.looked_after.changed() => {
                    let is_so = *self.looked_after.borrow();
                    self.handle.looked_after(is_so);
                    ties.looked_after(is_so);
                }
                () = past_doubt(&self.doubtful) => self.tell_exposed(LASTING),
                () = at(self.rests_at) => {
                    self.rests_at = None;
                    wharf_os::own_memory::give_back_code();
                }
                Some(opening) = self.openings.recv() => self.opened(&opening),
                opened = self.gate.opened() => self.gate_opened(opened),
                () = ties.broken() => self.untied(&mut ties),
                received = orders.next() => {
                    if self.lingers {
                        break;
                    }
                    self.obey(received);
                }
            }
        }
        if self.forgets_its_home {
            self.forget_its_home().await;
        }
        self.keep_last_lines(exit).await;
        if let Some(verdict) = self.verdict {
            return Err(verdict);
        }
        Ok(u8::try_from(exit.shell_code()).unwrap_or(1))
    }

    fn obey(&mut self, received: Received) {
        match received.signal {
            // The terminal's keys reach the whole foreground group: the server has it already.
            SIGINT | SIGQUIT if received.from_kernel => self.interrupted(),
            RESTART => self.handle.order(Order::Restart),
            SIGUSR1 | SIGUSR2 => self.handle.order(Order::Pass { signal: received.signal }),
            signal => {
                let declared = self.declared.as_ref();
                self.stop(declared.map_or(signal, |declared| declared.stop_signal(signal)));
            }
        }
    }

    /// A program may use Ctrl-C for itself (a console, a debugger), so only insistence counts: several
    /// in a short time.
    fn interrupted(&mut self) {
        if !self.recently_interrupted() {
            self.interrupts = 0;
        }
        self.last_interrupt = Some(Instant::now());
        self.interrupts += 1;
        if self.reports.borrow().pid.is_none() {
            // Nothing runs that could take it for itself: before a launch, or between two.
            return self.stop(SIGTERM);
        }
        self.handle.order(Order::Interrupted);
        if self.interrupts == INSISTENCE {
            self.stop(SIGTERM);
        } else if self.interrupts + 1 == INSISTENCE {
            narrate::line("it has not ended yet; Ctrl-C once more ends it by force");
        }
    }

    fn recently_interrupted(&self) -> bool {
        self.last_interrupt.is_some_and(|last| last.elapsed() < INSISTENCE_WINDOW)
    }

    pub(super) fn stop(&mut self, signal: i32) {
        self.change(|instance| {
            instance.state = instance.state.stop_asked();
            instance.revive = false;
        });
        self.is_told_to_end = true;
        if self.declared.is_none() {
            sd_notify::tell(sd_notify::Word::Stopping);
        }
        self.handle.order(Order::Stop { signal });
    }

    /// Everything but the end.
    fn take(&mut self, update: Update) {
        match update {
            Update::Launched { pid } => {
                self.launches += 1;
                self.change(|instance| {
                    instance.pid = Some(pid);
                    instance.state = instance.state.launched();
                });
                self.gate.launched(&self.env, self.plan.dir.clone());
                let command = self.reports.borrow().command.join(" ");
                self.events.write(EventKind::Launched { pid, command: printable(&command) });
            }
            Update::Refused { folder, errno } => self.refused(folder, errno),
            // Not if a Ctrl-Z for the whole group stopped us too, and `fg` has continued both since.
            Update::Suspended { .. }
                if terminal::has_job_control() && self.command_is_stopped() =>
            {
                signals::stop_self();
                // Whoever continued us may have meant us alone.
                self.handle.order(Order::Pass { signal: SIGCONT });
            }
            Update::Suspended { .. } => {}
            Update::Listening { listener, .. } => self.listening(listener),
            Update::Closed(listener) => {
                let (address, port) = (listener.address, listener.port);
                self.events.write(EventKind::Closed { address, port });
                self.doubtful.retain(|(other, _)| other != &listener);
                self.change(|instance| {
                    instance.listeners.retain(|other| other != &listener);
                });
            }
            Update::Bound { named, address, pid } => self.bound(named, address, pid),
            Update::Unmapped { named, pid, why } => self.unmapped(named, pid, why),
            Update::NotFiltered { errno } => self.not_filtered(errno),
            Update::NotGrouped { errno } => memory::not_limited(errno),
            Update::Lingering { members } => self.lingering(&members),
            Update::Accepted { address } => {
                self.events
                    .write(EventKind::Accepted { address: address.ip(), port: address.port() });
            }
            Update::Dormant => self.dormant(),
            Update::Again { cause, exit, pause } => {
                self.limit.iter_mut().for_each(MemoryLimit::ended);
                self.again(cause, exit, pause);
            }
            Update::Unlaunched { reason } => {
                let what = "the command could not be launched again";
                self.verdict = Some(Report::new(Code::Failed, what).why(reason));
            }
            Update::Moved { port } => self.moved(port),
            Update::Stranger { listener } => self.stranger(&listener),
            Update::Waiting { since, listens } => self.waiting(since, listens),
            Update::Ready { listener, dialled, answer, after, again } => {
                let said = HeldBack { listener, dialled, answer, after, again };
                if let Some(said) = self.gate.holds_back(said) {
                    self.ready(said);
                }
            }
            Update::GaveUp { ends, within } => self.gave_up(ends, within),
            // A server that closes its listener on Ctrl-C is on its way out.
            Update::Unready if self.recently_interrupted() => {}
            Update::Unready => {
                self.change(|instance| instance.state = instance.state.lost_listener());
                let port = self.reports.borrow().port;
                narrate::warning(&format!(
                    "nothing listens on port {port} any more; waiting for it"
                ));
            }
            Update::Killed { members } => {
                narrate::line(&format!("did not end in time and was killed: {}", names(&members)));
            }
            Update::Exited { .. } | Update::Gone => {}
        }
    }

    fn lingering(&mut self, members: &[Member]) {
        self.lingers = true;
        let why = match self.reports.borrow().remap {
            Remap::Cooperative | Remap::Off => {
                "; wharf waits for it (Ctrl-C: wharf ends all the same)"
            }
            _ => {
                " and still needs wharf to answer its calls; wharf waits for it (Ctrl-C: wharf ends, and \
                 what it binds from then on fails)"
            }
        };
        narrate::warning(&format!("{} could not be ended{why}", names(members)));
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
        self.gate.listens();
        self.change(|instance| instance.listeners.push(listener.clone()));
        if listener.exposure() != Exposure::Loopback {
            self.doubtful.push((listener, Instant::now()));
        }
        if self.loopback_only {
            self.tell_exposed(Duration::ZERO);
        }
    }

    /// Tells of those that have been there for so long. Some programs try an address before they take another
    /// one (Vite), and what is gone again is nobody's concern.
    fn tell_exposed(&mut self, lasting: Duration) {
        let (lasts, rest) = std::mem::take(&mut self.doubtful)
            .into_iter()
            .partition(|(_, since)| since.elapsed() >= lasting);
        self.doubtful = rest;
        let lasts: Vec<(Listener, Instant)> = lasts;
        for (listener, _) in lasts {
            if self.exposed.insert((listener.address, listener.port)) {
                self.exposed(&listener);
            }
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
            let report =
                Report::new(Code::Permission, format!("{what}, and --loopback forbids that"))
                    .why("the program chose the address itself; wharf has ended it")
                    .help(advice);
            self.verdict = Some(report);
            self.stop(SIGTERM);
        } else {
            // Where binds are answered, wharf itself can keep it to this machine.
            let advice = match self.reports.borrow().remap {
                Remap::Cooperative | Remap::Off => advice,
                _ => "`--loopback`, or `bind = \"loopback\"` in wharf.toml",
            };
            narrate::warning(&format!("{what}; to keep it to this machine: {advice}"));
        }
    }

    fn moved(&mut self, port: u16) {
        let leased = self.place.ports()[0].get();
        self.change(|instance| {
            instance.port = port;
            instance.state = instance.state.lost_listener();
            instance.url = named_url(&self.plan, &self.place, &instance.key, port, "http");
            instance.direct_url = format!("http://{}:{port}", self.place.host());
        });
        if self.kind != Kind::Server {
            return;
        }
        if port == leased {
            narrate::line(&format!("the server is on its leased port {leased} now"));
            return;
        }
        self.events.write(EventKind::Moved { leased, port });
        if self.named.iter().any(|(_, has)| *has == port) {
            self.give_up_leased();
            return;
        }
        narrate::warning(&format!(
            "the server was given port {leased} and ignored it: it listens on {port}. Two copies of \
             it would collide there"
        ));
    }

    fn stranger(&mut self, listener: &Listener) {
        let holder = facts::holder_of(listener);
        narrate::warning(&format!(
            "port {} is answered by another process, {holder}; that is not this server, which is not \
             ready",
            listener.port
        ));
    }

    fn waiting(&self, since: Duration, listens: bool) {
        let instance = self.reports.borrow();
        // What counts as up although it listens on nothing is not waited for.
        if self.kind != Kind::Server || instance.state == State::Ready {
            return;
        }
        let seconds = since.as_secs();
        narrate::line(&match listens {
            false => format!(
                "nothing listens after {seconds} s; still waiting for port {}",
                instance.port
            ),
            true => format!("it listens but has not answered after {seconds} s; still waiting"),
        });
    }

    /// The first launch began with wharf itself, a later one with the launch.
    pub(super) fn ready(&mut self, said: HeldBack) {
        let HeldBack { listener, dialled, answer, after, again } = said;
        // One that a project has declared may have waited for others.
        let first = self.launches <= 1 && !self.dormant && self.declared.is_none();
        let after = if first { self.begun.elapsed() } else { after };
        let (scheme, http_status) = match answer {
            Answer::Http(status) => ("http", Some(status)),
            Answer::Tls => ("https", None),
            Answer::NotHttp => ("tcp", None),
        };
        let ready_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        let direct_url = format!("{scheme}://{dialled}");
        let key = self.reports.borrow().key.clone();
        // A name resolves to 127.0.0.1 and ::1; a server on one other address has none of its own.
        let on_loopback =
            dialled.ip() == Ipv4Addr::LOCALHOST || dialled.ip() == Ipv6Addr::LOCALHOST;
        let named = on_loopback || (self.place.proxy() != ProxyPorts::default() && scheme != "tcp");
        let url = match named {
            true => named_url(&self.plan, &self.place, &key, listener.port, scheme),
            false => direct_url.clone(),
        };
        self.change(|instance| {
            instance.state = instance.state.served();
            instance.ready_ms = instance.ready_ms.filter(|_| again).or(Some(ready_ms));
            instance.url.clone_from(&url);
            instance.direct_url.clone_from(&direct_url);
        });
        self.tell_exposed(Duration::ZERO);
        let note = match answer {
            Answer::Http(status) if status >= 500 => format!(", answers with status {status}"),
            Answer::NotHttp => ", does not speak HTTP".to_owned(),
            _ => String::new(),
        };
        self.tell_manager(&format!("serves at {url}"));
        if self.kind != Kind::Server {
            // It asked for a port, not for an opinion.
        } else if again {
            narrate::ready("ready again", &url, &note);
        } else {
            let text = format!("ready in {}", duration(ready_ms));
            narrate::ready(&text, &url, &format!(" (direct {direct_url}){note}"));
        }
        self.ask_for_the_lan();
        // From here on the pilot mostly waits, for as long as its server runs: at once what the launch took, and
        // later what telling of it took.
        if self.launches <= 1 && !again {
            wharf_os::own_memory::give_back_code();
        }
        self.rests_at = Some(Instant::now() + REST);
        let port = listener.port;
        self.events.write(EventKind::Ready { port, url, direct_url, ready_ms, http_status });
    }

    fn exited(&mut self, exit: Exit, left_behind: &[Member]) {
        self.limit.iter_mut().for_each(MemoryLimit::ended);
        let code = exit.shell_code();
        let before = self.reports.borrow().state;
        let is_done = self.kind == Kind::Step && exit == Exit::Code(0);
        self.change(|instance| {
            // A step that has succeeded has done what it was for.
            instance.state = match is_done {
                true => instance.state.served().ended(),
                false => instance.state.ended(),
            };
            instance.exit_code = Some(code);
            instance.listeners.clear();
        });
        self.events.write(EventKind::Exited { exit_code: code });
        if !left_behind.is_empty() && self.verdict.is_none() {
            narrate::warning(&format!(
                "the command ended and left {} behind, which wharf ends too; a server has to stay in \
                 the foreground",
                names(left_behind)
            ));
        }
        let waited = before == State::Starting
            && self.kind == Kind::Server
            && self.verdict.is_none()
            && self.last_interrupt.is_none();
        if waited && left_behind.is_empty() {
            self.never_served(exit);
        }
    }

    fn never_served(&self, exit: Exit) {
        let how = match exit {
            Exit::Code(code) => format!("ended with code {code}"),
            Exit::Signal(signal) => format!("was ended by signal {signal}"),
        };
        narrate::line(&format!(
            "the command {how} and never served on port {}",
            self.reports.borrow().port
        ));
        if exit == Exit::Code(0) {
            return;
        }
        let remap = self.reports.borrow().remap;
        if !matches!(remap, Remap::Cooperative | Remap::Off) {
            rights::say_of_scripts(&self.plan);
        }
        let collides = remap == Remap::Cooperative;
        if let Some(listener) = self.rival().filter(|_| collides) {
            narrate::line(&format!(
                "  if it names its port itself: {} is taken by {}, and remapping is off here \
                 (`wharf doctor remap`)",
                listener.port,
                facts::holder_of(&listener)
            ));
        } else if self.plan.framework.is_none() && self.declared.is_none() {
            narrate::line(
                "  if it says that the address is in use, it binds without SO_REUSEADDR: \
                 `wharf run --no-reserve`",
            );
        }
    }

    /// Somebody else on a port that the program is known to name itself.
    fn rival(&self) -> Option<Listener> {
        let leased = self.place.ports()[0];
        let likely: Vec<u16> = likely_ports(&self.plan)
            .into_iter()
            .filter(|port| *port != leased)
            .map(|port| port.get())
            .collect();
        let sockets = diag::listeners().unwrap_or_default();
        let socket = sockets.into_iter().find(|socket| likely.contains(&socket.port))?;
        Some(Listener { address: socket.address, port: socket.port, pid: None })
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Instance)) {
        self.reports.send_modify(change);
    }
}

pub(super) fn names(members: &[Member]) -> String {
    let name = |member: &Member| match &member.name {
        Some(name) => format!("`{name}` (pid {})", member.pid),
        None => format!("pid {}", member.pid),
    };
    let first: Vec<String> = members.iter().take(5).map(name).collect();
    let more = members.len().saturating_sub(first.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", first.join(", "))
}

/// Milliseconds for people: `412 ms`, `3.2 s`.
pub(super) fn duration(ms: u64) -> String {
    if ms < 1000 { format!("{ms} ms") } else { format!("{}.{} s", ms / 1000, ms % 1000 / 100) }
}

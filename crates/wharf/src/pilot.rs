//! The pilot in the foreground: one instance from its lease to its end, told to the terminal, to
//! `--events` and to the daemon.

mod caller;
mod derived;
mod environment;
mod reporter;
mod watch;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::time::{Duration, Instant};

use wharf_model::plan::Values;
use wharf_model::{EventKind, Instance, LaunchPlan, PathText, Remap, State, name};
use wharf_os::guard::Command;
use wharf_os::terminal::Modes;
use wharf_supervisor::Launch;

pub(crate) use caller::{Caller, Orders};
use derived::DerivedFiles;
use environment::{ID_VARIABLE, environment};
use reporter::report_changes;
use watch::Pilot;

use crate::events::{Sink, now_ms};
use crate::link::Link;
use crate::place::Place;
use crate::report::Report;

/// The address that wharf hands to servers that take one.
pub(crate) const HOST: &str = "127.0.0.1";

/// How long the last word to the daemon may take: nobody waits for it.
const LAST_WORD: Duration = Duration::from_millis(500);

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

impl Run {
    /// Launches the command and stays with it until nothing of it is left. Gives its exit code.
    pub(crate) async fn until_the_end(mut self) -> Result<u8, Report> {
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
        let (reports, reports_in) = tokio::sync::watch::channel(instance);
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
            last_interrupt: None,
            exposed: BTreeSet::new(),
            verdict: None,
        };
        let outcome = pilot.stay(&self.orders).await;
        modes.restore();
        drop(files);
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
                orphan_grace: self.grace.min(ORPHAN_GRACE),
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

fn describe(plan: &LaunchPlan, place: &Place) -> Instance {
    let key = plan.key(place.instance());
    let pilot = crate::facts::own_process();
    let port = place.ports()[0].get();
    Instance {
        id: match place.outer() {
            Some(outer) => outer.to_owned(),
            None => format!("{}-{:x}", pilot.pid, pilot.start_ticks),
        },
        url: named_url(plan, place, &key, port, "http"),
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

fn named_url(
    plan: &LaunchPlan,
    place: &Place,
    key: &wharf_model::ServiceKey,
    port: u16,
    scheme: &str,
) -> String {
    format!("{scheme}://{}:{port}", name::host(key, place.label(), plan.primary))
}

//! A pilot that `wharf up` has started: nobody's child, without a terminal, its output in a log.

use std::ffi::OsString;
use std::io::{ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use wharf_control::api::{KeyRequest, LeaseRequest};
use wharf_model::service::{Expose, Ready, Run, Service};
use wharf_model::{LaunchPlan, LeaseKind, PathText, Port, PortRequest, Probe};
use wharf_os::standard_streams;
use wharf_supervisor::Keeping;
use wharf_supervisor::log::{self, LogKeeper};

use super::channel::Channel;
use super::order::{FromPilot, Order, Sibling, Siblings, ToPilot};
use super::revival::Kept;
use crate::events::Sink;
use crate::link::{self, Link};
use crate::pilot::{self, Caller, Declared, Kind, Orders};
use crate::place::{Keep, Place};
use crate::report::{Code, Report};
use crate::settings::Settings;
use crate::ways::{Asked, Ways};
use crate::{facts, narrate};

/// The longest order, in bytes.
const ORDER_MAX: usize = 1024 * 1024;

/// How long the last lines of the output may take to the disk.
const LAST_LINES: Duration = Duration::from_secs(2);

/// From where a step gets a port: it serves nothing, and shall not take a server's.
const STEPS_FROM: u16 = 20_000;

/// Runs the pilot to its end.
///
/// # Errors
/// It was not started by `wharf up`.
pub(crate) fn run() -> Result<ExitCode, Report> {
    let begun = Instant::now();
    let caller = Caller::now();
    let (channel, order) = listen()?;
    Orders::hold_back(&caller)?;
    let (log, input) = match open_log(&order) {
        Ok(opened) => opened,
        Err(report) => {
            let told = async { fail(&mut Channel::new(channel).ok(), &report).await };
            crate::cli::block_on(told)?;
            return Ok(ExitCode::from(report.code.number()));
        }
    };
    let ready = prepare(&order).map(|prepared| (prepared, caller, begun));
    let log = Rc::new(log);
    let code = crate::cli::block_on(stay(channel, order, ready, log.clone()))?;
    drop(input);
    if let Some(log) = Rc::into_inner(log) {
        log.finish(LAST_LINES);
    }
    Ok(ExitCode::from(code))
}

/// Takes the order from standard input. Only this line has been said by then.
fn listen() -> Result<(OwnedFd, Order), Report> {
    let stranger = || {
        Report::new(Code::Usage, "`wharf pilot` is for `wharf up` alone")
            .help("`wharf run` runs a server in the foreground, `wharf up` a whole project")
    };
    let stream = UnixStream::from(standard_streams::take_input().map_err(|_| stranger())?);
    let mut line = Vec::new();
    let mut byte = [0];
    while line.len() < ORDER_MAX && line.last() != Some(&b'\n') {
        match (&stream).read(&mut byte) {
            Ok(0) => break,
            Ok(_) => line.push(byte[0]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Err(stranger()),
        }
    }
    match serde_json::from_slice(&line) {
        Ok(ToPilot::Order(order)) => Ok((stream.into(), *order)),
        _ => Err(stranger()),
    }
}

/// From here on everything that is said, by the server or by wharf, goes to the instance's log. Gives what
/// keeps the server's input open.
fn open_log(order: &Order) -> Result<(LogKeeper, OwnedFd), Report> {
    let failed = |error: std::io::Error| {
        Report::new(Code::Failed, "the output cannot be kept")
            .because(&error)
            .help("HOME or XDG_STATE_HOME must name a folder that you may write; `wharf doctor` tells more")
    };
    let paths = link::paths()?;
    let root = PathText::new(&order.root);
    let file = log::place::path(&paths.logs, &root, &order.service.name, order.instance);
    log::place::prepare(&paths.logs, &root).map_err(failed)?;
    let (input, output) = standard_streams::detach().map_err(failed)?;
    let keeper = LogKeeper::start(output, file, log::Limits::default()).map_err(failed)?;
    Ok((keeper, input))
}

/// What is known before anything is asked for.
struct Prepared {
    plan: LaunchPlan,
    ways: Ways,
}

/// Before there is a runtime: the test of remapping forks.
fn prepare(order: &Order) -> Result<Prepared, Report> {
    let service = &order.service;
    std::env::set_current_dir(&service.dir).map_err(|error| {
        let what = format!("cannot enter {}", service.dir.display());
        Report::new(Code::Failed, what).because(&error)
    })?;
    let plan = plan(order)?;
    let settings = Settings::load(&plan.root)?;
    let asked = Asked {
        loopback: service.expose == Expose::Loopback,
        lan: service.expose == Expose::Lan,
        holds: service.on_demand.is_some() || service.socket,
        passes: service.socket,
        ..Asked::default()
    };
    let ways = Ways::choose(&plan, &settings, asked)?;
    Ok(Prepared { plan, ways })
}

/// The launch plan of a service, with what its declaration says on top.
pub(crate) fn plan(order: &Order) -> Result<LaunchPlan, Report> {
    let service = &order.service;
    let home = wharf_os::user::home();
    let command = command(service);
    let request = wharf_plan::Request {
        dir: &service.dir,
        command: command.as_deref(),
        port: port_argument(order),
        service: Some(&service.name),
        env: &|name| std::env::var_os(name),
        home: home.as_deref(),
    };
    let mut plan = wharf_plan::plan(&request).map_err(Report::from)?;
    plan.primary = order.primary;
    match service.ready {
        Ready::Listen => plan.probe = Probe::Listen,
        Ready::Http(_) => plan.probe = Probe::Http,
        Ready::Exit => plan.request = step_request(),
        Ready::Auto | Ready::Log(_) | Ready::Command(_) | Ready::Notify => {}
    }
    Ok(plan)
}

fn command(service: &Service) -> Option<Vec<OsString>> {
    match service.run.as_ref()? {
        Run::Words(words) => Some(words.clone()),
        Run::Shell(text) => Some(vec!["sh".into(), "-c".into(), text.into()]),
    }
}

/// A port that the project's file names is exactly that one for the first instance of the main checkout. The
/// file is the same in every worktree and for every instance: for the others it says where to begin.
fn port_argument(order: &Order) -> Option<wharf_model::request::PortArgument> {
    use wharf_model::request::PortArgument::{AtLeast, Exactly};
    match order.service.port? {
        Exactly(port) if order.instance > 1 || !order.worktree.is_empty() => Some(AtLeast(port)),
        other => Some(other),
    }
}

fn step_request() -> PortRequest {
    PortRequest::AtLeast(Port::new(STEPS_FROM).unwrap_or_else(|| unreachable!("not 0")))
}

/// Says what is wanted, takes what is given, and runs. Gives the exit code.
async fn stay(
    channel: OwnedFd,
    order: Order,
    ready: Result<(Prepared, Caller, Instant), Report>,
    log: Rc<LogKeeper>,
) -> u8 {
    let mut channel = Channel::new(channel).ok();
    let outcome = match ready {
        Ok(ready) => go(&mut channel, order, ready, log).await,
        Err(report) => Err(report),
    };
    match outcome {
        Ok(code) => code,
        Err(report) => {
            narrate::report(&report);
            fail(&mut channel, &report).await;
            report.code.number()
        }
    }
}

/// Whoever started us may have gone.
async fn fail(channel: &mut Option<Channel>, report: &Report) {
    if let Some(channel) = channel {
        let _ = channel.say(&FromPilot::Failed(report.into())).await;
    }
}

async fn go(
    channel: &mut Option<Channel>,
    order: Order,
    (prepared, caller, begun): (Prepared, Caller, Instant),
    log: Rc<LogKeeper>,
) -> Result<u8, Report> {
    let orders = Orders::take(&caller)?;
    let Prepared { plan, ways } = prepared;
    let link = Link::open().await?;
    let line = channel.as_mut().ok_or_else(gone)?;
    let (place, own, siblings) = tokio::select! {
        biased;
        code = orders.ended_by() => return Ok(code),
        agreed = agree(line, &order, &plan, &ways) => match agreed? {
            Some(agreed) => agreed,
            // Whoever wanted it has gone, and nothing runs yet.
            None => return Ok(0),
        },
    };
    let keeping = Keeping {
        hold: false,
        pass: ways.passes,
        idle: order.service.on_demand,
        restart: order.service.restart,
        adopt: true,
    };
    let _kept = Kept::keep(&order, &siblings);
    let kind = if order.service.is_step() { Kind::Step } else { Kind::Server };
    let run = pilot::Run {
        grace: order.service.stop_grace,
        watch: order.service.watch.clone(),
        declared: Some(Declared { order, own, siblings, log }),
        plan,
        place,
        link: Some(link),
        caller,
        orders,
        events: Sink::default(),
        begun,
        loopback_only: ways.loopback_only,
        bind: ways.bind,
        true_names: true,
        kind,
        access: ways.access,
        mode: ways.mode,
        keeping,
    };
    run.until_the_end().await
}

fn gone() -> Report {
    Report::new(Code::Failed, "`wharf up` has gone")
}

/// Until there are ports and the word to launch; `None` when `wharf up` has gone.
async fn agree(
    line: &mut Channel,
    order: &Order,
    plan: &LaunchPlan,
    ways: &Ways,
) -> Result<Option<(Place, Sibling, Siblings)>, Report> {
    let lost = |error: std::io::Error| gone().because(&error);
    let wants = wants(order, plan);
    line.say(&FromPilot::Wants(Box::new(wants))).await.map_err(lost)?;
    let alone = ways.mode.is_some() || ways.passes;
    let keep = if alone { Keep::Alone } else { Keep::Shared };
    let mut held: Option<(Place, Sibling)> = None;
    loop {
        match line.hear().await.map_err(lost)? {
            Some(ToPilot::Granted(reply)) => match Place::of_grant(*reply, keep)? {
                Ok(place) => {
                    let own = sibling(order, plan, &place);
                    line.say(&FromPilot::Held(own.clone())).await.map_err(lost)?;
                    held = Some((place, own));
                }
                Err(busy) => line.say(&FromPilot::Busy(vec![busy])).await.map_err(lost)?,
            },
            Some(ToPilot::Launch(siblings)) => {
                return Ok(held.map(|(place, own)| (place, own, siblings)));
            }
            Some(ToPilot::Order(_)) | None => return Ok(None),
        }
    }
}

fn wants(order: &Order, plan: &LaunchPlan) -> LeaseRequest {
    LeaseRequest {
        request_id: link::request_id(),
        key: Some(KeyRequest {
            project: plan.project.clone(),
            worktree: plan.worktree.clone(),
            service: plan.service.clone(),
            instance: Some(order.instance),
        }),
        request: plan.request,
        slots: u16::try_from(1 + plan.extra_ports).unwrap_or(u16::MAX),
        owner: LeaseKind::Process(facts::own_process()),
        busy: Vec::new(),
        agent: order.agent.clone(),
    }
}

fn sibling(order: &Order, plan: &LaunchPlan, place: &Place) -> Sibling {
    let port = place.ports()[0].get();
    Sibling {
        service: plan.service.clone(),
        instance: order.instance,
        host: place.host(),
        port,
        url: pilot::named_url(plan, place, &plan.key(order.instance), port, "http"),
        direct_url: format!("http://{}:{port}", place.host()),
    }
}

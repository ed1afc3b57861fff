//! Ending who holds a port, and seeing that it is free.

use std::time::{Duration, Instant};

use wharf_model::Port;
use wharf_os::signals::{SIGCONT, SIGKILL, SIGTERM};
use wharf_os::{diag, holders, reserve};

use super::{Plan, Stranger};
use crate::report::{Code, Report};
use crate::{ending, facts};

/// After its holders have gone, a listener closes within this time.
const PORT_LIMIT: Duration = Duration::from_secs(2);
/// What nothing survives takes effect within this time, unless the kernel itself waits (a dead disk).
const KILL_LIMIT: Duration = Duration::from_secs(5);

/// How long it is looked whether something starts a server anew.
const COMES_BACK: Duration = Duration::from_millis(300);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// How long holders have to end by themselves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grace(pub(crate) Duration);

/// Ends all of it and returns when the port is free; gives the strangers that had to be killed.
///
/// # Errors
/// Something does not end, or the port is taken again.
pub(crate) fn free(plan: &Plan, port: Port, grace: Grace) -> Result<Vec<u32>, Report> {
    let deadline = Instant::now() + grace.0 + KILL_LIMIT;
    ending::end(&plan.instances.iter().collect::<Vec<_>>(), deadline, &mut |_| {})?;
    stop_containers(plan, grace)?;
    let killed = end_strangers(plan, port, grace)?;
    let is_free = reserve::wait_free(port.get(), PORT_LIMIT);
    if !is_free || (!plan.strangers.is_empty() && comes_back(port)) {
        return Err(taken_again(plan, port));
    }
    Ok(killed)
}

/// Whether somebody listens there again within a moment: what keeps a server alive does so at once.
fn comes_back(port: Port) -> bool {
    let end = Instant::now() + COMES_BACK;
    loop {
        if diag::holding(port.get()).is_ok_and(|sockets| !sockets.is_empty()) {
            return true;
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        std::thread::sleep(left.min(LOOK_AGAIN));
    }
}

fn stop_containers(plan: &Plan, Grace(grace): Grace) -> Result<(), Report> {
    for container in &plan.containers {
        let stopped = crate::cli::block_on(container.stop(grace))?;
        stopped.map_err(|error| {
            Report::new(Code::Failed, format!("the container {} does not end", container.name))
                .because(&error)
                .help(format!("`{}`", container.stop_command()))
        })?;
    }
    Ok(())
}

/// All are asked before any is waited for; who is left at the end of the grace is killed.
fn end_strangers(plan: &Plan, port: Port, Grace(grace): Grace) -> Result<Vec<u32>, Report> {
    let holding = still_holding(plan);
    for stranger in &holding {
        send(stranger, SIGTERM)?;
        // One that was stopped acts on it only once it goes on.
        let _ = stranger.handle.signal(SIGCONT);
    }
    let deadline = Instant::now() + grace;
    let left: Vec<&Stranger> =
        holding.into_iter().filter(|stranger| !ended(stranger, deadline)).collect();
    // Who has let go of the port and lives on, as a shell does that had only inherited it, is left in peace.
    let left: Vec<&Stranger> = left.into_iter().filter(|stranger| holds(plan, stranger)).collect();
    for stranger in &left {
        send(stranger, SIGKILL)?;
    }
    let deadline = Instant::now() + KILL_LIMIT;
    if let Some(stranger) = left.iter().find(|stranger| !ended(stranger, deadline)) {
        let what = format!("{} does not end, not even by SIGKILL", stranger.text);
        return Err(Report::new(Code::TimedOut, what)
            .why(format!("so port {port} is not free"))
            .help(format!("see where it hangs: `cat /proc/{}/stack` as root", stranger.pid)));
    }
    Ok(left.iter().map(|stranger| stranger.pid).collect())
}

/// Since the question was asked, sockets may have closed and been passed on.
fn still_holding(plan: &Plan) -> Vec<&Stranger> {
    plan.strangers.iter().filter(|stranger| holds(plan, stranger)).collect()
}

fn holds(plan: &Plan, stranger: &Stranger) -> bool {
    // The handle is of that very process: while it lives, its number is nobody else's.
    let found = holders::of_inodes(&plan.inodes);
    let has =
        found.is_ok_and(|found| found.by_inode.values().flatten().any(|pid| *pid == stranger.pid));
    has && !ended(stranger, Instant::now())
}

fn ended(stranger: &Stranger, deadline: Instant) -> bool {
    stranger.handle.wait(deadline.saturating_duration_since(Instant::now())).unwrap_or(false)
}

fn send(stranger: &Stranger, signal: i32) -> Result<(), Report> {
    match stranger.handle.signal(signal) {
        // It has just ended by itself.
        Err(error) if error.raw_os_error() == Some(3) => Ok(()),
        Err(error) => {
            Err(Report::new(Code::Permission, format!("{} cannot be ended", stranger.text))
                .because(&error))
        }
        Ok(()) => Ok(()),
    }
}

fn taken_again(plan: &Plan, port: Port) -> Report {
    let sockets = diag::holding(port.get()).unwrap_or_default();
    let report = Report::new(Code::Failed, format!("port {port} was free and is taken again"))
        .why(format!("by {}", facts::holder(&sockets)));
    match plan.strangers.first() {
        Some(stranger) => report
            .why(format!("something starts {} anew when it ends", stranger.command))
            .help(format!("`wharf who {port}` shows from where it was started: end that instead")),
        None => report.help(format!("`wharf who {port}` tells more")),
    }
}

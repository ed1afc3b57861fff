//! The control: one copy without wharf. It shows that a project is what its user would have, that it
//! takes its conventional port by itself, and where it then listens.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::copy::Copy;
use super::place::Place;
use super::spec::{Book, Run};
use super::started::{Started, Surroundings};
use super::{environment, http, processes, sockets, wait};

/// One look at a server that may still be starting.
const LOOK: Duration = Duration::from_secs(45);

/// Where the project listens by itself, or why it could not be seen.
pub fn look(book: &Book, run: &Run, place: &Place) -> Result<String, String> {
    if run.command.is_empty() {
        return Ok("nothing to start without wharf".to_owned());
    }
    let copy = Copy::make(run, place, 'a').map_err(|why| format!("  - {why}\n"))?;
    let env = environment::of_copy(book, run, place, &copy);
    let began = Instant::now();
    let mut started = Started::start(copy, &run.command, &env, Surroundings::Nothing)
        .map_err(|why| format!("  - {why}\n"))?;
    let deadline = began + run.ready_within();
    let answered = wait::until(deadline, || {
        if let Some(status) = started.ended() {
            return Some(Err(format!("it ended: {status}")));
        }
        answers(run, &started.copy.identity).map(Ok)
    });
    let took = began.elapsed();
    match answered {
        Some(Ok(())) => {
            let said = format!("listens on {:?}, answers after {took:.1?}", all());
            Ok(format!("{said}{}", end(run, &mut started)?))
        }
        Some(Err(why)) => Err(format!("  - {why}\n{}", started.evidence())),
        None => Err(format!(
            "  - no own text on port {} in time; listening: {:?}\n{}",
            run.port,
            all(),
            started.evidence()
        )),
    }
}

fn all() -> Vec<SocketAddr> {
    sockets::listening().unwrap_or_default()
}

/// Whether the conventional port answers this text, at whatever address it listens.
fn answers(run: &Run, identity: &str) -> Option<()> {
    all()
        .iter()
        .filter(|address| address.port() == run.port)
        .filter_map(|address| http::get(sockets::reachable(address), &run.path, LOOK).ok())
        .any(|answer| answer.status == 200 && answer.body.contains(identity))
        .then_some(())
}

/// Ends the whole group; what stays then is a fact about the framework, not a failure.
fn end(run: &Run, started: &mut Started) -> Result<String, String> {
    started.signal_group("TERM")?;
    let code = started.exit_code(run.gone_within())?;
    let left: Vec<String> = processes::others().iter().map(ToString::to_string).collect();
    if left.is_empty() {
        return Ok(format!(", exit code {code}"));
    }
    Ok(format!(", exit code {code}, and still there: {}", left.join(", ")))
}

//! `wharf restart`: launches an instance again, while connections to it wait.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use wharf_model::{Instance, State};
use wharf_os::pidfd::Pidfd;

use super::Outcome;
use crate::link::Link;
use crate::report::{Code, Report};
use crate::silence::Silence;
use crate::{choice, facts, narrate, render};

/// What tells a pilot to launch its command again: a real-time signal that nothing else uses.
pub(crate) const RESTART: i32 = 40;

/// How long a server may take to serve again, unless `--timeout` says otherwise.
const TIMEOUT_S: u64 = 120;

/// How often the daemon is asked whether it serves again.
const AGAIN_AFTER: Duration = Duration::from_millis(20);

/// Launch instances again, refusing no connection.
///
/// Connections that come while no server runs wait until the new one accepts them. Returns when all
/// serve. A service of this checkout is all of its instances. Requests that the old server has accepted and not answered are lost, as with any restart.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A name as `wharf ls` shows it, or a service, a project, a port or an address with a port
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
    /// Seconds to wait until all serve again
    #[arg(long, value_name = "SECONDS", default_value_t = TIMEOUT_S, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    /// Print one JSON document once all serve
    #[arg(long)]
    json: bool,
}

/// Restarts what was named.
pub(crate) fn run(args: &Args) -> Outcome {
    super::block_on(restart(args))??;
    Ok(ExitCode::SUCCESS)
}

async fn restart(args: &Args) -> Result<(), Report> {
    let link = Link::open().await?;
    let live = live(&link).await?;
    let mut chosen: Vec<&Instance> = Vec::new();
    for name in &args.names {
        let found = choice::all(&live, name)?;
        chosen.extend(
            found
                .into_iter()
                .filter(|i| !chosen.iter().any(|known| known.id == i.id))
                .collect::<Vec<_>>(),
        );
    }
    // All are asked before any is waited for: ten servers start in the time of one.
    for instance in &chosen {
        ask(instance)?;
    }
    let deadline = Instant::now() + Duration::from_secs(args.timeout);
    let mut again = Vec::new();
    for before in chosen {
        let now = {
            let name = choice::short_name(before);
            let _silence =
                Silence::begin(format!("{name} is told to restart; waits until it serves"));
            serves_again(&link, before, deadline, args.timeout).await?
        };
        if !args.json {
            let name = choice::short_name(before);
            narrate::line(&match now.listeners.is_empty() {
                true => format!("{name} runs again"),
                false => format!("{name} serves again at {}", now.url),
            });
        }
        again.push(now);
    }
    if args.json {
        render::awaited::restarted(&again)?;
    }
    Ok(())
}

async fn serves_again(
    link: &Link,
    before: &Instance,
    deadline: Instant,
    timeout_s: u64,
) -> Result<Instance, Report> {
    let name = choice::short_name(before);
    loop {
        let now = self::live(link).await?.into_iter().find(|instance| instance.id == before.id);
        let Some(now) = now else {
            return Err(Report::new(Code::Failed, format!("{name} has ended instead"))
                .help("its own terminal tells why"));
        };
        if now.restarts > before.restarts && now.state == State::Ready {
            return Ok(now);
        }
        if Instant::now() > deadline {
            return Err(Report::new(Code::TimedOut, format!("{name} does not serve yet"))
                .why(format!("it is {} after {} s", now.state, timeout_s))
                .help("wait longer with `--timeout`; its own terminal tells what it does"));
        }
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

async fn live(link: &Link) -> Result<Vec<Instance>, Report> {
    let instances = link.snapshot().await?.instances;
    Ok(instances.into_iter().filter(|instance| instance.state.is_live()).collect())
}

fn ask(instance: &Instance) -> Result<(), Report> {
    let name = choice::short_name(instance);
    let failed = |error: std::io::Error| {
        Report::new(Code::Permission, format!("{name} cannot be told to restart")).because(&error)
    };
    match Pidfd::open(&facts::identity(&instance.pilot)).map_err(failed)? {
        Some(pilot) => pilot.signal(RESTART).map_err(failed),
        None => Err(Report::new(Code::NotFound, format!("{name} has ended"))),
    }
}

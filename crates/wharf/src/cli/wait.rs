//! `wharf wait`: until what a script needs is up.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use wharf_model::service::Service;
use wharf_model::{Instance, PathText, State};

use super::Outcome;
use crate::checkout::{self, split};
use crate::link::Link;
use crate::report::{Code, Report};
use crate::up::crew::called;
use crate::up::project::Wanted;
use crate::up::session::{Key, is_up, key};
use crate::up::{definition, last_lines, states};
use crate::{narrate, render, time};

/// How long to wait, unless `--timeout` says otherwise.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How many lines of what has failed are shown.
const LAST_LINES: usize = 12;

/// Wait until services of this checkout are up.
///
/// Without a name: all that `wharf up` would run. It may begin before `wharf up` does. Fails at once when one
/// of them, or what they depend on, fails.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Services (`web`) or instances (`web.2`); everything where none is named
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
    /// How long to wait: seconds, or `90s`, `5m` [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = time::duration)]
    timeout: Option<Duration>,
    /// Print one JSON document at the end: the instances, and what is missing
    #[arg(long)]
    json: bool,
}

/// Waits.
pub(crate) fn run(args: Args) -> Outcome {
    let project = checkout::project()?;
    let wanted = checkout::declared(&project.root)?;
    let root = PathText::new(&project.root);
    let timeout = args.timeout.unwrap_or(TIMEOUT);
    super::block_on(wait(&args, wanted.as_ref(), root, timeout))??;
    Ok(ExitCode::SUCCESS)
}

async fn wait(
    args: &Args,
    wanted: Option<&Wanted>,
    root: PathText,
    timeout: Duration,
) -> Result<(), Report> {
    let link = Rc::new(Link::open().await?);
    let known = link.snapshot().await?.instances;
    let known: Vec<Instance> = known.into_iter().filter(|i| i.root == root).collect();
    let mut goals = Goals::new(&args.services, wanted, &known)?;
    let mut states = states::follow(link, root.clone());
    let deadline = tokio::time::Instant::now() + timeout;
    let outcome = loop {
        if let Some(failed) = goals.failed() {
            break Err(failure(failed, &root));
        }
        if goals.are_met() {
            break Ok(());
        }
        tokio::select! {
            biased;
            Some(instance) = states.recv() => goals.take(instance),
            () = tokio::time::sleep_until(deadline) => break Err(late(&goals, timeout)),
        }
    };
    if args.json {
        render::awaited::waited_for(goals.instances(), goals.missing())?;
    }
    outcome
}

fn failure(failed: &Instance, root: &PathText) -> Report {
    let (service, instance) = (&failed.key.service, failed.key.instance);
    let name = called(service, instance);
    let lines = last_lines(root, (service, instance), failed.started_at, LAST_LINES);
    if !lines.is_empty() {
        narrate::line(&format!("the last lines of {name}:"));
        lines.iter().for_each(|line| narrate::line(&format!("  {line}")));
    }
    let code = failed.exit_code.map_or_else(String::new, |code| format!(" with code {code}"));
    let ended = match is_step(failed) {
        true => format!("{name} has failed: it ended{code}"),
        false => format!("{name} has failed: it ended{code} and never came up"),
    };
    Report::new(Code::Failed, ended).help(format!("`wharf logs {name}` shows all of its output"))
}

fn late(goals: &Goals, timeout: Duration) -> Report {
    let report = Report::new(
        Code::TimedOut,
        format!("not up after {} s: {}", timeout.as_secs(), goals.missing().join(", ")),
    );
    match goals.latest.values().any(|i| i.state.is_live()) {
        true => report.help("`wharf logs -f` shows what they do"),
        false => report.why("nothing runs in this checkout").help("`wharf up` starts it"),
    }
}

fn is_step(instance: &Instance) -> bool {
    instance.definition.as_ref().is_some_and(definition::is_step)
}

/// What is waited for, and how it is now.
struct Goals {
    keys: BTreeSet<Key>,
    /// Services of which every instance counts.
    whole: BTreeSet<String>,
    /// Services whose failure ends the wait.
    needed: BTreeSet<String>,
    latest: BTreeMap<Key, Instance>,
    /// Failures of an earlier time.
    old: BTreeSet<String>,
}

impl Goals {
    fn new(names: &[String], wanted: Option<&Wanted>, known: &[Instance]) -> Result<Goals, Report> {
        let mut goals = Goals {
            keys: BTreeSet::new(),
            whole: BTreeSet::new(),
            needed: BTreeSet::new(),
            latest: BTreeMap::new(),
            old: BTreeSet::new(),
        };
        // Where nothing runs, what has failed is of an earlier time: the next `wharf up` is waited for.
        if !known.iter().any(|instance| instance.state.is_live()) {
            goals.old = known.iter().map(|instance| instance.id.clone()).collect();
        }
        known.iter().for_each(|instance| goals.take(instance.clone()));
        let services = wanted.map(|wanted| wanted.services.as_slice()).unwrap_or_default();
        if names.is_empty() {
            goals.add_all(services, known)?;
        }
        for name in names {
            goals.add(name, wanted)?;
        }
        let named: Vec<String> =
            goals.needed.iter().filter(|name| has(services, name)).cloned().collect();
        if let Some(wanted) = wanted.filter(|_| !named.is_empty()) {
            let chosen = wanted.chosen(&named)?;
            goals.needed.extend(chosen.iter().map(|service| service.name.clone()));
        }
        Ok(goals)
    }

    fn add_all(&mut self, services: &[Service], known: &[Instance]) -> Result<(), Report> {
        for service in services {
            self.needed.insert(service.name.clone());
            if !service.is_step() {
                self.add_service(service);
            }
        }
        if services.is_empty() {
            let live = known.iter().filter(|instance| instance.state.is_live());
            self.keys = live.map(key).collect();
        }
        match self.keys.is_empty() {
            false => Ok(()),
            true => Err(Report::new(Code::NotFound, "nothing here says what to wait for")
                .help("name a service, or say in `wharf.toml` what the project runs")),
        }
    }

    fn add(&mut self, name: &str, wanted: Option<&Wanted>) -> Result<(), Report> {
        let declared = wanted.map(|wanted| wanted.named(name));
        if let Some(Ok(service)) = declared {
            self.needed.insert(service.name.clone());
            self.add_service(service);
            return Ok(());
        }
        if let (base, Some(number)) = split(name) {
            let is_known = wanted.is_some_and(|wanted| wanted.named(base).is_ok())
                || self.latest.keys().any(|(service, _)| service == base);
            if is_known {
                self.needed.insert(base.to_owned());
                self.keys.insert((base.to_owned(), number));
                return Ok(());
            }
        }
        let keys: Vec<Key> =
            self.latest.keys().filter(|(service, _)| service == name).cloned().collect();
        if !keys.is_empty() {
            self.needed.insert(name.to_owned());
            self.keys.extend(keys);
            return Ok(());
        }
        Err(match declared {
            Some(Err(report)) => report,
            _ => Report::new(Code::NotFound, format!("this checkout has no service `{name}`"))
                .help("say in `wharf.toml` what the project runs"),
        })
    }

    fn add_service(&mut self, service: &Service) {
        let keys = (1..=service.instances).map(|instance| (service.name.clone(), instance));
        self.keys.extend(keys);
        self.whole.insert(service.name.clone());
    }

    /// Takes in how an instance is. Of two that had a place one after the other the later counts.
    fn take(&mut self, instance: Instance) {
        let key = key(&instance);
        let is_newer = |known: &Instance| instance.is_no_earlier_than(known);
        if self.latest.get(&key).is_none_or(is_newer) {
            self.latest.insert(key, instance);
        }
    }

    fn is_met(&self, key: &Key) -> bool {
        self.latest.get(key).is_some_and(is_up)
    }

    fn missing(&self) -> Vec<String> {
        let more = self
            .latest
            .iter()
            .filter(|(key, i)| self.whole.contains(&key.0) && i.state.is_live())
            .map(|(key, _)| key);
        let all: BTreeSet<&Key> = self.keys.iter().chain(more).collect();
        let missing = all.into_iter().filter(|key| !self.is_met(key));
        missing.map(|(service, instance)| called(service, *instance)).collect()
    }

    /// What is known of that which is waited for.
    fn instances(&self) -> Vec<&Instance> {
        let is_one = |key: &Key| self.keys.contains(key) || self.whole.contains(&key.0);
        self.latest.iter().filter(|(key, _)| is_one(key)).map(|(_, instance)| instance).collect()
    }

    fn are_met(&self) -> bool {
        self.missing().is_empty()
    }

    /// One that has failed by itself. What was ended by order may be on its way again.
    fn failed(&self) -> Option<&Instance> {
        self.latest.values().find(|instance| {
            let step_failed = is_step(instance)
                && instance.state == State::Exited
                && instance.exit_code != Some(0);
            (instance.state == State::Failed || step_failed)
                && self.needed.contains(&instance.key.service)
                && !self.old.contains(&instance.id)
        })
    }
}

fn has(services: &[Service], name: &str) -> bool {
    services.iter().any(|service| service.name == name)
}

//! The pilots of a project: started together, given their ports together, launched one after another.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use wharf_control::api::{LeaseReply, LeaseRequest};
use wharf_model::service::Service;
use wharf_model::{Agent, LeaseKind, PortRequest, ProcessId};
use wharf_os::detached;
use wharf_os::pidfd::Pidfd;

use super::channel::Channel;
use super::order::{FromPilot, Order, Published, Sibling, Siblings, ToPilot};
use crate::facts;
use crate::link::{self, Link, NOT_FOR_OTHERS};
use crate::report::{Code, Report};

/// How long a pilot may take to say what it wants, and to hold what it was given.
const ANSWER: Duration = Duration::from_secs(30);

/// How often granted ports may turn out to be taken before something else must be wrong.
const ROUNDS: usize = 32;

/// How long a pilot that is about to end may take.
const ENDS_WITHIN: Duration = Duration::from_secs(5);

/// How many words of pilots may lie unread.
const WORDS_MAX: usize = 64;

/// One instance to be started.
#[derive(Clone, Debug)]
pub(crate) struct Unit {
    pub(crate) service: Service,
    pub(crate) instance: u32,
    /// How often in a row its pilot has been killed soon after its launch.
    pub(crate) deaths: u32,
}

/// What all orders of one project have in common.
#[derive(Clone, Debug)]
pub(crate) struct Ground {
    pub(crate) root: PathBuf,
    pub(crate) worktree: String,
    /// The service that answers for the project's own name.
    pub(crate) primary: Option<String>,
    /// With whose end the pilots end too.
    pub(crate) attached: Option<ProcessId>,
    /// The environment of the pilots, where it is not ours.
    pub(crate) env: Option<Vec<(OsString, OsString)>>,
    /// What other programs publish for the project.
    pub(crate) published: Vec<Published>,
    /// The agent that brings the project up, if one does.
    pub(crate) agent: Option<Agent>,
}

/// A pilot that holds its ports and waits for the word to launch.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) unit: Unit,
    pub(crate) pilot: ProcessId,
    pub(crate) own: Sibling,
    channel: Channel,
}

/// A pilot that was started, and what it wants.
struct Recruit {
    unit: Unit,
    channel: Channel,
    wants: LeaseRequest,
    own: Option<Sibling>,
}

/// Starts the pilots and gives each its ports: all of them, or none. `before_ports` is told of the first pilot
/// before any port is asked for.
///
/// # Errors
/// One of them cannot be had. The others end with their lines.
pub(crate) async fn muster(
    link: &Link,
    units: Vec<Unit>,
    ground: &Ground,
    before_ports: impl AsyncFn(&ProcessId),
) -> Result<Vec<Member>, Report> {
    let program = link::own_program()?;
    let mut started = Vec::new();
    for unit in units {
        let channel = start(&program, &unit, ground).await?;
        started.push((unit, channel));
    }
    let mut recruits = Vec::new();
    for (unit, mut channel) in started {
        let wants = match hear(&mut channel, &unit).await? {
            FromPilot::Wants(wants) => *wants,
            other => return Err(unexpected(&unit, &other)),
        };
        recruits.push(Recruit { unit, channel, wants, own: None });
    }
    // Who insists on a port comes first, then those that are known to serve, in the project's order.
    recruits.sort_by_key(|recruit| rank(&recruit.unit, recruit.wants.request));
    if let Some(LeaseKind::Process(first)) = recruits.first().map(|first| &first.wants.owner) {
        before_ports(first).await;
    }
    lease(link, &mut recruits).await?;
    let member = |recruit: Recruit| {
        let LeaseKind::Process(pilot) = recruit.wants.owner else { return None };
        let Recruit { unit, channel, own, .. } = recruit;
        Some(Member { unit, pilot, own: own?, channel })
    };
    Ok(recruits.into_iter().filter_map(member).collect())
}

fn rank(unit: &Unit, request: PortRequest) -> (u8, u32) {
    let rank = match request {
        _ if unit.service.is_step() => 3,
        PortRequest::Exactly(_) => 0,
        PortRequest::AtLeast(_) => 1,
        PortRequest::Conventional(_) | PortRequest::Remembered(_) => 2,
    };
    (rank, unit.instance)
}

async fn start(program: &Path, unit: &Unit, ground: &Ground) -> Result<Channel, Report> {
    let failed = |error: std::io::Error| {
        Report::new(Code::Failed, format!("{} cannot be started", name(unit))).because(&error)
    };
    let (mut channel, theirs) = Channel::pair().map_err(failed)?;
    let (words, env) = ([OsString::from("pilot")], ground.env.as_deref());
    detached::spawn_on_channel(program, &words, env, &NOT_FOR_OTHERS, theirs).map_err(failed)?;
    let order = Order {
        service: unit.service.clone(),
        instance: unit.instance,
        root: ground.root.clone(),
        worktree: ground.worktree.clone(),
        primary: ground.primary.as_ref() == Some(&unit.service.name),
        definition: super::definition::of(&unit.service),
        attached: ground.attached.clone(),
        deaths: unit.deaths,
        published: ground.published.clone(),
        agent: ground.agent.clone(),
    };
    channel.say(&ToPilot::Order(Box::new(order))).await.map_err(failed)?;
    Ok(channel)
}

/// All ports in one transaction; again for those that turned out to be taken, until each is held.
async fn lease(link: &Link, recruits: &mut [Recruit]) -> Result<(), Report> {
    for _ in 0..ROUNDS {
        let open: Vec<usize> =
            (0..recruits.len()).filter(|index| recruits[*index].own.is_none()).collect();
        if open.is_empty() {
            return Ok(());
        }
        let requests = open.iter().map(|index| recruits[*index].wants.clone()).collect();
        let replies = link.lease_all(requests).await.map_err(as_in_a_file)?;
        for (index, reply) in open.iter().zip(replies) {
            recruits[*index].grant(reply).await?;
        }
        for index in open {
            recruits[index].hold().await?;
        }
    }
    Err(Report::new(Code::Conflict, "no ports could be held")
        .why(format!("{ROUNDS} times in a row others took granted ports in the same moment"))
        .help("see who binds so many ports: `wharf who`"))
}

/// `wharf up` has no `--port`: what would be said there is said in `wharf.toml`.
fn as_in_a_file(mut report: Report) -> Report {
    for help in &mut report.help {
        *help = said_in_a_file(help);
    }
    report
}

/// What names `--port` says so as `wharf.toml` does.
pub(crate) fn said_in_a_file(text: &str) -> String {
    let said = |part: &str| match part.strip_prefix("--port ") {
        Some(port) if port.parse::<u16>().is_ok() => format!("port = {port}"),
        Some(port) => format!("port = \"{port}\""),
        None => part.to_owned(),
    };
    text.split('`').map(said).collect::<Vec<_>>().join("`")
}

impl Recruit {
    async fn grant(&mut self, reply: LeaseReply) -> Result<(), Report> {
        let granted = ToPilot::Granted(Box::new(reply));
        self.channel.say(&granted).await.map_err(|_| lost(&self.unit))
    }

    async fn hold(&mut self) -> Result<(), Report> {
        match hear(&mut self.channel, &self.unit).await? {
            FromPilot::Held(own) => self.own = Some(own),
            FromPilot::Busy(busy) => {
                self.wants.request_id = link::request_id();
                self.wants.busy.extend(busy);
            }
            other => return Err(unexpected(&self.unit, &other)),
        }
        Ok(())
    }
}

async fn hear(channel: &mut Channel, unit: &Unit) -> Result<FromPilot, Report> {
    match tokio::time::timeout(ANSWER, channel.hear()).await {
        Ok(Ok(Some(FromPilot::Failed(failure)))) => {
            let mut report = Report::from(failure);
            report.what = format!("{}: {}", name(unit), report.what);
            Err(report)
        }
        Ok(Ok(Some(word))) => Ok(word),
        Ok(Ok(None) | Err(_)) => Err(lost(unit)),
        Err(_) => {
            let what = format!("the pilot of {} says nothing", name(unit));
            Err(Report::new(Code::TimedOut, what)
                .why(format!("{} s have passed", ANSWER.as_secs())))
        }
    }
}

fn lost(unit: &Unit) -> Report {
    Report::new(Code::Failed, format!("the pilot of {} has ended", name(unit)))
        .help(format!("`wharf logs {}` shows its last words", unit.service.name))
}

fn unexpected(unit: &Unit, word: &FromPilot) -> Report {
    let error = std::io::Error::other(format!("it said {word:?}"));
    Report::bug(&format!("the pilot of {} was misunderstood", name(unit)), &error)
}

/// How an instance of the project is called: `web`, `web.2`.
pub(crate) fn name(unit: &Unit) -> String {
    called(&unit.service.name, unit.instance)
}

/// How an instance of the project is called: `web`, `web.2`.
pub(crate) fn called(service: &str, instance: u32) -> String {
    match instance {
        1 => service.to_owned(),
        number => format!("{service}.{number}"),
    }
}

/// What is heard of a pilot once it was told to launch.
#[derive(Debug)]
pub(crate) enum Word {
    /// It has failed, and says why.
    Failed {
        /// Which.
        name: String,
        /// Why.
        report: Report,
    },
    /// It has ended. Whether the daemon has heard of it before is not known here.
    Gone {
        /// Which.
        name: String,
        /// Who.
        pilot: ProcessId,
        /// What is said of it where nobody else knows more.
        report: Report,
    },
}

impl Member {
    /// Has it launch, and passes on what it says from then on.
    ///
    /// # Errors
    /// It has gone.
    pub(crate) async fn launch(
        mut self,
        siblings: &Siblings,
        words: &mpsc::Sender<Word>,
    ) -> Result<(), Report> {
        let launch = ToPilot::Launch(siblings.clone());
        self.channel.say(&launch).await.map_err(|_| lost(&self.unit))?;
        let (words, name) = (words.clone(), name(&self.unit));
        tokio::task::spawn_local(async move {
            let word = match self.channel.hear().await {
                Ok(Some(FromPilot::Failed(failure))) => {
                    Word::Failed { name, report: failure.into() }
                }
                _ => {
                    // Its last words may still be on their way.
                    ended(vec![self.pilot.clone()]).await;
                    Word::Gone { name, pilot: self.pilot, report: lost(&self.unit) }
                }
            };
            // If nobody listens any more, nobody waits for it.
            let _ = words.send(word).await;
        });
        Ok(())
    }
}

/// Waits for the end of pilots that are about to end, within a limit: from then on the daemon knows all that there is
/// to know, and their logs have their last lines.
pub(crate) async fn ended(pilots: Vec<ProcessId>) {
    let wait = move || {
        let deadline = Instant::now() + ENDS_WITHIN;
        for pilot in &pilots {
            if let Ok(Some(pilot)) = Pidfd::open(&facts::identity(pilot)) {
                let _ = pilot.wait(deadline.saturating_duration_since(Instant::now()));
            }
        }
    };
    // Whoever cannot wait goes on without.
    let _ = tokio::task::spawn_blocking(wait).await;
}

/// A channel for the words of pilots.
pub(crate) fn words() -> (mpsc::Sender<Word>, mpsc::Receiver<Word>) {
    mpsc::channel(WORDS_MAX)
}

/// Where everybody is found: those that are started now, and those that run already.
pub(crate) fn siblings(members: &[Member], running: &BTreeMap<(String, u32), Sibling>) -> Siblings {
    // A step serves nobody.
    let new = members.iter().filter(|member| !member.unit.service.is_step());
    let new = new.map(|member| member.own.clone());
    Siblings(new.chain(running.values().cloned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_is_for_a_file_and_not_for_a_command_line() {
        let report = Report::new(Code::Conflict, "taken")
            .help("`wharf who 80` tells more")
            .help("`--port 80+` takes the next; `--port auto` sets it aside");
        let help = as_in_a_file(report).help;
        assert_eq!(help[0], "`wharf who 80` tells more");
        assert_eq!(help[1], "`port = \"80+\"` takes the next; `port = \"auto\"` sets it aside");
    }
}

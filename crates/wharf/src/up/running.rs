//! `wharf up` from its first word to its last.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use wharf_model::{Instance, ProcessId};
use wharf_os::lock::FileLock;
use wharf_os::sd_notify;
use wharf_supervisor::log::{now_ms, place};

use super::crew::{self, Ground, Member, Word, called};
use super::order::{Sibling, Siblings};
use super::planning::{self, Planning};
use super::project::Wanted;
use super::session::{Change, Key, Session, counts_as_up, key};
use super::view::View;
use super::{aliases, published, revival, states, turn};
use crate::ending;
use crate::link::{self, Link};
use crate::pilot::{Caller, Orders};
use crate::report::{Code, Report};
use crate::{facts, narrate, render};

/// How long everything has to end when it is told to.
const END: Duration = Duration::from_secs(60);

/// How long nothing is said of what does not come up, and how long until it is said again.
const SILENCE: Duration = Duration::from_secs(10);
const AGAIN_AFTER: Duration = Duration::from_secs(30);

/// How many lines of what has failed are shown.
const LAST_LINES: usize = 12;

/// What was asked for on the command line.
#[derive(Clone, Debug)]
pub(crate) struct Wishes {
    pub(crate) services: Vec<String>,
    pub(crate) scaled: Vec<String>,
    pub(crate) detach: bool,
    pub(crate) json: bool,
    pub(crate) timeout: Duration,
    /// Whether it ends when that time is over: what stays in the foreground may be waited for without end.
    pub(crate) is_limited: bool,
}

/// A project on its way up, or up.
pub(crate) struct Running {
    link: Rc<Link>,
    wanted: Wanted,
    wishes: Wishes,
    session: Session,
    view: View,
    states: mpsc::Receiver<Instance>,
    words: mpsc::Receiver<Word>,
    orders: Orders,
    /// What this very `up` has started: what it ends.
    started: BTreeSet<Key>,
    deadline: Instant,
    /// When it is said what is waited for.
    patience: Instant,
    /// When this `up` began: what logs say of before is not its doing.
    begun_ms: u64,
    told_ready: bool,
    /// Another `up` of this checkout waits for as long as this one does not know what comes up.
    turn: Option<FileLock>,
}

impl Running {
    /// Brings up what is wanted and stays with it, or leaves it. Gives the exit code.
    ///
    /// # Errors
    /// Something cannot be started.
    pub(crate) async fn begin(
        wanted: Wanted,
        wishes: Wishes,
        caller: Caller,
    ) -> Result<u8, Report> {
        let orders = Orders::take(&caller)?;
        let begun_ms = now_ms();
        let root = wanted.root();
        let turn = tokio::select! {
            biased;
            code = orders.ended_by() => return Ok(code),
            turn = turn::of_up(&root, wishes.timeout) => turn?,
        };
        let link = Rc::new(Link::open().await?);
        aliases::give(&link, &root, &wanted.settings.alias).await?;
        let planning = planned(&link, &wanted, &wishes).await?;
        tokio::select! {
            biased;
            code = orders.ended_by() => return Ok(code),
            ended = end_first(&planning) => ended?,
        }
        // What is on its way is waited for, where everything is.
        let is_waited_for = wishes.detach && !planning.keep.iter().all(counts_as_up);
        if wanted.services.is_empty() && !wanted.external.is_empty() {
            published::look(&link, &wanted).await;
            narrate::line("Docker runs all of this project: `docker compose up`");
        }
        if planning.start.is_empty() && !is_waited_for {
            return already_up(&wanted, &wishes, planning.keep);
        }
        prune_logs();
        // Whatever happens is seen: the stream begins before the first pilot does.
        let states = states::follow(link.clone(), root);
        let ground = ground(&wanted, &wishes);
        let mustered = tokio::select! {
            biased;
            code = orders.ended_by() => return Ok(code),
            mustered = muster(&link, &wanted, planning.start, &ground) => mustered?,
        };
        let kept: BTreeMap<_, _> = planning.keep.iter().map(|i| (key(i), Sibling::of(i))).collect();
        let mut siblings: Siblings = crew::siblings(&mustered, &kept);
        siblings.0.extend(published::siblings(&wanted.external, &wanted.services));
        let (words_out, words) = crew::words();
        let names = mustered.iter().map(|member| crew::name(&member.unit)).collect::<Vec<_>>();
        let view = View::new(&wanted, &wishes, &names)?;
        let of = |member: &Member| (member.unit.service.name.clone(), member.unit.instance);
        let started = mustered.iter().map(of).collect();
        let session = Session::new(mustered, planning.keep, siblings, words_out);
        let deadline = Instant::now() + wishes.timeout;
        let running = Running {
            link,
            wanted,
            wishes,
            session,
            view,
            states,
            words,
            orders,
            started,
            deadline,
            patience: Instant::now() + SILENCE,
            begun_ms,
            told_ready: false,
            turn: Some(turn),
        };
        running.stay().await
    }

    async fn stay(mut self) -> Result<u8, Report> {
        loop {
            let changes = self.session.launch().await;
            for change in &changes {
                self.view.change(change)?;
            }
            if self.session.is_settled() && !self.told_ready {
                self.told_ready = true;
                if self.wishes.detach {
                    return self.leave().await;
                }
                self.turn = None;
                if self.session.failures().is_empty() {
                    let status = format!("{} instances are up", self.started.len());
                    sd_notify::tell(sd_notify::Word::Ready(&status));
                }
                self.view.settled(&self.session, &self.wanted, self.wishes.json)?;
            }
            if self.told_ready && self.session.is_over() {
                self.view.drain().await?;
                let failures = self.session.failures();
                return Ok(u8::from(!failures.is_empty()));
            }
            self.view.status(&self.session);
            tokio::select! {
                biased;
                received = self.orders.next() => {
                    if let Some(code) = ends_by(received.signal) {
                        sd_notify::tell(sd_notify::Word::Stopping);
                        return self.end_all(code).await;
                    }
                }
                Some(instance) = self.states.recv() => {
                    if let Some(change) = self.session.take(instance) {
                        self.view.change(&change)?;
                    }
                }
                Some(word) = self.words.recv() => self.hear(word).await?,
                () = tokio::time::sleep_until(self.deadline.into()),
                    if !self.told_ready && self.wishes.is_limited =>
                {
                    return self.too_late().await;
                }
                shown = self.view.next() => shown?,
                () = tokio::time::sleep_until(self.patience.into()), if !self.told_ready => {
                    self.patience = Instant::now() + AGAIN_AFTER;
                    self.view.waiting(&self.session);
                }
            }
        }
    }

    /// Takes in what is heard of a pilot. Of one that has ended the daemon may know how: its word comes by the
    /// events, and is the better one.
    async fn hear(&mut self, word: Word) -> Result<(), Report> {
        match word {
            Word::Failed { name, report } => {
                self.session.failed(&name);
                self.view.failed(&name, &report)
            }
            Word::Gone { name, pilot, report } => {
                if !self.session.unheard().contains(&pilot) {
                    return Ok(());
                }
                // The daemon may be away in this moment, and made again by this question. One that is not to be had
                // knows nothing of that pilot, whose word was the last of it.
                let snapshot = self.link.snapshot().await.ok();
                let known = snapshot.iter().flat_map(|snapshot| &snapshot.instances);
                if known.into_iter().any(|instance| instance.pilot == pilot) {
                    return Ok(());
                }
                self.session.failed(&name);
                self.view.change(&Change::Lost { name, report })
            }
        }
    }

    /// Everything is ready or has failed, and keeps running without us.
    async fn leave(self) -> Result<u8, Report> {
        let failures = self.session.failures();
        self.print(&failures)?;
        if failures.is_empty() {
            return Ok(0);
        }
        // Their last lines are on the disk once they have ended.
        crew::ended(self.session.pilots_of(&failures)).await;
        let what = format!("not everything came up: {}", failures.join(", "));
        Err(self.told(Report::new(Code::Failed, what), &failures))
    }

    async fn too_late(self) -> Result<u8, Report> {
        let open = self.session.unsettled();
        let what =
            format!("not ready after {} s: {}", self.wishes.timeout.as_secs(), open.join(", "));
        let report = Report::new(Code::TimedOut, what);
        if self.wishes.detach {
            self.print(&open)?;
            return Err(self.told(report, &open));
        }
        // What it has started is tied to it. Its output has been shown.
        let report = report.help("`wharf logs SERVICE` shows all of its output");
        self.end_all(report.code.number()).await?;
        Err(report)
    }

    fn print(&self, failed: &[String]) -> Result<(), Report> {
        let instances: Vec<&Instance> = self.session.instances().collect();
        match self.wishes.json {
            true => render::up::json(&self.wanted, &instances, failed),
            false => render::up::table(&instances),
        }
    }

    /// Adds the last lines of what has failed.
    fn told(&self, report: Report, names: &[String]) -> Report {
        let failed = self.session.keys().filter(|(s, i)| names.contains(&called(s, *i)));
        for (service, instance) in failed.take(3) {
            let key = (service.as_str(), *instance);
            let lines = super::last_lines(&self.wanted.root(), key, self.begun_ms, LAST_LINES);
            if !lines.is_empty() {
                narrate::line(&format!("the last lines of {}:", called(service, *instance)));
                lines.iter().for_each(|line| narrate::line(&format!("  {line}")));
            }
        }
        let runs = self.wishes.detach && self.session.instances().any(|i| i.state.is_live());
        let report = match runs {
            true => report.help("what came up keeps running; `wharf down` ends it"),
            false => report,
        };
        report.help("`wharf logs SERVICE` shows all of its output")
    }

    /// Ends what this `up` has started, the output still being shown.
    async fn end_all(mut self, code: u8) -> Result<u8, Report> {
        self.view.ending()?;
        let mine = |i: &&Instance| self.started.contains(&key(i)) && i.state.is_live();
        let mine: Vec<Instance> = self.session.instances().filter(mine).cloned().collect();
        let again = mine.clone();
        let unheard = self.session.unheard();
        let deadline = Instant::now() + ending::patience(&mine, END);
        // Those that only wait for the word end with their lines.
        drop(self.session);
        let mut ended = tokio::task::spawn_blocking(move || {
            let ended = ending::end_in_order(mine.iter().collect(), deadline, &mut |_| {});
            ending::end_pilots(&unheard, deadline).and(ended)
        });
        loop {
            tokio::select! {
                biased;
                received = self.orders.next() => {
                    if ends_by(received.signal).is_some() {
                        // Asked again, pilots make haste.
                        for instance in &again {
                            let _ = ending::ask(instance);
                        }
                    }
                }
                shown = self.view.next() => shown?,
                ended = &mut ended => {
                    self.view.drain().await?;
                    return match ended {
                        Ok(result) => result.map(|()| code),
                        Err(error) => Err(Report::bug("the end was not awaited", &error)),
                    };
                }
            }
        }
    }
}

/// The exit code of a signal that ends us.
fn ends_by(signal: i32) -> Option<u8> {
    use wharf_os::signals::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    let ends = [SIGHUP, SIGINT, SIGQUIT, SIGTERM].contains(&signal);
    ends.then(|| u8::try_from(128 + signal).unwrap_or(1))
}

/// What is to be done. From here on nobody else makes again what this one starts or ends.
async fn planned(link: &Link, wanted: &Wanted, wishes: &Wishes) -> Result<Planning, Report> {
    let services = wanted.chosen(&wishes.services)?;
    let root = wanted.root();
    let _turn = turn::of_revival(&root).await?;
    let running = running(link, wanted).await?;
    let is_scaled = |name: &str| wishes.scaled.iter().any(|scaled| scaled == name);
    let planning = planning::plan(&services, &running, &is_scaled);
    for left in planning::left_over(&wanted.services, &running) {
        narrate::warning(&format!(
            "{left} still runs, and is no longer in the project; `wharf down {left}` ends it"
        ));
    }
    let started = planning.start.iter().map(|unit| (unit.service.name.clone(), unit.instance));
    let ended = planning.end.iter().map(|(instance, _)| key(instance));
    let keys: Vec<Key> = started.chain(ended).collect();
    revival::call_off(&root, keys.iter());
    Ok(planning)
}

/// What lives in the checkout.
async fn running(link: &Link, wanted: &Wanted) -> Result<Vec<Instance>, Report> {
    let root = wanted.root();
    let instances = link.snapshot().await?.instances;
    Ok(instances.into_iter().filter(|i| i.state.is_live() && i.root == root).collect())
}

/// What has changed, or is one too many, ends before anything starts.
async fn end_first(planning: &Planning) -> Result<(), Report> {
    for reason in planning.reasons() {
        narrate::line(&reason);
    }
    let old: Vec<Instance> = planning.end.iter().map(|(instance, _)| instance.clone()).collect();
    let (tell, told) = oneshot::channel();
    let end = move || {
        let deadline = Instant::now() + ending::patience(&old, END);
        let _ = tell.send(ending::end_in_order(old.iter().collect(), deadline, &mut |_| {}));
    };
    // A thread of its own: whoever presses Ctrl-C does not wait for it, as the runtime would for one of its.
    let started = std::thread::Builder::new().name("wharf-end".into()).spawn(end);
    started.map_err(|error| Report::bug("what has changed cannot be ended", &error))?;
    told.await.map_err(|error| Report::bug("the end was not awaited", &error))?
}

/// Logs that nobody will ask for any more go.
fn prune_logs() {
    if let Ok(paths) = link::paths() {
        // What cannot be removed now is tried again by the next one.
        let _ = place::prune(&paths.logs, place::KEPT);
    }
}

fn already_up(wanted: &Wanted, wishes: &Wishes, keep: Vec<Instance>) -> Result<u8, Report> {
    let instances: Vec<&Instance> = keep.iter().collect();
    match wishes.json {
        true => render::up::json(wanted, &instances, &[])?,
        false => {
            if !wanted.services.is_empty() {
                narrate::line(match keep.iter().all(counts_as_up) {
                    true => "already up",
                    false => "already on its way: `wharf wait` returns once it is up",
                });
            }
            render::up::table(&instances)?;
        }
    }
    Ok(0)
}

fn ground(wanted: &Wanted, wishes: &Wishes) -> Ground {
    Ground {
        root: wanted.project.root.clone(),
        worktree: wanted.project.worktree.clone(),
        primary: wanted.primary().map(str::to_owned),
        attached: (!wishes.detach).then(facts::own_process),
        env: None,
        published: published::of(&wanted.external),
        agent: crate::agent::of_caller(),
    }
}

/// The pilots, with the ports that other programs need kept from them.
async fn muster(
    link: &Link,
    wanted: &Wanted,
    units: Vec<crew::Unit>,
    ground: &Ground,
) -> Result<Vec<Member>, Report> {
    let keep = async |pilot: &ProcessId| published::keep(link, wanted, pilot).await;
    crew::muster(link, units, ground, keep).await
}

//! One `wharf up` under way: which instances are launched, which are up, which have failed.

use std::collections::BTreeMap;

use tokio::sync::mpsc;
use wharf_model::{Instance, ProcessId, State};

use super::crew::{Member, Word, called, name};
use super::definition;
use super::order::{Sibling, Siblings};
use crate::report::Report;

/// A service and the number of an instance.
pub(crate) type Key = (String, u32);

/// Where an instance is on its way up.
#[derive(Clone, Debug)]
pub(crate) enum Standing {
    /// It waits for what it depends on.
    Waits,
    /// It was told to launch.
    Launched,
    /// It serves, or has done what it was for.
    Up,
    /// It was up and has ended.
    Ended,
    /// It will not come up.
    Failed,
    /// What it depends on has failed.
    Blocked,
}

/// What has changed, for whoever tells it.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// It is up.
    Up(Box<Instance>),
    /// It is up again after it was not.
    Again(Box<Instance>),
    /// It has ended before it was up.
    Failed(Box<Instance>),
    /// It was up, and has ended.
    Ended(Box<Instance>),
    /// It is started again by its pilot.
    Restarts(Box<Instance>),
    /// Its pilot has gone while it waited.
    Lost {
        /// Which.
        name: String,
        /// What is known of it.
        report: Report,
    },
    /// It is not launched.
    Blocked {
        /// Which.
        name: String,
        /// What it depends on.
        by: String,
    },
}

/// Everything that one `wharf up` knows.
pub(crate) struct Session {
    waiting: BTreeMap<Key, Member>,
    pilots: BTreeMap<Key, ProcessId>,
    depends_on: BTreeMap<String, Vec<String>>,
    standings: BTreeMap<Key, Standing>,
    instances: BTreeMap<Key, Instance>,
    siblings: Siblings,
    words: mpsc::Sender<Word>,
}

impl Session {
    /// `running` are the instances that run already.
    pub(crate) fn new(
        members: Vec<Member>,
        running: Vec<Instance>,
        siblings: Siblings,
        words: mpsc::Sender<Word>,
    ) -> Session {
        let mut session = Session {
            waiting: BTreeMap::new(),
            pilots: BTreeMap::new(),
            depends_on: BTreeMap::new(),
            standings: BTreeMap::new(),
            instances: BTreeMap::new(),
            siblings,
            words,
        };
        for instance in running {
            let key = key(&instance);
            let standing = if counts_as_up(&instance) { Standing::Up } else { Standing::Launched };
            session.standings.insert(key.clone(), standing);
            session.instances.insert(key, instance);
        }
        for member in members {
            let service = &member.unit.service;
            let key = (service.name.clone(), member.unit.instance);
            session.depends_on.insert(service.name.clone(), service.depends_on.clone());
            session.standings.insert(key.clone(), Standing::Waits);
            session.pilots.insert(key.clone(), member.pilot.clone());
            session.waiting.insert(key, member);
        }
        session
    }

    /// Launches whatever has nothing left to wait for; tells of what never will be.
    pub(crate) async fn launch(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        loop {
            let ready: Vec<Key> =
                self.waiting.keys().filter(|key| self.may_launch(key)).cloned().collect();
            for key in ready {
                let Some(member) = self.waiting.remove(&key) else { continue };
                match member.launch(&self.siblings(), &self.words).await {
                    Ok(()) => drop(self.standings.insert(key, Standing::Launched)),
                    // The others do not depend on it, and are launched all the same.
                    Err(report) => {
                        changes.push(Change::Lost { name: called(&key.0, key.1), report });
                        self.standings.insert(key, Standing::Failed);
                    }
                }
            }
            let Some((key, by)) = self.next_blocked() else { return changes };
            if let Some(member) = self.waiting.remove(&key) {
                changes.push(Change::Blocked { name: name(&member.unit), by });
            }
            self.standings.insert(key, Standing::Blocked);
        }
    }

    /// Where everybody is found: of those that are up already, as they turned out to be. One that names a port
    /// itself may be elsewhere than was expected.
    fn siblings(&self) -> Siblings {
        let now = |sibling: &Sibling| {
            let key = (sibling.service.clone(), sibling.instance);
            match self.instances.get(&key) {
                Some(instance) if instance.state.is_live() => Sibling::of(instance),
                _ => sibling.clone(),
            }
        };
        Siblings(self.siblings.0.iter().map(now).collect())
    }

    /// Whether every instance of every dependency is up. One that is not part of this `up` does not count.
    fn may_launch(&self, key: &Key) -> bool {
        self.dependencies(&key.0).all(|(_, standing)| matches!(standing, Standing::Up))
    }

    fn dependencies(&self, service: &str) -> impl Iterator<Item = (&Key, &Standing)> {
        let names = self.depends_on.get(service).cloned().unwrap_or_default();
        self.standings.iter().filter(move |(key, _)| names.contains(&key.0))
    }

    fn next_blocked(&self) -> Option<(Key, String)> {
        self.waiting.keys().find_map(|key| {
            let mut dependencies = self.dependencies(&key.0);
            let (failed, _) = dependencies.find(|(_, standing)| {
                matches!(standing, Standing::Failed | Standing::Ended | Standing::Blocked)
            })?;
            Some((key.clone(), failed.0.clone()))
        })
    }

    /// Takes in how an instance is now.
    pub(crate) fn take(&mut self, instance: Instance) -> Option<Change> {
        let key = key(&instance);
        let standing = self.standings.get(&key)?;
        if self.pilots.get(&key).is_some_and(|pilot| *pilot != instance.pilot) {
            // An earlier execution may still be told of; a later one is that of a pilot that was made again.
            let is_earlier =
                self.instances.get(&key).is_some_and(|known| !instance.is_no_earlier_than(known));
            let is_revived = matches!(standing, Standing::Ended | Standing::Failed | Standing::Up);
            if !is_revived || !instance.state.is_live() || is_earlier {
                return None;
            }
            self.pilots.insert(key.clone(), instance.pilot.clone());
            self.standings.insert(key.clone(), Standing::Up);
        }
        let standing = self.standings.get(&key)?;
        let before = self.instances.insert(key.clone(), instance.clone());
        let restarts = before.as_ref().is_some_and(|before| before.restarts < instance.restarts);
        let told = Box::new(instance);
        let (standing, change) = match (standing, is_up(&told), told.state.is_live()) {
            (Standing::Up, true, _) if was_away(before.as_ref(), told.state) => {
                (Standing::Up, Some(Change::Again(told)))
            }
            (Standing::Up, true, _) => return None,
            (Standing::Up, false, false) => (Standing::Ended, Some(Change::Ended(told))),
            (Standing::Launched, true, _) => (Standing::Up, Some(Change::Up(told))),
            (Standing::Launched, false, false) => (Standing::Failed, Some(Change::Failed(told))),
            (Standing::Up | Standing::Launched, false, true) if restarts => {
                return Some(Change::Restarts(told));
            }
            _ => return None,
        };
        self.standings.insert(key, standing);
        change
    }

    /// Takes in that a pilot has failed before the daemon could hear of it.
    pub(crate) fn failed(&mut self, failed: &str) {
        let known = self.standings.iter().find(|(key, _)| called(&key.0, key.1) == failed);
        if let Some((key, Standing::Launched | Standing::Waits)) = known {
            self.standings.insert(key.clone(), Standing::Failed);
        }
    }

    /// The pilots of these.
    pub(crate) fn pilots_of(&self, names: &[String]) -> Vec<ProcessId> {
        let is_meant = |key: &Key| names.contains(&called(&key.0, key.1));
        let pilots = self.pilots.iter().filter(|(key, _)| is_meant(key));
        pilots.map(|(_, pilot)| pilot.clone()).collect()
    }

    /// Whether nothing is on its way up any more.
    pub(crate) fn is_settled(&self) -> bool {
        let on_its_way = |s: &Standing| matches!(s, Standing::Waits | Standing::Launched);
        !self.standings.values().any(on_its_way)
    }

    /// Whether nothing of it runs, or will.
    pub(crate) fn is_over(&self) -> bool {
        let runs = |(key, standing): (&Key, &Standing)| match standing {
            Standing::Waits | Standing::Launched => true,
            Standing::Up => self.instances.get(key).is_some_and(|i| i.state.is_live()),
            _ => false,
        };
        !self.standings.iter().any(runs)
    }

    /// The names of those that will not come up, or have ended badly.
    pub(crate) fn failures(&self) -> Vec<String> {
        let bad = |(key, standing): (&Key, &Standing)| match standing {
            Standing::Failed | Standing::Blocked => true,
            Standing::Ended => {
                self.instances.get(key).is_some_and(|i| i.exit_code.is_some_and(|code| code != 0))
            }
            _ => false,
        };
        let failed = self.standings.iter().filter(|(key, standing)| bad((*key, *standing)));
        failed.map(|(key, _)| called(&key.0, key.1)).collect()
    }

    /// The names of those that are on their way.
    pub(crate) fn unsettled(&self) -> Vec<String> {
        let on_its_way = |s: &Standing| matches!(s, Standing::Waits | Standing::Launched);
        let keys = self.standings.iter().filter(|(_, standing)| on_its_way(standing));
        keys.map(|(key, _)| called(&key.0, key.1)).collect()
    }

    /// How many are up.
    pub(crate) fn up(&self) -> usize {
        self.standings.values().filter(|standing| matches!(standing, Standing::Up)).count()
    }

    /// The pilots that were told to launch and of which nothing has been heard since.
    pub(crate) fn unheard(&self) -> Vec<ProcessId> {
        let launched = self.standings.iter().filter(|(_, s)| matches!(s, Standing::Launched));
        let pilots = launched.filter_map(|(key, _)| Some((key, self.pilots.get(key)?)));
        let is_heard = |key: &Key, pilot: &ProcessId| {
            self.instances.get(key).is_some_and(|instance| instance.pilot == *pilot)
        };
        pilots
            .filter(|(key, pilot)| !is_heard(key, pilot))
            .map(|(_, pilot)| pilot.clone())
            .collect()
    }

    /// Every instance that is known, by name.
    pub(crate) fn instances(&self) -> impl Iterator<Item = &Instance> {
        self.instances.values()
    }

    /// The keys of everything that this `up` is about.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.standings.keys()
    }
}

pub(crate) fn key(instance: &Instance) -> Key {
    (instance.key.service.clone(), instance.key.instance)
}

/// Whether an instance does what it was started for.
pub(crate) fn is_up(instance: &Instance) -> bool {
    let is_step = instance.definition.as_ref().is_some_and(definition::is_step);
    match instance.state {
        State::Exited => is_step && instance.exit_code == Some(0),
        State::Ready | State::Unready => !is_step,
        // Nothing runs, and the first connection changes that.
        State::Leased => {
            instance.definition.as_ref().is_some_and(|parts| parts.contains_key("on_demand"))
        }
        _ => false,
    }
}

/// Whether an instance that ran before need not be waited for. Of what `wharf run` has started nobody has said
/// when it is up.
pub(crate) fn counts_as_up(instance: &Instance) -> bool {
    instance.definition.is_none() || is_up(instance)
}

/// Whether it did not serve when it was last heard of. What waits for its first connection, and is heard of
/// again, has not been away.
fn was_away(before: Option<&Instance>, now: State) -> bool {
    before.is_some_and(|before| {
        before.state != now
            && matches!(before.state, State::Leased | State::Starting | State::Unready)
    })
}

//! The ledger: table and store together, and every operation on them.

use std::path::Path;

use wharf_model::{
    Holder, Instance, Lease, LeaseKind, Port, PortRequest, ProcessId, ServiceKey, Why, focus,
};

use crate::change::Change;
use crate::grant::{Grant, grant, is_port_of};
use crate::home::Home;
use crate::kernel::Kernel;
use crate::label::{self, Label};
use crate::moment::Moment;
use crate::names;
use crate::request::{Refusal, Request};
use crate::store::{Store, StoreError, StoreStatus};
use crate::table::{Held, Table};

/// The most instances that are kept after they have ended, so that `wharf ls` can say how.
const MAX_ENDED_INSTANCES: usize = 100;
/// Which leases to release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Those on these ports.
    Ports(Vec<Port>),
    /// Those of this instance of a service, its further ports included.
    Key(ServiceKey),
    /// Those with these numbers.
    Ids(Vec<i64>),
    /// Every lease with a time to live.
    AllTtl,
    /// That of a service which turned out not to use its port: its home is forgotten as well.
    Unused(ServiceKey),
    /// None, but the homes of these, of which none is held now: their checkouts have gone.
    Homes(Vec<ServiceKey>),
}

/// Why nothing was released.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseError {
    /// No lease matches.
    #[error("no lease matches")]
    NotFound,
    /// Of the named ports these have no lease.
    #[error("not leased: {}", list(ports))]
    NotLeased {
        /// Those ports.
        ports: Vec<Port>,
    },
    /// A lease belongs to a process that lives, and it did not ask.
    #[error("port {port} is held by {holder}, which still runs")]
    Held {
        /// The port.
        port: Port,
        /// Who holds it.
        holder: Box<Holder>,
    },
}

fn list(ports: &[Port]) -> String {
    ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// What ended with its owner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// The leases that are no more.
    pub leases: Vec<Lease>,
    /// The instances as they are now, ended.
    pub instances: Vec<Instance>,
}

/// What a pilot's report of its instance was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reported {
    /// Nothing that was not known.
    Known,
    /// Something new.
    News {
        /// The lease that it was given with that, where the database had lost it.
        claimed: Option<Box<Lease>>,
    },
}

/// Who holds which port, in memory and on disk.
pub struct Ledger {
    table: Table,
    store: Store,
    next_id: i64,
    boot_id: String,
}

impl Ledger {
    /// Opens the database at `path`. Only a newer one stops it: a damaged file is put aside, and
    /// without a writable disk the ledger lives in memory; [`Ledger::status`] says so.
    pub fn open(path: &Path, now: Moment, boot_id: &str) -> Result<Ledger, StoreError> {
        let (store, loaded) = Store::open(path, now, boot_id)?;
        Ok(Ledger {
            table: loaded.table,
            store,
            next_id: loaded.next_id,
            boot_id: boot_id.to_owned(),
        })
    }

    /// Everything that is held.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// How the store is.
    pub fn status(&self) -> StoreStatus {
        self.store.status()
    }

    /// What happened to the store since the last call, each thing once.
    pub fn take_news(&mut self) -> Vec<String> {
        self.store.take_news()
    }

    /// To be called now and then: mends the store if it can be mended.
    pub fn check_store(&mut self, now: Moment) {
        self.store.check(&self.table, self.next_id, now);
    }

    /// Grants what is asked, all of its ports or none. The same request asked again, with the same
    /// id, gets the same leases.
    pub fn request(
        &mut self,
        request: &Request,
        now: Moment,
        kernel: &mut dyn Kernel,
    ) -> Result<Vec<Lease>, Refusal> {
        if let Some(leases) = self.answered(request)? {
            return Ok(leases);
        }
        let granted = self.decide(request, now, kernel)?;
        self.commit(granted.changes, now);
        Ok(granted.leases)
    }

    /// Grants several requests in one transaction: each gets its ports, or nobody gets any. Later ones see
    /// what earlier ones were given.
    ///
    /// # Errors
    /// The number of the first request that is refused, and why.
    pub fn request_all(
        &mut self,
        requests: &[Request],
        now: Moment,
        kernel: &mut dyn Kernel,
    ) -> Result<Vec<Vec<Lease>>, (usize, Refusal)> {
        let before = (self.table.clone(), self.next_id);
        let mut changes = Vec::new();
        let mut leases = Vec::new();
        for (number, request) in requests.iter().enumerate() {
            let granted = match self.answered(request) {
                Ok(Some(known)) => {
                    leases.push(known);
                    continue;
                }
                Ok(None) => self.decide(request, now, kernel),
                Err(refusal) => Err(refusal),
            };
            match granted {
                Ok(granted) => {
                    granted.changes.iter().for_each(|change| self.table.apply(change.clone()));
                    changes.extend(granted.changes);
                    leases.push(granted.leases);
                }
                Err(refusal) => {
                    (self.table, self.next_id) = before;
                    return Err((number, refusal));
                }
            }
        }
        if !changes.is_empty() {
            self.store.write(&changes, &self.table, self.next_id, now);
        }
        Ok(leases)
    }

    /// What the same request was given before.
    fn answered(&self, request: &Request) -> Result<Option<Vec<Lease>>, Refusal> {
        let answer = self.table.answer_to(&request.request_id);
        if answer.is_empty() {
            return Ok(None);
        }
        if answer.iter().any(|held| held.lease.kind != request.owner) {
            return Err(Refusal::RequestIdReused);
        }
        Ok(Some(answer.into_iter().map(|held| held.lease.clone()).collect()))
    }

    /// What one request gets, and everything that changes by it; the numbers of leases are used up.
    fn decide(
        &mut self,
        request: &Request,
        now: Moment,
        kernel: &mut dyn Kernel,
    ) -> Result<Grant, Refusal> {
        let clock = (now, self.boot_id.as_str());
        let mut granted = grant(&self.table, self.next_id, request, clock, kernel)?;
        self.next_id = granted.next_id;
        let project = request.key.as_ref().map(|key| &key.project);
        // A key of wharf's own is no project's: it has no folder, and no host.
        let project =
            project.filter(|project| project.as_str() != names::TCP && !focus::is_focus(project));
        let named = project.map(|project| label::claim(&self.table, project, now.wall_s));
        granted.changes.extend(named.into_iter().flatten());
        Ok(granted)
    }

    /// Releases the selected leases, all or none.
    pub fn release(
        &mut self,
        selection: &Selection,
        by: Option<&ProcessId>,
        now: Moment,
        kernel: &mut dyn Kernel,
    ) -> Result<Vec<Lease>, ReleaseError> {
        let selected: Vec<&Held> =
            self.table.leases().filter(|held| selects(selection, held)).collect();
        if let Selection::Ports(ports) = selection {
            let ports = self.not_leased(ports);
            if !ports.is_empty() {
                return Err(ReleaseError::NotLeased { ports });
            }
        }
        let may_be_none = matches!(selection, Selection::AllTtl | Selection::Homes(_));
        if selected.is_empty() && !may_be_none {
            return Err(ReleaseError::NotFound);
        }
        for held in &selected {
            if let Some(owner) = held.owner().filter(|owner| Some(*owner) != by) {
                let mut holder = kernel.process(owner.pid);
                holder.key.clone_from(&held.lease.key);
                let holder = Box::new(holder);
                return Err(ReleaseError::Held { port: held.lease.port, holder });
            }
        }
        let leases: Vec<Lease> = selected.into_iter().map(|held| held.lease.clone()).collect();
        let forgotten = match selection {
            Selection::Unused(key) => vec![Change::Forget(key.clone())],
            Selection::Homes(keys) => keys
                .iter()
                .filter(|key| self.table.lease_of(key).is_none())
                .map(|key| Change::Forget(key.clone()))
                .collect(),
            _ => Vec::new(),
        };
        self.end(&leases, forgotten, now);
        Ok(leases)
    }

    fn not_leased(&self, ports: &[Port]) -> Vec<Port> {
        ports.iter().copied().filter(|port| self.table.lease_on(*port).is_none()).collect()
    }

    /// Ends everything that depended on a process which is no more.
    pub fn owner_gone(&mut self, owner: &ProcessId, now: Moment) -> Ended {
        let owned = self.table.leases().filter(|held| held.owner() == Some(owner));
        let leases: Vec<Lease> = owned.map(|held| held.lease.clone()).collect();
        let piloted = self.table.instances().filter(|instance| instance.pilot == *owner);
        let live = piloted.filter(|instance| instance.state.is_live()).cloned();
        let instances: Vec<Instance> = live
            .map(|mut instance| {
                instance.state = instance.state.ended();
                instance.listeners.clear();
                instance
            })
            .collect();
        let changes = instances.iter().cloned().map(Box::new).map(Change::Instance).collect();
        self.end(&leases, changes, now);
        self.forget_old_instances(now);
        Ended { leases, instances }
    }

    /// Ends the leases whose time is up.
    pub fn expire(&mut self, now: Moment) -> Vec<Lease> {
        let is_over = |held: &&Held| held.deadline.as_ref().is_some_and(|end| end.has_passed(now));
        let leases: Vec<Lease> =
            self.table.leases().filter(is_over).map(|held| held.lease.clone()).collect();
        self.end(&leases, Vec::new(), now);
        leases
    }

    /// Keeps what a pilot reports of its instance, in place of what it reported before and of what
    /// is remembered of earlier, ended instances with its key.
    pub fn put_instance(&mut self, instance: Instance, now: Moment) -> Reported {
        // Pilots repeat themselves, in case the daemon has lost its memory; mostly it has not.
        let claim = self.claimed_again(&instance, now);
        if claim.is_none() && self.table.instance(&instance.id) == Some(&instance) {
            return Reported::Known;
        }
        let claimed = match &claim {
            Some(Change::Hold(held)) => Some(Box::new(held.lease.clone())),
            _ => None,
        };
        let succeeds = |old: &&Instance| {
            old.id != instance.id && old.key == instance.key && !old.state.is_live()
        };
        let superseded = self.table.instances().filter(succeeds).map(|old| old.id.clone());
        let mut changes: Vec<Change> = superseded.map(Change::ForgetInstance).collect();
        changes.extend(claim);
        changes.extend(label::claim_again(&self.table, &instance, now.wall_s));
        changes.push(Change::Instance(Box::new(instance)));
        self.commit(changes, now);
        self.forget_old_instances(now);
        Reported::News { claimed }
    }

    /// The lease of an instance that lives and has none: its database was lost, and its pilot, which
    /// holds the port by a socket, tells us of it.
    fn claimed_again(&mut self, instance: &Instance, now: Moment) -> Option<Change> {
        let port = Port::new(instance.port).filter(|_| instance.state.is_live())?;
        let known = self.table.lease_on(port).is_some()
            || self.table.lease_of(&instance.key).is_some()
            || self.table.leases().any(|held| held.owner() == Some(&instance.pilot));
        if known {
            return None;
        }
        let lease = Lease {
            id: self.next_id,
            port,
            key: Some(instance.key.clone()),
            request: PortRequest::Exactly(port),
            kind: LeaseKind::Process(instance.pilot.clone()),
            granted_at: now.wall_s,
            why: Why::Asked,
            agent: instance.agent.clone(),
        };
        self.next_id += 1;
        let request_id = format!("instance {}", instance.id);
        Some(Change::Hold(Held { lease, request_id, slot: 1, deadline: None }))
    }

    /// Forgets an instance; gives what was known of it.
    pub fn delete_instance(&mut self, id: &str, now: Moment) -> Option<Instance> {
        let instance = self.table.instance(id)?.clone();
        self.commit(vec![Change::ForgetInstance(id.to_owned())], now);
        Some(instance)
    }

    fn forget_old_instances(&mut self, now: Moment) {
        let mut ended: Vec<&Instance> =
            self.table.instances().filter(|instance| !instance.state.is_live()).collect();
        if ended.len() <= MAX_ENDED_INSTANCES {
            return;
        }
        ended.sort_by_key(|instance| std::cmp::Reverse(instance.started_at));
        let oldest = ended.split_off(MAX_ENDED_INSTANCES);
        let changes =
            oldest.into_iter().map(|old| Change::ForgetInstance(old.id.clone())).collect();
        self.commit(changes, now);
    }

    /// Ends leases; the homes of their services were in use until now.
    fn end(&mut self, leases: &[Lease], mut changes: Vec<Change>, now: Moment) {
        for lease in leases {
            changes.push(Change::Drop(lease.id));
            let label = lease.key.as_ref().and_then(|key| self.table.label_of(&key.project));
            let label = label.filter(|label| label.last_use != now.wall_s).cloned();
            changes
                .extend(label.map(|label| Change::Name(Label { last_use: now.wall_s, ..label })));
            let home = lease.key.as_ref().and_then(|key| self.table.home_of(key, now.wall_s));
            if let Some(home) = home {
                changes.push(Change::Settle(Home { last_use: now.wall_s, ..home.clone() }));
            }
        }
        self.commit(changes, now);
    }

    pub(crate) fn commit(&mut self, changes: Vec<Change>, now: Moment) {
        if changes.is_empty() {
            return;
        }
        for change in &changes {
            self.table.apply(change.clone());
        }
        self.store.write(&changes, &self.table, self.next_id, now);
    }
}

fn selects(selection: &Selection, held: &Held) -> bool {
    let lease = &held.lease;
    match selection {
        Selection::Ports(ports) => ports.contains(&lease.port),
        Selection::Ids(ids) => ids.contains(&lease.id),
        Selection::AllTtl => matches!(lease.kind, LeaseKind::Ttl(_)),
        Selection::Unused(key) => lease.key.as_ref() == Some(key),
        Selection::Homes(_) => false,
        Selection::Key(key) => lease.key.as_ref().is_some_and(|held| {
            held.project == key.project
                && held.worktree == key.worktree
                && held.instance == key.instance
                && is_port_of(&held.service, &key.service)
        }),
    }
}

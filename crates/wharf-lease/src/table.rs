//! Every lease, home and instance in memory: what the store holds, with the indexes that the policy
//! needs.

use std::collections::{BTreeMap, HashMap, HashSet};

use wharf_model::{
    Alias, Focus, Instance, Lease, LeaseKind, PathText, Port, ProcessId, ServiceKey, TcpName,
};

use crate::change::Change;
use crate::home::Home;
use crate::label::Label;
use crate::moment::Deadline;
use crate::port_set::PortSet;

/// The most homes that are kept; past it the one unused for longest makes room.
pub(crate) const MAX_HOMES: usize = 20_000;

/// A lease with what only the ledger needs to know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The lease.
    pub lease: Lease,
    /// The request that it answered.
    pub request_id: String,
    /// Which of the request's ports it is, from 1.
    pub slot: u16,
    /// When it ends, for a lease with a time to live.
    pub deadline: Option<Deadline>,
}

impl Held {
    /// The process that owns it, where one does.
    pub fn owner(&self) -> Option<&ProcessId> {
        match &self.lease.kind {
            LeaseKind::Process(owner) => Some(owner),
            LeaseKind::Ttl(_) => None,
        }
    }
}

/// The whole state. No two leases share a port or a key, no two homes share a port.
#[derive(Clone, Debug, Default)]
pub struct Table {
    leases: HashMap<Port, Held>,
    by_id: HashMap<i64, Port>,
    by_key: HashMap<ServiceKey, Port>,
    by_request: HashMap<String, Vec<Port>>,
    homes: HashMap<ServiceKey, Home>,
    homes_on: HashMap<Port, ServiceKey>,
    labels: HashMap<PathText, Label>,
    labelled: HashMap<String, PathText>,
    instances: BTreeMap<String, Instance>,
    aliases: BTreeMap<String, Alias>,
    tcp_names: BTreeMap<String, TcpName>,
    focuses: BTreeMap<Port, Focus>,
    /// Ports with a lease or a home, for the search of a free one.
    spoken_for: PortSet,
}

impl Table {
    /// Whether a port has a lease or is anybody's home, remembered or not.
    pub(crate) fn is_spoken_for(&self, port: Port) -> bool {
        self.spoken_for.contains(port)
    }

    /// The lease on a port.
    pub fn lease_on(&self, port: Port) -> Option<&Held> {
        self.leases.get(&port)
    }

    /// The lease with this number.
    pub fn lease(&self, id: i64) -> Option<&Held> {
        self.leases.get(self.by_id.get(&id)?)
    }

    /// The lease of a key.
    pub fn lease_of(&self, key: &ServiceKey) -> Option<&Held> {
        self.leases.get(self.by_key.get(key)?)
    }

    /// The leases that a request was answered with, in the order of their slots.
    pub fn answer_to(&self, request_id: &str) -> Vec<&Held> {
        let ports = self.by_request.get(request_id).map_or(&[][..], Vec::as_slice);
        let mut answer: Vec<&Held> =
            ports.iter().filter_map(|port| self.leases.get(port)).collect();
        answer.sort_by_key(|held| held.slot);
        answer
    }

    /// Every lease, in no order.
    pub fn leases(&self) -> impl Iterator<Item = &Held> {
        self.leases.values()
    }

    /// How many leases there are.
    pub fn lease_count(&self) -> usize {
        self.leases.len()
    }

    /// The home of a key, remembered or in use at `wall_s`.
    pub fn home_of(&self, key: &ServiceKey, wall_s: u64) -> Option<&Home> {
        self.homes.get(key).filter(|home| self.counts(home, wall_s))
    }

    /// Whose home a port is at `wall_s`.
    pub fn home_on(&self, port: Port, wall_s: u64) -> Option<&Home> {
        let home = self.homes.get(self.homes_on.get(&port)?)?;
        Some(home).filter(|home| self.counts(home, wall_s))
    }

    /// Every home that counts at `wall_s`, in no order.
    pub fn homes(&self, wall_s: u64) -> impl Iterator<Item = &Home> {
        self.homes.values().filter(move |home| self.counts(home, wall_s))
    }

    /// Every home, those that no longer count included: a clock that jumped back makes them count
    /// again, so they are only ever dropped to make room.
    pub(crate) fn all_homes(&self) -> impl Iterator<Item = &Home> {
        self.homes.values()
    }

    /// Whoever the port was the home of, even if that no longer counts.
    pub(crate) fn former_home_on(&self, port: Port) -> Option<&ServiceKey> {
        self.homes_on.get(&port)
    }

    /// The home to drop when there are too many: the one unused for longest that is not in use.
    pub(crate) fn home_to_drop(&self) -> Option<&ServiceKey> {
        if self.homes.len() < MAX_HOMES {
            return None;
        }
        let idle = self.homes.values().filter(|home| !self.by_key.contains_key(&home.key));
        idle.min_by_key(|home| home.last_use).map(|home| &home.key)
    }

    fn counts(&self, home: &Home, wall_s: u64) -> bool {
        home.is_remembered(wall_s) || self.by_key.contains_key(&home.key)
    }

    /// The label of a project.
    pub fn label_of(&self, project: &PathText) -> Option<&Label> {
        self.labels.get(project)
    }

    /// Every label, in no order.
    pub(crate) fn labels(&self) -> impl Iterator<Item = &Label> {
        self.labels.values()
    }

    /// The project that has a label, even if that no longer counts.
    pub(crate) fn labelled(&self, text: &str) -> Option<&PathText> {
        self.labelled.get(text)
    }

    /// Whether a label is a project's at `wall_s`.
    pub(crate) fn is_label_taken(&self, text: &str, wall_s: u64) -> bool {
        let owner = self.labelled.get(text).and_then(|project| self.labels.get(project));
        owner.is_some_and(|label| label.is_remembered(wall_s) || self.has_lease(&label.project))
    }

    fn has_lease(&self, project: &PathText) -> bool {
        self.by_key.keys().any(|key| key.project == *project)
    }

    /// Every instance, by its id.
    pub fn instances(&self) -> impl Iterator<Item = &Instance> {
        self.instances.values()
    }

    /// One instance.
    pub fn instance(&self, id: &str) -> Option<&Instance> {
        self.instances.get(id)
    }

    /// Every alias, by its name.
    pub fn aliases(&self) -> impl Iterator<Item = &Alias> {
        self.aliases.values()
    }

    /// Every name for TCP, by its name.
    pub fn tcp_names(&self) -> impl Iterator<Item = &TcpName> {
        self.tcp_names.values()
    }

    /// Every port that leads to the checkout of the user's choice, by number.
    pub fn focuses(&self) -> impl Iterator<Item = &Focus> {
        self.focuses.values()
    }

    /// Where such a port leads.
    pub fn focus_on(&self, port: Port) -> Option<&Focus> {
        self.focuses.get(&port)
    }

    /// Every process that a lease or a live instance depends on.
    pub fn owners(&self) -> HashSet<ProcessId> {
        let leases = self.leases.values().filter_map(Held::owner).cloned();
        let live = self.instances.values().filter(|instance| instance.state.is_live());
        leases.chain(live.map(|instance| instance.pilot.clone())).collect()
    }

    /// Makes one change. The caller keeps the invariants; [`Table::conflict`] checks them for what
    /// comes from a file.
    pub(crate) fn apply(&mut self, change: Change) {
        match change {
            Change::Hold(held) => self.hold(held),
            Change::Drop(id) => self.drop_lease(id),
            Change::Settle(home) => {
                self.forget(&home.key);
                self.homes_on.insert(home.port, home.key.clone());
                self.spoken_for.insert(home.port);
                self.homes.insert(home.key.clone(), home);
            }
            Change::Forget(key) => self.forget(&key),
            Change::Name(label) => {
                self.unname(&label.project);
                self.labelled.insert(label.text.clone(), label.project.clone());
                self.labels.insert(label.project.clone(), label);
            }
            Change::Unname(project) => self.unname(&project),
            Change::Instance(instance) => {
                self.instances.insert(instance.id.clone(), *instance);
            }
            Change::ForgetInstance(id) => {
                self.instances.remove(&id);
            }
            Change::Alias(alias) => {
                self.aliases.insert(alias.name.clone(), alias);
            }
            Change::Unalias(name) => {
                self.aliases.remove(&name);
            }
            Change::TcpName(named) => {
                self.tcp_names.insert(named.name.clone(), named);
            }
            Change::ForgetTcpName(name) => {
                self.tcp_names.remove(&name);
            }
            Change::Focus(focus) => {
                self.focuses.insert(focus.port, focus);
            }
            Change::Unfocus(port) => {
                self.focuses.remove(&port);
            }
        }
    }

    /// What is wrong with adding this lease, if anything.
    pub(crate) fn conflict(&self, held: &Held) -> Option<&'static str> {
        if self.leases.contains_key(&held.lease.port) {
            return Some("two leases hold one port");
        }
        if self.by_id.contains_key(&held.lease.id) {
            return Some("two leases have one number");
        }
        let key = held.lease.key.as_ref()?;
        self.by_key.contains_key(key).then_some("one service holds two leases")
    }

    fn hold(&mut self, held: Held) {
        let port = held.lease.port;
        self.by_id.insert(held.lease.id, port);
        self.spoken_for.insert(port);
        if let Some(key) = &held.lease.key {
            self.by_key.insert(key.clone(), port);
        }
        self.by_request.entry(held.request_id.clone()).or_default().push(port);
        self.leases.insert(port, held);
    }

    fn drop_lease(&mut self, id: i64) {
        let Some(held) = self.by_id.remove(&id).and_then(|port| self.leases.remove(&port)) else {
            return;
        };
        let port = held.lease.port;
        if let Some(key) = &held.lease.key {
            self.by_key.remove(key);
        }
        if let Some(ports) = self.by_request.get_mut(&held.request_id) {
            ports.retain(|other| *other != port);
            if ports.is_empty() {
                self.by_request.remove(&held.request_id);
            }
        }
        self.let_go(port);
    }

    fn forget(&mut self, key: &ServiceKey) {
        if let Some(home) = self.homes.remove(key) {
            self.homes_on.remove(&home.port);
            self.let_go(home.port);
        }
    }

    fn unname(&mut self, project: &PathText) {
        if let Some(label) = self.labels.remove(project) {
            self.labelled.remove(&label.text);
        }
    }

    fn let_go(&mut self, port: Port) {
        if !self.leases.contains_key(&port) && !self.homes_on.contains_key(&port) {
            self.spoken_for.remove(port);
        }
    }
}

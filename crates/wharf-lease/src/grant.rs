//! Deciding one request: which keys, which leases it continues, which ports, and what changes.

use std::collections::BTreeSet;

use wharf_model::{Lease, LeaseKind, Port, PortRequest, ServiceKey};

use crate::change::Change;
use crate::home::Home;
use crate::kernel::Kernel;
use crate::moment::{Deadline, Moment};
use crate::policy::{Choice, Decision};
use crate::request::{KeyRequest, MAX_SLOTS, MAX_TEXT, MAX_TTL_S, Refusal, Request};
use crate::table::{Held, Table};
use crate::view::View;

/// How a further port of a service is named: the second one of `web` is `web/port2`.
const FURTHER_PORT: &str = "/port";

/// What a request gets, and what changes by it.
#[derive(Debug)]
pub(crate) struct Grant {
    pub(crate) changes: Vec<Change>,
    pub(crate) leases: Vec<Lease>,
    /// The number that the next lease gets.
    pub(crate) next_id: i64,
}

/// One request under way.
struct Granting<'a> {
    view: View<'a>,
    request: &'a Request,
    now: Moment,
    boot_id: &'a str,
    homes: Vec<Home>,
    held: Vec<Held>,
    next_id: i64,
}

/// Decides the request, all of its ports or none; changes nothing yet.
pub(crate) fn grant(
    table: &Table,
    next_id: i64,
    request: &Request,
    (now, boot_id): (Moment, &str),
    kernel: &mut dyn Kernel,
) -> Result<Grant, Refusal> {
    check(request)?;
    let view = View {
        table,
        wall_s: now.wall_s,
        busy: &request.busy,
        given_up: failed_before(table, request),
        taken: Vec::new(),
        asked: 0,
    };
    let mut granting =
        Granting { view, request, now, boot_id, homes: Vec::new(), held: Vec::new(), next_id };
    let first = request.key.as_ref().map(|key| first_key(key, &granting.view)).transpose()?;
    for slot in 1..=request.slots {
        let key = first.as_ref().map(|first| slot_key(first, slot));
        granting.slot(slot, key, kernel)?;
    }
    Ok(granting.finish())
}

impl Granting<'_> {
    fn slot(
        &mut self,
        slot: u16,
        key: Option<ServiceKey>,
        kernel: &mut dyn Kernel,
    ) -> Result<(), Refusal> {
        let (choice, id) = self.choose(slot, key.as_ref(), kernel)?;
        self.view.taken.push(choice.port);
        if let Some(key) = key.as_ref().filter(|_| choice.remember) {
            let last_use = self.now.wall_s;
            self.homes.push(Home { key: key.clone(), port: choice.port, last_use });
        }
        self.hold(slot, key, choice, id);
        Ok(())
    }

    /// The port for one slot, and the number of the lease that it continues.
    fn choose(
        &mut self,
        slot: u16,
        key: Option<&ServiceKey>,
        kernel: &mut dyn Kernel,
    ) -> Result<(Choice, Option<i64>), Refusal> {
        if let Some(key) = key {
            if let Some(refusal) = running(&self.view, key) {
                return Err(refusal);
            }
            if let Some(continued) = self.take_over(slot, key, kernel) {
                return Ok(continued);
            }
        }
        let previous = self.view.taken.last().copied();
        let ephemeral = self.request.ephemeral;
        let mut decision = Decision { view: &mut self.view, kernel, key, ephemeral };
        let choice = match previous {
            Some(previous) => decision.choose_further(previous)?,
            None => decision.choose(self.request.request)?,
        };
        Ok((choice, None))
    }

    /// A lease with a time to live is a claim for whoever runs the service next: asked for again it
    /// is renewed, and a pilot takes it over. Where it does not fit the request, it is given up.
    fn take_over(
        &mut self,
        slot: u16,
        key: &ServiceKey,
        kernel: &mut dyn Kernel,
    ) -> Option<(Choice, Option<i64>)> {
        let held = self.view.lease_of(key)?;
        let (id, port, why) = (held.lease.id, held.lease.port, held.lease.why.clone());
        let fits = slot > 1 || fits(self.request.request, port);
        self.view.given_up.push(id);
        let renewed = matches!(self.request.owner, LeaseKind::Ttl(_));
        // Whoever renews may already listen there; whoever takes over is about to.
        if !fits || !(renewed || self.view.seen(port, kernel).is_none()) {
            return None;
        }
        let remember = self.view.home_of(Some(key)) == Some(port);
        Some((Choice { port, why, remember }, Some(id)))
    }

    fn hold(&mut self, slot: u16, key: Option<ServiceKey>, choice: Choice, id: Option<i64>) {
        let id = id.unwrap_or_else(|| {
            self.next_id += 1;
            self.next_id - 1
        });
        let Choice { port, why, .. } = choice;
        let asked = self.request.request;
        let request = if slot == 1 { asked } else { PortRequest::AtLeast(port) };
        let kind = self.request.owner.clone();
        let deadline = match kind {
            LeaseKind::Ttl(ttl_s) => Some(Deadline::after(ttl_s, self.now, self.boot_id)),
            LeaseKind::Process(_) => None,
        };
        let agent = self.request.agent.clone();
        let lease = Lease { id, port, key, request, kind, granted_at: self.now.wall_s, why, agent };
        let request_id = self.request.request_id.clone();
        self.held.push(Held { lease, request_id, slot, deadline });
    }

    fn finish(self) -> Grant {
        let table = self.view.table;
        let dropped = self.view.given_up.into_iter().map(Change::Drop);
        let settled = self.homes.into_iter().flat_map(|home| settle(table, home));
        let leases = self.held.iter().map(|held| held.lease.clone()).collect();
        let held = self.held.into_iter().map(Change::Hold);
        let changes = dropped.chain(settled).chain(held).collect();
        Grant { changes, leases, next_id: self.next_id }
    }
}

fn check(request: &Request) -> Result<(), Refusal> {
    if request.slots == 0 || request.slots > MAX_SLOTS {
        return Err(Refusal::Malformed("a request is for 1 to 64 ports"));
    }
    if request.request_id.is_empty() || request.request_id.len() > MAX_TEXT {
        return Err(Refusal::Malformed("a request needs an id of 1 to 4096 bytes"));
    }
    if let LeaseKind::Ttl(ttl_s) = request.owner
        && !(1..=MAX_TTL_S).contains(&ttl_s)
    {
        return Err(Refusal::Malformed("a time to live is from 1 second to 365 days"));
    }
    let Some(key) = &request.key else { return Ok(()) };
    if key.service.is_empty() || key.instance == Some(0) {
        return Err(Refusal::Malformed("a key needs a service and an instance from 1"));
    }
    let texts = [key.project.as_str(), &key.worktree, &key.service];
    if texts.iter().any(|text| text.len() > MAX_TEXT) {
        return Err(Refusal::Malformed("the texts of a key have 4096 bytes at most"));
    }
    Ok(())
}

/// The key of the first port: the instance that was asked for, or the lowest that does not run.
fn first_key(key: &KeyRequest, view: &View<'_>) -> Result<ServiceKey, Refusal> {
    if let Some(instance) = key.instance {
        let key = key.instance(instance);
        return match running(view, &key) {
            Some(refusal) => Err(refusal),
            None => Ok(key),
        };
    }
    // There are fewer leases than numbers, so this ends.
    let mut keys = (1..=u32::MAX).map(|instance| key.instance(instance));
    keys.find(|key| running(view, key).is_none())
        .ok_or(Refusal::Malformed("every instance number is in use"))
}

fn running(view: &View<'_>, key: &ServiceKey) -> Option<Refusal> {
    let held = view.lease_of(key)?;
    let owner = held.owner()?.clone();
    Some(Refusal::InstanceLive { key: Box::new(key.clone()), port: held.lease.port, owner })
}

fn slot_key(first: &ServiceKey, slot: u16) -> ServiceKey {
    let mut key = first.clone();
    if slot > 1 {
        key.service = format!("{}{FURTHER_PORT}{slot}", first.service);
    }
    key
}

fn fits(request: PortRequest, port: Port) -> bool {
    match request {
        PortRequest::Exactly(wanted) => port == wanted,
        PortRequest::AtLeast(wanted) => port >= wanted,
        PortRequest::Conventional(_) | PortRequest::Remembered(_) => true,
    }
}

/// The leases that this request replaces: the same owner was granted them, and could not reserve
/// their ports.
fn failed_before(table: &Table, request: &Request) -> Vec<i64> {
    let busy = request.busy.iter().filter_map(|busy| table.lease_on(busy.port));
    let own = busy.filter(|held| held.lease.kind == request.owner && held.owner().is_some());
    own.map(|held| held.lease.id).collect::<BTreeSet<i64>>().into_iter().collect()
}

/// The changes that make a port a home. Whoever lived there no longer counts, else the port would not
/// have been given.
fn settle(table: &Table, home: Home) -> Vec<Change> {
    let former = table.former_home_on(home.port).filter(|former| **former != home.key);
    let surplus = table.home_to_drop().filter(|surplus| **surplus != home.key);
    let forgotten: BTreeSet<&ServiceKey> = former.into_iter().chain(surplus).collect();
    let mut changes: Vec<Change> = forgotten.into_iter().cloned().map(Change::Forget).collect();
    changes.push(Change::Settle(home));
    changes
}

/// Whether `name` is the service itself or one of its further ports.
pub(crate) fn is_port_of(name: &str, service: &str) -> bool {
    match name.strip_prefix(service) {
        Some("") => true,
        Some(rest) => rest.strip_prefix(FURTHER_PORT).is_some_and(|number| {
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        }),
        None => false,
    }
}

//! From a name to a connection: which route, whether it serves, and waiting for it within bounds.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;
use wharf_model::{Condition, Route, RouteTable};

use crate::authority::Authority;
use crate::forward::{Arrival, hops};
use crate::gate::{self, Surroundings};
use crate::head::Head;
use crate::limits::{HOLD, HOLD_PAGE, HOLD_REFUSED, MAX_AGAIN, MAX_HELD, MAX_HOPS, TRY_AGAIN};
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::upstream::{Connection, NoConnection};

type Routes = watch::Receiver<Arc<RouteTable>>;

/// How a connection came in.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    pub(crate) arrival: Arrival,
    /// The one host that the client was shown a certificate for, in lower case, where it came by TLS.
    pub(crate) shown: Option<Rc<str>>,
    /// Whether the front can be reached from beyond this machine.
    pub(crate) lan: bool,
    /// The host of the one route that the front is for.
    pub(crate) only: Option<Arc<str>>,
}

/// A request that wants to go somewhere.
pub(crate) struct Visit<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) door: &'a Door,
    pub(crate) authority: &'a Authority,
    pub(crate) head: &'a Head<'a>,
    /// A WebSocket that is about to be opened.
    pub(crate) upgrade: bool,
}

impl Visit<'_> {
    /// The route, if the request may have it.
    pub(crate) fn route(&self) -> Result<Arc<Route>, Refusal> {
        let table = self.shared.table();
        let Authority { host, port } = self.authority;
        if port.is_some_and(|port| port != self.door.arrival.port) {
            return Err(Refusal::Unknown);
        }
        // The certificate says nothing of other hosts (RFC 9110, section 7.4).
        if self.door.shown.as_ref().is_some_and(|shown| **shown != **host) {
            return Err(Refusal::Unknown);
        }
        let host = match &self.door.only {
            Some(only) if is_loopback(host) => only,
            Some(_) => return Err(Refusal::Unknown),
            None => host.as_str(),
        };
        let found = table.find(host, self.head.target);
        let route = found.filter(|route| route.lan || !self.door.lan).ok_or(Refusal::Unknown)?;
        if hops(self.head.fields) >= MAX_HOPS {
            return Err(Refusal::Circle);
        }
        let around = Surroundings { table: &table, fronts: &self.shared.fronts.borrow() };
        gate::judge(self.head, route, &around, self.upgrade)
            .map_err(|foreign| Refusal::Foreign { origin: foreign.origin })?;
        Ok(route.clone())
    }

    /// The route and a connection to its upstream, once it serves. `fresh` is a connection that
    /// nobody has used.
    pub(crate) async fn connect(&self, fresh: bool) -> Result<(Arc<Route>, Connection), Refusal> {
        // Mostly it serves and a connection is idle: nothing has to be waited for.
        if !fresh && let Some(reached) = self.at_once()? {
            return Ok(reached);
        }
        let begun = Instant::now();
        let mut routes = self.shared.routes.clone();
        loop {
            let route = self.serving(&mut routes, begun).await?;
            let upstreams = &self.shared.upstreams;
            if !fresh && let Some(connection) = upstreams.take(&route.upstream, self.head.is_safe())
            {
                return Ok((route, connection));
            }
            self.keep_out_of_circles(&route)?;
            let name = route.upstream.name.clone();
            match upstreams.dial(&route.upstream).await {
                Ok(connection) => return Ok((route, connection)),
                Err(NoConnection::Stranger(who)) => return Err(Refusal::Stranger { name, who }),
                Err(NoConnection::Refused(why)) => {
                    // Its end, or its restart, may not have been told yet.
                    if route.upstream.instance.is_none() || begun.elapsed() >= HOLD_REFUSED {
                        return Err(Refusal::Unreachable { name, why });
                    }
                    self.wait(&mut routes, Instant::now() + TRY_AGAIN).await?;
                }
            }
        }
    }

    fn at_once(&self) -> Result<Option<(Arc<Route>, Connection)>, Refusal> {
        let route = self.route()?;
        if Refusal::of_condition(&route.upstream).is_some() {
            return Ok(None);
        }
        let connection = self.shared.upstreams.take(&route.upstream, self.head.is_safe());
        Ok(connection.map(|connection| (route, connection)))
    }

    /// The route, once its instance serves, or says that it never will.
    async fn serving(&self, routes: &mut Routes, begun: Instant) -> Result<Arc<Route>, Refusal> {
        let hold = if self.head.wants_page() { HOLD_PAGE } else { HOLD };
        loop {
            // A change from here on ends the wait.
            routes.mark_unchanged();
            let route = self.route()?;
            match Refusal::of_condition(&route.upstream) {
                None => return Ok(route),
                Some(refusal) => {
                    let starting = route.upstream.condition == Condition::Starting;
                    if !starting || begun.elapsed() >= hold {
                        return Err(refusal);
                    }
                    self.wait(routes, begun + hold).await?;
                }
            }
        }
    }

    /// Until the routes change, or until then.
    async fn wait(&self, routes: &mut Routes, until: Instant) -> Result<(), Refusal> {
        let held = &self.shared.held;
        if held.get() >= MAX_HELD {
            return Err(Refusal::Crowded);
        }
        let _place = Place::take(held);
        if let Ok(Err(_)) = tokio::time::timeout_at(until, routes.changed()).await {
            // Nobody can change them any more.
            tokio::time::sleep_until(until).await;
        }
        Ok(())
    }

    /// A front of ours is nobody's upstream.
    fn keep_out_of_circles(&self, route: &Route) -> Result<(), Refusal> {
        match route.upstream.addresses.iter().any(|address| self.shared.is_own(address.port())) {
            true => Err(Refusal::Circle),
            false => Ok(()),
        }
    }
}

/// Whether a host means this machine whatever a name server says: a page of a site whose name was made to
/// lead here (DNS rebinding) names that site.
fn is_loopback(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

/// Whether a request that may be repeated is sent again after its connection ended without a word: the server
/// closed an idle one at that moment, or a server of wharf's was being restarted and had just taken it.
pub(crate) fn may_ask_again(route: &Route, reused: bool, tries: u32) -> bool {
    match route.upstream.instance {
        Some(_) => tries < MAX_AGAIN,
        None => reused && tries == 0,
    }
}

/// A place among those that wait, given back even if the client leaves.
pub(crate) struct Place<'a>(&'a Cell<usize>);

impl Place<'_> {
    pub(crate) fn take(held: &Cell<usize>) -> Place<'_> {
        held.set(held.get() + 1);
        Place(held)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

//! From instances to routes.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

use wharf_model::{
    Alias, Condition, Instance, Owner, Protocol, Route, RouteTable, State, Upstream, name,
};

use crate::aliases;

/// The routes of these instances and aliases. Of several instances with the same host the one that lives
/// counts, then the one that was started last. An alias counts less than an instance that lives, and more
/// than the memory of one that has ended. `focused` are those of ports that lead to a checkout of choice.
pub(crate) fn table<'a>(
    instances: impl Iterator<Item = &'a Instance>,
    aliases: impl Iterator<Item = &'a Alias>,
    focused: Vec<Route>,
) -> RouteTable {
    let mut by_host: HashMap<String, &Instance> = HashMap::new();
    for instance in instances {
        let Some(host) = host(instance) else { continue };
        let counts = |one: &Instance| (one.state.is_live(), one.started_at);
        match by_host.get(&host) {
            Some(other) if counts(other) >= counts(instance) => {}
            _ => drop(by_host.insert(host, instance)),
        }
    }
    // A path that is lent to another service of the project counts only where that service lives.
    let lent = by_host.values().flat_map(|instance| lent(instance));
    let lan = lan(by_host.values().copied());
    let own = |live: bool| {
        let own = by_host.iter().filter(move |(_, instance)| instance.state.is_live() == live);
        own.map(|(host, instance)| route(instance, host, "/"))
    };
    // Of two with the same host and path the first counts.
    let given = aliases.map(aliases::route);
    let below = by_host.iter().filter(|(_, instance)| instance.access.wildcard);
    let below = below.map(|(host, instance)| route(instance, &format!("*.{host}"), "/"));
    let all =
        own(true).chain(lent).chain(lan).chain(given).chain(own(false)).chain(below).chain(focused);
    RouteTable::new(all.collect::<Vec<Route>>())
}

/// The names on the local network: of what lives and says so, and nothing of it longer than that. Two
/// names may become one there; it is the older instance's.
fn lan<'a>(instances: impl Iterator<Item = &'a Instance>) -> Vec<Route> {
    let mut open: Vec<&Instance> =
        instances.filter(|one| one.access.lan && one.state.is_live()).collect();
    open.sort_by(|one, other| (one.started_at, &one.id).cmp(&(other.started_at, &other.id)));
    let mut routes: Vec<Route> = Vec::new();
    for instance in &open {
        let Some(short) = name::short_host(&instance.url) else { continue };
        let host = name::lan_host(short);
        if !routes.iter().any(|route| route.host == host) {
            routes.push(lan_route(instance, &host, "/"));
        }
    }
    // A path that is lent is served there too, where both who lends it and whose host it is say so.
    for instance in &open {
        for lent in lent(instance) {
            let host = lent.host.strip_suffix(name::TLD).and_then(|host| host.strip_suffix('.'));
            let host = host.map(name::lan_host).unwrap_or_default();
            if routes.iter().any(|route| route.host == host) {
                routes.push(lan_route(instance, &host, &lent.path));
            }
        }
    }
    routes
}

/// Its own site: pages of the same project have other hosts there, with nothing in common.
fn lan_route(instance: &Instance, host: &str, path: &str) -> Route {
    Route { lan: true, site: host.to_owned(), ..route(instance, host, path) }
}

/// The hosts that are served on the local network.
pub(crate) fn lan_hosts(table: &RouteTable) -> BTreeSet<String> {
    table.routes().filter(|route| route.lan).map(|route| route.host.clone()).collect()
}

/// The host by which an instance is reached, where it has one.
pub(crate) fn host(instance: &Instance) -> Option<String> {
    let short = name::short_host(&instance.url)?;
    let http = instance.url.starts_with("http://") || instance.url.starts_with("https://");
    http.then(|| format!("{short}.{}", name::TLD))
}

/// The paths of the checkout's own host that lead to this instance.
fn lent(instance: &Instance) -> Vec<Route> {
    let Some(project) = name::label_in(&instance.url).filter(|_| instance.state.is_live()) else {
        return Vec::new();
    };
    let parent = match instance.key.worktree.as_str() {
        "" => format!("{project}.{}", name::TLD),
        worktree => format!("{}.{project}.{}", name::slug(worktree), name::TLD),
    };
    instance.access.paths.iter().map(|path| route(instance, &parent, path)).collect()
}

fn route(instance: &Instance, host: &str, path: &str) -> Route {
    let access = &instance.access;
    let project = name::label_in(&instance.url).unwrap_or_default();
    Route {
        host: host.to_owned(),
        path: path.to_owned(),
        site: format!("{project}.{}", name::TLD),
        origins: access.origins.clone(),
        guarded: access.guarded,
        origin_form: access.origin_form,
        // By this name never, whoever may ask: the one on the local network is another.
        lan: false,
        upstream: upstream(instance, host),
    }
}

/// Where an instance is reached. `host` is what it is called where it has no name of its own.
pub(crate) fn upstream(instance: &Instance, host: &str) -> Upstream {
    Upstream {
        name: Arc::from(name::short_host(&instance.url).unwrap_or(host)),
        instance: Some(Arc::from(instance.id.as_str())),
        addresses: addresses(instance),
        protocol: protocol(instance),
        owner: Owner::Pilot(instance.pilot.clone()),
        condition: condition(instance),
    }
}

fn protocol(instance: &Instance) -> Protocol {
    match () {
        () if instance.direct_url.starts_with("https://") => Protocol::Tls,
        () if instance.access.h2c => Protocol::H2c,
        () => Protocol::Http1,
    }
}

/// Where it answered its pilot, then wherever else it listens on that port.
fn addresses(instance: &Instance) -> Vec<SocketAddr> {
    let direct = instance.direct_url.split("://").nth(1).and_then(|rest| rest.parse().ok());
    let mut addresses: Vec<SocketAddr> = direct.into_iter().collect();
    let port = direct.map_or(instance.port, |direct| direct.port());
    for listener in instance.listeners.iter().filter(|listener| listener.port == port) {
        let address = SocketAddr::from((listener.dial_address(), port));
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses
}

fn condition(instance: &Instance) -> Condition {
    match instance.state {
        State::Ready => Condition::Up,
        State::Leased if instance.held => Condition::Dormant,
        // Its pilot takes connections for it.
        State::Starting | State::Unready if instance.held => Condition::Up,
        State::Planned | State::Leased | State::Starting | State::Unready => Condition::Starting,
        State::Stopping | State::Exited | State::Failed => Condition::Ended {
            exit_code: instance.exit_code,
            failed: instance.state == State::Failed,
            last_lines: instance.last_lines.clone(),
        },
    }
}

#[cfg(test)]
mod tests {
    use wharf_model::{Access, Listener, PathText, ProcessId, Remap, ServiceKey};

    use super::*;

    fn instance(service: &str, url: &str, state: State) -> Instance {
        Instance {
            id: format!("id-{service}-{state}"),
            key: ServiceKey {
                project: PathText::from_text("/shop".into()),
                worktree: String::new(),
                service: service.into(),
                instance: 1,
            },
            root: PathText::from_text("/shop".into()),
            framework: None,
            state,
            port: 8000,
            requested_port: 8000,
            listeners: Vec::new(),
            remap: Remap::Dup,
            remapped: Vec::new(),
            held: false,
            access: Access::default(),
            url: url.into(),
            direct_url: "http://127.0.0.1:8000".into(),
            pid: None,
            pilot_pid: 7,
            pilot: ProcessId { pid: 7, start_ticks: 1, boot_id: "b".into() },
            started_at: 1,
            definition: None,
            last_lines: Vec::new(),
            revive: false,
            restarts: 0,
            ready_ms: None,
            exit_code: None,
            command: Vec::new(),
            agent: None,
        }
    }

    fn of(instances: &[Instance]) -> RouteTable {
        table(instances.iter(), std::iter::empty(), Vec::new())
    }

    #[test]
    fn an_instance_is_reached_by_its_name_wherever_it_listens() {
        let mut web = instance("web", "http://shop.localhost:4080", State::Ready);
        web.direct_url = "http://[::1]:8000".into();
        let address = "0.0.0.0".parse().unwrap();
        web.listeners = vec![Listener { address, port: 8000, pid: None }];
        let table = of(&[web]);
        let route = table.find("shop.localhost", "/x").unwrap();
        let dialled: Vec<String> =
            route.upstream.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(dialled, ["[::1]:8000", "127.0.0.1:8000"]);
        assert_eq!((route.site.as_str(), &*route.upstream.name), ("shop.localhost", "shop"));
        assert_eq!(route.upstream.condition, Condition::Up);
    }

    #[test]
    fn who_lives_counts_more_than_who_was_there_before() {
        let mut dead = instance("web", "http://shop.localhost", State::Exited);
        dead.started_at = 9;
        let live = instance("web", "http://shop.localhost", State::Starting);
        for both in [[dead.clone(), live.clone()], [live, dead.clone()]] {
            let table = of(&both);
            let route = table.find("shop.localhost", "/").unwrap();
            assert_eq!(route.upstream.condition, Condition::Starting);
        }
        dead.exit_code = Some(3);
        let table = of(&[dead]);
        let condition = &table.find("shop.localhost", "/").unwrap().upstream.condition;
        assert!(matches!(condition, Condition::Ended { exit_code: Some(3), failed: false, .. }));
    }

    #[test]
    fn an_alias_counts_more_than_the_dead_and_less_than_the_living() {
        let target = wharf_model::Target::parse("https://127.0.0.1:5000").unwrap();
        let alias = |name: &str| Alias { name: name.into(), target, since: 1, checkout: None };
        let aliases = [alias("shop"), alias("db.shop")];
        let named = |state: State| {
            let web = instance("web", "http://shop.localhost", state);
            let table = table([web].iter(), aliases.iter(), Vec::new());
            let alone = table.find("db.shop.localhost", "/").unwrap();
            assert_eq!((alone.site.as_str(), &*alone.upstream.name), ("shop.localhost", "db.shop"));
            assert_eq!(alone.upstream.protocol, Protocol::Tls);
            table.find("shop.localhost", "/").unwrap().upstream.instance.is_some()
        };
        assert!(named(State::Starting) && named(State::Ready));
        assert!(!named(State::Exited) && !named(State::Failed));
    }

    #[test]
    fn a_path_of_the_projects_host_leads_to_the_service_that_claims_it() {
        let web = instance("web", "http://shop.localhost", State::Ready);
        let mut api = instance("api", "http://api.shop.localhost", State::Ready);
        api.access.paths = vec!["/api".into()];
        let table = of(&[web, api.clone()]);
        let found = |host: &str, path: &str| table.find(host, path).unwrap().upstream.name.clone();
        assert_eq!(&*found("shop.localhost", "/api/x"), "api.shop");
        assert_eq!(&*found("shop.localhost", "/"), "shop");
        assert_eq!(&*found("api.shop.localhost", "/"), "api.shop");
        api.state = State::Exited;
        assert!(of(&[api]).find("shop.localhost", "/api").is_none());
    }

    #[test]
    fn only_a_living_service_that_says_so_has_a_name_on_the_local_network() {
        let mut web = instance("web", "https://web.shop.localhost:4443", State::Ready);
        let mut api = instance("api", "http://api.shop.localhost", State::Ready);
        api.access.paths = vec!["/api".into()];
        assert!(lan_hosts(&of(&[web.clone(), api.clone()])).is_empty());
        web.access.lan = true;
        let table = of(&[web.clone(), api.clone()]);
        assert_eq!(lan_hosts(&table).into_iter().collect::<Vec<_>>(), ["web-shop.local"]);
        let route = table.find("web-shop.local", "/").unwrap();
        assert_eq!((route.lan, route.site.as_str()), (true, "web-shop.local"));
        assert!(!table.find("web.shop.localhost", "/").unwrap().lan, "its other name is not");
        web.state = State::Exited;
        assert!(lan_hosts(&of(&[web])).is_empty());
    }

    #[test]
    fn on_the_local_network_a_path_is_lent_by_those_that_are_there_themselves() {
        let mut web = instance("web", "http://shop.localhost", State::Ready);
        let mut api = instance("api", "http://api.shop.localhost", State::Ready);
        api.access.paths = vec!["/api".into()];
        web.access.lan = true;
        let whose = |both: &[Instance]| {
            of(both).find("shop.local", "/api").map(|route| route.upstream.name.clone())
        };
        assert_eq!(whose(&[web.clone(), api.clone()]).as_deref(), Some("shop"));
        api.access.lan = true;
        assert_eq!(whose(&[web.clone(), api.clone()]).as_deref(), Some("api.shop"));
        web.access.lan = false;
        assert_eq!(whose(&[web, api]), None);
    }

    #[test]
    fn of_two_with_one_name_there_the_older_has_it() {
        let mut one = instance("a", "http://web.shop.localhost", State::Ready);
        let mut other = instance("b", "http://web-shop.localhost", State::Ready);
        (one.access.lan, other.access.lan, other.started_at) = (true, true, 9);
        for both in [[one.clone(), other.clone()], [other.clone(), one.clone()]] {
            let table = of(&both);
            assert_eq!(&*table.find("web-shop.local", "/").unwrap().upstream.name, "web.shop");
        }
    }

    #[test]
    fn names_below_its_own_lead_to_whoever_asks_for_them() {
        let mut web = instance("web", "http://shop.localhost", State::Ready);
        let api = instance("api", "http://api.shop.localhost", State::Ready);
        assert!(of(&[web.clone()]).find("acme.shop.localhost", "/").is_none());
        web.access.wildcard = true;
        let table = of(&[web, api]);
        let found = |host: &str| table.find(host, "/").unwrap().upstream.name.clone();
        assert_eq!(
            (&*found("acme.shop.localhost"), &*found("a.b.shop.localhost")),
            ("shop", "shop")
        );
        assert_eq!(
            &*found("api.shop.localhost"),
            "api.shop",
            "who has the name itself comes first"
        );
    }

    #[test]
    fn what_speaks_no_http_has_no_route() {
        let database = instance("db", "tcp://db.shop.localhost:5432", State::Ready);
        assert!(of(&[database]).find("db.shop.localhost", "/").is_none());
        let bare = instance("web", "http://127.0.0.1:8000", State::Ready);
        assert_eq!(of(&[bare]).routes().count(), 0);
    }

    #[test]
    fn what_waits_for_its_first_connection_is_dormant_and_the_rest_is_starting() {
        let mut web = instance("web", "http://shop.localhost", State::Leased);
        assert_eq!(condition(&web), Condition::Starting);
        web.held = true;
        assert_eq!(condition(&web), Condition::Dormant);
    }
}

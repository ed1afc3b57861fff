//! From instances to routes.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use wharf_model::{
    Alias, Condition, Instance, Owner, Protocol, Route, RouteTable, State, Upstream, name,
};

use crate::aliases;

/// The routes of these instances and aliases. Of several instances with the same host the one that lives
/// counts, then the one that was started last. An alias counts less than an instance that lives, and more
/// than the memory of one that has ended.
pub(crate) fn table<'a>(
    instances: impl Iterator<Item = &'a Instance>,
    aliases: impl Iterator<Item = &'a Alias>,
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
    let own = |live: bool| {
        let own = by_host.iter().filter(move |(_, instance)| instance.state.is_live() == live);
        own.map(|(host, instance)| route(instance, host, "/"))
    };
    // Of two with the same host and path the first counts.
    let given = aliases.map(aliases::route);
    RouteTable::new(own(true).chain(lent).chain(given).chain(own(false)).collect::<Vec<Route>>())
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
        lan: access.lan,
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
            last_lines: Vec::new(),
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
            restarts: 0,
            ready_ms: None,
            exit_code: None,
            command: Vec::new(),
        }
    }

    fn of(instances: &[Instance]) -> RouteTable {
        table(instances.iter(), std::iter::empty())
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
        let alias = |name: &str| Alias { name: name.into(), target, since: 1 };
        let aliases = [alias("shop"), alias("db.shop")];
        let named = |state: State| {
            let web = instance("web", "http://shop.localhost", state);
            let table = table([web].iter(), aliases.iter());
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

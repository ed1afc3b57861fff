//! What a web server's configuration means for a project: which of its servers are services, which are others'.

use std::path::Path;

use wharf_export::{Behind, Lent, Named};
use wharf_model::alias::parse_name;
use wharf_model::name::{self, TLD};
use wharf_model::request::PortArgument;
use wharf_model::{PathText, Run, Service, ServiceKey};
use wharf_plan::fronts::{Front, Host, Place, Route};

use crate::up::project::Wanted;

/// Endings of names that people give to machines of their own; below `.localhost` they say nothing.
const OWN_ENDINGS: [&str; 3] = [".test", ".local", ".localhost"];

/// In wharf's words.
pub(crate) fn of(front: &Front, wanted: Option<&Wanted>, root: &Path, file: &Path) -> Behind {
    let services = wanted.map(|wanted| wanted.services.iter()).into_iter().flatten();
    let services = services.filter(|service| !service.is_step());
    let known = services.map(|service| (service, port_of(service))).collect();
    let below = |path: &Path| path.strip_prefix(root).unwrap_or(path).display().to_string();
    let mut reading = Reading { wanted, known, root, behind: Behind::default() };
    reading.behind.file = below(file);
    for route in &front.routes {
        reading.route(route);
    }
    for left in &front.left {
        let at = reading.shown(&left.place);
        reading.note(format!("not taken over ({at}): {}: {}", left.what, left.why));
    }
    reading.behind
}

/// The port that a service takes where nobody else has it.
fn port_of(service: &Service) -> Option<u16> {
    if let Some(PortArgument::Exactly(port) | PortArgument::AtLeast(port)) = service.port {
        return Some(port.get());
    }
    let argv = service.run.as_ref().map(|run| match run {
        Run::Words(words) => words.clone(),
        Run::Shell(text) => ["sh", "-c", text].map(Into::into).to_vec(),
    });
    let request = wharf_plan::Request {
        dir: &service.dir,
        command: argv.as_deref(),
        port: None,
        service: Some(&service.name),
        env: &|name| service.env.get(name).map(Into::into),
        home: None,
    };
    wharf_plan::plan(&request).ok().map(|plan| plan.request.wanted().get())
}

struct Reading<'a> {
    wanted: Option<&'a Wanted>,
    known: Vec<(&'a Service, Option<u16>)>,
    root: &'a Path,
    behind: Behind,
}

/// Whose server it is.
enum Whose<'a> {
    Service(&'a Service),
    /// Another program's, at this port or URL.
    Other(String),
    Nobody(String),
}

impl<'a> Reading<'a> {
    fn shown(&self, place: &Place) -> String {
        let file = place.file.strip_prefix(self.root).unwrap_or(&place.file);
        format!("{} line {}", file.display(), place.line)
    }

    fn note(&mut self, note: String) {
        if !self.behind.notes.contains(&note) {
            self.behind.notes.push(note);
        }
    }

    fn left(&mut self, route: &Route, why: &str) {
        let at = self.shown(&route.place);
        let what = format!("{} to {}", route.requests(), route.upstream);
        self.note(format!("not taken over ({at}): {what}: {why}"));
    }

    fn route(&mut self, route: &Route) {
        match self.whose(route) {
            Whose::Nobody(why) => self.left(route, &why),
            Whose::Service(service) => self.of_service(route, service),
            Whose::Other(target) => self.of_other(route, target),
        }
    }

    fn whose(&self, route: &Route) -> Whose<'a> {
        let port = route.upstream.port;
        if let Host::Named(name) = &route.upstream.host {
            if let Some((service, _)) = self.known.iter().find(|(one, _)| one.name == *name) {
                return Whose::Service(service);
            }
            return self.published(name, port);
        }
        match self.known.iter().find(|(_, known)| *known == Some(port)) {
            Some((service, _)) => Whose::Service(service),
            None => Whose::Other(match &route.upstream {
                one if one.tls => one.to_string(),
                one if matches!(one.host, Host::Address(address) if !is_usual(address)) => {
                    one.to_string()
                }
                one => one.port.to_string(),
            }),
        }
    }

    /// A port of a container's that is there on this machine too.
    fn published(&self, name: &str, port: u16) -> Whose<'a> {
        let external = self.wanted.map(|wanted| wanted.external.iter()).into_iter().flatten();
        let Some(external) = { external }.find(|external| external.name == name) else {
            return Whose::Nobody(format!("no service of this project is called `{name}`"));
        };
        let is_it = |one: &&wharf_model::Publication| one.is_tcp() && one.target == port;
        match external.published.iter().find(is_it).and_then(|one| one.host.as_ref()) {
            Some(host) if host.start() == host.end() => Whose::Other(host.start().to_string()),
            _ => Whose::Nobody(format!(
                "{} does not publish port {port} of `{name}` on this machine",
                external.by
            )),
        }
    }

    fn of_service(&mut self, route: &Route, service: &Service) {
        let at = self.shown(&route.place);
        let own = self.own_host(service);
        let all = &self.behind.services;
        if let Some(path) = &route.path
            && let Some(other) =
                all.iter().find(|one| one.service != service.name && one.paths.contains(path))
        {
            let why =
                format!("`{}` has that path already, and a project has one host", other.service);
            return self.left(route, &why);
        }
        let is_host_told = match &route.host {
            Some(host) => route.path.is_none() && !own.contains(host),
            None => false,
        };
        if is_host_told {
            let host = route.requests();
            let to = format!("http://{}", own[0]);
            self.note(format!("{host} is `{}` ({at}), which wharf calls {to}", service.name));
        }
        if route.path.is_none() && !route.is_wildcard {
            return;
        }
        let services = &mut self.behind.services;
        let index = services.iter().position(|one| one.service == service.name);
        let index = index.unwrap_or_else(|| {
            services.push(Lent { service: service.name.clone(), ..Lent::default() });
            services.len() - 1
        });
        let lent = &mut services[index];
        lent.wildcard |= route.is_wildcard && route.path.is_none();
        lent.paths.extend(route.path.clone().filter(|path| !lent.paths.contains(path)));
        if !lent.sources.contains(&at) {
            lent.sources.push(at);
        }
    }

    /// The hosts that wharf gives to a service in the main checkout.
    fn own_host(&self, service: &Service) -> Vec<String> {
        let key = ServiceKey {
            project: PathText::new(self.root),
            worktree: String::new(),
            service: service.name.clone(),
            instance: 1,
        };
        let mut hosts = Vec::new();
        if self.wanted.is_some_and(|wanted| wanted.primary() == Some(&service.name)) {
            hosts.push(name::host(&key, None, true));
        }
        hosts.push(name::host(&key, None, false));
        hosts
    }

    fn of_other(&mut self, route: &Route, target: String) {
        let at = self.shown(&route.place);
        if route.path.is_some() || route.is_wildcard {
            let why = "no service of this project has that port, and wharf leads paths and all names below one to \
                       services alone";
            return self.left(route, why);
        }
        let Some(name) = self.alias_of(route) else {
            return self.left(route, "its name is none that wharf can give");
        };
        if let Some(before) = self.behind.aliases.iter().find(|one| one.name == name) {
            if before.target != target {
                let why = format!("`{name}` leads to {} already", before.target);
                self.left(route, &why);
            }
            return;
        }
        if let Some(host) = route.host.as_ref().filter(|host| **host != format!("{name}.{TLD}")) {
            self.note(format!("{host} is http://{name}.{TLD} ({at})"));
        }
        self.behind.aliases.push(Named { name, target, source: at });
    }

    /// The name below `.localhost` for a host: the project's own for requests of any name.
    fn alias_of(&self, route: &Route) -> Option<String> {
        let Some(host) = &route.host else {
            let is_taken = self.wanted.is_some_and(|wanted| wanted.primary().is_some());
            let own = name::project_label(&PathText::new(self.root), 0);
            return parse_name(&own).ok().filter(|_| !is_taken);
        };
        let ending = OWN_ENDINGS.iter().find_map(|ending| host.strip_suffix(ending));
        parse_name(ending.unwrap_or(host)).ok()
    }
}

/// Whether dialling whichever loopback address answers comes to the same.
fn is_usual(address: std::net::IpAddr) -> bool {
    address == std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST)
}

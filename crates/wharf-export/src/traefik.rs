//! Traefik's file provider, and its labels (<https://doc.traefik.io/traefik/>).

use wharf_model::{OriginForm, Protocol};

use crate::document::Document;
use crate::error::ExportError;
use crate::quote;
use crate::site::{Handover, Server};
use crate::yaml::{Yaml, comments, map};

/// The entry point that the routers are for.
const ENTRY_POINT: &str = "wharf";

/// The priorities of names, and of paths, to which their length is added: whatever is below a name has less.
const NAMES: u64 = 1_000;
const PATHS: u64 = 2_000;

/// Fields that Traefik would pass on as a stranger has sent them, or of its own that wharf's proxy has not.
pub(crate) const SAID_BY_OTHERS: [&str; 2] = ["Forwarded", "X-Real-IP"];

/// A dynamic configuration.
pub(crate) fn file_provider(handover: &Handover) -> Result<Document, ExportError> {
    if handover.web().next().is_none() {
        let why = "it is about servers of HTTP";
        return Err(ExportError::Nothing { format: "Traefik", why });
    }
    let mut lines = handover.preamble("Traefik");
    lines.push(format!(
        "A dynamic configuration: traefik --entrypoints.{ENTRY_POINT}.address=127.0.0.1:{} \
         --providers.file.filename=traefik.yml",
        handover.front.port
    ));
    lines.push("A name that none of these routers has gets Traefik's own 404.".to_owned());
    let (mut routers, mut services) = (Vec::new(), Vec::new());
    let mut middlewares = vec![(middleware(handover), forwarding(handover))];
    for server in handover.web() {
        for route in routes(handover, server)? {
            routers.push((route.name.clone(), router(handover, &route, &[])));
            if translates_origin(handover, server) {
                for (number, origin) in route.origins.iter().enumerate() {
                    let (route, changed) = of_origin(handover, &route, number, origin);
                    routers.push((route.name.clone(), router(handover, &route, &[&route.name])));
                    middlewares.push((route.name, changed));
                }
            }
        }
        services.push((name(handover, server), service(server)));
    }
    let mut http = map([
        ("routers", Yaml::Map(routers)),
        ("middlewares", Yaml::Map(middlewares)),
        ("services", Yaml::Map(services)),
    ]);
    if handover.web().any(|server| server.protocol == Protocol::Tls) {
        let own = map([("insecureSkipVerify", Yaml::Bool(true))]);
        let said = "Servers of one's own, on loopback, with certificates of their own.";
        let own = Yaml::Said(said.to_owned(), Box::new(own));
        http = http.with("serversTransports", map([("wharf-own", own)]));
    }
    let mut document = map([("http", http)]);
    if let Some(tls) = &handover.front.tls {
        let file =
            |path: &std::path::Path| quote::text("Traefik", path.as_os_str()).map(Yaml::from);
        let certificate =
            map([("certFile", file(&tls.certificate)?), ("keyFile", file(&tls.key)?)]);
        document = document.with("tls", map([("certificates", Yaml::List(vec![certificate]))]));
    }
    let text = comments(&lines) + &document.document();
    // It is a template of Go's before it is YAML.
    Ok(Document::new("traefik.yml", text.replace("{{", "{{\"{{\"}}")))
}

/// The name of a server's service, and of its first router.
pub(crate) fn name(handover: &Handover, server: &Server) -> String {
    format!("{}-{}", handover.name, server.label())
}

/// The name of what all routers of a handover have in common: it takes [`SAID_BY_OTHERS`] out.
pub(crate) fn middleware(handover: &Handover) -> String {
    format!("{}-forwarding", handover.name)
}

fn forwarding(handover: &Handover) -> Yaml {
    let mut fields: Vec<(String, Yaml)> =
        SAID_BY_OTHERS.iter().map(|field| ((*field).to_owned(), "".into())).collect();
    // By itself it takes it from the Host, in which the port need not be.
    fields.push(("X-Forwarded-Port".to_owned(), handover.front.port.to_string().into()));
    let said = "What a stranger says of himself counts for nothing: empty ones are taken out.";
    let fields = map([("customRequestHeaders", Yaml::Map(fields))]);
    map([("headers", Yaml::Said(said.to_owned(), Box::new(fields)))])
}

/// A rule, and how far it goes before others.
pub(crate) struct Route {
    /// The router's name.
    pub(crate) name: String,
    /// Its rule.
    pub(crate) rule: String,
    /// Its priority: by itself Traefik takes the length of the rule for it, and several names would go before a path.
    pub(crate) priority: u64,
    /// The service that it leads to.
    pub(crate) service: String,
    /// The hosts that it is for, each with the rule for it alone.
    origins: Vec<(String, String)>,
}

/// What leads to a server: its names, all names below them, its paths of the project's name.
pub(crate) fn routes(handover: &Handover, server: &Server) -> Result<Vec<Route>, ExportError> {
    let service = name(handover, server);
    let route = |name: &str, rule: String, priority: u64, origins: Vec<(String, String)>| Route {
        name: format!("{service}{name}"),
        rule,
        // The odd ones between are for the routes that translate an origin.
        priority: priority * 2,
        service: service.clone(),
        origins,
    };
    let alone = |host: &String| (host.clone(), rule(std::slice::from_ref(host)));
    let origins = server.hosts.iter().map(alone).collect();
    let mut routes = vec![route("", rule(&server.hosts), NAMES, origins)];
    for (number, host) in server.hosts.iter().enumerate().filter(|_| server.wildcard) {
        // The closer one counts, and each less than any exact name: no host is longer than 253.
        let name = format!("-below-{number}");
        routes.push(route(&name, below_rule(host), host.len() as u64, Vec::new()));
    }
    let own = handover.lent(&server.site).filter(|(_, of)| std::ptr::eq(*of, server));
    for (number, (path, _)) in own.enumerate() {
        let rule = path_rule(&server.site, path)?;
        let origins = vec![(server.site.clone(), rule.clone())];
        routes.push(route(&format!("-path-{number}"), rule, PATHS + path.len() as u64, origins));
    }
    Ok(routes)
}

/// Whether a server is reached in the clear and compares `Origin` with the scheme that it sees.
fn translates_origin(handover: &Handover, server: &Server) -> bool {
    handover.front.tls.is_some()
        && server.origin_form == OriginForm::Plain
        && server.protocol != Protocol::Tls
}

/// The route for a page's own requests, and the middleware that says `http` in them: fields are set to what is written
/// in the file alone, so that each origin has its own, and a `Referer`, which has a path, stays.
fn of_origin(
    handover: &Handover,
    route: &Route,
    number: usize,
    (host, rule): &(String, String),
) -> (Route, Yaml) {
    let site = match handover.front.port {
        443 => host.clone(),
        port => format!("{host}:{port}"),
    };
    let of_origin = Route {
        name: format!("{}-origin-{number}", route.name),
        rule: format!("{rule} && Header(`Origin`, `https://{site}`)"),
        priority: route.priority + 1,
        service: route.service.clone(),
        origins: Vec::new(),
    };
    let fields = map([("Origin", format!("http://{site}").into())]);
    (of_origin, map([("headers", map([("customRequestHeaders", fields)]))]))
}

fn router(handover: &Handover, route: &Route, more: &[&String]) -> Yaml {
    let common = middleware(handover);
    let middlewares = std::iter::once(&common).chain(more.iter().copied());
    let router = map([
        ("rule", route.rule.clone().into()),
        ("priority", Yaml::Number(route.priority)),
        ("service", route.service.clone().into()),
        ("middlewares", Yaml::List(middlewares.map(|name| name.clone().into()).collect())),
        ("entryPoints", Yaml::List(vec![ENTRY_POINT.into()])),
    ]);
    match handover.front.tls {
        Some(_) => router.with("tls", map([])),
        None => router,
    }
}

/// Answers go on at once, and the Host as it came, which is what Traefik does by itself.
fn service(server: &Server) -> Yaml {
    let url = format!("{}://{}", scheme(server), server.socket());
    let balancer = map([
        ("servers", Yaml::List(vec![map([("url", url.into())])])),
        ("passHostHeader", Yaml::Bool(true)),
        ("responseForwarding", map([("flushInterval", "-1".into())])),
    ]);
    let balancer = match server.protocol {
        Protocol::Tls => balancer.with("serversTransport", "wharf-own".into()),
        _ => balancer,
    };
    map([("loadBalancer", balancer)])
}

/// What Traefik calls what a server speaks.
pub(crate) fn scheme(server: &Server) -> &'static str {
    match server.protocol {
        Protocol::Http1 => "http",
        Protocol::H2c => "h2c",
        Protocol::Tls => "https",
    }
}

/// A rule for hosts: names are labels of letters, digits and hyphens, so that nothing in them is quoted.
fn rule(hosts: &[String]) -> String {
    hosts.iter().map(|host| format!("Host(`{host}`)")).collect::<Vec<_>>().join(" || ")
}

/// A rule for all names below a host.
fn below_rule(host: &str) -> String {
    format!("HostRegexp(`^.+\\.{}$`)", host.replace('.', "\\."))
}

fn path_rule(site: &str, path: &str) -> Result<String, ExportError> {
    quote::normal_path("Traefik", path)?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@/".contains(c);
    if !path.chars().all(is_plain) {
        return Err(ExportError::NoForm {
            format: "Traefik",
            what: format!("{path:?}"),
            why: "what is encoded in an address it compares in a form of its own, and wharf as it comes",
        });
    }
    let below = path.trim_end_matches('/');
    // `PathPrefix` of `/api` would be `/apis` too.
    Ok(format!("Host(`{site}`) && (Path(`{path}`) || PathPrefix(`{below}/`))"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::tests::{server, shop};

    #[test]
    fn a_file_that_looks_like_a_template_is_none_and_a_path_that_is_encoded_is_refused() {
        let file = |name: &str| std::path::PathBuf::from(format!("/home/{{{{x}}}}/{name}"));
        let mut api = server("api", 8001);
        api.paths = vec!["/~a+b!$&(c)*,;=:@'".into()];
        let mut handover = shop(vec![api.clone()]);
        handover.front.tls = Some(crate::site::Tls { certificate: file("cert"), key: file("key") });
        let text = file_provider(&handover).unwrap().text;
        assert!(text.contains("/home/{{\"{{\"}}x}}/cert"), "{text}");
        assert!(text.contains("(`/~a+b!$&(c)*,;=:@'`)"), "{text}");
        for path in ["/a%20b", "/a`b", "/a b", "/{a}", "/ü", "/a\n"] {
            api.paths = vec![path.into()];
            let refused = file_provider(&shop(vec![api.clone()])).unwrap_err();
            assert!(refused.to_string().contains("Traefik"), "{refused}");
        }
    }

    #[test]
    fn paths_go_before_names_however_many_and_names_before_what_is_below_them() {
        let mut web = server("web", 8000);
        web.hosts = (0..40).map(|number| format!("name-{number}.shop.localhost")).collect();
        web.hosts.push("shop.localhost".to_owned());
        web.wildcard = true;
        let mut api = server("api", 8001);
        api.paths = vec!["/a".into(), "/a/b".into()];
        let mut second = api.clone();
        second.key.instance = 2;
        let handover = shop(vec![web, api, second]);
        let of = |number: usize| routes(&handover, &handover.servers[number]).unwrap();
        let (web, api) = (of(0), of(1));
        assert!(web[1..].iter().all(|below| below.priority < web[0].priority));
        assert!(api[1..].iter().all(|path| path.priority > web[0].priority + 1));
        // The longest first.
        assert!(api[1].priority > api[2].priority + 1);
        assert_eq!(of(2).len(), 1, "of several instances the first has the paths");
    }
}

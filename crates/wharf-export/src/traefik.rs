//! Traefik's file provider, and its labels (<https://doc.traefik.io/traefik/>).

use wharf_model::Protocol;

use crate::document::Document;
use crate::error::ExportError;
use crate::quote;
use crate::site::{Handover, Server};
use crate::yaml::{Yaml, comments, map};

/// The entry point that the routers are for.
const ENTRY_POINT: &str = "wharf";

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
    for server in handover.web() {
        let name = name(handover, server);
        routers.push((name.clone(), router(handover, rule(&server.hosts), &name)));
        if server.wildcard {
            for (number, host) in server.hosts.iter().enumerate() {
                let router = router(handover, below_rule(host), &name);
                let router = router.with("priority", Yaml::Number(below_priority(host)));
                routers.push((format!("{name}-below-{number}"), router));
            }
        }
        for (number, path) in server.paths.iter().enumerate() {
            let rule = path_rule(&server.site, path)?;
            routers.push((format!("{name}-path-{number}"), router(handover, rule, &name)));
        }
        services.push((name, service(server)));
    }
    let mut http = map([("routers", Yaml::Map(routers)), ("services", Yaml::Map(services))]);
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
    Ok(Document::new("traefik.yml", comments(&lines) + &document.document()))
}

fn name(handover: &Handover, server: &Server) -> String {
    format!("{}-{}", handover.name, server.label())
}

fn router(handover: &Handover, rule: String, service: &str) -> Yaml {
    let router = map([
        ("rule", rule.into()),
        ("service", service.into()),
        ("entryPoints", Yaml::List(vec![ENTRY_POINT.into()])),
    ]);
    match handover.front.tls {
        Some(_) => router.with("tls", map([])),
        None => router,
    }
}

/// Answers go on at once, and the Host as it came, which is what Traefik does by itself.
fn service(server: &Server) -> Yaml {
    let scheme = match server.protocol {
        Protocol::Http1 => "http",
        Protocol::H2c => "h2c",
        Protocol::Tls => "https",
    };
    let url = format!("{scheme}://{}", server.socket());
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

/// A rule for hosts: names are labels of letters, digits and hyphens, so that nothing in them is quoted.
pub(crate) fn rule(hosts: &[String]) -> String {
    hosts.iter().map(|host| format!("Host(`{host}`)")).collect::<Vec<_>>().join(" || ")
}

/// A rule for all names below a host.
pub(crate) fn below_rule(host: &str) -> String {
    format!("HostRegexp(`^.+\\.{}$`)", host.replace('.', "\\."))
}

/// The closer one counts, and each less than any exact rule, whose priority is its length.
pub(crate) fn below_priority(host: &str) -> u64 {
    host.len() as u64
}

pub(crate) fn path_rule(site: &str, path: &str) -> Result<String, ExportError> {
    if path.contains(['`', '\n', '\r', '\0']) {
        return Err(ExportError::NoForm {
            format: "Traefik",
            what: format!("{path:?}"),
            why: "its rules have backquotes and no escape for one",
        });
    }
    let below = path.trim_end_matches('/');
    // `PathPrefix` of `/api` would be `/apis` too.
    Ok(format!("Host(`{site}`) && (Path(`{path}`) || PathPrefix(`{below}/`))"))
}

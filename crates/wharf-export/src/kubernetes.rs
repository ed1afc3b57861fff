//! Kubernetes: a Deployment and a Service for each server, and what leads names to them
//! (<https://kubernetes.io/docs/reference/kubernetes-api/>, <https://gateway-api.sigs.k8s.io/>).

use crate::document::Document;
use crate::error::ExportError;
use crate::site::{Handover, Key, Server, one_line};
use crate::yaml::{Yaml, comments, map};

const FORMAT: &str = "Kubernetes";

/// How names lead to services.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// `HTTPRoute` of the Gateway API.
    Gateway,
    /// `Ingress`.
    Ingress,
}

/// Everything in one file of several documents.
pub(crate) fn manifest(handover: &Handover, way: Way) -> Result<Document, ExportError> {
    let servers: Vec<&Server> =
        handover.listening().filter(|server| server.key.instance == 1).collect();
    if servers.is_empty() {
        return Err(ExportError::Nothing { format: FORMAT, why: "it is about servers" });
    }
    let mut lines = handover.preamble(FORMAT);
    lines.push("An image for each has to be built and pushed first: the names of images are to be filled in.".into());
    lines.push("Not in it: steps such as migrations, and storage. Variables stand here as they are: no Secret is made.".to_owned());
    if way == Way::Gateway && servers.iter().any(|server| server.is_web()) {
        lines.push(
            "The routes belong to a Gateway named `wharf`, which the cluster has to have.".into(),
        );
    }
    let mut text = comments(&lines);
    // A namespace of its own: services find each other by their own names, in each of several checkouts.
    let mut documents = vec![map([
        ("apiVersion", "v1".into()),
        ("kind", "Namespace".into()),
        ("metadata", map([("name", label(&handover.name)?.into())])),
    ])];
    for server in servers {
        let name = label(&server.label())?;
        documents.push(deployment(handover, server, &name));
        documents.push(service(&handover.name, server, &name));
        documents.extend(routes(&handover.name, server, &name, way));
    }
    for document in documents {
        text.push_str(&format!("---\n{}", document.document()));
    }
    Ok(Document::private("kubernetes.yaml", text))
}

/// A Service's name is a label of a domain that begins with a letter.
fn label(text: &str) -> Result<String, ExportError> {
    match text.len() <= 63 && text.starts_with(|c: char| c.is_ascii_lowercase()) {
        true => Ok(text.to_owned()),
        false => Err(ExportError::NoForm {
            format: FORMAT,
            what: format!("the name {text:?}"),
            why: "a Service's name begins with a letter and has no more than 63 characters",
        }),
    }
}

fn meta(space: &str, name: &str) -> Yaml {
    map([
        ("name", name.into()),
        ("namespace", space.into()),
        ("labels", map([("app", name.into())])),
    ])
}

fn deployment(handover: &Handover, server: &Server, name: &str) -> Yaml {
    let of_service = |other: &&Server| {
        let Key { service, .. } = &other.key;
        *service == server.key.service && other.checkout == server.checkout
    };
    let replicas = handover.servers.iter().filter(of_service).count();
    let mut container = map([
        ("name", server.key.service.as_str().into()),
        (
            "image",
            Yaml::Said(
                "To be filled in.".to_owned(),
                Box::new(format!("{}-{name}:dev", handover.name).into()),
            ),
        ),
    ]);
    // `$(` begins a reference to another variable, and `$$` is one `$` (reference of EnvVar).
    let env = server.within.env.iter().map(|(name, value)| {
        map([("name", name.clone().into()), ("value", value.replace('$', "$$").into())])
    });
    let env = env.collect();
    let port =
        map([("name", port_name(server).into()), ("containerPort", server.conventional.into())]);
    container = container.with("ports", Yaml::List(vec![port])).with("env", Yaml::List(env));
    let template = map([
        ("metadata", map([("labels", map([("app", name.into())]))])),
        (
            "spec",
            map([
                ("terminationGracePeriodSeconds", Yaml::Number(server.stop_grace.as_secs().max(1))),
                ("containers", Yaml::List(vec![container])),
            ]),
        ),
    ]);
    let said = format!("{} ({})", one_line(&server.called()), one_line(&server.source));
    Yaml::Map(vec![
        ("apiVersion".to_owned(), Yaml::Said(said, Box::new("apps/v1".into()))),
        ("kind".to_owned(), "Deployment".into()),
        ("metadata".to_owned(), meta(&handover.name, name)),
        (
            "spec".to_owned(),
            map([
                ("replicas", Yaml::Number(replicas as u64)),
                ("selector", map([("matchLabels", map([("app", name.into())]))])),
                ("template", template),
            ]),
        ),
    ])
}

fn port_name(server: &Server) -> &'static str {
    if server.is_web() { "http" } else { "tcp" }
}

/// By the conventional port, which is what siblings then ask for.
fn service(space: &str, server: &Server, name: &str) -> Yaml {
    let port = map([
        ("name", port_name(server).into()),
        ("port", server.conventional.into()),
        ("targetPort", port_name(server).into()),
    ]);
    map([
        ("apiVersion", "v1".into()),
        ("kind", "Service".into()),
        ("metadata", meta(space, name)),
        (
            "spec",
            map([("selector", map([("app", name.into())])), ("ports", Yaml::List(vec![port]))]),
        ),
    ])
}

/// Every host and every path that leads to it, closest first.
fn places(server: &Server) -> Vec<(String, String)> {
    let own = hosts(server).into_iter().map(|host| (host, "/".to_owned()));
    let lent = server.paths.iter().map(|path| (server.site.clone(), path.clone()));
    lent.chain(own).collect()
}

/// Its names, `*.` in front for all below.
fn hosts(server: &Server) -> Vec<String> {
    let below = server.hosts.iter().filter(|_| server.wildcard).map(|host| format!("*.{host}"));
    server.hosts.iter().cloned().chain(below).collect()
}

fn routes(space: &str, server: &Server, name: &str, way: Way) -> Vec<Yaml> {
    match (server.is_web(), way) {
        (false, _) => Vec::new(),
        (true, Way::Ingress) => vec![ingress(space, server, name)],
        (true, Way::Gateway) => {
            let own = http_route(space, name, name, server, &hosts(server), &["/".to_owned()]);
            // A route's paths count for all of its hosts: those of another host are another route's.
            let lent = (!server.paths.is_empty()).then(|| {
                let site = std::slice::from_ref(&server.site);
                http_route(space, &format!("{name}-paths"), name, server, site, &server.paths)
            });
            std::iter::once(own).chain(lent).collect()
        }
    }
}

fn ingress(space: &str, server: &Server, name: &str) -> Yaml {
    let backend = map([(
        "service",
        map([("name", name.into()), ("port", map([("number", server.conventional.into())]))]),
    )]);
    let rules = places(server).into_iter().map(|(host, path)| {
        let path = map([
            ("path", path.into()),
            ("pathType", "Prefix".into()),
            ("backend", backend.clone()),
        ]);
        map([("host", host.into()), ("http", map([("paths", Yaml::List(vec![path]))]))])
    });
    map([
        ("apiVersion", "networking.k8s.io/v1".into()),
        ("kind", "Ingress".into()),
        ("metadata", meta(space, name)),
        ("spec", map([("rules", Yaml::List(rules.collect()))])),
    ])
}

fn http_route(
    space: &str,
    name: &str,
    service: &str,
    server: &Server,
    hosts: &[String],
    paths: &[String],
) -> Yaml {
    let backend = map([("name", service.into()), ("port", server.conventional.into())]);
    let matches = paths.iter().map(|path| {
        map([("path", map([("type", "PathPrefix".into()), ("value", path.as_str().into())]))])
    });
    let rule = map([
        ("matches", Yaml::List(matches.collect())),
        ("backendRefs", Yaml::List(vec![backend])),
    ]);
    map([
        ("apiVersion", "gateway.networking.k8s.io/v1".into()),
        ("kind", "HTTPRoute".into()),
        ("metadata", meta(space, name)),
        (
            "spec",
            map([
                ("parentRefs", Yaml::List(vec![map([("name", "wharf".into())])])),
                ("hostnames", Yaml::List(hosts.iter().map(|host| host.as_str().into()).collect())),
                ("rules", Yaml::List(vec![rule])),
            ]),
        ),
    ])
}

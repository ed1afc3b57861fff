//! Docker Compose (<https://github.com/compose-spec/compose-spec/blob/main/spec.md>).

use wharf_model::Protocol;

use crate::document::Document;
use crate::error::ExportError;
use crate::quote;
use crate::site::{Handover, Server, one_line};
use crate::traefik;
use crate::yaml::{Yaml, comments, map};

const FORMAT: &str = "Docker Compose";

/// Where a project lies in its containers.
const SOURCES: &str = "/src";

/// Images with the programs of a language, where a service has no Dockerfile: those of Docker's own library.
const IMAGES: [(&str, &str); 7] = [
    ("python", "python:3"),
    ("node", "node:lts"),
    ("php", "php:cli"),
    ("ruby", "ruby:3"),
    ("java", "maven:3-eclipse-temurin-21"),
    ("go", "golang:1"),
    ("rust", "rust:1"),
];

/// The services, each at its conventional port within, and at its own on this machine.
pub(crate) fn project(handover: &Handover) -> Result<Document, ExportError> {
    if handover.servers.is_empty() {
        return Err(ExportError::Nothing { format: FORMAT, why: "it is about services" });
    }
    let mut lines = handover.preamble(FORMAT);
    lines.push(
        "`docker compose up` runs it. A server has to listen on all addresses of its container."
            .into(),
    );
    lines.push("The labels are for a Traefik beside it, and nobody else minds them.".to_owned());
    if handover.web().any(|server| server.protocol == Protocol::Tls) {
        lines.push(
            "Certificates of one's own it takes with --serverstransport.insecureskipverify, which no label says."
                .to_owned(),
        );
    }
    let mut services = Vec::new();
    for server in &handover.servers {
        services.push((server.label(), service(handover, server)?));
    }
    let document = map([("name", handover.name.clone().into()), ("services", Yaml::Map(services))]);
    Ok(Document::private("compose.yaml", comments(&lines) + &document.document()))
}

fn service(handover: &Handover, server: &Server) -> Result<Yaml, ExportError> {
    let dir = server.below(&handover.root);
    let dir = quote::text(FORMAT, dir.as_os_str())?;
    let outside = match dir {
        "." => ".".to_owned(),
        dir if dir.starts_with('/') => dir.to_owned(),
        dir => format!("./{dir}"),
    };
    let mut service = map([]);
    if server.has_dockerfile {
        service = service.with("build", literal(&outside).into());
    } else {
        let image = IMAGES.iter().find(|(name, _)| Some(*name) == server.language.as_deref());
        let image = match image {
            Some((_, image)) => Yaml::from(*image),
            None => Yaml::Said(
                "An image that has what the command needs: nothing here says which.".to_owned(),
                Box::new("debian:stable".into()),
            ),
        };
        let within = if dir == "." || dir.starts_with('/') {
            SOURCES.to_owned()
        } else {
            format!("{SOURCES}/{dir}")
        };
        let mounted = if dir.starts_with('/') { outside } else { ".".to_owned() };
        let mount = map([
            ("type", "bind".into()),
            ("source", literal(&mounted).into()),
            ("target", SOURCES.into()),
        ]);
        service = service
            .with("image", image)
            .with("working_dir", literal(&within).into())
            .with("volumes", Yaml::List(vec![mount]))
            .with("command", command(server)?);
    }
    let service = with_variables(service, server);
    with_ports(service, handover, server)
}

fn command(server: &Server) -> Result<Yaml, ExportError> {
    let mut words = Vec::new();
    for word in &server.within.argv {
        words.push(literal(quote::text(FORMAT, word)?).into());
    }
    match words.is_empty() {
        false => Ok(Yaml::List(words)),
        true => Err(ExportError::NoForm {
            format: FORMAT,
            what: format!("the command of `{}`", server.called()),
            why: "it is not known, or needs files that wharf writes",
        }),
    }
}

/// `$` begins a variable in every value of a compose file; two of them are one.
fn literal(text: &str) -> String {
    text.replace('$', "$$")
}

fn with_variables(service: Yaml, server: &Server) -> Yaml {
    let env = &server.within.env;
    let env: Vec<(String, Yaml)> =
        env.iter().map(|(name, value)| (name.clone(), literal(value).into())).collect();
    if env.is_empty() { service } else { service.with("environment", Yaml::Map(env)) }
}

fn with_ports(
    mut service: Yaml,
    handover: &Handover,
    server: &Server,
) -> Result<Yaml, ExportError> {
    if !server.depends_on.is_empty() {
        let mut needs = Vec::new();
        for name in &server.depends_on {
            let of_name =
                |other: &&Server| other.key.service == *name && other.checkout == server.checkout;
            for other in handover.servers.iter().filter(of_name) {
                let condition = if other.is_step {
                    "service_completed_successfully"
                } else {
                    "service_started"
                };
                needs.push((other.label(), map([("condition", condition.into())])));
            }
        }
        service = service.with("depends_on", Yaml::Map(needs));
    }
    if server.is_step {
        return Ok(service);
    }
    // An address without brackets has no colons here.
    let address = match server.address {
        std::net::IpAddr::V4(address) => address.to_string(),
        std::net::IpAddr::V6(address) => format!("[{address}]"),
    };
    let port = format!("{address}:{}:{}", server.port, server.conventional);
    let said = format!("{} ({})", one_line(&server.called()), one_line(&server.source));
    let ports = Yaml::List(vec![port.into()]);
    service = service.with("ports", Yaml::Said(said, Box::new(ports)));
    if server.is_web() {
        service = service.with("labels", Yaml::Map(labels(handover, server)?));
    }
    Ok(service)
}

/// What a Traefik reads that watches Docker. Of several routers each has to name the service.
fn labels(handover: &Handover, server: &Server) -> Result<Vec<(String, Yaml)>, ExportError> {
    let forwarding = traefik::middleware(handover);
    let service = traefik::name(handover, server);
    let mut labels = vec![
        ("enable".to_owned(), "true".to_owned()),
        (
            format!("http.services.{service}.loadbalancer.server.port"),
            server.conventional.to_string(),
        ),
        (
            format!("http.services.{service}.loadbalancer.server.scheme"),
            traefik::scheme(server).to_owned(),
        ),
    ];
    for field in traefik::SAID_BY_OTHERS {
        let key = format!("http.middlewares.{forwarding}.headers.customrequestheaders.{field}");
        labels.push((key, String::new()));
    }
    for route in traefik::routes(handover, server)? {
        let mut of = |key: &str, value: String| {
            labels.push((format!("http.routers.{}.{key}", route.name), value));
        };
        of("rule", literal(&route.rule));
        of("priority", route.priority.to_string());
        of("service", route.service.clone());
        of("middlewares", forwarding.clone());
    }
    Ok(labels.into_iter().map(|(key, value)| (format!("traefik.{key}"), value.into())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::tests::{server, shop};

    #[test]
    fn labels_say_what_a_server_speaks() {
        for (protocol, scheme) in
            [(Protocol::Http1, "http"), (Protocol::H2c, "h2c"), (Protocol::Tls, "https")]
        {
            let mut api = server("api", 8001);
            api.protocol = protocol;
            let text = project(&shop(vec![api])).unwrap().text;
            let label =
                format!("traefik.http.services.shop-api.loadbalancer.server.scheme: {scheme}\n");
            assert!(text.contains(&label), "{text}");
            assert_eq!(text.contains("insecureskipverify"), protocol == Protocol::Tls, "{text}");
        }
    }
}

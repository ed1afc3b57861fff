//! A development container's ports (<https://containers.dev/implementors/json_reference/>).

use serde_json::{Map, Value, json};

use crate::document::Document;
use crate::error::ExportError;
use crate::site::{Handover, Server};

/// Images for development containers with the programs of a language, by who specifies those.
const IMAGES: [(&str, &str); 7] = [
    ("python", "python:3"),
    ("node", "javascript-node:22"),
    ("php", "php:8"),
    ("ruby", "ruby:3"),
    ("java", "java:21"),
    ("go", "go:1"),
    ("rust", "rust:1"),
];

/// Where none is known, or several are.
const ANY: &str = "base:debian";

/// The ports that an editor forwards out of the container, and what they are. Within the container nobody else is:
/// every server is at its conventional port, and only copies beside it are at others.
pub(crate) fn devcontainer(handover: &Handover) -> Result<Document, ExportError> {
    let servers: Vec<&Server> = handover.listening().collect();
    if servers.is_empty() {
        let why = "it is about ports";
        return Err(ExportError::Nothing { format: "a development container", why });
    }
    let mut ports: Vec<u16> = Vec::new();
    for server in &servers {
        let free = (server.conventional..=u16::MAX).find(|port| !ports.contains(port));
        ports.push(free.unwrap_or(server.conventional));
    }
    let attributes: Map<String, Value> = servers
        .iter()
        .zip(&ports)
        .map(|(server, port)| {
            let mut about = json!({ "label": server.called(), "onAutoForward": "silent" });
            if server.is_web() {
                let tls = server.protocol == wharf_model::Protocol::Tls;
                about["protocol"] = if tls { "https" } else { "http" }.into();
            }
            (port.to_string(), about)
        })
        .collect();
    let document = json!({
        "name": handover.name,
        "image": format!("mcr.microsoft.com/devcontainers/{}", image(&servers)),
        "forwardPorts": ports,
        "portsAttributes": attributes,
        "otherPortsAttributes": { "onAutoForward": "ignore" },
    });
    Ok(Document::new(".devcontainer/devcontainer.json", format!("{document:#}\n")))
}

/// That of the language which all servers have whose language is known: without an image nothing is a container.
fn image(servers: &[&Server]) -> &'static str {
    let mut languages = servers.iter().filter_map(|server| server.language.as_deref());
    let first = languages.next();
    let named = IMAGES.iter().find(|(name, _)| Some(*name) == first);
    match named {
        Some((name, image)) if languages.all(|other| other == *name) => image,
        _ => ANY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::tests::{server, shop};

    #[test]
    fn a_container_has_an_image_of_its_language_or_of_none() {
        let image = |languages: &[Option<&str>]| {
            let servers = languages.iter().zip(8000..).map(|(language, port)| {
                let mut server = server(&format!("s{port}"), port);
                server.language = language.map(str::to_owned);
                server
            });
            let document = devcontainer(&shop(servers.collect())).unwrap();
            let value: Value = serde_json::from_str(&document.text).unwrap();
            value["image"].as_str().unwrap().rsplit_once('/').unwrap().1.to_owned()
        };
        assert_eq!(image(&[Some("python"), None, Some("python")]), "python:3");
        assert_eq!(image(&[Some("python"), Some("node")]), "base:debian");
        assert_eq!(image(&[None]), "base:debian");
    }
}

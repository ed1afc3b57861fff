//! A development container's ports (<https://containers.dev/implementors/json_reference/>).

use serde_json::{Map, Value, json};

use crate::document::Document;
use crate::error::ExportError;
use crate::site::{Handover, Server};

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
        "forwardPorts": ports,
        "portsAttributes": attributes,
        "otherPortsAttributes": { "onAutoForward": "ignore" },
    });
    Ok(Document::new(".devcontainer/devcontainer.json", format!("{document:#}\n")))
}

//! What engines answer, as far as it is read.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use wharf_model::Transport;

use super::{Container, Published};

/// One entry of `GET /containers/json`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    id: String,
    #[serde(default)]
    names: Option<Vec<String>>,
    #[serde(default)]
    image: Option<String>,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    ports: Option<Vec<ListedPort>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListedPort {
    #[serde(rename = "IP", default)]
    ip: Option<String>,
    private_port: u16,
    #[serde(default)]
    public_port: Option<u16>,
    #[serde(rename = "Type", default)]
    kind: Option<String>,
}

/// An engine's own word for why it refuses.
#[derive(Debug, Deserialize)]
struct Refusal {
    message: String,
}

/// The containers of an answer.
///
/// # Errors
/// It is not what the API says.
pub(super) fn containers(
    engine: &'static str,
    socket: &Path,
    body: &[u8],
) -> Result<Vec<Container>, serde_json::Error> {
    let listed: Vec<Listed> = serde_json::from_slice(body)?;
    Ok(listed.into_iter().map(|one| container(engine, socket, one)).collect())
}

/// The words of a refusal.
pub(super) fn refusal(body: &[u8]) -> Option<String> {
    serde_json::from_slice::<Refusal>(body).ok().map(|refusal| refusal.message)
}

fn container(engine: &'static str, socket: &Path, listed: Listed) -> Container {
    let names = listed.names.unwrap_or_default();
    let name = names.first().map(|name| name.trim_start_matches('/').to_owned());
    let labels = listed.labels.unwrap_or_default();
    let label = |name: &str| labels.get(name).cloned();
    let ports = listed.ports.unwrap_or_default();
    Container {
        engine,
        socket: socket.to_owned(),
        name: name.unwrap_or_else(|| listed.id.chars().take(12).collect()),
        id: listed.id,
        image: listed.image.unwrap_or_default(),
        folder: label("com.docker.compose.project.working_dir"),
        service: label("com.docker.compose.service"),
        published: ports.into_iter().filter_map(published).collect(),
    }
}

/// A port that is only exposed has no public one.
fn published(port: ListedPort) -> Option<Published> {
    let transport = match port.kind.as_deref() {
        None | Some("tcp") => Transport::Tcp,
        Some("udp") => Transport::Udp,
        Some(_) => return None,
    };
    Some(Published {
        transport,
        address: port.ip.and_then(|ip| ip.parse().ok()),
        port: port.public_port.filter(|port| *port != 0)?,
        inner: port.private_port,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the documentation of `ContainerList`, cut.
    const LIST: &str = r#"[
      {"Id": "8dfafdbc3a40", "Names": ["/boring_feynman"], "Image": "ubuntu:latest",
       "Labels": {"com.docker.compose.project.working_dir": "/srv/shop",
                  "com.docker.compose.service": "db"},
       "Ports": [{"PrivatePort": 2222, "PublicPort": 3333, "Type": "tcp"},
                 {"IP": "127.0.0.1", "PrivatePort": 53, "PublicPort": 5353, "Type": "udp"},
                 {"PrivatePort": 80, "Type": "tcp"},
                 {"PrivatePort": 1, "PublicPort": 1, "Type": "sctp"}]},
      {"Id": "9cd87474be90", "Names": [], "Ports": null, "Labels": null}
    ]"#;

    #[test]
    fn a_list_is_read_as_the_documentation_has_it() {
        let found = containers("docker", Path::new("/x"), LIST.as_bytes()).unwrap();
        let [first, second] = &found[..] else { panic!("{found:?}") };
        assert_eq!(
            (first.name.as_str(), first.image.as_str()),
            ("boring_feynman", "ubuntu:latest")
        );
        assert_eq!(first.folder.as_deref(), Some("/srv/shop"));
        assert_eq!(first.service.as_deref(), Some("db"));
        let ports: Vec<_> =
            first.published.iter().map(|p| (p.transport, p.port, p.inner)).collect();
        assert_eq!(ports, [(Transport::Tcp, 3333, 2222), (Transport::Udp, 5353, 53)]);
        assert_eq!(first.published[1].address, Some([127, 0, 0, 1].into()));
        assert_eq!((second.name.as_str(), second.published.len()), ("9cd87474be90", 0));
        assert!(containers("docker", Path::new("/x"), b"{}").is_err());
        assert_eq!(
            refusal(br#"{"message": "No such container: x"}"#).unwrap(),
            "No such container: x"
        );
        assert_eq!(refusal(b"<html>"), None);
    }
}

//! What a compose file publishes, on which addresses of this machine.

use std::collections::BTreeMap;
use std::path::Path;

use wharf_model::Publication;

use super::files::{Files, SourceFile};
use crate::services::yaml::{Item, Yaml};
use crate::services::{dotenv, interpolation, published};

/// One published port, or a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Published {
    /// The service.
    pub(super) service: String,
    /// As it is written.
    pub(super) text: String,
    /// The line, from 1.
    pub(super) line: usize,
    /// The ports of this machine; none where Docker chooses one.
    pub(super) ports: Vec<u16>,
    /// The address of this machine; empty where none is said.
    pub(super) address: String,
    /// Whether it is written in the long form.
    pub(super) is_long: bool,
}

impl Published {
    /// Whether every interface of this machine has it.
    pub(super) fn is_everywhere(&self) -> bool {
        matches!(self.address.as_str(), "" | "0.0.0.0" | "[::]" | "::")
    }
}

/// What a file publishes. One that is no YAML publishes nothing that is known.
pub(super) fn published(file: &SourceFile, files: &Files) -> Vec<Published> {
    let Ok(yaml) = Yaml::parse(&file.text) else { return Vec::new() };
    let variables = variables(&file.path, files);
    let services = yaml.root().and_then(|root| root.get("services"));
    let mut found = Vec::new();
    for (name, body) in services.into_iter().flat_map(Item::entries) {
        let service = name.text().unwrap_or_default();
        for item in body.get("ports").into_iter().flat_map(Item::items) {
            let one = if item.is_map() { long(item, &variables) } else { short(item, &variables) };
            found.extend(one.map(|one| Published { service: service.to_owned(), ..one }));
        }
    }
    found
}

/// The variables of the `.env` beside a file.
fn variables(path: &Path, files: &Files) -> BTreeMap<String, String> {
    let beside = path.with_file_name(".env");
    let file = files.all.iter().find(|file| file.path == beside);
    file.map(|file| dotenv::parse(&file.text)).unwrap_or_default()
}

fn short(item: Item<'_>, variables: &BTreeMap<String, String>) -> Option<Published> {
    let text = item.text()?;
    let filled = interpolation::fill(text, &|name| variables.get(name).cloned()).ok()?;
    let ports = tcp_ports(&published::short(&filled).ok()?);
    let host = filled.rsplit_once(':').map_or("", |(host, _)| host);
    let address = host.rsplit_once(':').map_or("", |(address, _)| address);
    // A variable that is set elsewhere may hold an address.
    if address.is_empty() && filled.starts_with(':') && text.starts_with('$') {
        return None;
    }
    let address = if host.starts_with('[') && host.ends_with(']') { host } else { address };
    Some(Published {
        service: String::new(),
        text: text.to_owned(),
        line: item.line(),
        ports,
        address: address.to_owned(),
        is_long: false,
    })
}

fn long(item: Item<'_>, variables: &BTreeMap<String, String>) -> Option<Published> {
    let of = |key: &str| {
        let text = item.get(key).and_then(Item::text).unwrap_or_default();
        interpolation::fill(text, &|name| variables.get(name).cloned()).unwrap_or_default()
    };
    let published = item.get("published");
    let address = of("host_ip");
    if address.is_empty() && item.get("host_ip").is_some() {
        return None;
    }
    let form = published::Long {
        target: of("target"),
        published: of("published"),
        host_ip: address.clone(),
        protocol: of("protocol"),
    };
    Some(Published {
        service: String::new(),
        text: format!("published: {}", of("published")),
        line: published.unwrap_or(item).line(),
        ports: tcp_ports(&[form.publication().ok()?]),
        address,
        is_long: true,
    })
}

fn tcp_ports(all: &[Publication]) -> Vec<u16> {
    all.iter().filter(|one| one.is_tcp()).filter_map(|one| one.host.clone()).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(ports: &str, env: &str) -> Vec<(usize, Vec<u16>, bool)> {
        let text = format!("services:\n  web:\n    ports:\n{ports}");
        let files = Files::made(&[("compose.yml", &text), (".env", env)]);
        let file = files.all.iter().find(|file| file.name() == "compose.yml").unwrap();
        let of = |one: Published| (one.line, one.ports.clone(), one.is_everywhere());
        published(file, &files).into_iter().map(of).collect()
    }

    #[test]
    fn both_forms_and_variables() {
        for (ports, expected) in [
            ("      - \"8000:80\"\n", (4, vec![8000], true)),
            ("      - 0.0.0.0:8000:80\n", (4, vec![8000], true)),
            ("      - 127.0.0.1:8000:80\n", (4, vec![8000], false)),
            ("      - \"[::1]:8000:80\"\n", (4, vec![8000], false)),
            ("      - \"80\"\n", (4, vec![], true)),
            ("      - 127.0.0.1::80\n", (4, vec![], false)),
            ("      - ${P}:80\n", (4, vec![9000], true)),
            ("      - ${HERE:-127.0.0.1}:8000:80\n", (4, vec![8000], false)),
            ("      - target: 80\n        published: \"8000\"\n", (5, vec![8000], true)),
            (
                "      - target: 80\n        published: 8000\n        host_ip: 127.0.0.1\n",
                (5, vec![8000], false),
            ),
        ] {
            assert_eq!(found(ports, "P=9000\n"), [expected], "{ports}");
        }
        assert_eq!(found("      - ${HERE}:8000:80\n", ""), [], "nobody knows");
        assert_eq!(found("      - [\n", ""), []);
    }
}

//! Compose files: what Docker starts, and which ports of this machine it publishes.
//!
//! wharf starts none of it. It wants to know whose the ports are.

use std::collections::BTreeMap;
use std::path::Path;

use wharf_model::External;

use crate::error::PlanError;

use super::found::{self, Found, SERVICES_MAX};
use super::yaml::{Item, Wrong, Yaml};
use super::{dotenv, interpolation, published};

/// The files that docker compose looks for, in its order.
pub(crate) const FILES: &[&str] =
    &["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];

/// The files that it lays over the first one, of which it takes the first.
const OVERRIDES: &[&str] = &[
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
];

/// How many published ports are noted of one project.
const PORTS_MAX: usize = 20_000;

/// What a compose file and its override say of a service.
#[derive(Default)]
struct Container {
    image: Option<String>,
    build: Option<String>,
    profiles: Vec<String>,
    ports: Vec<u16>,
    source: String,
}

/// The services that docker compose would start in a folder.
pub(crate) fn external(dir: &Path, found: &mut Found<'_>) -> Result<Vec<External>, PlanError> {
    let first =
        |names: &[&str]| names.iter().map(|name| dir.join(name)).find(|path| path.is_file());
    let Some(path) = first(FILES) else {
        found.step(FILES.join(", "), "not there");
        return Ok(Vec::new());
    };
    let variables = match found::read(&dir.join(".env"))? {
        Some(text) => dotenv::parse(&text),
        None => BTreeMap::new(),
    };
    let mut containers = Containers { variables: &variables, all: Vec::new(), ports: 0 };
    for path in std::iter::once(path).chain(first(OVERRIDES)) {
        let Some(text) = found::read(&path)? else { continue };
        let shown = found.shown(&path);
        containers.read(&text, &shown).map_err(|wrong| found::malformed(&path, wrong))?;
        found.step(shown, format!("services for Docker so far: {}", containers.all.len()));
    }
    let active = variables.get("COMPOSE_PROFILES").map_or("", String::as_str);
    let active: Vec<&str> = active.split(',').map(str::trim).collect();
    let mut external = Vec::new();
    for (name, container) in containers.all {
        let is_on = |profile: &String| active.contains(&profile.as_str()) || active.contains(&"*");
        if !container.profiles.is_empty() && !container.profiles.iter().any(is_on) {
            found.step(
                container.source,
                format!("`{name}` is of a profile: it starts by request only"),
            );
            continue;
        }
        if let Some(what) = what(&container) {
            let (ports, source) = (container.ports, container.source);
            external.push(External { name, by: "docker compose".into(), what, ports, source });
        }
    }
    Ok(external)
}

fn what(container: &Container) -> Option<String> {
    match (&container.build, &container.image) {
        (Some(folder), _) => Some(format!("build {folder}")),
        (None, Some(image)) => Some(format!("image {image}")),
        (None, None) => None,
    }
}

/// The services of one project, file upon file.
struct Containers<'a> {
    variables: &'a BTreeMap<String, String>,
    all: Vec<(String, Container)>,
    ports: usize,
}

impl Containers<'_> {
    fn read(&mut self, text: &str, shown: &str) -> Result<(), Wrong> {
        let yaml = Yaml::parse(text)?;
        let Some(root) = yaml.root() else { return Ok(()) };
        if !root.is_map() {
            return Err(wrong(root, "it is no mapping"));
        }
        let Some(services) = root.get("services").filter(|services| !services.is_null()) else {
            return Ok(());
        };
        if !services.is_map() {
            return Err(wrong(services, "`services` is no mapping"));
        }
        for (key, body) in services.entries() {
            let Some(name) = key.text() else { return Err(wrong(key, "a service without a name")) };
            if !body.is_map() && !body.is_null() {
                return Err(wrong(body, format!("`{name}` is no mapping")));
            }
            let source = format!("{shown} line {}", key.line());
            let container = self.container(name, source, key)?;
            self.lay_over(container, body)?;
        }
        Ok(())
    }

    /// The index of a service, which is made if it is new.
    fn container(&mut self, name: &str, source: String, key: Item<'_>) -> Result<usize, Wrong> {
        if let Some(index) = self.all.iter().position(|(known, _)| known == name) {
            return Ok(index);
        }
        if self.all.len() >= SERVICES_MAX {
            return Err(wrong(key, format!("more than {SERVICES_MAX} services")));
        }
        self.all.push((name.to_owned(), Container { source, ..Container::default() }));
        Ok(self.all.len() - 1)
    }

    fn lay_over(&mut self, index: usize, body: Item<'_>) -> Result<(), Wrong> {
        let image = self.text(body.get("image"))?;
        let build = match body.get("build") {
            Some(build) if build.is_map() => {
                Some(self.text(build.get("context"))?.unwrap_or_else(|| ".".to_owned()))
            }
            build => self.text(build)?,
        };
        let mut profiles = Vec::new();
        for profile in body.get("profiles").into_iter().flat_map(Item::items) {
            profiles.extend(self.text(Some(profile))?);
        }
        let said = body.get("ports");
        let mut ports = Vec::new();
        for port in said.into_iter().flat_map(Item::items) {
            ports.extend(self.published(port)?);
            if self.ports + ports.len() > PORTS_MAX {
                return Err(wrong(port, format!("more than {PORTS_MAX} ports")));
            }
        }
        self.ports += ports.len();
        let container = &mut self.all[index].1;
        container.image = image.or(container.image.take());
        container.build = build.or(container.build.take());
        container.profiles.append(&mut profiles);
        if said.is_some_and(|said| matches!(said.tag(), "reset" | "override")) {
            container.ports.clear();
        }
        container.ports.append(&mut ports);
        container.ports.sort_unstable();
        container.ports.dedup();
        Ok(())
    }

    /// The text of a value with its variables filled in.
    fn text(&self, item: Option<Item<'_>>) -> Result<Option<String>, Wrong> {
        let Some((item, text)) = item.and_then(|item| Some((item, item.text()?))) else {
            return Ok(None);
        };
        interpolation::fill(text, self.variables).map(Some).map_err(|why| wrong(item, why))
    }

    fn published(&self, port: Item<'_>) -> Result<Vec<u16>, Wrong> {
        if !port.is_map() {
            let Some(text) = self.text(Some(port))? else { return Ok(Vec::new()) };
            return published::short(&text).map_err(|why| wrong(port, why));
        }
        let value = |key| Ok(self.text(port.get(key))?.unwrap_or_default());
        published::long(&value("published")?, &value("protocol")?).map_err(|why| wrong(port, why))
    }
}

fn wrong(item: Item<'_>, why: impl Into<String>) -> Wrong {
    Wrong { line: item.line(), why: why.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn read(files: &[(&str, &str)]) -> Result<Vec<External>, PlanError> {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(dir.path().join(name), text).unwrap();
        }
        external(dir.path(), &mut Found::new(dir.path()))
    }

    fn ports(text: &str) -> Vec<u16> {
        read(&[("compose.yaml", text)]).unwrap()[0].ports.clone()
    }

    #[test]
    fn what_docker_starts_and_publishes() {
        let text = "services:\n  db:\n    image: postgres:${V:-16}\n    ports: ['127.0.0.1:5432:5432']\n  \
                    app:\n    build: {dockerfile: x}\n    image: own\n    ports:\n      - target: 80\n        \
                    published: \"${P}\"\n      - \"9229:9229/udp\"\n      - 8081\n  other: {build: ./o}\n  none: {}\n";
        let all = read(&[("docker-compose.yml", text), (".env", "P=8080")]).unwrap();
        let short =
            |e: &External| (e.name.clone(), e.what.clone(), e.ports.clone(), e.source.clone());
        let row = |name: &str, what: &str, ports: &[u16], line| {
            (
                name.to_owned(),
                what.to_owned(),
                ports.to_vec(),
                format!("docker-compose.yml line {line}"),
            )
        };
        assert_eq!(
            all.iter().map(short).collect::<Vec<_>>(),
            [
                row("db", "image postgres:16", &[5432], 2),
                row("app", "build .", &[8080], 5),
                row("other", "build ./o", &[], 13)
            ]
        );
        assert!(all.iter().all(|external| external.by == "docker compose"));
    }

    #[test]
    fn an_override_adds_and_replaces() {
        let base =
            "services:\n  a: {image: x, ports: ['80:80']}\n  b: {image: y, ports: ['81:80']}\n";
        let over = "services:\n  a: {image: z, ports: ['80:80', '82:80']}\n  b:\n    ports: !override ['83:80']\n  c: {image: w}\n";
        let all = read(&[
            ("compose.yaml", base),
            ("compose.override.yml", over),
            ("docker-compose.yml", "x"),
        ])
        .unwrap();
        assert_eq!((all[0].what.as_str(), &all[0].ports[..]), ("image z", &[80, 82][..]));
        assert_eq!((&all[1].ports[..], all[2].name.as_str()), (&[83][..], "c"));
    }

    #[test]
    fn a_profile_starts_by_request_only() {
        let text = "services:\n  a: {image: x, profiles: [debug]}\n  b: {image: y}\n";
        assert_eq!(read(&[("compose.yaml", text)]).unwrap().len(), 1);
        assert_eq!(
            read(&[("compose.yaml", text), (".env", "COMPOSE_PROFILES=x,debug")]).unwrap().len(),
            2
        );
    }

    #[test]
    fn merged_services_and_aliases() {
        let text =
            "x-base: &base\n  image: x\n  ports: &p ['80:80']\nservices:\n  a:\n    <<: *base\n";
        assert_eq!(ports(text), [80]);
        assert_eq!(ports(&format!("{text}    ports: *p\n")), [80]);
    }

    #[test]
    fn what_is_wrong_names_its_line() {
        for (text, expected) in [
            ("services:\n  a: {image: x}\n   b: [\n", 3),
            ("- a\n", 1),
            ("services: [a]\n", 1),
            ("services:\n  a: 1\n", 2),
            ("services:\n  a:\n    image: x\n    ports:\n      - 'http:80'\n", 5),
            ("services:\n  a:\n    image: ${x\n", 3),
            ("services:\n  a:\n    ports: ['1-65535:1-65535']\n", 3),
        ] {
            match read(&[("compose.yaml", text)]) {
                Err(PlanError::MalformedFile { line, .. }) => assert_eq!(line, expected, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
        assert_eq!(read(&[("compose.yaml", "# nothing\n")]).unwrap(), []);
        assert_eq!(read(&[("compose.yaml", "web:\n  image: x\n")]).unwrap(), []);
        assert_eq!(read(&[]).unwrap(), []);
    }
}

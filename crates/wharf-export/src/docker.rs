//! wharf's own `wharf.toml` for a project that Docker Compose starts: which files say so, whose the ports are, and
//! what could run on this machine instead.

use wharf_model::{External, Publication};

use crate::document::Document;
use crate::quote;
use crate::site::one_line;

/// Below this port a bind may need a privilege.
const FIRST_UNPRIVILEGED: u16 = 1024;

/// What is known of a compose project.
#[derive(Clone, Debug, Default)]
pub struct Docker {
    /// What docker compose calls it.
    pub name: String,
    /// Its files as they are found from the root, where docker compose would not find them there by itself.
    pub files: Vec<String>,
    /// The profiles that were asked for.
    pub profiles: Vec<String>,
    /// What it starts.
    pub services: Vec<External>,
    /// What starts by request only, and the profiles of it.
    pub dormant: Vec<(External, Vec<String>)>,
    /// Services that are built from a folder in which wharf would run something, with that folder from the root.
    pub could_run_here: Vec<(String, String)>,
}

/// The file: a table for the compose files, and comments for what they say, which is read anew each time.
pub fn docker_toml(docker: &Docker) -> Document {
    let mut text = format!(
        "# What Docker starts of {}, by `wharf import compose`: yours to change from here on.\n\
         # The compose files are read each time: their ports are kept from others, and services are told of them.\n",
        one_line(&docker.name)
    );
    if !docker.files.is_empty() || !docker.profiles.is_empty() {
        text.push_str("\n[compose]\n");
    }
    for (key, values) in [("files", &docker.files), ("profiles", &docker.profiles)] {
        if !values.is_empty() {
            let values: Vec<String> = values.iter().map(|value| quote::toml(value)).collect();
            text.push_str(&format!("{key} = [{}]\n", values.join(", ")));
        }
    }
    for external in &docker.services {
        text.push_str(&service(external));
    }
    for (external, profiles) in &docker.dormant {
        text.push_str(&service(external));
        text.push_str(&format!(
            "#   by request only: profile {}\n",
            one_line(&profiles.join(", "))
        ));
    }
    for (name, dir) in &docker.could_run_here {
        text.push_str(&could_run_here(docker, name, dir));
    }
    Document::new("wharf.toml", text)
}

fn service(external: &External) -> String {
    let External { name, what, source, .. } = external;
    let mut text = format!("\n# {}: {} ({})\n", one_line(name), one_line(what), one_line(source));
    if external.published.is_empty() {
        text.push_str("#   publishes no port\n");
    }
    for one in &external.published {
        text.push_str(&format!("#   {}\n", shown(one)));
    }
    if external.ports().len() == 1 {
        let variable = name.to_ascii_uppercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        text.push_str(&format!(
            "#   for services: {{{}.port}}, WHARF_{variable}_PORT\n",
            one_line(name)
        ));
    }
    text
}

/// `127.0.0.1:5432 to 5432/tcp`.
fn shown(one: &Publication) -> String {
    let address = one.address.map_or_else(String::new, |address| format!("{address}, "));
    let host = match one.host_text() {
        text if text.is_empty() => "any port".to_owned(),
        text => format!("port {text}"),
    };
    format!("{address}{host} to {}/{}", one.target, one_line(&one.protocol))
}

/// Commented out: two that serve the same would run.
fn could_run_here(docker: &Docker, name: &str, dir: &str) -> String {
    let external = docker.services.iter().find(|external| external.name == name);
    let port = external.and_then(|external| {
        // One below 1024 is Docker's to bind, and seldom ours.
        external.ports().into_iter().find(|port| *port >= FIRST_UNPRIVILEGED)
    });
    let label = wharf_model::name::slug(name);
    let mut text = format!(
        "\n# {} could run on this machine: take the `#` away, and leave it out of `docker compose up`.\n\
         # [service.{label}]\n# dir = {}\n",
        one_line(name),
        quote::toml(dir)
    );
    if let Some(port) = port {
        text.push_str(&format!("# port = \"{port}+\"\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn external(name: &str, host: Option<u16>) -> External {
        External {
            name: name.into(),
            by: "docker compose".into(),
            what: "image postgres:16".into(),
            published: vec![Publication {
                address: Some([127, 0, 0, 1].into()),
                host: host.map(|port| port..=port),
                target: 5432,
                protocol: "tcp".into(),
            }],
            container: None,
            source: "compose.yaml line 2\n".into(),
        }
    }

    #[test]
    fn a_name_stays_in_its_comments() {
        let name = "db\n[service.web]\nrun = 'touch X'\n#";
        let docker = Docker {
            services: vec![external(name, Some(5433))],
            could_run_here: vec![(name.into(), "db".into())],
            ..Docker::default()
        };
        let text = docker_toml(&docker).text;
        assert!(text.lines().all(|line| line.is_empty() || line.starts_with('#')), "{text}");
    }

    #[test]
    fn the_files_are_named_and_the_ports_said() {
        let docker = Docker {
            name: "shop".into(),
            files: vec!["dev/compose.yaml".into()],
            profiles: vec!["a\"b".into()],
            services: vec![external("my-db", Some(5433)), external("web", None)],
            dormant: vec![(external("tools", Some(1)), vec!["debug".into()])],
            could_run_here: vec![("my-db".into(), "db".into())],
        };
        let text = docker_toml(&docker).text;
        for line in [
            "files = [\"dev/compose.yaml\"]",
            "profiles = [\"a\\\"b\"]",
            "# my-db: image postgres:16 (compose.yaml line 2 )",
            "#   127.0.0.1, port 5433 to 5432/tcp",
            "#   for services: {my-db.port}, WHARF_MY_DB_PORT",
            "#   127.0.0.1, any port to 5432/tcp",
            "#   by request only: profile debug",
            "# [service.my-db]",
            "# port = \"5433+\"",
        ] {
            assert!(text.lines().any(|known| known == line), "{line}:\n{text}");
        }
    }
}

//! The formats that there are.

use crate::document::Document;
use crate::error::ExportError;
use crate::site::Handover;
use crate::{
    caddy, compose, devcontainer, haproxy, kubernetes, nginx, procfile, systemd, traefik,
    variables, vscode,
};

/// A tool, and where it has several, which of its formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// nginx: a server for each name.
    Nginx,
    /// nginx: a port for each server.
    NginxPorts,
    /// Caddy's Caddyfile.
    Caddy,
    /// Caddy's own JSON.
    CaddyJson,
    /// Traefik's file provider.
    Traefik,
    /// HAProxy.
    Haproxy,
    /// Docker Compose, with Traefik's labels.
    Compose,
    /// Kubernetes, with the Gateway API.
    Kubernetes,
    /// Kubernetes, with an Ingress.
    KubernetesIngress,
    /// systemd's user units.
    Systemd,
    /// A Procfile.
    Procfile,
    /// A development container's ports.
    Devcontainer,
    /// Visual Studio Code: tasks and launch configurations.
    Vscode,
    /// A `.env` file.
    Env,
    /// direnv's `.envrc`.
    Direnv,
    /// mise's `mise.toml`.
    Mise,
}

impl Target {
    /// Writes it.
    ///
    /// # Errors
    /// The format has no words for something.
    pub fn write(self, handover: &Handover) -> Result<Vec<Document>, ExportError> {
        if handover.front.tls.is_some() && !self.takes_tls() {
            return Err(ExportError::NoTls { format: self.title() });
        }
        check_labels(handover, self.title())?;
        match self {
            Target::Nginx => nginx::by_name(handover).map(one),
            Target::NginxPorts => nginx::by_port(handover).map(one),
            Target::Caddy => caddy::caddyfile(handover).map(one),
            Target::CaddyJson => caddy::json(handover).map(one),
            Target::Traefik => traefik::file_provider(handover).map(one),
            Target::Haproxy => haproxy::configuration(handover).map(one),
            Target::Compose => compose::project(handover).map(one),
            Target::Kubernetes => kubernetes::manifest(handover, kubernetes::Way::Gateway).map(one),
            Target::KubernetesIngress => {
                kubernetes::manifest(handover, kubernetes::Way::Ingress).map(one)
            }
            Target::Systemd => systemd::units(handover),
            Target::Procfile => procfile::procfile(handover).map(one),
            Target::Devcontainer => devcontainer::devcontainer(handover).map(one),
            Target::Vscode => vscode::files(handover),
            Target::Env => variables::dotenv(handover).map(one),
            Target::Direnv => variables::direnv(handover).map(one),
            Target::Mise => variables::mise(handover).map(one),
        }
    }

    /// Whether it is a web server in front of all, which can speak TLS.
    pub fn takes_tls(self) -> bool {
        matches!(
            self,
            Target::Nginx | Target::Caddy | Target::CaddyJson | Target::Traefik | Target::Haproxy
        )
    }

    /// Whether its servers find each other by their services' names, which several checkouts share.
    pub fn is_of_one_project(self) -> bool {
        matches!(
            self,
            Target::Compose
                | Target::Kubernetes
                | Target::KubernetesIngress
                | Target::Procfile
                | Target::Vscode
        )
    }

    /// What people call it.
    pub fn title(self) -> &'static str {
        match self {
            Target::Nginx | Target::NginxPorts => "nginx",
            Target::Caddy | Target::CaddyJson => "Caddy",
            Target::Traefik => "Traefik",
            Target::Haproxy => "HAProxy",
            Target::Compose => "Docker Compose",
            Target::Kubernetes | Target::KubernetesIngress => "Kubernetes",
            Target::Systemd => "systemd",
            Target::Procfile => "a Procfile",
            Target::Devcontainer => "a development container",
            Target::Vscode => "Visual Studio Code",
            Target::Env => "a .env file",
            Target::Direnv => "direnv",
            Target::Mise => "mise",
        }
    }
}

fn one(document: Document) -> Vec<Document> {
    vec![document]
}

/// By its label each is known in a file: two of one would be taken for one.
fn check_labels(handover: &Handover, format: &'static str) -> Result<(), ExportError> {
    let mut labels: Vec<String> = handover.servers.iter().map(|server| server.label()).collect();
    labels.sort_unstable();
    match labels.windows(2).find(|pair| pair[0] == pair[1]) {
        None => Ok(()),
        Some(pair) => Err(ExportError::NoForm {
            format,
            what: format!("two servers that are called {:?}", pair[0]),
            why: "the second instance of `api` is called `api-2`, as a service may be",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::tests::{server, shop};

    #[test]
    fn two_of_one_label_are_refused() {
        let mut second = server("api", 8001);
        second.key.instance = 2;
        let handover = shop(vec![server("api", 8000), second, server("api-2", 8002)]);
        let refused = Target::Haproxy.write(&handover).unwrap_err();
        assert!(refused.to_string().contains("api-2"), "{refused}");
    }
}

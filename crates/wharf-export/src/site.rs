//! What is handed over: servers, their names, how they are started.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use wharf_model::service::{Restart, Run};
use wharf_model::{OriginForm, Protocol};

/// Everything that is handed over, of one checkout or of several.
#[derive(Clone, Debug)]
pub struct Handover {
    /// A label for all of it, such as `shop` or `fix-login-shop`: lower-case letters, digits and hyphens.
    pub name: String,
    /// The folder that relative paths start from: the root of the checkout.
    pub root: PathBuf,
    /// The servers and steps, in the order in which they are declared.
    pub servers: Vec<Server>,
    /// How a web server in front listens.
    pub front: Front,
    /// Where programs are looked for, as in the caller's shell.
    pub path: Option<String>,
}

/// How a web server in front of all listens: on loopback alone.
#[derive(Clone, Debug)]
pub struct Front {
    /// The port for names.
    pub port: u16,
    /// The certificate for names, where it is TLS that is spoken there.
    pub tls: Option<Tls>,
}

/// A certificate for every name, and its key.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The chain, PEM.
    pub certificate: PathBuf,
    /// The key, PEM.
    pub key: PathBuf,
}

/// Which server it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The service.
    pub service: String,
    /// The number of the instance, from 1.
    pub instance: u32,
}

/// A command and its variables, with everything filled in.
#[derive(Clone, Debug, Default)]
pub struct Launch {
    /// The command; empty where it cannot be said without wharf.
    pub argv: Vec<OsString>,
    /// Its variables.
    pub env: Vec<(String, String)>,
}

/// One instance of a service, or a step.
#[derive(Clone, Debug)]
pub struct Server {
    /// Which one.
    pub key: Key,
    /// The checkout's own label, where several are handed over.
    pub checkout: String,
    /// Its names: `web.shop.localhost`. Empty for what does not speak HTTP.
    pub hosts: Vec<String>,
    /// Whether every name below them leads to it as well, where nothing else has it.
    pub wildcard: bool,
    /// The host of its project, some paths of which may lead to it.
    pub site: String,
    /// The paths of that host that lead to it, such as `/api`: that one and what is below it.
    pub paths: Vec<String>,
    /// Where it listens.
    pub address: IpAddr,
    /// Its port on this machine.
    pub port: u16,
    /// The port that it takes where nobody else is: that within a container.
    pub conventional: u16,
    /// What it speaks.
    pub protocol: Protocol,
    /// In which form it wants to hear of `https`.
    pub origin_form: OriginForm,
    /// Whether it runs now.
    pub runs: bool,
    /// What the project says of its command, with placeholders filled in and no port handed over.
    pub declared: Option<Run>,
    /// The variables that its project sets, with placeholders filled in.
    pub declared_env: Vec<(String, String)>,
    /// How it is launched on this machine.
    pub here: Launch,
    /// How it is launched by who listens for it and passes the socket as descriptor 3, with `LISTEN_FDS` and
    /// `LISTEN_PID`; nothing where it takes none, or none is known of it.
    pub passed: Option<Launch>,
    /// How it is launched in a container of its own, where nobody else has its conventional port and siblings are
    /// called by their labels.
    pub within: Launch,
    /// The folder it runs in; absolute.
    pub dir: PathBuf,
    /// Services that have to be ready before.
    pub depends_on: Vec<String>,
    /// Whether it ends: a step such as a migration.
    pub is_step: bool,
    /// Whether it is launched again when it ends.
    pub restart: Restart,
    /// The signal that asks it to end, such as `TERM`.
    pub stop_signal: String,
    /// How long it has after that.
    pub stop_grace: Duration,
    /// The language of its framework, where it is known.
    pub language: Option<String>,
    /// Whether its folder has a Dockerfile.
    pub has_dockerfile: bool,
    /// Where it was found, such as `Procfile line 2`.
    pub source: String,
}

impl Server {
    /// A label that is its own in this handover: `web`, `web-2`, and with the checkout where there are several.
    pub fn label(&self) -> String {
        let mut label = self.key.service.clone();
        if !self.checkout.is_empty() {
            label = format!("{}-{label}", self.checkout);
        }
        if self.key.instance > 1 {
            label = format!("{label}-{}", self.key.instance);
        }
        label
    }

    /// What people call it.
    pub fn called(&self) -> String {
        let own = match self.key.instance {
            1 => self.key.service.clone(),
            number => format!("{}.{number}", self.key.service),
        };
        if self.checkout.is_empty() { own } else { format!("{own} of {}", self.checkout) }
    }

    /// `127.0.0.1:8000`, `[::1]:8000`.
    pub fn socket(&self) -> String {
        std::net::SocketAddr::new(self.address, self.port).to_string()
    }

    fn hosts_of(&self) -> impl Iterator<Item = &str> {
        self.hosts.iter().map(String::as_str)
    }

    /// Whether it is reached by name over HTTP.
    pub fn is_web(&self) -> bool {
        !self.hosts.is_empty() && !self.is_step
    }

    /// Its folder as seen from another one; the same is `.`, one elsewhere stays absolute.
    pub(crate) fn below<'a>(&'a self, root: &Path) -> &'a Path {
        match self.dir.strip_prefix(root) {
            Ok(rest) if rest.as_os_str().is_empty() => Path::new("."),
            Ok(rest) => rest,
            Err(_) => &self.dir,
        }
    }
}

impl Handover {
    /// The servers that are reached by name.
    pub(crate) fn web(&self) -> impl Iterator<Item = &Server> {
        self.servers.iter().filter(|server| server.is_web())
    }

    /// Those that listen, by whatever they speak.
    pub(crate) fn listening(&self) -> impl Iterator<Item = &Server> {
        self.servers.iter().filter(|server| !server.is_step)
    }

    /// Every exact host that leads somewhere, once, with its server: what a path is lent of comes with the host.
    pub(crate) fn lent<'a>(&'a self, host: &'a str) -> impl Iterator<Item = (&'a str, &'a Server)> {
        let of_host = self.web().filter(move |server| server.site == host);
        let mut lent: Vec<(&str, &Server)> = of_host
            .flat_map(|server| server.paths.iter().map(move |path| (path.as_str(), server)))
            .collect();
        // The longest first: a web server that takes the first match then takes the closest one.
        lent.sort_by(|a, b| (b.0.len(), a.0).cmp(&(a.0.len(), b.0)));
        // Of several instances that are lent a path the first has it.
        lent.dedup_by(|later, first| later.0 == first.0);
        lent.into_iter()
    }

    /// The hosts of which all names below lead to a server. The longest first: the closest one counts.
    pub(crate) fn wild(&self) -> Vec<(&str, &Server)> {
        let of = |server| Server::hosts_of(server).map(move |host| (host, server));
        let mut wild: Vec<(&str, &Server)> =
            self.web().filter(|server| server.wildcard).flat_map(of).collect();
        wild.sort_by(|a, b| (b.0.len(), a.0).cmp(&(a.0.len(), b.0)));
        wild
    }

    /// Hosts of projects that have paths and no server of their own.
    pub(crate) fn bare_sites(&self) -> Vec<&str> {
        let mut sites: Vec<&str> = self
            .web()
            .filter(|server| !server.paths.is_empty())
            .map(|server| server.site.as_str())
            .filter(|site| !self.web().any(|server| server.hosts.iter().any(|host| host == site)))
            .collect();
        sites.sort_unstable();
        sites.dedup();
        sites
    }

    /// What stands at the top of every file that takes comments: one line each.
    pub(crate) fn preamble(&self, format: &str) -> Vec<String> {
        let planned = self.servers.iter().filter(|server| !server.is_step && !server.runs).count();
        let mut lines = vec![format!("{} for {format}, by `wharf export`.", one_line(&self.name))];
        if planned > 0 {
            lines.push(format!(
                "{planned} of {} do not run now: their ports are those that they are planned to have.",
                self.listening().count()
            ));
        }
        lines
    }
}

/// A text that fits in a comment: whatever would end the line is shown and does not.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A server of a project `shop`.
    pub(crate) fn server(service: &str, port: u16) -> Server {
        Server {
            key: Key { service: service.to_owned(), instance: 1 },
            checkout: String::new(),
            hosts: vec![format!("{service}.shop.localhost")],
            wildcard: false,
            site: "shop.localhost".to_owned(),
            paths: Vec::new(),
            address: std::net::Ipv4Addr::LOCALHOST.into(),
            port,
            conventional: 8000,
            protocol: Protocol::Http1,
            origin_form: OriginForm::Plain,
            runs: true,
            declared: Some(Run::Shell(format!("./{service}"))),
            declared_env: Vec::new(),
            here: Launch { argv: vec![format!("./{service}").into()], env: Vec::new() },
            passed: None,
            within: Launch { argv: vec![format!("./{service}").into()], env: Vec::new() },
            dir: PathBuf::from("/src/shop"),
            depends_on: Vec::new(),
            is_step: false,
            restart: Restart::No,
            stop_signal: "TERM".to_owned(),
            stop_grace: Duration::from_secs(5),
            language: None,
            has_dockerfile: false,
            source: "wharf.toml".to_owned(),
        }
    }

    /// A project `shop` with these servers.
    pub(crate) fn shop(servers: Vec<Server>) -> Handover {
        Handover {
            name: "shop".to_owned(),
            root: PathBuf::from("/src/shop"),
            servers,
            front: Front { port: 8088, tls: None },
            path: None,
        }
    }

    #[test]
    fn labels_are_apart() {
        let mut web = server("web", 8000);
        assert_eq!((web.label(), web.called()), ("web".into(), "web".into()));
        web.key.instance = 2;
        assert_eq!((web.label(), web.called()), ("web-2".into(), "web.2".into()));
        web.checkout = "fix-shop".to_owned();
        assert_eq!(
            (web.label(), web.called()),
            ("fix-shop-web-2".into(), "web.2 of fix-shop".into())
        );
    }

    #[test]
    fn of_two_names_that_stand_for_all_below_the_closer_one_comes_first() {
        let (mut web, mut api) = (server("web", 8000), server("api", 8001));
        web.hosts = vec!["shop.localhost".into()];
        (web.wildcard, api.wildcard) = (true, true);
        let handover = shop(vec![web, api]);
        let hosts: Vec<&str> = handover.wild().into_iter().map(|(host, _)| host).collect();
        assert_eq!(hosts, ["api.shop.localhost", "shop.localhost"]);
    }

    #[test]
    fn the_longest_path_comes_first_and_a_host_without_a_server_is_known() {
        let mut api = server("api", 8001);
        api.paths = vec!["/api".into(), "/api/v2".into()];
        let handover = shop(vec![api]);
        let lent: Vec<&str> = handover.lent("shop.localhost").map(|(path, _)| path).collect();
        assert_eq!(lent, ["/api/v2", "/api"]);
        assert_eq!(handover.bare_sites(), ["shop.localhost"]);
    }
}

//! Beyond this machine (`--lan`): where others reach it, said as soon as the daemon serves it there.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use wharf_control::api::{NO_LAN, ProxyStatus};
use wharf_model::{EventKind, name};

use super::watch::Pilot;
use crate::link::Link;
use crate::narrate;

/// How long the daemon may take to hear of the instance and to open what it needs. It looks for addresses
/// every two seconds.
const PATIENCE: Duration = Duration::from_secs(6);
/// Between two questions.
const PAUSE: Duration = Duration::from_millis(100);
/// Between two questions while nobody reaches it.
const LATER: Duration = Duration::from_secs(2);
/// How it is stopped.
const STOP: &str =
    "to stop that, end it and run it without `--lan` (or `lan = true` in wharf.toml)";

/// Where other machines reach it, or why they do not.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// At this host, and at these addresses.
    At { host: String, addresses: Vec<SocketAddr> },
    /// Not.
    No { why: String },
}

impl Pilot {
    /// Has it found out where other machines reach it, where they are to: once.
    pub(super) fn ask_for_the_lan(&mut self) {
        let Some(found) = self.openings_out.take() else { return };
        let Some(link) = &self.link else {
            let why = match self.place.outer() {
                Some(_) => "the outer wharf has to be told: `wharf run --lan`",
                None => "there is no daemon, and so nobody who serves its name",
            };
            return self.opened(&Opening::No { why: why.to_owned() });
        };
        let url = self.reports.borrow().url.clone();
        let http = url.starts_with("http://") || url.starts_with("https://");
        let Some(short) = name::short_host(&url).filter(|_| http) else {
            let why = "it does not speak HTTP, and only that is served by name".to_owned();
            return self.opened(&Opening::No { why });
        };
        tokio::task::spawn_local(find(link.clone(), short.to_owned(), found));
    }

    /// Says who can reach it, and how to stop that.
    pub(super) fn opened(&mut self, opening: &Opening) {
        let (host, addresses) = match opening {
            Opening::At { host, addresses } => (host, addresses),
            Opening::No { why } => {
                return narrate::warning(&format!("other machines cannot reach it: {why}"));
            }
        };
        for address in addresses {
            self.events.write(EventKind::Exposed { address: address.ip(), port: address.port() });
        }
        let port = addresses.first().map_or(80, SocketAddr::port);
        let url = name::url("http", host, port);
        let own: Vec<String> = addresses.iter().map(|one| one.ip().to_string()).collect();
        narrate::danger(&format!(
            "OPEN TO THE LAN at {url} ({}): whoever is on that network can use it; {STOP}",
            own.join(", ")
        ));
    }
}

/// Where it is not reached at first it may be later: nothing is open without a word.
async fn find(link: Rc<Link>, short: String, found: mpsc::Sender<Opening>) {
    let deadline = Instant::now() + PATIENCE;
    let mut is_told = false;
    loop {
        let status = link.proxy_now().await;
        let mut opening = status.as_ref().ok().and_then(|status| opening(status, &short));
        if opening.is_none() && Instant::now() >= deadline {
            opening = Some(Opening::No { why: unknown(status.is_ok()) });
        }
        let is_open = matches!(opening, Some(Opening::At { .. }));
        if let Some(opening) = opening.filter(|_| is_open || !is_told) {
            // The pilot may be at its end.
            if found.send(opening).await.is_err() || is_open {
                return;
            }
            is_told = true;
        }
        sleep(if is_told { LATER } else { PAUSE }).await;
    }
}

/// Where it is served beyond this machine, or why not, once the daemon has seen to that.
fn opening(status: &ProxyStatus, short: &str) -> Option<Opening> {
    let own = |route: &&wharf_control::api::RouteReport| {
        route.lan && route.path == "/" && route.upstream == short
    };
    let host = status.routes.iter().find(own)?.host.clone();
    let beyond = status.listeners.iter().filter(|one| is_beyond(one.address));
    let addresses: Vec<SocketAddr> =
        beyond.map(|one| SocketAddr::from((one.address, one.port))).collect();
    let why: Vec<&str> = status.notes.iter().filter_map(|note| note.strip_prefix(NO_LAN)).collect();
    match (addresses.is_empty(), why.is_empty()) {
        (false, _) => Some(Opening::At { host, addresses }),
        (true, false) => Some(Opening::No { why: why.join("; ") }),
        (true, true) => None,
    }
}

fn is_beyond(address: IpAddr) -> bool {
    !address.is_loopback() && !address.is_unspecified()
}

fn unknown(answers: bool) -> String {
    match answers {
        true => "another service may have its name there; see `wharf proxy status`".to_owned(),
        false => "the daemon does not answer".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use wharf_control::api::{ProxyListener, RouteReport};

    use super::*;

    #[test]
    fn it_is_open_where_a_front_is_and_its_own_name_leads_to_it() {
        let route = |host: &str, upstream: &str, lan: bool| RouteReport {
            host: host.into(),
            path: "/".into(),
            upstream: upstream.into(),
            addresses: Vec::new(),
            condition: "up".into(),
            lan,
            alias: false,
        };
        let listener = |address: &str| {
            let (scheme, address) = ("http".into(), address.parse().unwrap());
            ProxyListener { scheme, address, port: 4080 }
        };
        let mut status = ProxyStatus {
            schema: 1,
            listeners: vec![listener("127.0.0.1"), listener("192.168.1.4")],
            routes: vec![route("shop.localhost", "shop", false), route("web.local", "web", true)],
            connections: 0,
            notes: vec!["no https: x".into(), format!("{NO_LAN}port 80 is taken")],
        };
        assert_eq!(opening(&status, "shop"), None);
        status.routes.push(route("shop.local", "shop", true));
        let addresses = vec!["192.168.1.4:4080".parse().unwrap()];
        let host = "shop.local".to_owned();
        assert_eq!(opening(&status, "shop"), Some(Opening::At { host, addresses }));
        status.listeners.truncate(1);
        assert_eq!(opening(&status, "shop"), Some(Opening::No { why: "port 80 is taken".into() }));
        status.notes.clear();
        assert_eq!(opening(&status, "shop"), None);
    }
}

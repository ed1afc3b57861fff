//! Where the proxy listens.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use tokio::sync::watch;
use wharf_control::api::{ProxyListener, ProxyPorts, ProxyWish};
use wharf_os::front_socket;
use wharf_proxy::Front;

/// How many ports above the first are tried.
const TRIES: u16 = 20;

/// Where it is said how TLS is spoken.
type TlsSender = watch::Sender<Option<Arc<rustls::ServerConfig>>>;

/// What listens.
#[derive(Debug, Default)]
pub(crate) struct Fronts {
    pub(crate) open: Vec<ProxyListener>,
    /// What the user should know.
    pub(crate) notes: Vec<String>,
    /// The same sockets once more, for a daemon that follows: with their schemes.
    pub(crate) listeners: Vec<(String, TcpListener)>,
    /// What systemd has opened, and nobody has used yet.
    activated: Vec<(String, TcpListener)>,
    /// What a daemon before this one has given, and nobody has used yet.
    given: Vec<(String, TcpListener)>,
}

impl Fronts {
    /// With what systemd has opened, and what a daemon before this one has given.
    pub(crate) fn after(
        activated: Vec<(String, TcpListener)>,
        given: Vec<(String, TcpListener)>,
    ) -> Fronts {
        let scheme = |name: &str| if name.contains("https") { "https" } else { "http" };
        let named =
            activated.into_iter().map(|(name, listener)| (scheme(&name).to_owned(), listener));
        Fronts { activated: named.collect(), given, ..Fronts::default() }
    }

    /// Takes the port of `http` on both loopbacks.
    pub(crate) fn http(&mut self, wish: ProxyWish) -> Vec<Front> {
        if wish == ProxyWish::Off {
            return Vec::new();
        }
        let listeners = self.take("http", &candidates(wish));
        listeners
            .into_iter()
            .map(|listener| Front { listener, tls: None, lan: false, only: None })
            .collect()
    }

    /// Takes the port of `https` on both loopbacks.
    pub(crate) fn https(&mut self, wish: ProxyWish, tls: &TlsSender) -> Vec<Front> {
        let candidates: Vec<u16> = match wish {
            ProxyWish::Off => return Vec::new(),
            ProxyWish::Auto => std::iter::once(443).chain(4443..4443 + TRIES).collect(),
            // A port of one's own for `http` says that the usual ones are not wanted.
            ProxyWish::Port(_) => (4443..4443 + TRIES).collect(),
        };
        let listeners = self.take("https", &candidates);
        let front =
            |listener| Front { listener, tls: Some(tls.subscribe()), lan: false, only: None };
        listeners.into_iter().map(front).collect()
    }

    /// What has been closed.
    pub(crate) fn forget(&mut self, scheme: &str) {
        self.open.retain(|front| front.scheme != scheme);
        self.listeners.retain(|(name, _)| name != scheme);
    }

    /// What was given for this scheme, else the first that can be had.
    fn take(&mut self, scheme: &str, candidates: &[u16]) -> Vec<TcpListener> {
        let mut listeners = of_scheme(&mut self.activated, scheme, |_| true);
        if listeners.is_empty() {
            listeners = of_scheme(&mut self.given, scheme, |port| candidates.contains(&port));
        }
        if listeners.is_empty() {
            listeners = self.first(candidates);
        }
        for listener in &listeners {
            if let (Ok(address), Ok(copy)) = (listener.local_addr(), listener.try_clone()) {
                self.open.push(told(scheme, address));
                self.listeners.push((scheme.to_owned(), copy));
            }
        }
        listeners
    }

    fn first(&mut self, candidates: &[u16]) -> Vec<TcpListener> {
        let mut last: Option<(u16, io::Error)> = None;
        for port in candidates {
            match front_socket::loopback_pair(*port) {
                Ok(pair) => {
                    if let Some((wanted, error)) = last.filter(|(_, error)| is_worth_telling(error))
                    {
                        self.notes
                            .push(format!("port {wanted} cannot be had ({error}): {port} it is"));
                    }
                    return pair;
                }
                Err(error) => last = last.or(Some((*port, error))),
            }
        }
        if let Some((port, error)) = last {
            self.notes.push(format!("there is no port for names, from {port} on: {error}"));
        }
        Vec::new()
    }

    /// Where URLs lead.
    pub(crate) fn ports(&self) -> ProxyPorts {
        let port = |scheme: &str| {
            self.open.iter().find(|front| front.scheme == scheme).map(|front| front.port)
        };
        ProxyPorts { http: port("http"), https: port("https") }
    }
}

/// The ports of `http`, the best first.
pub(crate) fn candidates(wish: ProxyWish) -> Vec<u16> {
    match wish {
        ProxyWish::Off => Vec::new(),
        ProxyWish::Auto => std::iter::once(80).chain(4080..4080 + TRIES).collect(),
        ProxyWish::Port(port) => (port..port.saturating_add(TRIES)).collect(),
    }
}

/// Takes those of this scheme whose port will do.
fn of_scheme(
    all: &mut Vec<(String, TcpListener)>,
    scheme: &str,
    will_do: impl Fn(u16) -> bool,
) -> Vec<TcpListener> {
    let (taken, rest): (Vec<_>, Vec<_>) =
        std::mem::take(all).into_iter().partition(|(name, one)| {
            name == scheme && one.local_addr().is_ok_and(|address| will_do(address.port()))
        });
    *all = rest;
    taken.into_iter().map(|(_, listener)| listener).collect()
}

fn told(scheme: &str, address: SocketAddr) -> ProxyListener {
    ProxyListener { scheme: scheme.to_owned(), address: address.ip(), port: address.port() }
}

/// That an ordinary user has no port 80 is no news.
pub(crate) fn is_worth_telling(error: &io::Error) -> bool {
    error.kind() != io::ErrorKind::PermissionDenied
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_gives_the_next_one_and_a_word_about_it() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let mut fronts = Fronts::default();
        let open = fronts.http(ProxyWish::Port(port));
        assert!(!open.is_empty());
        let http = fronts.ports().http.unwrap();
        assert!(http > port);
        assert!(fronts.notes[0].contains(&port.to_string()), "{:?}", fronts.notes);
        assert!(Fronts::default().http(ProxyWish::Off).is_empty());
    }
}

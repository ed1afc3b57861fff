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
}

impl Fronts {
    /// Takes the port of `http` on both loopbacks.
    pub(crate) fn http(&mut self, wish: ProxyWish) -> Vec<Front> {
        let candidates = match wish {
            ProxyWish::Off => return Vec::new(),
            ProxyWish::Auto => std::iter::once(80).chain(4080..4080 + TRIES).collect(),
            ProxyWish::Port(port) => (port..port.saturating_add(TRIES)).collect::<Vec<u16>>(),
        };
        let listeners = self.first(&candidates);
        self.tell("http", &listeners);
        listeners.into_iter().map(|listener| Front { listener, tls: None, lan: false }).collect()
    }

    /// Takes the port of `https` on both loopbacks.
    pub(crate) fn https(&mut self, wish: ProxyWish, tls: &TlsSender) -> Vec<Front> {
        let candidates: Vec<u16> = match wish {
            ProxyWish::Off => return Vec::new(),
            ProxyWish::Auto => std::iter::once(443).chain(4443..4443 + TRIES).collect(),
            // A port of one's own for `http` says that the usual ones are not wanted.
            ProxyWish::Port(_) => (4443..4443 + TRIES).collect(),
        };
        let listeners = self.first(&candidates);
        self.tell("https", &listeners);
        let front = |listener| Front { listener, tls: Some(tls.subscribe()), lan: false };
        listeners.into_iter().map(front).collect()
    }

    /// What has been closed.
    pub(crate) fn forget(&mut self, scheme: &str) {
        self.open.retain(|front| front.scheme != scheme);
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

    pub(crate) fn tell(&mut self, scheme: &str, listeners: &[TcpListener]) {
        for address in listeners.iter().filter_map(|listener| listener.local_addr().ok()) {
            self.open.push(told(scheme, address));
        }
    }

    /// Where URLs lead.
    pub(crate) fn ports(&self) -> ProxyPorts {
        let port = |scheme: &str| {
            self.open.iter().find(|front| front.scheme == scheme).map(|front| front.port)
        };
        ProxyPorts { http: port("http"), https: port("https") }
    }
}

fn told(scheme: &str, address: SocketAddr) -> ProxyListener {
    ProxyListener { scheme: scheme.to_owned(), address: address.ip(), port: address.port() }
}

/// That an ordinary user has no port 80 is no news.
fn is_worth_telling(error: &io::Error) -> bool {
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

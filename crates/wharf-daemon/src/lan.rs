//! The proxy on the local network: there only while an instance that lives asks for it, and then only for
//! the names that ask.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};

use tokio::sync::watch;
use wharf_control::api::{NO_LAN, ProxyListener, ProxyWish};
use wharf_os::{front_socket, interface};
use wharf_proxy::{Front, Proxy};

use crate::announcer::Announcer;
use crate::fronts::{candidates, is_worth_telling};

/// What its listeners are called when they are handed to the next daemon.
pub(crate) const SCHEME: &str = "lan";

/// Fronts at the addresses of this machine.
#[derive(Default)]
pub(crate) struct Lan {
    wish: ProxyWish,
    hosts: BTreeSet<String>,
    open: Vec<Opened>,
    /// The port of the last fronts, while somebody asks: it has been told.
    port: Option<u16>,
    /// What a daemon before this one has given.
    given: Vec<TcpListener>,
    announcer: Announcer,
    /// Why the port is no other.
    choice: Option<String>,
    /// What is wrong at the moment.
    faults: Vec<String>,
}

struct Opened {
    address: SocketAddr,
    /// The same socket once more, for a daemon that follows.
    listener: TcpListener,
    /// Its end is that of the front.
    _wanted: watch::Sender<()>,
}

impl Lan {
    pub(crate) fn after(wish: ProxyWish, given: Vec<TcpListener>) -> Lan {
        Lan { wish, given, ..Lan::default() }
    }

    /// Serves these hosts from now on.
    pub(crate) fn serve(&mut self, hosts: BTreeSet<String>, proxy: &Proxy) {
        self.hosts = hosts;
        self.look(proxy);
        // What nobody wanted at once is of no use later.
        self.given.clear();
    }

    /// Opens and closes what the addresses of this machine ask for now. They come and go with cables and
    /// networks.
    pub(crate) fn look(&mut self, proxy: &Proxy) {
        self.faults.clear();
        if self.hosts.is_empty() {
            return self.close();
        }
        let addresses = interface::lan_addresses().unwrap_or_else(|error| {
            self.faults.push(format!("the addresses of this machine cannot be read: {error}"));
            BTreeSet::new()
        });
        self.open.retain(|front| addresses.contains(&front.address.ip()));
        let has = |address: &IpAddr| self.open.iter().any(|front| front.address.ip() == *address);
        let missing: Vec<IpAddr> =
            addresses.iter().copied().filter(|address| !has(address)).collect();
        for listener in self.listen(&missing) {
            self.add(listener, proxy);
        }
        match self.open.first() {
            Some(front) => {
                let open = self.open.iter().map(|front| front.address.ip()).collect();
                self.announcer.announce(&self.hosts, &open, front.address.port());
            }
            None => {
                self.announcer.silence();
                if addresses.is_empty() {
                    let none = "this machine has no address that others on a network reach";
                    self.faults.push(none.to_owned());
                }
            }
        }
    }

    /// Ends all fronts.
    pub(crate) fn close(&mut self) {
        self.announcer.silence();
        self.open.clear();
        (self.port, self.choice) = (None, None);
    }

    fn listen(&mut self, missing: &[IpAddr]) -> Vec<TcpListener> {
        if missing.is_empty() {
            return Vec::new();
        }
        let kept = self.kept(missing);
        if !kept.is_empty() {
            return kept;
        }
        match self.open.first().map(|front| front.address.port()) {
            Some(port) => self.at(missing, port),
            None => self.first(missing),
        }
    }

    /// Those of the last daemon that are still wanted; the rest is missing until the next look.
    fn kept(&mut self, missing: &[IpAddr]) -> Vec<TcpListener> {
        let mut given = std::mem::take(&mut self.given);
        given.retain(|one| one.local_addr().is_ok_and(|own| missing.contains(&own.ip())));
        given
    }

    /// At the port that the other addresses have.
    fn at(&mut self, missing: &[IpAddr], port: u16) -> Vec<TcpListener> {
        let mut listeners = Vec::new();
        for address in missing {
            match front_socket::on(SocketAddr::from((*address, port))) {
                Ok(listener) => listeners.push(listener),
                Err(error) => {
                    self.faults.push(format!("nobody is served at {address} port {port}: {error}"));
                }
            }
        }
        listeners
    }

    /// At the first port that can be had at all of them.
    fn first(&mut self, missing: &[IpAddr]) -> Vec<TcpListener> {
        let ports = self.port.into_iter().chain(candidates(self.wish));
        let mut refused: Option<(SocketAddr, io::Error)> = None;
        for port in ports {
            match everywhere(missing, port) {
                Ok(listeners) => {
                    if let Some((wanted, error)) =
                        refused.filter(|(_, error)| is_worth_telling(error))
                    {
                        let choice = format!(
                            "{wanted} cannot be had for the LAN ({error}): port {port} it is"
                        );
                        self.choice = Some(choice);
                    }
                    self.port = Some(port).filter(|_| !listeners.is_empty());
                    return listeners;
                }
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        if let Some((wanted, error)) = refused {
            self.faults.push(format!("there is no port for it, from {wanted} on: {error}"));
        }
        Vec::new()
    }

    fn add(&mut self, listener: TcpListener, proxy: &Proxy) {
        let (wanted, ended) = watch::channel(());
        let opened = listener.local_addr().and_then(|address| {
            let copy = listener.try_clone()?;
            proxy.open_until(Front { listener, tls: None, lan: true, only: None }, ended)?;
            Ok(Opened { address, listener: copy, _wanted: wanted })
        });
        match opened {
            Ok(front) => self.open.push(front),
            Err(error) => self.faults.push(format!("a front does not open: {error}")),
        }
    }

    /// What is listened on.
    pub(crate) fn told(&self) -> impl Iterator<Item = ProxyListener> {
        self.open.iter().map(|Opened { address, .. }| ProxyListener {
            scheme: "http".to_owned(),
            address: address.ip(),
            port: address.port(),
        })
    }

    /// What the user should know.
    pub(crate) fn notes(&self) -> impl Iterator<Item = String> {
        let faults = self.faults.iter().map(|fault| format!("{NO_LAN}{fault}"));
        faults.chain(self.choice.clone()).chain(self.announcer.notes().cloned())
    }

    /// The sockets once more.
    pub(crate) fn listeners(&self) -> impl Iterator<Item = (&str, &TcpListener)> {
        self.open.iter().map(|front| (SCHEME, &front.listener))
    }
}

/// One port at every address. An address that has gone meanwhile, or that is not quite there (IPv6 looks
/// for its double first), is left out.
fn everywhere(
    addresses: &[IpAddr],
    port: u16,
) -> Result<Vec<TcpListener>, (SocketAddr, io::Error)> {
    let mut listeners = Vec::new();
    for address in addresses {
        let address = SocketAddr::from((*address, port));
        match front_socket::on(address) {
            Ok(listener) => listeners.push(listener),
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {}
            Err(error) => return Err((address, error)),
        }
    }
    Ok(listeners)
}

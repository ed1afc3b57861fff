//! Asking a listener whether it serves.

use std::future::Future;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::Pin;

use wharf_model::{Listener, Probe};

use crate::probe::{self, Outcome};

/// `Sync` as well, since the loop holds it across its other waits.
pub(crate) type Question = Pin<Box<dyn Future<Output = Reply> + Send + Sync>>;

/// What became of a question: of which listener, at which address.
pub(crate) type Reply = (Listener, SocketAddr, Outcome);

pub(crate) async fn answer(question: &mut Option<Question>) -> Reply {
    match question {
        Some(question) => question.await,
        None => std::future::pending().await,
    }
}

/// Where to dial a listener. A `::` may be of either kind, so both families are tried, but never one
/// on which somebody else listens: the answer would be theirs.
pub(crate) fn addresses(listener: &Listener, foreign: &[Listener]) -> Vec<SocketAddr> {
    let mut hosts = vec![listener.dial_address()];
    if listener.address == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        hosts.push(Ipv6Addr::LOCALHOST.into());
    }
    hosts
        .into_iter()
        .map(|host| SocketAddr::new(host, listener.port))
        .filter(|address| !foreign.iter().any(|other| serves(other, *address)))
        .collect()
}

/// Whether a connection to the address may reach this listener.
pub(crate) fn serves(listener: &Listener, address: SocketAddr) -> bool {
    let own = listener.address.to_canonical();
    listener.port == address.port()
        && (own == address.ip()
            || (own.is_unspecified() && (own.is_ipv6() || own.is_ipv4() == address.is_ipv4())))
}

/// Asks at each address until one gives more than a refusal.
pub(crate) async fn question(
    listener: Listener,
    addresses: Vec<SocketAddr>,
    probe: Probe,
) -> Reply {
    let mut reply = (SocketAddr::new(listener.dial_address(), listener.port), Outcome::NotYet);
    for address in addresses {
        reply = (address, probe::ask(address, probe).await);
        if reply.1 != Outcome::NotYet {
            break;
        }
    }
    (listener, reply.0, reply.1)
}

/// The listener to ask: IPv4 first, since every client reaches it.
pub(crate) fn choose(own: &[Listener]) -> Option<Listener> {
    own.iter().min_by_key(|listener| listener.address.is_ipv6()).cloned()
}

/// The holder may change (a reloader hands the socket on), the socket stays the same.
pub(crate) fn same_socket(one: &Listener, other: &Listener) -> bool {
    one.address == other.address && one.port == other.port
}

//! Whether the listener behind a route is the route's own: asked for each new connection to it, before a
//! byte is sent. A process that took a port after its owner had died gets nothing.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use wharf_model::{Owner, ProcessId, Upstream};
use wharf_os::diag::{Socket, Watch};
use wharf_os::{holders, process, user};
use wharf_proxy::Ownership;

/// How many pilots' listeners are remembered; past it all are looked up anew.
const MAX_KNOWN: usize = 4096;

/// Asks the kernel.
#[derive(Debug, Default)]
pub(crate) struct Kernel {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    watch: Option<Watch>,
    /// Inodes of which it is known that this pilot's tree holds them: a socket keeps its inode for
    /// life, so an answer need not be asked for twice.
    known: HashMap<ProcessId, HashSet<u64>>,
}

impl Ownership for Kernel {
    fn verify(&self, upstream: &Upstream, address: SocketAddr) -> Result<(), String> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let sockets = state.listening(address.port())?;
        let serving = serving(&sockets, address.ip());
        match &upstream.owner {
            // Nobody listens and somebody answered: a redirect, which only root can have made.
            Owner::User => serving.iter().find_map(|socket| other_user(socket)).map_or(Ok(()), Err),
            Owner::Pilot(pilot) => state.is_of_tree(pilot, &serving, address.port()),
        }
    }
}

impl State {
    fn listening(&mut self, port: u16) -> Result<Vec<Socket>, String> {
        let failed =
            |error: std::io::Error| format!("the kernel does not say who listens: {error}");
        let watch = match &mut self.watch {
            Some(watch) => watch,
            None => self.watch.insert(Watch::open().map_err(failed)?),
        };
        watch.listening(port).map_err(failed)
    }

    fn is_of_tree(
        &mut self,
        pilot: &ProcessId,
        serving: &[&Socket],
        port: u16,
    ) -> Result<(), String> {
        if serving.is_empty() {
            return Err(format!("port {port} is answered by a firewall redirect"));
        }
        let known = |state: &State, socket: &Socket| {
            state.known.get(pilot).is_some_and(|inodes| inodes.contains(&socket.inode))
        };
        if serving.iter().any(|socket| !known(self, socket)) {
            self.learn(pilot, serving);
        }
        match serving.iter().find(|socket| !known(self, socket)) {
            None => Ok(()),
            Some(stranger) => Err(other_user(stranger).unwrap_or_else(|| held_by(stranger))),
        }
    }

    fn learn(&mut self, pilot: &ProcessId, serving: &[&Socket]) {
        if !process::is_alive(&wharf_facts::identity(pilot)) {
            return;
        }
        if self.known.len() >= MAX_KNOWN {
            self.known.clear();
        }
        let inodes: Vec<u64> = serving.iter().map(|socket| socket.inode).collect();
        let found = holders::in_tree(&process::tree(pilot.pid), &inodes);
        self.known.entry(pilot.clone()).or_default().extend(found.by_inode.into_keys());
    }
}

/// The listeners that a connection to this address may come to: those on the very address, else those
/// on every one.
fn serving(sockets: &[Socket], address: IpAddr) -> Vec<&Socket> {
    let exact: Vec<&Socket> =
        sockets.iter().filter(|socket| socket.address.to_canonical() == address).collect();
    if !exact.is_empty() {
        return exact;
    }
    let wildcard = |socket: &&Socket| {
        socket.address.is_unspecified()
            && match (socket.address, address) {
                (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => true,
                (IpAddr::V6(_), IpAddr::V4(_)) => socket.v6only != Some(true),
                (IpAddr::V4(_), IpAddr::V6(_)) => false,
            }
    };
    sockets.iter().filter(wildcard).collect()
}

/// Whose it is, where it is neither ours nor root's, who can do all that we can.
fn other_user(socket: &Socket) -> Option<String> {
    let theirs = socket.uid != 0 && socket.uid != user::current_uid();
    theirs.then(|| {
        format!("port {} is held by user {}", socket.port, wharf_facts::user_name(socket.uid))
    })
}

fn held_by(socket: &Socket) -> String {
    let holder = wharf_facts::of_sockets(std::slice::from_ref(socket));
    format!("port {} is held by {holder}", socket.port)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::Arc;

    use wharf_model::{Condition, Protocol};

    use super::*;

    fn upstream(owner: Owner, address: SocketAddr) -> Upstream {
        Upstream {
            name: Arc::from("shop"),
            instance: None,
            addresses: vec![address],
            protocol: Protocol::Http1,
            owner,
            condition: Condition::Up,
        }
    }

    #[test]
    fn a_listener_of_the_tree_is_its_own_and_of_another_tree_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let kernel = Kernel::default();
        let own = Owner::Pilot(wharf_facts::own_process());
        assert_eq!(kernel.verify(&upstream(own.clone(), address), address), Ok(()));
        assert_eq!(kernel.verify(&upstream(Owner::User, address), address), Ok(()));
        let mut other = wharf_facts::own_process();
        other.start_ticks += 1;
        let error = kernel.verify(&upstream(Owner::Pilot(other), address), address).unwrap_err();
        assert!(error.contains(&format!("port {} is held by", address.port())), "{error}");
        drop(listener);
        let error = kernel.verify(&upstream(own, address), address).unwrap_err();
        assert!(error.contains("redirect"), "{error}");
    }

    #[test]
    fn the_nearest_listener_is_the_one_that_serves() {
        let socket = |address: &str, v6only| Socket {
            address: address.parse().unwrap(),
            port: 1,
            v6only,
            uid: 0,
            inode: 1,
            state: wharf_os::diag::SocketState::Listen,
        };
        let sockets = [
            socket("0.0.0.0", None),
            socket("::", Some(true)),
            socket("127.0.0.1", None),
            socket("127.0.0.2", None),
        ];
        let found = |address: &str| -> Vec<IpAddr> {
            let address = address.parse().unwrap();
            serving(&sockets, address).into_iter().map(|socket| socket.address).collect()
        };
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(found("127.0.0.1"), [ip("127.0.0.1")]);
        assert_eq!(found("127.0.0.3"), [ip("0.0.0.0")]);
        assert_eq!(found("::1"), [ip("::")]);
    }
}

//! Asking for a port.

use std::collections::HashSet;

use wharf_control::Code;
use wharf_control::api::BusyPort;
use wharf_model::policy::fallback_ports;
use wharf_model::{Port as Number, PortRange, PortRequest};
use wharf_os::diag::{self, Transport};
use wharf_os::reserve::{self as kernel, Occupancy, Reservation};

use crate::daemon::{Daemon, Lease, NoLease};
use crate::error::{Error, ErrorKind};
use crate::port::Port;
use crate::reserve::refused;

/// Where the search begins when nobody says: away from where people expect their servers.
const NEAR: u16 = 15_000;
/// How often a granted port may turn out to be taken before something else must be wrong.
const ROUNDS: usize = 32;
/// How many ports are tried without a daemon.
const TRIES: usize = 4096;

/// Begins a request for a port: `lease_port().near(8000).take()`.
///
/// ```
/// let one = wharf_ports::lease_port().take()?;
/// let two = wharf_ports::lease_port().near(one.number()).take()?;
/// assert_ne!(one.number(), two.number());
/// # Ok::<(), wharf_ports::Error>(())
/// ```
pub fn lease_port() -> Wanted {
    Wanted { first: NEAR, exact: false, daemon: true }
}

/// Which port is wanted. Made by [`lease_port`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "nothing is leased before `take`"]
pub struct Wanted {
    first: u16,
    exact: bool,
    daemon: bool,
}

impl Wanted {
    /// This port or the next free one above it. Ports that the kernel gives to clients, that browsers refuse
    /// and that belong to well-known services are passed over.
    pub fn near(self, number: u16) -> Wanted {
        Wanted { first: number, exact: false, ..self }
    }

    /// This port or none.
    pub fn exactly(self, number: u16) -> Wanted {
        Wanted { first: number, exact: true, ..self }
    }

    /// Asks no daemon: the port is held by a socket of this process alone.
    pub fn without_daemon(self) -> Wanted {
        Wanted { daemon: false, ..self }
    }

    /// Takes the port: by a lease of the daemon where one runs, and by a socket.
    ///
    /// # Errors
    /// The number is 0; the very port that was asked for is taken, and by whom; or none is free.
    pub fn take(self) -> Result<Port, Error> {
        let first = Number::new(self.first).ok_or_else(Error::not_a_port)?;
        let daemon = if self.daemon { Daemon::of_environment() } else { None };
        match daemon.and_then(|daemon| self.leased(&daemon, first)) {
            Some(port) => port,
            None => self.alone(first),
        }
    }

    /// By the daemon; nothing where it does not answer.
    fn leased(&self, daemon: &Daemon, first: Number) -> Option<Result<Port, Error>> {
        let exact = self.exact;
        let request = if exact { PortRequest::Exactly(first) } else { PortRequest::AtLeast(first) };
        let mut busy = Vec::new();
        for _ in 0..ROUNDS {
            let lease = match daemon.lease(request, &busy) {
                Ok(lease) => lease,
                Err(NoLease::NoDaemon) => return None,
                Err(NoLease::Refused(body)) => {
                    let kind = kind(body.code);
                    let error = Error::new(kind, body.message);
                    return Some(Err(body.help.into_iter().fold(error, Error::with_help)));
                }
            };
            let port = Number::new(lease.port())?;
            match hold(lease) {
                Ok(port) => return Some(Ok(port)),
                Err(error) if exact || error.kind() == ErrorKind::Denied => {
                    return Some(Err(error));
                }
                Err(_) => busy.push(BusyPort { port, holder: None }),
            }
        }
        Some(Err(nothing_free(first)
            .because(format!("{ROUNDS} granted ports in a row were taken by others"))))
    }

    /// By the kernel's word alone, in the same order of ports.
    fn alone(&self, first: Number) -> Result<Port, Error> {
        let (low, high) = kernel::ephemeral_range();
        let ephemeral = PortRange { first: low, last: high };
        let busy = if self.exact { HashSet::new() } else { busy() };
        let further = fallback_ports(first, ephemeral).take(if self.exact { 0 } else { TRIES });
        let all = std::iter::once(first).chain(further);
        for port in all.filter(|port| !busy.contains(&port.get())) {
            match Reservation::take(port.get()) {
                Ok(held) => return Ok(Port::new(held, None)),
                Err(occupancy) if self.exact => return Err(refused(port.get(), occupancy)),
                Err(Occupancy::Denied(error)) if port.get() >= kernel::unprivileged_start() => {
                    return Err(refused(port.get(), Occupancy::Denied(error)));
                }
                Err(_) => {}
            }
        }
        Err(nothing_free(first).because(format!("{TRIES} ports were tried")))
    }
}

/// Ports that need not be tried: one question, where each bind that fails costs several. What is not told
/// here is found out by the bind.
fn busy() -> HashSet<u16> {
    let sockets = diag::sockets(Transport::Tcp).unwrap_or_default();
    sockets.into_iter().map(|socket| socket.port).collect()
}

/// The socket that makes a lease true. Where it cannot be had the lease is given back.
fn hold(lease: Lease) -> Result<Port, Error> {
    match Reservation::take(lease.port()) {
        Ok(held) => Ok(Port::new(held, Some(lease))),
        Err(occupancy) => {
            let error = refused(lease.port(), occupancy);
            lease.give_back();
            Err(error)
        }
    }
}

fn kind(code: Code) -> ErrorKind {
    match code {
        Code::PortTaken => ErrorKind::Taken,
        Code::PermissionDenied => ErrorKind::Denied,
        _ => ErrorKind::NoFreePort,
    }
}

fn nothing_free(first: Number) -> Error {
    Error::new(ErrorKind::NoFreePort, format!("no free port was found from {first} on"))
        .with_help("`wharf who` says who has so many ports")
}

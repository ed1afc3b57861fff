//! A port that is this process's.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use wharf_os::reserve::Reservation;

use crate::daemon::Lease;
use crate::error::Error;
use crate::reserve;

/// A port that nobody else gets until this is dropped, or this process ends.
#[derive(Debug)]
pub struct Port {
    number: u16,
    held: Option<Reservation>,
    lease: Option<Lease>,
}

impl Port {
    pub(crate) fn new(held: Reservation, lease: Option<Lease>) -> Port {
        Port { number: held.port(), held: Some(held), lease }
    }

    /// The number, never 0.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// Where clients of this machine find it: 127.0.0.1 and the number.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.number))
    }

    /// Listens on [`Port::address`].
    ///
    /// # Errors
    /// The system refuses: somebody listens there already.
    pub fn bind(&self) -> Result<TcpListener, Error> {
        reserve::bind(self.number)
    }

    /// Whether the daemon knows of it, and gives it to nobody else even after [`Port::let_go`].
    pub fn is_leased(&self) -> bool {
        self.lease.is_some()
    }

    /// Closes the socket that holds the port, for a server that binds without `SO_REUSEADDR`. The lease
    /// stays; without one nothing keeps the port from others until the server has it.
    ///
    /// ```
    /// let mut port = wharf_ports::lease_port().take()?;
    /// port.let_go();
    /// // Even another reservation is possible now.
    /// assert_eq!(wharf_ports::reserve(port.number())?.number(), port.number());
    /// # Ok::<(), wharf_ports::Error>(())
    /// ```
    pub fn let_go(&mut self) {
        self.held = None;
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number.fmt(f)
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        // First the socket, so that whoever gets the lease next finds the port free.
        self.held = None;
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
    }
}

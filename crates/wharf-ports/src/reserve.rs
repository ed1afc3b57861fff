//! A port that is held by a socket.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use wharf_os::reserve::{self as kernel, Occupancy};

use crate::error::{Error, ErrorKind};

/// A port that this process holds by a bound socket. Dropping it gives the port up.
///
/// The socket does not listen: a connect is refused until a server has taken over.
#[derive(Debug)]
pub struct Reservation {
    socket: kernel::Reservation,
}

/// Holds this port on every address until a server takes over; 0 takes one that the kernel chooses.
///
/// Two that reserve one port at once never both succeed, in whatever processes they are. A server that binds
/// with `SO_REUSEADDR`, as nearly all do, takes over without asking; the daemon is not told.
///
/// ```
/// let held = wharf_ports::reserve(0)?;
/// let other = wharf_ports::reserve(held.number()).unwrap_err();
/// assert_eq!(other.kind(), wharf_ports::ErrorKind::Taken);
///
/// let server = held.bind()?;
/// assert_eq!(server.local_addr()?.port(), held.number());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The port is taken, and by whom; or the system forbids the bind.
pub fn reserve(number: u16) -> Result<Reservation, Error> {
    match kernel::Reservation::take(number) {
        Ok(socket) => Ok(Reservation { socket }),
        Err(occupancy) => Err(refused(number, occupancy)),
    }
}

impl Reservation {
    /// The port, never 0.
    pub fn number(&self) -> u16 {
        self.socket.port()
    }

    /// Listens on 127.0.0.1 at this port.
    ///
    /// # Errors
    /// The system refuses: somebody else listens there already.
    pub fn bind(&self) -> Result<TcpListener, Error> {
        bind(self.number())
    }
}

impl fmt::Display for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number().fmt(f)
    }
}

/// A listener over our own reservation; the standard library sets `SO_REUSEADDR`.
pub(crate) fn bind(number: u16) -> Result<TcpListener, Error> {
    TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, number))).map_err(|error| {
        Error::new(ErrorKind::System, format!("port {number} cannot be listened on"))
            .because(&error)
            .with_help(format!("`wharf who {number}` says who does"))
    })
}

/// Why a port cannot be held.
pub(crate) fn refused(number: u16, occupancy: Occupancy) -> Error {
    let holder = match occupancy {
        Occupancy::Denied(error) => return denied(number, &error),
        Occupancy::Redirected => wharf_facts::redirected().to_string(),
        Occupancy::Taken(sockets) => wharf_facts::of_sockets(&sockets).to_string(),
        Occupancy::TimeWait | Occupancy::Free => "connections that have just ended".to_owned(),
    };
    Error::new(ErrorKind::Taken, format!("port {number} is taken by {holder}"))
        .with_help(format!("`lease_port().near({number})` takes the next free one instead"))
}

fn denied(number: u16, error: &std::io::Error) -> Error {
    let denied = Error::new(ErrorKind::Denied, format!("port {number} may not be bound"));
    let start = kernel::unprivileged_start();
    if number != 0 && number < start {
        return denied
            .because(format!("{error}: ports below {start} need a privilege on this system"))
            .with_help(format!("take one from {start} upwards"));
    }
    denied.because(error).with_help("a sandbox or a security module forbids it: see its settings")
}

//! Leases of the daemon that runs. None is started.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use wharf_control::api::{
    BusyPort, LEASES, LeaseReply, LeaseRequest, RELEASE, ReleaseReply, ReleaseRequest, Released,
};
use wharf_control::exchange::{self, ExchangeError};
use wharf_control::{Code, Environment, ErrorBody, Paths};
use wharf_model::{LeaseKind, PortRequest};
use wharf_os::local_stream;

/// How long connecting and each read may take. A daemon answers in milliseconds.
const LIMIT: Duration = Duration::from_secs(4);

/// Where the daemon of this user listens.
#[derive(Clone, Debug)]
pub(crate) struct Daemon {
    socket: PathBuf,
}

/// Why the daemon gave no port.
#[derive(Debug)]
pub(crate) enum NoLease {
    /// There is none, or none that answers as this version understands.
    NoDaemon,
    /// It knows why there is none to be had.
    Refused(Box<ErrorBody>),
}

/// A lease that is this process's.
#[derive(Debug)]
pub(crate) struct Lease {
    daemon: Daemon,
    id: i64,
    port: u16,
}

impl Daemon {
    /// The one that this environment means, whether it runs or not.
    pub(crate) fn of_environment() -> Option<Daemon> {
        let environment = Environment::of_process(wharf_os::user::home());
        Paths::new(&environment).ok().map(|paths| Daemon { socket: paths.socket })
    }

    /// Asks for one port until this process ends. `busy` are those that were granted and could not be held.
    pub(crate) fn lease(&self, request: PortRequest, busy: &[BusyPort]) -> Result<Lease, NoLease> {
        let request = LeaseRequest {
            request_id: request_id(),
            key: None,
            request,
            slots: 1,
            owner: LeaseKind::Process(wharf_facts::own_process()),
            busy: busy.to_vec(),
            agent: None,
        };
        let reply =
            self.connect().and_then(|mut stream| exchange::post(&mut stream, LEASES, &request));
        let reply: LeaseReply = reply.map_err(no_lease)?;
        let lease = reply.leases.first().ok_or(NoLease::NoDaemon)?;
        Ok(Lease { daemon: self.clone(), id: lease.id, port: lease.port.get() })
    }

    fn connect(&self) -> Result<UnixStream, ExchangeError> {
        Ok(local_stream::connect(&self.socket, LIMIT)?)
    }
}

fn no_lease(error: ExchangeError) -> NoLease {
    match error {
        ExchangeError::Refused(body)
            if matches!(body.code, Code::PortTaken | Code::NoFreePort | Code::PermissionDenied) =>
        {
            NoLease::Refused(body)
        }
        _ => NoLease::NoDaemon,
    }
}

impl Lease {
    /// The port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Ends the lease. Where that fails it ends with this process.
    pub(crate) fn give_back(self) {
        let request = ReleaseRequest {
            release: Released::Leases(vec![self.id]),
            by: Some(wharf_facts::own_process()),
        };
        let _: Result<ReleaseReply, ExchangeError> = self
            .daemon
            .connect()
            .and_then(|mut stream| exchange::post(&mut stream, RELEASE, &request));
    }
}

/// A name that no other request has.
fn request_id() -> String {
    // Each `RandomState` is seeded anew from the system's randomness.
    let random = || RandomState::new().build_hasher().finish();
    format!("{}-{:016x}{:016x}", std::process::id(), random(), random())
}

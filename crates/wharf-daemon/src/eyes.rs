//! What the policy sees of the kernel.

use std::io;

use wharf_lease::{Kernel, Occupancy};
use wharf_model::{Holder, Port};
use wharf_os::diag::Socket;
use wharf_os::{diag, reserve};

/// The kernel, with the last look remembered: who holds a port is asked right after whether.
#[derive(Debug, Default)]
pub(crate) struct Eyes {
    last: Option<(Port, Seen)>,
}

#[derive(Debug)]
enum Seen {
    Sockets(Vec<Socket>),
    Redirected,
    Failed(io::Error),
}

impl Eyes {
    fn look(&mut self, port: Port) -> Occupancy {
        let seen = match reserve::probe(port.get()) {
            // Sockets in TIME_WAIT keep no server from binding: all of them set SO_REUSEADDR.
            reserve::Occupancy::Free | reserve::Occupancy::TimeWait => return Occupancy::Free,
            reserve::Occupancy::Denied(error)
                if error.kind() == io::ErrorKind::PermissionDenied =>
            {
                return Occupancy::Denied;
            }
            reserve::Occupancy::Denied(error) => Seen::Failed(error),
            reserve::Occupancy::Taken(sockets) => Seen::Sockets(sockets),
            reserve::Occupancy::Redirected => Seen::Redirected,
        };
        self.last = Some((port, seen));
        Occupancy::Taken
    }
}

impl Kernel for Eyes {
    fn occupancy(&mut self, port: Port) -> Occupancy {
        self.last = None;
        self.look(port)
    }

    fn holder(&mut self, port: Port) -> Holder {
        if self.last.as_ref().is_none_or(|(seen, _)| *seen != port) {
            self.last = diag::holding(port.get()).ok().map(|held| (port, Seen::Sockets(held)));
        }
        match &self.last {
            Some((_, Seen::Sockets(sockets))) => wharf_facts::of_sockets(sockets),
            Some((_, Seen::Redirected)) => wharf_facts::redirected(),
            Some((_, Seen::Failed(error))) => Holder {
                note: Some(format!("nobody known: it could not be examined ({error})")),
                ..Holder::default()
            },
            None => Holder::default(),
        }
    }

    fn process(&mut self, pid: u32) -> Holder {
        wharf_facts::of_process(pid)
    }
}

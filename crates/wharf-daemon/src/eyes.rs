//! What the policy sees of the kernel.

use std::io;
use std::path::{Path, PathBuf};

use wharf_lease::{Kernel, Occupancy};
use wharf_model::{Holder, Port};
use wharf_os::diag::Socket;
use wharf_os::{diag, holders, process, reserve, user};

/// The kernel, with the last look remembered: who holds a port is asked right after whether.
#[derive(Debug)]
pub(crate) struct Eyes {
    home: Option<PathBuf>,
    last: Option<(Port, Seen)>,
}

#[derive(Debug)]
enum Seen {
    Sockets(Vec<Socket>),
    Redirected,
    Failed(io::Error),
}

impl Eyes {
    pub(crate) fn new() -> Eyes {
        Eyes { home: user::home(), last: None }
    }

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

    fn holder_of(&self, sockets: &[Socket]) -> Holder {
        let Some(socket) = sockets.first() else {
            return Holder::default();
        };
        let held = holders::of_inodes(&[socket.inode]).ok();
        let pid = held.and_then(|held| held.by_inode.get(&socket.inode)?.first().copied());
        match pid {
            Some(pid) => self.describe(pid),
            None => Holder {
                user: Some(user_name(socket.uid)),
                note: Some("a process that may not be seen".to_owned()),
                ..Holder::default()
            },
        }
    }

    fn describe(&self, pid: u32) -> Holder {
        let stat = process::stat(pid).ok();
        let uid = process::uid(pid).ok();
        Holder {
            key: None,
            pid: Some(pid),
            age_s: stat.as_ref().map(|stat| process::age(stat).as_secs()),
            command: stat.map(|stat| stat.comm),
            folder: process::cwd(pid).ok().map(|folder| self.short(&folder)),
            user: uid.filter(|uid| *uid != user::current_uid()).map(user_name),
            note: None,
        }
    }

    /// A folder with the home shown as `~`.
    fn short(&self, folder: &Path) -> String {
        match self.home.as_ref().and_then(|home| folder.strip_prefix(home).ok()) {
            Some(rest) if rest.as_os_str().is_empty() => "~".to_owned(),
            Some(rest) => format!("~/{}", rest.display()),
            None => folder.display().to_string(),
        }
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
            Some((_, Seen::Sockets(sockets))) => self.holder_of(sockets),
            Some((_, Seen::Redirected)) => Holder {
                note: Some(
                    "something that answers although no socket listens: a firewall redirect, such \
                     as a container's published port"
                        .to_owned(),
                ),
                ..Holder::default()
            },
            Some((_, Seen::Failed(error))) => Holder {
                note: Some(format!("nobody known: it could not be examined ({error})")),
                ..Holder::default()
            },
            None => Holder::default(),
        }
    }

    fn process(&mut self, pid: u32) -> Holder {
        self.describe(pid)
    }
}

fn user_name(uid: u32) -> String {
    user::name(uid).unwrap_or_else(|| format!("uid {uid}"))
}

//! Asks one's own servers, within bounds: over loopback only, only those of this user, `GET` only, and only after
//! the kernel has said whose the listener is.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use wharf_model::Exposure;
use wharf_os::diag::{self, SocketState};
use wharf_os::user;
use wharf_plan::audit::{Listener, Question};

use super::{database, http};

/// How many servers are asked at the same time.
const AT_ONCE: usize = 8;
/// How many are asked at all.
const SERVERS_MAX: usize = 64;
/// How long all questions to one may take.
const ONE_SERVER: Duration = Duration::from_secs(30);

/// A listener that may be asked.
pub(super) struct Askable<'a> {
    pub(super) listener: &'a mut Listener,
    pub(super) inode: u64,
    pub(super) v6only: Option<bool>,
}

/// Asks all of them; what they have answered is written into them.
pub(super) fn ask(all: Vec<Askable<'_>>) {
    let mut willing = Vec::new();
    let mut seen = HashSet::new();
    for one in all {
        if let Some(why) = unwilling(one.listener) {
            one.listener.answers.unasked = why;
            continue;
        }
        // One process that listens on several addresses is asked by one of them.
        let pids: Vec<u32> = one.listener.processes.iter().map(|process| process.pid).collect();
        if !seen.insert((one.listener.port, pids)) {
            continue;
        }
        if willing.len() >= SERVERS_MAX {
            one.listener.answers.unasked = Some(format!("only {SERVERS_MAX} servers are asked"));
            continue;
        }
        willing.push(one);
    }
    let workers = AT_ONCE.min(willing.len());
    let queue = Mutex::new(willing);
    let next = || queue.lock().ok().and_then(|mut queue| queue.pop());
    std::thread::scope(|scope| {
        for _ in 1..workers {
            // With fewer threads it takes longer.
            let work = || {
                while let Some(one) = next() {
                    ask_one(one)
                }
            };
            let _ = std::thread::Builder::new().name("audit".into()).spawn_scoped(scope, work);
        }
        while let Some(one) = next() {
            ask_one(one);
        }
    });
}

/// Why one is not asked: `Some(None)` where that goes without saying.
fn unwilling(listener: &Listener) -> Option<Option<String>> {
    if !listener.is_own || listener.is_wharf {
        return Some(None);
    }
    if listener.container.is_some() {
        return Some(Some("it belongs to a container".to_owned()));
    }
    if listener.processes.is_empty() {
        return Some(Some("its process may not be seen".to_owned()));
    }
    if listener.exposure() == Exposure::Lan {
        return Some(Some("it does not listen on loopback, and nothing else is asked".to_owned()));
    }
    let is_known =
        listener.project.is_some() || database::of(listener).is_some() || http::is_known(listener);
    if !is_known {
        return Some(Some("neither of a project nor a server that wharf knows".to_owned()));
    }
    listener.is_debugger().then(|| Some("a debugger waits for its own kind of client".to_owned()))
}

fn ask_one(one: Askable<'_>) {
    let Askable { listener, inode, v6only } = one;
    let to = SocketAddr::new(dialled(listener.address, v6only), listener.port);
    let server = Server { to, inode, until: Instant::now() + ONE_SERVER };
    match database::of(listener) {
        Some(kind) => database::ask(kind, &server, &mut listener.answers),
        None => http::ask(&server, listener),
    }
}

/// The address of this machine by which a listener is reached.
fn dialled(address: IpAddr, v6only: Option<bool>) -> IpAddr {
    match address {
        IpAddr::V6(address) if address.is_unspecified() && v6only == Some(true) => {
            Ipv6Addr::LOCALHOST.into()
        }
        address if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        address => address,
    }
}

/// A server that is asked.
pub(super) struct Server {
    pub(super) to: SocketAddr,
    inode: u64,
    until: Instant,
}

impl Server {
    /// Whether the listener is still the one that was looked at, and nobody else's answers at that address. Asked
    /// once a connection is there: it has gone to whoever listened then, and the number of a socket does not come
    /// back.
    pub(super) fn is_still(&self) -> bool {
        let Ok(sockets) = diag::holding(self.to.port()) else { return false };
        let mut answering = sockets.iter().filter(|socket| {
            let address = socket.address.to_canonical();
            socket.state == SocketState::Listen
                && (address == self.to.ip() || address.is_unspecified())
        });
        let own = user::current_uid();
        sockets.iter().any(|socket| socket.inode == self.inode)
            && answering.all(|socket| socket.uid == own)
    }

    /// How long the next question may take, of the time that it is given.
    pub(super) fn time_for(&self, limit: Duration) -> Duration {
        limit.min(self.until.saturating_duration_since(Instant::now()))
    }
}

/// The path and fields of a question.
pub(super) fn request(question: Question, path: &str, to: SocketAddr) -> String {
    let host = match question.host() {
        Some(host) => format!("{host}:{}", to.port()),
        None => format!("localhost:{}", to.port()),
    };
    let origin =
        question.origin().map(|origin| format!("Origin: {origin}\r\n")).unwrap_or_default();
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: wharf-audit/{}\r\nAccept: */*\r\n\
         {origin}Connection: close\r\n\r\n",
        env!("CARGO_PKG_VERSION")
    )
}

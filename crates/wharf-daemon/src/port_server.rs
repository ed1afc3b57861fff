//! The port server protocol of Google's portpicker: a process number in, a port out.
//!
//! A client connects, writes a pid in decimal and a newline, and reads a port in decimal and a newline.
//! A refusal is a connection that closes without a word, as portpicker's own server does it; the client
//! then looks for a port itself. The lease is the process's that was named, and ends with it.
//! Source: `portserver.py` of portpicker 1.6.0.

use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use wharf_control::api::LeaseRequest;
use wharf_model::{Agent, LeaseKind, Port, PortRequest, ProcessId};
use wharf_os::{peer, process, user};

use crate::connection;
use crate::event::Event;
use crate::socket::ControlSocket;

/// How many clients are served at once; the next ones wait in the socket's queue.
const MAX_CLIENTS: usize = 64;
/// How long a client may take for its one line, and for reading the answer.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(5);
/// The wait after a failed accept: descriptors may be used up, and come back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// The longest line, in bytes: more than any pid needs.
const MAX_LINE: usize = 16;
/// Where the search begins: portpicker's own range, away from where people expect their servers.
const NEAR: u16 = 15_000;

/// The task that serves the protocol, until `ending` says so.
pub(crate) struct PortServer {
    socket: ControlSocket,
    events: mpsc::Sender<Event>,
    /// Tells the requests of this daemon apart.
    served: u64,
}

impl PortServer {
    /// Listens on the path. Without it everything else goes on: that it is missing is only logged.
    pub(crate) fn open(path: &Path, events: &mpsc::Sender<Event>) -> Option<PortServer> {
        match ControlSocket::bind(path) {
            Ok(socket) => Some(PortServer { socket, events: events.clone(), served: 0 }),
            Err(error) => {
                let fault = format!("there is no port server: {error}");
                // Nothing is queued yet, so there is room.
                let _ = events.try_send(Event::Fault(fault));
                None
            }
        }
    }

    /// Serves until the end of the daemon. Whoever is being served then gets no port.
    pub(crate) async fn run(mut self, mut ending: watch::Receiver<bool>) {
        let mut clients = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = connection::end(&mut ending) => break,
                // A client that failed got no port and knows it.
                Some(_) = clients.join_next() => {}
                stream = self.socket.listener.accept(), if clients.len() < MAX_CLIENTS => match stream {
                    Ok((stream, _)) => {
                        self.served += 1;
                        let request_id = request_id(self.served);
                        let served = serve(stream, request_id, self.events.clone());
                        clients.spawn(tokio::time::timeout(CLIENT_TIMEOUT, served));
                    }
                    Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
                }
            }
        }
    }
}

/// Of this daemon, and of no other one that the database remembers.
fn request_id(number: u64) -> String {
    let own = process::own_identity();
    format!("portserver {} {} {} {number}", own.boot_id, own.pid, own.start_ticks)
}

/// One client: its line, its port.
async fn serve(
    mut stream: UnixStream,
    request_id: String,
    events: mpsc::Sender<Event>,
) -> Option<()> {
    let peer = peer::credentials(&stream).ok()?;
    if peer.uid != user::current_uid() || !speaks_our_pids(peer.pid?) {
        return None;
    }
    let pid = read_pid(&mut stream).await?;
    let owner = owner(pid)?;
    let agent = wharf_facts::agent::of_process(pid);
    let port = lease(owner, agent, request_id, &events).await?;
    stream.write_all(format!("{port}\n").as_bytes()).await.ok()
}

/// A line of digits; the end of what is sent ends it as well.
async fn read_pid(stream: &mut UnixStream) -> Option<u32> {
    let mut line = [0; MAX_LINE];
    let mut length = 0;
    loop {
        match stream.read(line.get_mut(length..)?).await.ok()? {
            0 => return pid_of(&line[..length], length < MAX_LINE),
            count => length += count,
        }
        if let Some(end) = line[..length].iter().position(|byte| *byte == b'\n') {
            return pid_of(&line[..end], true);
        }
    }
}

/// The number in the line. 1 is init's, which never ends: nobody's server.
fn pid_of(line: &[u8], whole: bool) -> Option<u32> {
    let text = std::str::from_utf8(line).ok().filter(|_| whole)?.trim();
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|pid| is_number && *pid > 1)
}

/// In another pid namespace the same number is another process.
fn speaks_our_pids(peer: u32) -> bool {
    let own = process::pid_namespace(std::process::id());
    own.ok().is_some_and(|own| process::pid_namespace(peer).is_ok_and(|theirs| theirs == own))
}

/// The process, if it is this user's and its ports are those that the daemon sees.
fn owner(pid: u32) -> Option<ProcessId> {
    let named = wharf_facts::process(pid).ok()?;
    let network = process::network_namespace(std::process::id()).ok()?;
    let fits = process::uid(pid).ok()? == user::current_uid()
        && process::network_namespace(pid).ok()? == network;
    fits.then_some(named)
}

async fn lease(
    owner: ProcessId,
    agent: Option<Agent>,
    request_id: String,
    events: &mpsc::Sender<Event>,
) -> Option<Port> {
    let request = LeaseRequest {
        request_id,
        key: None,
        request: PortRequest::AtLeast(Port::new(NEAR)?),
        slots: 1,
        owner: LeaseKind::Process(owner),
        busy: Vec::new(),
        agent,
    };
    let (reply, answer) = oneshot::channel();
    events.send(Event::Lease(Box::new(request), reply)).await.ok()?;
    // Why it was refused the protocol cannot say.
    let granted = answer.await.ok()?.ok()?;
    granted.leases.first().map(|lease| lease.port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_number_and_nothing_else() {
        let whole = |line: &[u8]| pid_of(line, true);
        assert_eq!(whole(b"4711"), Some(4711));
        assert_eq!(whole(b"4711\r"), Some(4711));
        for line in [&b""[..], b"0", b"1", b"-5", b"+5", b"4711x", b"99999999999", b"\xff", b"1 2"]
        {
            assert_eq!(whole(line), None, "{line:?}");
        }
        assert_eq!(pid_of(b"4711", false), None, "more may have come");
    }
}

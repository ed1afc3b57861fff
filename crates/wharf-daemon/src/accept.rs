//! Taking connections, and letting go of them.

use std::time::Duration;

use tokio::net::UnixStream;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::MissedTickBehavior;
use wharf_control::Paths;
use wharf_os::{peer, user};

use crate::connection::{self, Caller};
use crate::event::Event;
use crate::requests::Requests;
use crate::singleton::Singleton;
use crate::socket::ControlSocket;
use crate::subscriber::Told;

/// How many connections are served at once; the next ones wait in the socket's queue.
pub(crate) const MAX_CONNECTIONS: usize = 512;
/// The wait after a failed accept: descriptors may be used up, and come back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How often the socket's file is looked after: a clean-up of the runtime folder must not make the
/// daemon unreachable for longer than a command waits.
const SOCKET_CHECK: Duration = Duration::from_secs(2);
/// How long open connections may take to end.
const DRAIN: Duration = Duration::from_secs(1);

/// The task that owns the socket.
pub(crate) struct Acceptor {
    pub(crate) socket: ControlSocket,
    pub(crate) singleton: Singleton,
    pub(crate) paths: Paths,
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) notices: broadcast::Sender<Told>,
    pub(crate) requests: Requests,
    /// How many connections are served at once, [`MAX_CONNECTIONS`] or fewer.
    pub(crate) most: usize,
    /// How many connections are open.
    pub(crate) open: watch::Sender<usize>,
}

impl Acceptor {
    /// Accepts until `ending` says so, then waits for what is open, within bounds. Gives back the
    /// locks, to be released after everything else.
    pub(crate) async fn run(mut self, mut ending: watch::Receiver<bool>) -> Singleton {
        let mut tasks = JoinSet::new();
        let mut check = tokio::time::interval(SOCKET_CHECK);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let ended = ending.clone();
        loop {
            tokio::select! {
                biased;
                () = connection::end(&mut ending) => break,
                _ = check.tick() => self.look_after_socket().await,
                Some(outcome) = tasks.join_next() => self.report(outcome).await,
                stream = self.accept(), if tasks.len() < self.most => {
                    if let Some(stream) = stream {
                        let caller = self.caller(&stream);
                        tasks.spawn(connection::serve(stream, caller, ended.clone()));
                    }
                }
            }
            self.open.send_replace(tasks.len());
        }
        // The path goes first: whoever comes now finds no daemon and starts the next one.
        drop(self.socket);
        // The coordinator ends when nobody can send to it any more.
        drop(self.events);
        let drained =
            tokio::time::timeout(DRAIN, async { while tasks.join_next().await.is_some() {} });
        if drained.await.is_err() {
            tasks.abort_all();
        }
        self.singleton
    }

    async fn accept(&self) -> Option<UnixStream> {
        match self.socket.listener.accept().await {
            Ok((stream, _)) => Some(stream),
            Err(error) => {
                // A log that is behind can do without this line.
                let _ = self.events.try_send(Event::Fault(format!("accept failed: {error}")));
                tokio::time::sleep(ACCEPT_PAUSE).await;
                None
            }
        }
    }

    fn caller(&self, stream: &UnixStream) -> Caller {
        let allowed = peer::uid(stream).is_ok_and(|uid| uid == 0 || uid == user::current_uid());
        Caller {
            allowed,
            events: self.events.clone(),
            notices: self.notices.clone(),
            requests: self.requests.clone(),
        }
    }

    async fn report(&self, ended: Result<(), JoinError>) {
        if let Err(error) = ended {
            let _ = self.events.send(Event::Fault(format!("a connection failed: {error}"))).await;
        }
    }

    async fn look_after_socket(&mut self) {
        if self.socket.is_in_place() {
            return;
        }
        let outcome = match self.singleton.reclaim() {
            Ok(false) => {
                let _ = self.events.send(Event::Superseded).await;
                return;
            }
            Ok(true) => ControlSocket::bind(&self.paths.socket).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let news = match outcome {
            Ok(socket) => {
                self.socket = socket;
                "the control socket was removed and has been made again".to_owned()
            }
            Err(error) => {
                format!("the control socket was removed and cannot be made again: {error}")
            }
        };
        let _ = self.events.send(Event::Fault(news)).await;
    }
}

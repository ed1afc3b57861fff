//! Instances of real Python programs, from launch to end.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use wharf_model::{Listener, Port, Probe};
use wharf_os::guard::{Command, Exit};
use wharf_os::limits::CallerLimits;
use wharf_os::reserve::Reservation;
use wharf_os::signals::{CallerSignals, SIGTERM};
use wharf_supervisor::{Answer, Handle, Keeping, Launch, Order, Update, start};

const LIMIT: Duration = Duration::from_secs(30);

/// A reserved port of the kernel's choice, kept until the instance has ended.
fn reservation() -> (Port, Reservation) {
    let reservation = Reservation::take(0).expect("a free port");
    (Port::new(reservation.port()).expect("not 0"), reservation)
}

struct Instance {
    handle: Handle,
    port: Port,
    _dir: tempfile::TempDir,
}

/// Runs a Python program in which `PORT` is the leased port.
fn python(program: &str, probe: Probe, grace: Duration, likely: Vec<Port>) -> Instance {
    let (port, reservation) = reservation();
    let dir = tempfile::tempdir().expect("a temporary folder");
    let program =
        format!("PORT = {port}\nimport os, socket, sys, time, signal, http.server\n{program}");
    let mark = ("WHARF_ID", format!("test-{port}"));
    let mut env: Vec<_> = std::env::vars_os().collect();
    env.push((mark.0.into(), mark.1.clone().into()));
    let command = Command {
        argv: ["python3", "-c", &program].map(Into::into).to_vec(),
        env,
        dir: dir.path().to_owned(),
        signals: CallerSignals::current(),
        ignored: Vec::new(),
        limits: CallerLimits::current(),
        orphan_grace: Duration::from_millis(200),
        filter: None,
        cgroup: None,
        listener: None,
    };
    let reservations = vec![reservation];
    let launch = Launch {
        command,
        mark,
        port,
        further: Vec::new(),
        likely,
        probe,
        grace,
        reservations,
        remapping: None,
        keeping: Keeping::default(),
    };
    Instance { handle: start(launch).expect("python3 is there"), port, _dir: dir }
}

impl Instance {
    async fn until<T>(&mut self, mut wanted: impl FnMut(&Update) -> Option<T>) -> T {
        let search = async {
            let mut before = Vec::new();
            while let Some(update) = self.handle.next().await {
                if let Some(found) = wanted(&update) {
                    return found;
                }
                before.push(update);
            }
            panic!("it never came; before: {before:#?}");
        };
        tokio::time::timeout(LIMIT, search).await.expect("it did not come in time")
    }

    async fn ready(&mut self) -> (Listener, Answer) {
        self.until(|update| match update {
            Update::Ready { listener, answer, .. } => Some((listener.clone(), *answer)),
            _ => None,
        })
        .await
    }

    /// Every update to the end.
    async fn rest(mut self) -> Vec<Update> {
        let rest = async {
            let mut updates = Vec::new();
            while let Some(update) = self.handle.next().await {
                updates.push(update);
            }
            updates
        };
        tokio::time::timeout(LIMIT, rest).await.expect("it did not end in time")
    }

    async fn stop(self) -> Vec<Update> {
        self.handle.order(Order::Stop { signal: SIGTERM });
        self.rest().await
    }
}

const SERVE: &str = "http.server.HTTPServer(('127.0.0.1', PORT), http.server.SimpleHTTPRequestHandler).serve_forever()";

fn long() -> Duration {
    Duration::from_secs(20)
}

#[tokio::test]
async fn a_server_is_ready_when_it_answers_and_gone_when_it_ends() {
    let mut instance = python(SERVE, Probe::Http, long(), Vec::new());
    let (listener, answer) = instance.ready().await;
    assert_eq!(listener.port, instance.port.get());
    assert!(listener.pid.is_some(), "the holder is named");
    assert_eq!(answer, Answer::Http(200));
    let rest = instance.stop().await;
    assert!(
        rest.contains(&Update::Exited { exit: Exit::Signal(SIGTERM), left_behind: vec![] }),
        "{rest:?}"
    );
    assert_eq!(rest.last(), Some(&Update::Gone));
}

#[tokio::test]
async fn listening_is_not_answering() {
    let program = "s = socket.create_server(('127.0.0.1', PORT))\ntime.sleep(600)";
    let mut instance = python(program, Probe::Http, long(), Vec::new());
    instance.until(|update| matches!(update, Update::Listening { .. }).then_some(())).await;
    let rest = instance.stop().await;
    assert!(!rest.iter().any(|update| matches!(update, Update::Ready { .. })), "{rest:?}");
}

#[tokio::test]
async fn a_listener_that_closes_before_the_real_one_is_not_ready() {
    let program = format!(
        "for _ in range(2):\n s = socket.create_server(('127.0.0.1', PORT)); time.sleep(0.05); s.close()\n{SERVE}"
    );
    let mut instance = python(&program, Probe::Http, long(), Vec::new());
    assert_eq!(instance.ready().await.1, Answer::Http(200));
    instance.stop().await;
}

#[tokio::test]
async fn a_server_that_ignores_its_port_is_found_where_it_is() {
    let (other, kept) = reservation();
    let program = SERVE.replace("PORT", &other.to_string());
    let mut instance = python(&program, Probe::Http, long(), vec![other]);
    let moved = instance
        .until(|update| match update {
            Update::Moved { port } => Some(*port),
            _ => None,
        })
        .await;
    assert_eq!(moved, other.get());
    assert_eq!(instance.ready().await.0.port, other.get());
    instance.stop().await;
    drop(kept);
}

#[tokio::test]
async fn a_strangers_answer_is_never_ready() {
    let mut instance = python("time.sleep(600)", Probe::Http, long(), Vec::new());
    // std binds with SO_REUSEADDR, so it gets past the reservation, as a stranger might.
    let stranger = TcpListener::bind((Ipv4Addr::LOCALHOST, instance.port.get())).unwrap();
    let seen = instance
        .until(|update| match update {
            Update::Stranger { listener } => Some(listener.port),
            _ => None,
        })
        .await;
    assert_eq!(seen, stranger.local_addr().unwrap().port());
    let rest = instance.stop().await;
    assert!(!rest.iter().any(|update| matches!(update, Update::Ready { .. })), "{rest:?}");
}

#[tokio::test]
async fn what_ignores_the_signal_is_killed_after_the_grace() {
    let program = format!("signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{SERVE}");
    let mut instance = python(&program, Probe::Http, Duration::from_millis(300), Vec::new());
    instance.ready().await;
    let rest = instance.stop().await;
    assert!(rest.iter().any(|update| matches!(update, Update::Killed { .. })), "{rest:?}");
    assert!(
        rest.contains(&Update::Exited { exit: Exit::Signal(9), left_behind: vec![] }),
        "{rest:?}"
    );
}

#[tokio::test]
async fn what_a_command_leaves_behind_is_named_and_ended() {
    let program = "if os.fork() == 0:\n os.setsid(); time.sleep(600)\nsys.exit(3)";
    let instance = python(program, Probe::Http, long(), Vec::new());
    let rest = instance.rest().await;
    let left = rest.iter().find_map(|update| match update {
        Update::Exited { exit: Exit::Code(3), left_behind } => Some(left_behind.clone()),
        _ => None,
    });
    let left = left.expect("the exit is told");
    assert_eq!(left.len(), 1);
    assert!(wharf_os::process::stat(left[0].pid).is_err(), "it has ended");
}

#[tokio::test]
async fn a_server_that_is_no_web_server_is_ready_by_its_listener() {
    let program = "s = socket.create_server(('127.0.0.1', PORT))\nwhile True:\n c, _ = s.accept(); c.recv(99); c.sendall(b'-ERR\\r\\n'); c.close()";
    let mut instance = python(program, Probe::Unknown, long(), Vec::new());
    assert_eq!(instance.ready().await.1, Answer::NotHttp);
    instance.stop().await;
}

#[tokio::test]
async fn a_reload_is_no_outage_and_a_lost_listener_is() {
    let program = "import threading
class Server(http.server.HTTPServer): pass
def serve(seconds):
    server = Server(('127.0.0.1', PORT), http.server.SimpleHTTPRequestHandler)
    threading.Timer(seconds, server.shutdown).start()
    server.serve_forever(); server.server_close()
serve(1.0)
time.sleep(2.6)
serve(600)";
    let mut instance = python(program, Probe::Http, long(), Vec::new());
    instance.ready().await;
    instance.until(|update| (*update == Update::Unready).then_some(())).await;
    let again = instance
        .until(|update| match update {
            Update::Ready { again, .. } => Some(*again),
            _ => None,
        })
        .await;
    assert!(again);
    instance.stop().await;
}

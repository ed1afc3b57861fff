//! The daemon as commands meet it: started by many at once, killed at any moment, stopped, replaced.

mod sandbox;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use wharf_control::api::{LeaseRequest, Snapshot};
use wharf_control::{CallError, Client, Environment, Paths};
use wharf_model::{Lease, LeaseKind, Port, PortRequest};

/// How long anything may take before a test fails.
const DEADLINE: Duration = Duration::from_secs(60);
/// How often the daemon is killed.
const KILLS: usize = 200;
/// How many lease threads work meanwhile.
const WORKERS: usize = 4;

struct Home {
    folder: TempDir,
    paths: Paths,
}

impl Home {
    fn new() -> Home {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment {
            xdg_runtime_dir: Some(folder.path().join("run").into()),
            home: Some(folder.path().into()),
            ..Environment::default()
        };
        Home { paths: Paths::new(&environment).unwrap(), folder }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.folder.path())
            .env("XDG_RUNTIME_DIR", self.folder.path().join("run"))
            .env("PORT", "1")
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn client(&self) -> Client {
        Client::new(&self.paths.socket)
    }

    fn daemon(&self) -> Option<u32> {
        block_on(self.client().status()).ok().map(|status| status.pid)
    }

    fn snapshot(&self) -> Snapshot {
        block_on(self.client().snapshot()).unwrap()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.paths.logs.join("daemon.log")).unwrap_or_default()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Some(pid) = self.daemon() {
            kill("-KILL", pid);
        }
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn kill(signal: &str, pid: u32) {
    let _ = Command::new("kill").args([signal, &pid.to_string()]).status();
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    assert!(sandbox::until(|| is_so().then_some(())).is_some(), "never: {what}");
}

#[test]
fn sixty_four_commands_at_once_start_one_daemon() {
    let home = Home::new();
    let begun = Instant::now();
    let commands: Vec<_> = (0..64)
        .map(|_| {
            let mut command = home.command(&["port", "--near", "21000"]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let outputs: Vec<Output> =
        commands.into_iter().map(|command| command.wait_with_output().unwrap()).collect();
    eprintln!("64 commands without a daemon: {:.2?}", begun.elapsed());
    for output in &outputs {
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    }
    let ports: BTreeSet<String> = outputs.iter().map(|output| text(&output.stdout)).collect();
    assert_eq!(ports.len(), 64);
    assert_eq!(
        home.log().lines().filter(|line| line.contains(" (pid ")).count(),
        1,
        "{}",
        home.log()
    );
}

#[test]
fn the_daemon_is_nobodys_child_and_holds_nothing_of_its_caller() {
    let home = Home::new();
    let output = home.run(&["daemon", "start"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let pid = home.daemon().unwrap();
    let proc = |name: &str| std::fs::read(format!("/proc/{pid}/{name}")).unwrap();
    let status = text(&proc("status"));
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_ascii_whitespace().nth(1).unwrap().to_owned()
    };
    assert_ne!(field("PPid:"), std::process::id().to_string());
    assert_eq!(field("Umask:"), "0077");
    assert_eq!(field("Name:"), "wharf");
    assert_eq!(std::fs::read_link(format!("/proc/{pid}/cwd")).unwrap(), Path::new("/"));
    assert!(!text(&proc("environ")).split('\0').any(|entry| entry.starts_with("PORT=")));
    for number in 0..3 {
        let there = std::fs::read_link(format!("/proc/{pid}/fd/{number}")).unwrap();
        assert_eq!(there, Path::new("/dev/null"), "descriptor {number}");
    }
    eprintln!("daemon: {} kB resident", field("VmRSS:"));
}

/// What the workers were told, and how often.
#[derive(Default)]
struct Book {
    acknowledged: Mutex<BTreeMap<String, Lease>>,
    count: AtomicUsize,
    over: AtomicBool,
}

#[test]
fn two_hundred_kills_under_load_lose_and_double_nothing() {
    let home = Home::new();
    assert!(home.run(&["daemon", "start"]).status.success());
    let book = Book::default();
    let mut recoveries = Vec::new();
    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (home, book) = (&home, &book);
            scope.spawn(move || block_on(work(home, book, worker)));
        }
        for round in 0..KILLS {
            // After more or fewer answers, so that it hits every moment of a request.
            let target = book.count.load(Ordering::Relaxed) + round % 7;
            eventually("work goes on", || book.count.load(Ordering::Relaxed) >= target);
            let Some(pid) = home.daemon() else { continue };
            let begun = Instant::now();
            kill("-KILL", pid);
            eventually("the next daemon answers", || home.daemon().is_some_and(|next| next != pid));
            recoveries.push(begun.elapsed());
        }
        book.over.store(true, Ordering::Relaxed);
    });
    recoveries.sort_unstable();
    let acknowledged = book.acknowledged.into_inner().unwrap();
    eprintln!(
        "{} kills, {} leases; next daemon after p50 {:.0?}, p99 {:.0?}",
        recoveries.len(),
        acknowledged.len(),
        recoveries[recoveries.len() / 2],
        recoveries[recoveries.len() * 99 / 100],
    );
    assert!(recoveries.len() > KILLS * 9 / 10 && acknowledged.len() > KILLS);
    let held: BTreeMap<i64, Lease> =
        home.snapshot().leases.into_iter().map(|lease| (lease.id, lease)).collect();
    for (request, lease) in &acknowledged {
        assert_eq!(held.get(&lease.id), Some(lease), "{request} was acknowledged");
    }
    // Requests whose answer was lost were repeated by their name, so there is nothing more.
    assert_eq!(held.len(), acknowledged.len());
    let ports: BTreeSet<Port> = held.values().map(|lease| lease.port).collect();
    assert_eq!(ports.len(), held.len());
    assert!(!home.log().contains("damaged"), "{}", home.log());
}

/// Asks for ports until it is over; a request whose answer was lost is asked again, as `link` does.
async fn work(home: &Home, book: &Book, worker: usize) {
    let client = home.client();
    for number in 0.. {
        if book.over.load(Ordering::Relaxed) {
            return;
        }
        let request = LeaseRequest {
            request_id: format!("{worker}-{number}"),
            key: None,
            request: PortRequest::AtLeast(Port::new(21_000).unwrap()),
            slots: 1,
            owner: LeaseKind::Ttl(3600),
            busy: Vec::new(),
            agent: None,
        };
        let deadline = Instant::now() + DEADLINE;
        let lease = loop {
            match client.lease(&request).await {
                Ok(mut reply) => break reply.leases.remove(0),
                Err(error) if error.is_passing() => {
                    assert!(Instant::now() < deadline, "no answer to {}", request.request_id);
                    if let CallError::NoDaemon { .. } = error {
                        // Whether it was this one that started it does not matter.
                        home.run(&["daemon", "start"]);
                    }
                }
                Err(error) => panic!("{error}: {error:?}"),
            }
        };
        book.acknowledged.lock().unwrap().insert(request.request_id, lease);
        book.count.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_daemon_that_is_stopped_is_named_and_not_doubled() {
    let home = Home::new();
    assert!(home.run(&["daemon", "start"]).status.success());
    let pid = home.daemon().unwrap();
    kill("-STOP", pid);
    let begun = Instant::now();
    let output = home.run(&["ls"]);
    let waited = begun.elapsed();
    kill("-CONT", pid);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(6), "{said}");
    assert!(waited < Duration::from_millis(5500), "{waited:?}");
    assert!(said.contains(&format!("the daemon (pid {pid}) does not answer")), "{said}");
    assert!(said.contains("SIGSTOP") && said.contains(&format!("kill -CONT {pid}")), "{said}");
    assert!(home.run(&["ls"]).status.success());
    assert_eq!(home.daemon(), Some(pid));
}

#[test]
fn stop_and_status_without_a_daemon_start_none() {
    let home = Home::new();
    let output = home.run(&["daemon", "status"]);
    assert_eq!(output.status.code(), Some(7));
    assert!(text(&output.stderr).contains("no daemon runs"));
    assert_eq!(home.run(&["daemon", "stop"]).status.code(), Some(0));
    assert!(!home.paths.socket.exists());
    assert!(home.run(&["daemon", "start"]).status.success());
    let status = home.run(&["daemon", "status", "--json"]);
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["pid"].as_u64(), home.daemon().map(u64::from));
    assert_eq!(status["socket"].as_str(), home.paths.socket.to_str());
    assert!(home.run(&["daemon", "stop"]).status.success());
    assert!(home.daemon().is_none() && !home.paths.socket.exists());
}

#[test]
fn a_second_daemon_in_the_foreground_says_that_one_runs() {
    let home = Home::new();
    assert!(home.run(&["daemon", "start"]).status.success());
    let output = home.run(&["daemon", "run"]);
    assert_eq!(output.status.code(), Some(4));
    assert_eq!(text(&output.stdout), "already runs\n");
    assert!(
        text(&output.stderr).contains("a daemon already runs, on "),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn why_the_daemon_does_not_start_reaches_the_command() {
    let home = Home::new();
    assert!(home.run(&["daemon", "start"]).status.success());
    assert!(home.run(&["daemon", "stop"]).status.success());
    let mut bytes = std::fs::read(&home.paths.database).unwrap();
    bytes[60..64].copy_from_slice(&77u32.to_be_bytes());
    std::fs::write(&home.paths.database, bytes).unwrap();
    let output = home.run(&["port"]);
    assert_eq!(output.status.code(), Some(7));
    let said = text(&output.stderr);
    assert!(said.contains("schema version 77, this wharf knows 5"), "{said}");

    std::fs::remove_file(&home.paths.database).unwrap();
    std::fs::create_dir(&home.paths.socket).unwrap();
    let output = home.run(&["port"]);
    assert_eq!(output.status.code(), Some(7));
    assert!(text(&output.stderr).contains("is a folder, not a socket"), "{}", text(&output.stderr));

    let long = format!("/tmp/{}", "x".repeat(100));
    let output = home.command(&["port"]).env("XDG_RUNTIME_DIR", long).output().unwrap();
    assert_eq!(output.status.code(), Some(7));
    assert!(text(&output.stderr).contains("the system takes 107"), "{}", text(&output.stderr));
}

/// A version before this one.
const OLDER: &str = "0.0.1";

/// The socket of a daemon, which listens when this returns: its file is there a moment earlier, and whoever
/// came in between would take the daemon for dead.
fn daemons_socket(home: &Home) -> UnixListener {
    std::fs::create_dir_all(&home.paths.runtime_dir).unwrap();
    let private = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(&home.paths.runtime_dir, private).unwrap();
    UnixListener::bind(&home.paths.socket).unwrap()
}

/// A daemon of another version, as far as a handshake goes: it tells its version, grants one port,
/// hands nothing over, and goes when it is told to.
fn pretend(home: &Home, listener: &UnixListener, version: &str, requests: &Mutex<Vec<String>>) {
    for stream in listener.incoming() {
        let mut stream = BufReader::new(stream.unwrap());
        let mut first = String::new();
        stream.read_line(&mut first).unwrap();
        let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
        requests.lock().unwrap().push(path.clone());
        let body = match path.as_str() {
            "/v1/stop" => r#"{"schema":1,"pid":1}"#.to_owned(),
            "/v1/leases" => concat!(
                r#"{"schema":1,"leases":[{"id":1,"port":4242,"key":null,"request":{"at_least":1},"#,
                r#""kind":{"ttl":60},"granted_at":1,"why":{"reason":"asked"},"new":true}]}"#
            )
            .to_owned(),
            "/v1/snapshot" => format!(
                r#"{{"schema":1,"version":"{version}","leases":[],"instances":[],"homes":[]}}"#
            ),
            _ => format!(
                concat!(
                    r#"{{"schema":1,"pid":1,"version":"{}","socket":"","uptime_s":0,"leases":0,"#,
                    r#""instances":0,"store":{{"path":"","writable":true}},"news":"of a later version"}}"#
                ),
                version
            ),
        };
        if path == "/v1/stop" {
            std::fs::remove_file(&home.paths.socket).unwrap();
        }
        let status = if path == "/v1/hand-over" { "404 Not Found" } else { "200 OK" };
        let head =
            format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\n");
        let length = body.len();
        let answer = format!("{head}Content-Length: {length}\r\n\r\n{body}");
        stream.get_mut().write_all(answer.as_bytes()).unwrap();
        let used = path == "/v1/snapshot" && version != OLDER;
        if path == "/v1/stop" || path == "/v1/leases" || used {
            return;
        }
    }
}

#[test]
fn an_older_daemon_is_replaced_and_a_newer_one_is_used() {
    for (version, replaced) in [(OLDER, true), ("99.0.0", false)] {
        let home = Home::new();
        let requests = Mutex::new(Vec::new());
        let listener = daemons_socket(&home);
        std::thread::scope(|scope| {
            scope.spawn(|| pretend(&home, &listener, version, &requests));
            let output = home.run(&["port"]);
            assert_eq!(output.status.code(), Some(0), "{version}: {}", text(&output.stderr));
            assert_eq!(text(&output.stdout) == "4242\n", !replaced, "{}", text(&output.stdout));
        });
        let expected: &[&str] = match replaced {
            true => &["/v1/status", "/v1/hand-over", "/v1/stop"],
            false => &["/v1/status", "/v1/leases"],
        };
        assert_eq!(*requests.lock().unwrap(), expected);
        let own = replaced.then(|| block_on(home.client().status()).unwrap().version);
        assert_eq!(own.as_deref(), replaced.then_some(env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn what_the_daemon_knows_is_one_question_unless_it_is_older() {
    for (version, expected) in [
        (OLDER, &["/v1/snapshot", "/v1/status", "/v1/hand-over", "/v1/stop"][..]),
        ("99.0.0", &["/v1/snapshot"]),
    ] {
        let home = Home::new();
        let requests = Mutex::new(Vec::new());
        let listener = daemons_socket(&home);
        std::thread::scope(|scope| {
            scope.spawn(|| pretend(&home, &listener, version, &requests));
            let output = home.run(&["ls"]);
            assert_eq!(output.status.code(), Some(0), "{version}: {}", text(&output.stderr));
        });
        assert_eq!(*requests.lock().unwrap(), expected, "{version}");
    }
}

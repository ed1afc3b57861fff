//! A daemon in a process of its own, in folders of its own.
//!
//! The process is this very test binary, run again with one test selected: [`be_daemon_if_asked`].
#![allow(dead_code)]

mod deadline;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use wharf_control::api::{KeyRequest, LeaseRequest, Snapshot};
use wharf_control::{Client, Environment, Paths};
use wharf_daemon::{Config, serve};
use wharf_model::{
    Instance, Lease, LeaseKind, PathText, Port, PortRequest, ProcessId, Remap, ServiceKey, State,
};

pub(crate) use deadline::eventually;

/// How long anything may take before a test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

const ROOT: &str = "WHARF_TEST_ROOT";
const IDLE_MS: &str = "WHARF_TEST_IDLE_MS";
const VERSION: &str = "WHARF_TEST_VERSION";
const ENTRY: &str = "as_a_daemon";

/// The body of the test `as_a_daemon`, which every test file has: does nothing unless a test of that
/// file started this process to be its daemon.
pub(crate) fn be_daemon_if_asked() {
    let Some(root) = std::env::var_os(ROOT) else { return };
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let config = Config {
        revive: |_| {},
        paths: paths(Path::new(&root)),
        version: std::env::var(VERSION).unwrap_or_else(|_| "0.1.0".into()),
        proxy: wharf_control::api::ProxyWish::Off,
        activated: Vec::new(),
        idle: Duration::from_millis(number(IDLE_MS).unwrap_or(600_000)),
        ready: || {},
    };
    if let Err(error) = serve(config) {
        let mut text = format!("refused: {error}");
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            text.push_str(&format!(": {cause}"));
            source = cause.source();
        }
        eprintln!("{text}");
        std::process::exit(7);
    }
    std::process::exit(0);
}

/// Folders, and the daemons in them.
pub(crate) struct Home {
    pub(crate) folder: TempDir,
    pub(crate) paths: Paths,
}

impl Home {
    pub(crate) fn new() -> Home {
        let folder = tempfile::tempdir().unwrap();
        let paths = paths(folder.path());
        Home { folder, paths }
    }

    /// The command that is the daemon here.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        self.prepare(&mut command);
        command
    }

    /// The same behind a shell, which may change limits or mounts first and ends with `exec "$@"`.
    pub(crate) fn command_behind(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).arg(std::env::current_exe().unwrap());
        self.prepare(&mut command);
        command
    }

    fn prepare(&self, command: &mut Command) {
        command
            .args(["--exact", ENTRY, "--nocapture", "--test-threads", "1"])
            .env(ROOT, self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
    }

    /// A daemon that answers.
    pub(crate) fn start(&self) -> Daemon {
        self.start_as(self.command())
    }

    pub(crate) fn start_idle_after(&self, idle: Duration) -> Daemon {
        let mut command = self.command();
        command.env(IDLE_MS, idle.as_millis().to_string());
        self.start_as(command)
    }

    pub(crate) fn start_as(&self, mut command: Command) -> Daemon {
        let daemon = Daemon { child: command.spawn().unwrap(), socket: self.paths.socket.clone() };
        eventually("the daemon answers", || daemon.try_status().is_some());
        daemon
    }

    /// What a daemon that cannot start says.
    pub(crate) fn refusal(&self) -> String {
        let output = self.command().output().unwrap();
        assert_eq!(output.status.code(), Some(7));
        let text = String::from_utf8(output.stderr).unwrap();
        text.lines().find_map(|line| line.strip_prefix("refused: ")).unwrap().to_owned()
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&self.paths.socket)
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        block_on(self.client().snapshot()).unwrap()
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.paths.logs.join("daemon.log")).unwrap_or_default()
    }
}

/// A running daemon; killed when the test ends.
pub(crate) struct Daemon {
    child: Child,
    socket: PathBuf,
}

impl Daemon {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([name, &self.pid().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// The exit code, once it has ended by itself.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        let mut status = None;
        eventually("the daemon ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap().code()
    }

    fn try_status(&self) -> Option<()> {
        block_on(Client::new(&self.socket).status()).ok().map(|_| ())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn paths(root: &Path) -> Paths {
    let environment = Environment {
        xdg_runtime_dir: Some(root.join("run").into()),
        xdg_state_home: Some(root.join("state").into()),
        xdg_config_home: Some(root.join("config").into()),
        ..Environment::default()
    };
    Paths::new(&environment).unwrap()
}

pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// One exchange as bytes, for what the client would never send: status and body.
pub(crate) fn raw(paths: &Paths, request: &str) -> (u16, String) {
    let mut stream = UnixStream::connect(&paths.socket).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    // The daemon may answer and close before everything is written.
    let _ = stream.write_all(request.as_bytes());
    let mut reply = Vec::new();
    let _ = stream.read_to_end(&mut reply);
    let reply = String::from_utf8(reply).unwrap();
    let status = reply.split(' ').nth(1).unwrap_or_else(|| panic!("no answer to {request:.60}"));
    let body = reply.split_once("\r\n\r\n").unwrap().1.to_owned();
    (status.parse().unwrap(), body)
}

pub(crate) fn port(number: u16) -> Port {
    Port::new(number).unwrap()
}

pub(crate) fn own_process() -> ProcessId {
    process_of(std::process::id())
}

pub(crate) fn process_of(pid: u32) -> ProcessId {
    let identity = wharf_os::process::identity(pid).unwrap();
    ProcessId { pid, start_ticks: identity.start_ticks, boot_id: identity.boot_id }
}

pub(crate) fn key(service: &str) -> KeyRequest {
    KeyRequest {
        project: PathText::from_text("/src/shop".into()),
        worktree: String::new(),
        service: service.into(),
        instance: None,
    }
}

/// Out of the way of whatever else runs on this machine.
pub(crate) const QUIET: u16 = 21_000;

pub(crate) fn request(id: &str, key: Option<KeyRequest>, owner: LeaseKind) -> LeaseRequest {
    LeaseRequest {
        request_id: id.into(),
        key,
        request: PortRequest::AtLeast(port(QUIET)),
        slots: 1,
        owner,
        busy: Vec::new(),
        agent: None,
    }
}

pub(crate) fn lease(home: &Home, request: &LeaseRequest) -> Lease {
    block_on(home.client().lease(request)).unwrap().leases.remove(0)
}

pub(crate) fn instance(id: &str, port: u16, pilot: ProcessId, state: State) -> Instance {
    Instance {
        id: id.into(),
        key: ServiceKey {
            project: PathText::from_text("/src/shop".into()),
            worktree: String::new(),
            service: "web".into(),
            instance: 1,
        },
        root: PathText::from_text("/src/shop".into()),
        framework: None,
        state,
        port,
        requested_port: port,
        listeners: Vec::new(),
        remap: Remap::Cooperative,
        remapped: Vec::new(),
        held: false,
        access: wharf_model::Access::default(),
        url: String::new(),
        direct_url: String::new(),
        pid: None,
        pilot_pid: pilot.pid,
        pilot,
        started_at: 1,
        definition: None,
        last_lines: Vec::new(),
        revive: false,
        restarts: 0,
        ready_ms: None,
        exit_code: None,
        command: vec!["sleep".into()],
        agent: None,
    }
}

/// A process that does nothing, to own leases; killed when the test ends.
pub(crate) struct Sleeper(Child);

impl Sleeper {
    pub(crate) fn new() -> Sleeper {
        Sleeper(Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap())
    }

    pub(crate) fn process(&self) -> ProcessId {
        process_of(self.0.id())
    }

    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether this is root with a tool, for tests that need both; says so where it is not.
pub(crate) fn root_with(tool: &str) -> bool {
    let there = Command::new(tool).arg("--version").output().is_ok();
    let able = there && wharf_os::user::current_uid() == 0;
    if !able {
        eprintln!("skipped: needs root and {tool}");
    }
    able
}

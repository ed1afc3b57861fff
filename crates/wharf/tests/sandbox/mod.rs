//! A place of its own for each test: folders, a network namespace, deadlines. What a test starts here
//! ends with it.

#![allow(dead_code, unreachable_pub, reason = "each test file uses the part that it needs")]

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take before the test fails: far more than it needs on a loaded machine.
pub const LIMIT: Duration = Duration::from_secs(40);

/// A home, a runtime folder, a project, and a network in which no port is taken.
pub struct Sandbox {
    dir: tempfile::TempDir,
    /// Holds the network namespace open; its pid names it.
    network: Child,
}

impl Sandbox {
    /// A fresh sandbox whose project is an empty git checkout.
    pub fn new() -> Sandbox {
        let dir = tempfile::Builder::new().prefix("wharf-").tempdir().expect("a temporary folder");
        for folder in ["home", "run", "project/.git"] {
            std::fs::create_dir_all(dir.path().join(folder)).expect("a folder");
        }
        private(&dir.path().join("run"));
        // 0755, so that another user of a test gets in.
        mode(dir.path(), 0o755);
        Sandbox { dir, network: network() }
    }

    /// The folder of everything.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The project's folder.
    pub fn project(&self) -> PathBuf {
        self.dir.path().join("project")
    }

    /// Writes a file of the project.
    pub fn file(&self, name: &str, contents: &str) -> PathBuf {
        let path = self.project().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(&path, contents).expect("a file");
        path
    }

    /// A program in the sandbox: its folders, its network, the project as current folder.
    pub fn program(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.network.id()));
        // Whoever runs the tests may ignore some signals (`nohup`, a job in the background), which
        // every program here would inherit.
        command.args(["--", "env", "--default-signal=HUP,INT,QUIT,TERM"]).arg(program);
        self.settle(&mut command);
        command
    }

    /// wharf in the sandbox.
    pub fn wharf(&self, args: &[&str]) -> Command {
        let mut command = self.program(env!("CARGO_BIN_EXE_wharf"));
        command.args(args);
        command
    }

    fn settle(&self, command: &mut Command) {
        let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
        command
            .env_clear()
            .env("PATH", path)
            .env("LANG", "C.UTF-8")
            // Whoever runs the tests may be an agent.
            .env("WHARF_AGENT", "")
            .env("HOME", self.dir.path().join("home"))
            .env("XDG_RUNTIME_DIR", self.dir.path().join("run"))
            .current_dir(self.project())
            .stdin(Stdio::null());
    }

    /// Runs wharf to its end.
    pub fn output(&self, args: &[&str]) -> Answer {
        answer(self.wharf(args))
    }

    /// `wharf run --events … ARGS`
    pub fn run(&self, args: &[&str]) -> Running {
        let events = self.dir.path().join(format!("events-{}", unique()));
        let mut command = self.wharf(&["run", "--events"]);
        command.arg(&events).args(args);
        running(command, &events)
    }

    /// Any command that goes on.
    pub fn start(&self, args: &[&str]) -> Running {
        running(self.wharf(args), Path::new(""))
    }

    /// As [`Sandbox::run`], in another project's folder.
    pub fn run_in(&self, folder: &Path, args: &[&str]) -> Running {
        let events = self.dir.path().join(format!("events-{}", unique()));
        let mut command = self.wharf(&["run", "--events"]);
        command.arg(&events).args(args).current_dir(folder);
        running(command, &events)
    }

    /// A copy of this program that is older, at a path of its own: the same in all but its version.
    pub fn older(&self) -> PathBuf {
        let mut program = std::fs::read(env!("CARGO_BIN_EXE_wharf")).expect("the program");
        let version = env!("CARGO_PKG_VERSION");
        let own = format!("wharf-version={version};");
        let old = format!("wharf-version={:1$};", "0.0.0", version.len());
        let (own, old) = (own.as_bytes(), old.as_bytes());
        let found: Vec<usize> =
            (0..program.len() - own.len()).filter(|at| program[*at..].starts_with(own)).collect();
        assert_eq!(found.len(), 1, "the mark stands once in the program");
        program[found[0]..found[0] + old.len()].copy_from_slice(old);
        let path = self.dir.path().join("older-wharf");
        std::fs::write(&path, program).expect("a file");
        mode(&path, 0o755);
        path
    }

    /// `PROGRAM run --events … ARGS`
    pub fn run_by(&self, program: &Path, args: &[&str]) -> Running {
        let events = self.dir.path().join(format!("events-{}", unique()));
        let mut command = self.program(program);
        command.args(["run", "--events"]).arg(&events).args(args);
        running(command, &events)
    }

    /// The same as the argument of another program.
    pub fn run_under(&self, folder: &Path, words: &[String], args: &[&str]) -> Running {
        let events = self.dir.path().join(format!("events-{}", unique()));
        let mut command = self.program(&words[0]);
        command.args(&words[1..]).arg(env!("CARGO_BIN_EXE_wharf")).args(["run", "--events"]);
        command.arg(&events).args(args).current_dir(folder);
        running(command, &events)
    }

    /// Every process that runs in it, whoever started it.
    pub fn processes(&self) -> Vec<u32> {
        let network = |pid: u32| std::fs::read_link(format!("/proc/{pid}/ns/net")).ok();
        let own = network(self.network.id());
        let numbers = std::fs::read_dir("/proc").expect("/proc").flatten();
        let pids = numbers.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let others = pids.filter(|pid| *pid != self.network.id());
        others.filter(|pid| is_alive(*pid) && network(*pid) == own).collect()
    }

    /// Asks over HTTP inside the sandbox's network: the body, or why there is none.
    pub fn get(&self, url: &str) -> Result<String, String> {
        let program = "import sys, urllib.request\n\
                       sys.stdout.write(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode())";
        let answer = answer({
            let mut command = self.program("python3");
            command.args(["-c", program, url]);
            command
        });
        if answer.code == 0 { Ok(answer.out) } else { Err(answer.err) }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.wharf(&["stop", "--all"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        let _ =
            self.wharf(&["daemon", "stop"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        let _ = self.network.kill();
        let _ = self.network.wait();
    }
}

/// What a command said.
#[derive(Debug)]
pub struct Answer {
    /// Its exit code, 128 + signal for one that a signal ended.
    pub code: i32,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Answer {
    /// Standard output as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Runs a command to its end, within the limit.
pub fn answer(mut command: Command) -> Answer {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let id = child.id();
    let (done, waiting) = std::sync::mpsc::channel();
    std::thread::spawn(move || done.send(child.wait_with_output()));
    match waiting.recv_timeout(LIMIT) {
        Ok(output) => told(output.expect("its output can be read")),
        Err(_) => {
            signal(id, "KILL");
            panic!("{command:?} did not end in time");
        }
    }
}

fn told(output: Output) -> Answer {
    let code = output.status.code().or(output.status.signal().map(|signal| 128 + signal));
    Answer {
        code: code.expect("a code or a signal"),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A wharf that runs. Dropping it ends it by SIGKILL, which leaves nothing running either.
pub struct Running {
    child: Child,
    events: PathBuf,
    err: std::sync::Arc<std::sync::Mutex<Vec<u8>>>,
    out: std::sync::Arc<std::sync::Mutex<Vec<u8>>>,
}

fn running(mut command: Command, events: &Path) -> Running {
    // A group of its own, so that a signal to it does not reach the test.
    command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("wharf starts");
    let err = collect(child.stderr.take().expect("a pipe"));
    let out = collect(child.stdout.take().expect("a pipe"));
    Running { child, events: events.to_owned(), err, out }
}

/// Reads a pipe to its end in the background. Only the first megabyte is kept.
fn collect(mut pipe: impl Read + Send + 'static) -> std::sync::Arc<std::sync::Mutex<Vec<u8>>> {
    let kept = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let shared = kept.clone();
    std::thread::spawn(move || {
        let mut buffer = [0u8; 16 * 1024];
        while let Ok(length @ 1..) = pipe.read(&mut buffer) {
            let mut kept = shared.lock().expect("no panic while it was held");
            if kept.len() < 1024 * 1024 {
                kept.extend_from_slice(&buffer[..length]);
            }
        }
    });
    kept
}

impl Running {
    /// wharf's own process number. (`nsenter` has become wharf by exec.)
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What has come on stderr so far.
    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.err.lock().expect("no panic while it was held")).into_owned()
    }

    /// What has come on stdout so far.
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.out.lock().expect("no panic while it was held")).into_owned()
    }

    /// All events so far.
    pub fn events(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(&self.events).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str(line).expect("an event is JSON")).collect()
    }

    /// Waits for an event of this kind.
    pub fn event(&mut self, kind: &str) -> serde_json::Value {
        let found = until(|| self.events().into_iter().find(|event| event["event"] == kind));
        found.unwrap_or_else(|| {
            panic!("no event `{kind}`: {:#?}\nstderr:\n{}", self.events(), self.err())
        })
    }

    /// Waits until stderr holds a text.
    pub fn said(&self, text: &str) -> String {
        until(|| Some(self.err()).filter(|err| err.contains(text)))
            .unwrap_or_else(|| panic!("never said `{text}`; stderr:\n{}", self.err()))
    }

    /// Sends a signal to wharf alone.
    pub fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// Whether its command has begun to listen.
    pub fn listens(&self) -> bool {
        self.events().iter().any(|event| event["event"] == "listening")
    }

    /// Whether it has ended.
    pub fn ended(&mut self) -> bool {
        self.child.try_wait().expect("it can be waited for").is_some()
    }

    /// Waits for the end and gives the exit code.
    pub fn code(&mut self) -> i32 {
        let status = until(|| self.child.try_wait().expect("it can be waited for"));
        let status = status.unwrap_or_else(|| panic!("wharf did not end; stderr:\n{}", self.err()));
        status.code().or(status.signal().map(|signal| 128 + signal)).expect("a code or a signal")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process.
pub fn signal(pid: u32, name: &str) {
    let status = Command::new("kill").args(["-s", name, &pid.to_string()]).status();
    assert!(status.expect("kill is there").success());
}

/// Looks until there is something, within the limit.
pub fn until<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() > deadline {
            return None;
        }
        pause();
    }
}

/// Between two looks: the one place that lets time pass.
fn pause() {
    let (_keep, never) = std::sync::mpsc::channel::<()>();
    let _ = never.recv_timeout(Duration::from_millis(5));
}

/// The words of a process's command, with spaces between.
pub fn command_of(pid: u32) -> String {
    let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&words).replace('\0', " ").trim_end().to_owned()
}

/// Whether a process runs (a zombie does not).
pub fn is_alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or("").trim_start().starts_with('Z'))
}

/// A process that holds a new network namespace with its loopback up.
fn network() -> Child {
    let mut command = Command::new("unshare");
    command.arg("--net").args(["sh", "-c", "ip link set lo up && echo up && exec sleep 100000"]);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("unshare (util-linux) is there");
    let mut up = [0u8; 3];
    let told = child.stdout.as_mut().expect("a pipe").read_exact(&mut up);
    told.expect("these tests make network namespaces: run them as root, with iproute2 installed");
    child
}

fn private(path: &Path) {
    mode(path, 0o700);
}

/// Sets the permissions of a file or folder.
pub fn mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("own file");
}

fn unique() -> usize {
    static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

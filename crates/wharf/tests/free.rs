//! `wharf free`: real listeners, real signals, and whoever must not be hit.

mod sandbox;

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use sandbox::{Answer, Sandbox, answer, command_of, is_alive, until};
use serde_json::Value;

/// Listens on the port of the first word, in as many processes as the second says, which share the socket. With
/// `deaf` behind it, SIGTERM does nothing.
const SERVER: &str = "\
import os, signal, socket, sys
if 'deaf' in sys.argv: signal.signal(signal.SIGTERM, signal.SIG_IGN)
one = socket.socket()
one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
one.bind(('127.0.0.1', int(sys.argv[1])))
if 'bound' not in sys.argv: one.listen(8)
for _ in range(int(sys.argv[2]) - 1):
    if os.fork() == 0: break
signal.pause()
";

/// The servers of a test; what is left of them at its end is ended.
struct Servers(Vec<Child>);

impl Servers {
    fn start(sandbox: &Sandbox, words: &[&str]) -> Servers {
        let mut command = sandbox.program("python3");
        command.args(["-c", SERVER]).args(words).stdout(Stdio::null()).stderr(Stdio::null());
        command.process_group(0);
        let servers = Servers(vec![command.spawn().expect("python3")]);
        let wanted: usize = words[1].parse().expect("a number");
        let are_there = || (holders(sandbox, words[0]).len() == wanted).then_some(());
        until(are_there).expect("they hold the port");
        servers
    }

    fn pid(&self) -> u32 {
        self.0[0].id()
    }

    /// Whether it has ended: the child's end is taken in.
    fn has_ended(&mut self) -> bool {
        until(|| self.0[0].try_wait().expect("its state")).is_some()
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // Its workers too, where it leads a group.
            let _ =
                Command::new("kill").args(["-KILL", "--", &format!("-{}", child.id())]).output();
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn holders(sandbox: &Sandbox, port: &str) -> Vec<u32> {
    let document = sandbox.output(&["who", port, "--json"]).json();
    let listeners = document["listeners"].as_array().expect("listeners").iter();
    let processes = listeners.flat_map(|one| one["processes"].as_array().expect("processes"));
    processes.map(|one| u32::try_from(one["pid"].as_u64().unwrap()).unwrap()).collect()
}

/// Python's own file, to be linked under another name.
fn real_python(sandbox: &Sandbox) -> String {
    let mut command = sandbox.program("python3");
    command.args(["-c", "import os, sys; print(os.path.realpath(sys.executable), end='')"]);
    answer(command).out
}

fn free(sandbox: &Sandbox, args: &[&str]) -> Answer {
    sandbox.output(&[&["free"], args].concat())
}

#[test]
fn a_port_that_nobody_has_is_not_found() {
    let sandbox = Sandbox::new();
    let idle = free(&sandbox, &["8123"]);
    assert_eq!(idle.code, 3, "{idle:?}");
    assert!(idle.err.contains("nobody listens on port 8123"), "{idle:?}");
    assert_eq!(free(&sandbox, &["0"]).code, 2);
    assert_eq!(free(&sandbox, &["web"]).code, 2);
}

#[test]
fn all_who_share_the_socket_end_and_clients_live() {
    let sandbox = Sandbox::new();
    let mut servers = Servers::start(&sandbox, &["8123", "4"]);
    let all = holders(&sandbox, "8123");
    let script = "import socket, signal\none = socket.create_connection(('127.0.0.1', 8123))\nprint('in', flush=True)\nsignal.pause()";
    let mut client = sandbox.program("python3");
    client.args(["-c", script]).stdout(Stdio::piped());
    let mut client = client.spawn().expect("a client");
    let mut said = String::new();
    let out = client.stdout.take().expect("its output");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut said).expect("a line");

    let shown = free(&sandbox, &["8123", "--dry-run", "--json"]).json();
    assert_eq!(shown["processes"].as_array().map(Vec::len), Some(4), "{shown}");
    let unasked = free(&sandbox, &["8123"]);
    assert_eq!(unasked.code, 4, "{unasked:?}");
    assert!(unasked.err.contains("wharf free 8123 --yes"), "{unasked:?}");
    assert!(all.iter().all(|pid| is_alive(*pid)), "nothing was done");

    let done = free(&sandbox, &["8123", "--yes", "--json"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(done.json()["freed"], true);
    let killed = |process: &Value| process["killed"] == true;
    assert!(!done.json()["processes"].as_array().unwrap().iter().any(killed), "{done:?}");
    let mut again = sandbox.program("python3");
    again.args(["-c", "import socket; socket.create_server(('127.0.0.1', 8123))"]);
    assert_eq!(answer(again).code, 0, "the port can be bound");
    assert!(servers.has_ended());
    assert!(client.try_wait().expect("its state").is_none(), "the client lives");
    client.kill().expect("the client ends");
    client.wait().expect("the client");
}

#[test]
fn who_does_not_end_is_killed_after_its_grace() {
    let sandbox = Sandbox::new();
    let mut servers = Servers::start(&sandbox, &["8123", "1", "deaf"]);
    let done = free(&sandbox, &["8123", "--yes", "--grace", "0"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.err.contains("was killed"), "{done:?}");
    assert!(servers.has_ended());
}

#[test]
fn who_only_keeps_a_port_is_left_alone() {
    let sandbox = Sandbox::new();
    let servers = Servers::start(&sandbox, &["8123", "1", "bound"]);
    let refused = free(&sandbox, &["8123", "--yes"]);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.err.contains("without listening"), "{refused:?}");
    assert!(is_alive(servers.pid()));
}

#[test]
fn what_wharf_runs_is_ended_by_its_pilot_without_a_question() {
    let sandbox = Sandbox::new();
    let mut run = sandbox.run(&["python3", "-m", "http.server"]);
    let port = run.event("ready")["port"].to_string();
    let done = free(&sandbox, &[&port]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(run.ended());
    assert!(run.err().contains("wharf:"), "its pilot says so");
    let proxy = sandbox.output(&["proxy", "status", "--json"]).json();
    let front = proxy["listeners"][0]["port"].to_string();
    let refused = free(&sandbox, &[&front, "--yes"]);
    assert_eq!(refused.code, 4, "the proxy is not a stranger: {refused:?}");
    assert!(refused.err.contains("proxy"), "{refused:?}");
}

#[test]
fn another_users_process_an_ancestor_and_an_editor_are_refused() {
    let sandbox = Sandbox::new();
    let servers = Servers::start(&sandbox, &["8123", "1"]);
    let wharf = env!("CARGO_BIN_EXE_wharf");
    let mut other = sandbox.program("setpriv");
    other.args([
        "--reuid",
        "65534",
        "--regid",
        "65534",
        "--clear-groups",
        wharf,
        "free",
        "8123",
        "--yes",
    ]);
    other.env_remove("XDG_RUNTIME_DIR").env("HOME", "/nonexistent");
    let refused = answer(other);
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(is_alive(servers.pid()));

    // It listens itself, and asks for its own port to be freed.
    let script = format!(
        "import socket, subprocess, sys\none = socket.create_server(('127.0.0.1', 8124))\n\
         sys.exit(subprocess.call(['{wharf}', 'free', '8124', '--yes']))"
    );
    let mut ancestor = sandbox.program("python3");
    ancestor.args(["-c", &script]);
    let refused = answer(ancestor);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.err.contains("was started by it"), "{refused:?}");

    // The kernel calls a process by the name of its file.
    let program = sandbox.dir().join("nvim");
    std::os::unix::fs::symlink(real_python(&sandbox), &program).expect("a link");
    let mut editor = sandbox.program(&program);
    editor.args(["-c", SERVER, "8125", "1"]);
    let editor = Servers(vec![editor.spawn().expect("python3")]);
    until(|| (!holders(&sandbox, "8125").is_empty()).then_some(())).expect("it listens");
    let refused = free(&sandbox, &["8125", "--yes"]);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.err.contains("Neovim"), "{refused:?}");
    assert!(is_alive(editor.pid()), "{}", command_of(editor.pid()));
}

#[test]
fn a_server_that_is_started_anew_is_told_of() {
    let sandbox = Sandbox::new();
    let script = "while :; do python3 -c \"$0\" 8123 1; done";
    let mut command = sandbox.program("bash");
    command.args(["-c", script, SERVER]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut loop_ = Servers(vec![command.spawn().expect("bash")]);
    until(|| (!holders(&sandbox, "8123").is_empty()).then_some(())).expect("it listens");
    // The bash above it does not hold the socket, so it is not ended.
    let said = until(|| {
        let done = free(&sandbox, &["8123", "--yes"]);
        (done.code == 1).then_some(done.err)
    });
    loop_.0[0].kill().expect("the loop ends");
    loop_.0[0].wait().expect("the loop");
    let _ = until(|| matches!(free(&sandbox, &["8123", "--yes"]).code, 0 | 3).then_some(()));
    assert!(said.is_some_and(|said| said.contains("is taken again")), "it came back");
}

/// An engine and what it has in front of a container, in one: it says what it was asked, and closes the port when
/// it is told to stop the container.
const ENGINE: &str = r#"
import json, os, socket, sys
port = socket.create_server(('127.0.0.1', 8126))
engine = socket.socket(socket.AF_UNIX)
engine.bind(sys.argv[1]); engine.listen(8)
print('up', flush=True)
listed = json.dumps([{'Id': '8dfafdbc3a40', 'Names': ['/shop-db'], 'Image': 'postgres:17',
    'Ports': [{'IP': '127.0.0.1', 'PrivatePort': 5432, 'PublicPort': 8126, 'Type': 'tcp'}]}])
while True:
    one, _ = engine.accept()
    asked = one.recv(4096).split(b'\r\n')[0].decode()
    print(asked, flush=True)
    if asked.startswith('POST'):
        port.close()
        one.sendall(b'HTTP/1.1 204 No Content\r\n\r\n')
    else:
        head = f'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(listed)}\r\n\r\n'
        one.sendall((head + listed).encode())
    one.close()
"#;

#[test]
fn a_container_is_ended_by_its_engine() {
    use std::io::BufRead;
    let sandbox = Sandbox::new();
    let proxy = sandbox.dir().join("docker-proxy");
    std::os::unix::fs::symlink(real_python(&sandbox), &proxy).expect("a link");
    let socket = sandbox.dir().join("engine.sock");
    let mut command = sandbox.program(&proxy);
    command.args(["-c", ENGINE]).arg(&socket).stdout(Stdio::piped());
    let mut engine = Servers(vec![command.spawn().expect("python3")]);
    let out = engine.0[0].stdout.take().expect("its output");
    let mut said = std::io::BufReader::new(out).lines().map(|line| line.expect("a line"));
    assert_eq!(said.next().as_deref(), Some("up"));
    let host = format!("unix://{}", socket.display());
    let ask = |args: &[&str]| {
        let mut command = sandbox.wharf(args);
        command.env("DOCKER_HOST", &host);
        answer(command)
    };
    let unasked = ask(&["free", "8126"]);
    assert_eq!(unasked.code, 4, "{unasked:?}");
    assert!(unasked.out.contains("the container shop-db of postgres:17"), "{unasked:?}");
    let done = ask(&["free", "8126", "--yes", "--grace", "7"]);
    assert_eq!(done.code, 0, "{done:?}");
    let asked = said.find(|line| line.starts_with("POST"));
    assert_eq!(asked.as_deref(), Some("POST /containers/8dfafdbc3a40/stop?t=7 HTTP/1.1"));
    assert!(is_alive(engine.pid()), "the engine's own process is not signalled");
    // Without an engine that answers, its process is not taken for a stranger either.
    let mut lone = sandbox.program(&proxy);
    lone.args(["-c", SERVER, "8127", "1"]);
    let lone = Servers(vec![lone.spawn().expect("python3")]);
    until(|| (!holders(&sandbox, "8127").is_empty()).then_some(())).expect("it listens");
    let refused = free(&sandbox, &["8127", "--yes"]);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.err.contains("container") && is_alive(lone.pid()), "{refused:?}");
}

/// In a pid namespace of its own: while the question stands, the server ends and its number is given to another
/// process, by the kernel's own count. Then the answer is yes.
const RECYCLED: &str = r#"
import json, os, pty, select, signal, socket, subprocess, sys, time
server, wharf = sys.argv[1], sys.argv[2]
def listens():
    try: socket.create_connection(('127.0.0.1', 8123)).close(); return True
    except OSError: return False
victim = subprocess.Popen(['python3', '-c', server, '8123', '1'])
end = time.monotonic() + 30
while not listens() and time.monotonic() < end: select.select([], [], [], 0.02)
# What it has started stays, so that no fork of it takes a number later.
subprocess.run([wharf, 'daemon', 'start'], stderr=subprocess.DEVNULL)
asker, terminal = pty.fork()
if asker == 0: os.execv(wharf, [wharf, 'free', '8123'])
heard = b''
while b'[y/N]' not in heard: heard += os.read(terminal, 4096)
victim.kill(); victim.wait()
number, innocent = victim.pid, None
for _ in range(200):
    with open('/proc/sys/kernel/ns_last_pid', 'w') as last: last.write(str(number - 1))
    innocent = subprocess.Popen(['sleep', '600'])
    if innocent.pid == number: break
    innocent.kill(); innocent.wait()
os.write(terminal, b'y\n')
try:
    while True:
        more = os.read(terminal, 4096)
        if not more: break
        heard += more
except OSError: pass
status = os.waitstatus_to_exitcode(os.waitpid(asker, 0)[1])
print(json.dumps({'recycled': innocent.pid == number, 'lives': innocent.poll() is None,
                  'status': status, 'heard': heard.decode()}))
subprocess.run([wharf, 'daemon', 'stop'], stderr=subprocess.DEVNULL)
innocent.kill()
"#;

#[test]
fn a_number_that_is_given_to_another_is_never_signalled() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.program("unshare");
    command.args(["--pid", "--fork", "--mount-proc", "--kill-child", "python3", "-c", RECYCLED]);
    command.args([SERVER, env!("CARGO_BIN_EXE_wharf")]);
    let outcome = answer(command);
    let outcome = outcome.json();
    assert_eq!(outcome["recycled"], true, "{outcome}");
    assert_eq!(outcome["lives"], true, "{outcome}");
    assert_eq!(outcome["status"], 0, "the port is free all the same: {outcome}");
}

//! `wharf focus`: one port, several worktrees, real servers and real connections.

mod asking;
mod sandbox;

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use asking::{Reply, ask_on};
use sandbox::{Running, Sandbox, answer, is_alive, until};

/// Says whose it is. One answer does not end before a file says so; a WebSocket repeats what it hears with
/// its name in front, byte for byte, without frames.
const SERVER: &str = "\
import http.server, os, time
who = open('who').read().encode()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def log_message(self, *rest): pass
    def do_HEAD(self): self.answer(b'')
    def do_POST(self): self.answer(who)
    def do_GET(self):
        if self.path == '/long': return self.long()
        if self.path == '/ws': return self.socket()
        if self.path == '/host': return self.answer(self.headers['Host'].encode())
        self.answer(who)
    def long(self):
        self.send_response(200)
        self.send_header('Transfer-Encoding', 'chunked')
        self.end_headers()
        while not os.path.exists('finish'): time.sleep(0.01)
        self.wfile.write(b'%x\\r\\n%s\\r\\n0\\r\\n\\r\\n' % (len(who), who))
        self.close_connection = True
    def socket(self):
        self.send_response(101)
        self.send_header('Upgrade', 'websocket')
        self.send_header('Connection', 'Upgrade')
        self.send_header('Sec-WebSocket-Accept', 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
        self.end_headers()
        while data := self.connection.recv(100): self.connection.sendall(who + b':' + data)
        self.close_connection = True
    def answer(self, body):
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
";

/// One connection that is kept, one answer and one WebSocket that are under way while the port is switched.
const BROWSER: &str = "\
import http.client, os, socket
def begin(path, more=b''):
    s = socket.create_connection(('localhost', 8000), timeout=30)
    s.sendall(b'GET ' + path + b' HTTP/1.1\\r\\nHost: localhost:8000\\r\\n' + more + b'\\r\\n')
    head = b''
    while b'\\r\\n\\r\\n' not in head: head += s.recv(1)
    return s, head.split()[1].decode()
kept = http.client.HTTPConnection('localhost', 8000, timeout=30)
def ask():
    kept.request('GET', '/')
    return kept.getresponse().read().decode()
before = ask()
port = kept.sock.getsockname()[1]
long, status = begin(b'/long')
web, upgraded = begin(b'/ws', b'Connection: Upgrade\\r\\nUpgrade: websocket\\r\\n'
    b'Origin: http://localhost:8000\\r\\n'
    b'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\nSec-WebSocket-Version: 13\\r\\n')
web.sendall(b'a')
first = web.recv(100).decode()
open('connected', 'w').close()
while not os.path.exists('switched'): pass
after = ask()
same = kept.sock.getsockname()[1] == port
web.sendall(b'b')
second = web.recv(100).decode()
open('finish', 'w').close()
rest = b''
while not rest.endswith(b'0\\r\\n\\r\\n'): rest += long.recv(4096)
print(before, after, same, status, upgraded, first, second, rest.split(b'\\r\\n')[1].decode())
";

const RUN: &[&str] = &["--", "python3", "server.py"];

/// The project as a checkout of git's, and linked worktrees of it, each with the server.
fn worktrees(sandbox: &Sandbox, names: &[&str]) -> Vec<PathBuf> {
    let git = |words: &[&str]| {
        let mut command = sandbox.program("git");
        command.args(["-c", "user.name=a", "-c", "user.email=a@b"]).args(words);
        let done = answer(command);
        assert_eq!(done.code, 0, "{done:?}");
    };
    std::fs::remove_dir_all(sandbox.project().join(".git")).unwrap();
    sandbox.file("server.py", SERVER);
    sandbox.file("who", "main");
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "one"]);
    let folders = names.iter().map(|name| {
        let path = sandbox.dir().join(name);
        git(&["worktree", "add", "-q", "-b", name, path.to_str().unwrap()]);
        std::fs::write(path.join("who"), name).unwrap();
        path
    });
    folders.collect()
}

fn serve(sandbox: &Sandbox, folder: &Path) -> Running {
    let mut run = sandbox.run_in(folder, RUN);
    run.event("ready");
    run
}

fn wharf_in(sandbox: &Sandbox, folder: &Path, args: &[&str]) -> sandbox::Answer {
    let mut command = sandbox.wharf(args);
    command.current_dir(folder);
    answer(command)
}

fn focus(sandbox: &Sandbox, folder: &Path) {
    let focused = wharf_in(sandbox, folder, &["focus"]);
    assert_eq!((focused.code, focused.out.as_str()), (0, "http://localhost:8000\n"), "{focused:?}");
}

fn ask(sandbox: &Sandbox, path: &str, fields: &[&str]) -> Reply {
    ask_on(sandbox, 8000, "localhost:8000", ("GET", path), fields)
}

/// What the port says of itself, once it is as it should be.
fn says(sandbox: &Sandbox, who: &str) {
    let body = until(|| Some(ask(sandbox, "/", &[])).filter(|reply| reply.body == who));
    assert!(body.is_some(), "{:?}", ask(sandbox, "/", &[]));
}

fn kill_daemon(sandbox: &Sandbox) {
    let status = sandbox.output(&["daemon", "status", "--json"]).json();
    let pid = u32::try_from(status["pid"].as_u64().unwrap()).unwrap();
    sandbox::signal(pid, "KILL");
    until(|| (!is_alive(pid)).then_some(())).unwrap();
}

#[test]
fn focus_switches_the_next_request_and_leaves_what_is_under_way() {
    let sandbox = Sandbox::new();
    let folders = worktrees(&sandbox, &["one", "two"]);
    let _servers = [serve(&sandbox, &folders[0]), serve(&sandbox, &folders[1])];
    focus(&sandbox, &folders[0]);
    sandbox.file("browser.py", BROWSER);
    let browser = std::thread::scope(|scope| {
        let browser = scope.spawn(|| {
            let mut command = sandbox.program("python3");
            command.arg("browser.py");
            answer(command)
        });
        until(|| sandbox.project().join("connected").exists().then_some(())).expect("connections");
        let switched = wharf_in(&sandbox, &folders[1], &["focus"]);
        assert!(switched.err.contains("leads to"), "{switched:?}");
        assert!(switched.err.contains("no longer to"), "{switched:?}");
        sandbox.file("switched", "");
        until(|| sandbox.project().join("finish").exists().then_some(()))
            .expect("the next request");
        std::fs::write(folders[0].join("finish"), "").unwrap();
        browser.join().unwrap()
    });
    assert_eq!(browser.out.trim(), "one two True 200 101 one:a one:b one", "{browser:?}");
    assert_eq!(
        ask(&sandbox, "/host", &[]).body,
        "localhost:8000",
        "the host is passed on as it came"
    );
    let list = sandbox.output(&["focus", "--list", "--json"]).json();
    let focus = &list["focuses"][0];
    assert_eq!((&focus["port"], &focus["worktree"]), (&8000.into(), &"two".into()), "{list}");
    let table = sandbox.output(&["focus", "--list"]).out;
    assert!(table.contains("8000") && table.contains("(worktree two)"), "{table}");
    let who = sandbox.output(&["who", "8000"]).out;
    assert!(who.contains("`wharf focus` forwards it to"), "{who}");
    let ls = sandbox.output(&["ls"]).out;
    assert!(ls.contains("`wharf focus`, leads to"), "{ls}");
    let status = sandbox.output(&["proxy", "status"]).out;
    assert!(status.contains("localhost:8000"), "{status}");
}

#[test]
fn focus_is_for_this_machine_and_its_own_pages() {
    let sandbox = Sandbox::new();
    let folders = worktrees(&sandbox, &["one"]);
    let _server = serve(&sandbox, &folders[0]);
    focus(&sandbox, &folders[0]);
    let at = |host: &str| ask_on(&sandbox, 8000, host, ("GET", "/"), &[]).status;
    for own in ["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST:8000"] {
        assert_eq!(at(own), 200, "{own}");
    }
    for other in
        ["evil.example:8000", "one.project.localhost:8000", "localhost:8001", "127.0.0.2:8000"]
    {
        assert_eq!(at(other), 421, "{other}");
    }
    assert_eq!(
        ask_on(&sandbox, 80, "localhost", ("GET", "/"), &[]).status,
        421,
        "not by the names' port"
    );
    assert_eq!(ask_on(&sandbox, 80, "localhost:8000", ("GET", "/"), &[]).status, 421);
    let post = |origin: &str| {
        let field = format!("Origin: {origin}");
        ask_on(&sandbox, 8000, "localhost:8000", ("POST", "/"), &[&field, "Content-Length: 0"])
            .status
    };
    assert_eq!(post("http://localhost:8000"), 200);
    assert_eq!(post("http://one.project.localhost"), 200, "a page of the same project");
    let own = sandbox.output(&["ls", "--json"]).json()["instances"][0]["port"].to_string();
    assert_eq!(post(&format!("http://localhost:{own}")), 200, "a page of the server's own port");
    assert_eq!(post("http://evil.example"), 403);
    assert_eq!(post("http://localhost:9999"), 403);
    let back =
        ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"];
    assert_eq!(
        ask(&sandbox, "/callback?code=1", &back).status,
        200,
        "the way back from a provider"
    );
}

#[test]
fn focus_takes_no_port_from_anybody_and_the_main_checkout_makes_way() {
    let sandbox = Sandbox::new();
    let folders = worktrees(&sandbox, &["one"]);
    let nothing = wharf_in(&sandbox, &folders[0], &["focus"]);
    assert_eq!(nothing.code, 3, "{nothing:?}");
    assert!(nothing.err.contains("wharf run"), "{nothing:?}");
    let main = serve(&sandbox, &sandbox.project());
    let _one = serve(&sandbox, &folders[0]);
    let own = wharf_in(&sandbox, &sandbox.project(), &["focus"]);
    assert_eq!((own.code, own.out.as_str()), (0, "http://localhost:8000\n"), "{own:?}");
    assert!(own.err.contains("there is nothing to do"), "{own:?}");
    let held = wharf_in(&sandbox, &folders[0], &["focus"]);
    assert_eq!(held.code, 4, "{held:?}");
    assert!(held.err.contains("wharf stop project") && held.err.contains("--port"), "{held:?}");
    assert_eq!(sandbox.output(&["focus", "--list"]).out, "`wharf focus` holds no port\n");
    let mut stranger = sandbox.program("python3");
    stranger.args(["-m", "http.server", "--bind", "127.0.0.1", "9000"]);
    let _stranger = Stranger(stranger.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    until(|| (ask_on(&sandbox, 9000, "x", ("GET", "/"), &[]).status == 200).then_some(())).unwrap();
    let foreign = wharf_in(&sandbox, &folders[0], &["focus", "--port", "9000"]);
    assert_eq!(foreign.code, 4, "{foreign:?}");
    assert!(foreign.err.contains("python3"), "{foreign:?}");
    drop(main);
    until(|| (wharf_in(&sandbox, &folders[0], &["focus"]).code == 0).then_some(())).unwrap();
    says(&sandbox, "one");
    let mut main = sandbox.run_in(&sandbox.project(), RUN);
    let port = main.event("ready")["port"].as_u64().unwrap();
    assert_ne!(port, 8000);
    main.said("port 8000 is taken by `wharf focus`, which leads to");
    focus(&sandbox, &sandbox.project());
    says(&sandbox, "main");
    let off = sandbox.output(&["focus", "--off"]);
    assert_eq!(off.code, 0, "{off:?}");
    until(|| (ask(&sandbox, "/", &[]).status == 0).then_some(())).expect("the port is given back");
    assert_eq!(sandbox.output(&["focus", "--off"]).code, 3);
    drop(main);
    let back = until(|| {
        let mut main = sandbox.run_in(&sandbox.project(), RUN);
        (main.event("ready")["port"] == 8000).then_some(main)
    });
    back.expect("the main checkout is home again");
}

struct Stranger(Child);

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn focus_follows_a_restart_and_survives_its_daemon() {
    let sandbox = Sandbox::new();
    let folders = worktrees(&sandbox, &["one"]);
    let one = serve(&sandbox, &folders[0]);
    focus(&sandbox, &folders[0]);
    says(&sandbox, "one");
    // Its pilot makes a daemon again; nothing else asks for one.
    kill_daemon(&sandbox);
    says(&sandbox, "one");
    let restarted = sandbox.output(&["daemon", "restart"]);
    assert_eq!(restarted.code, 0, "{restarted:?}");
    assert_eq!(ask(&sandbox, "/", &[]).body, "one", "no connection is refused");
    drop(one);
    let page = until(|| Some(ask(&sandbox, "/", &[])).filter(|reply| reply.status == 502));
    assert!(page.is_some_and(|page| page.body.contains("one.project")), "it says who has ended");
    std::fs::write(folders[0].join("who"), "one again").unwrap();
    let _one = serve(&sandbox, &folders[0]);
    says(&sandbox, "one again");
}

/// Repeats what it hears behind its name.
const ECHO: &str = "\
import os, socket, threading
who = open('who').read().encode()
listener = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))
def serve(client):
    while data := client.recv(100): client.sendall(who + b':' + data)
while True: threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
";

const TALK: &str = "\
import socket
with socket.create_connection(('127.0.0.1', 7000), timeout=30) as s:
    s.sendall(b'hello')
    print(s.recv(100).decode())
";

#[test]
fn focus_passes_on_what_is_not_http() {
    let sandbox = Sandbox::new();
    let folders = worktrees(&sandbox, &["one", "two"]);
    let mut runs = Vec::new();
    for folder in &folders {
        std::fs::write(folder.join("echo.py"), ECHO).unwrap();
        let mut run = sandbox.run_in(folder, &["--", "python3", "echo.py"]);
        until(|| run.listens().then_some(())).expect("it listens");
        run.event("listening");
        runs.push(run);
    }
    let talk = || {
        let mut command = sandbox.program("python3");
        command.args(["-c", TALK]);
        answer(command).out.trim().to_owned()
    };
    for (folder, wanted) in folders.iter().zip(["one:hello", "two:hello"]) {
        let focused = wharf_in(&sandbox, folder, &["focus", "--tcp", "--port", "7000"]);
        assert_eq!((focused.code, focused.out.as_str()), (0, "localhost:7000\n"), "{focused:?}");
        let heard = until(|| Some(talk()).filter(|heard| heard == wanted));
        assert!(heard.is_some(), "{wanted}: {}", talk());
    }
}

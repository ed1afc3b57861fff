//! A daemon that is replaced while requests come in by name.

mod sandbox;

use std::io::Read;
use std::process::Stdio;

use sandbox::{Sandbox, until};

const UPGRADES: usize = 20;

/// Asks without pause, on connections that are kept and on new ones, until a file says stop. Waits at one
/// answer that never ends, to see that it is not cut.
const LOAD: &str = "\
import http.client, os, socket, threading
failed, done = [], []
counted = os.open('done', os.O_WRONLY | os.O_CREAT | os.O_APPEND)
def ask(keep):
    client = None
    while not os.path.exists('stop'):
        try:
            client = client or http.client.HTTPConnection('127.0.0.1', 80, timeout=20)
            client.putrequest('GET', '/who', skip_host=True)
            client.putheader('Host', 'project.localhost')
            client.endheaders()
            answer = client.getresponse()
            body = answer.read()
            assert (answer.status, body) == (200, b'main'), (answer.status, body)
            done.append(1)
            os.write(counted, b'.')
        except Exception as error:
            failed.append(repr(error))
            client = None
        if not keep and client:
            client.close()
            client = None
long = socket.create_connection(('127.0.0.1', 80))
long.sendall(b'GET /endless HTTP/1.1\\r\\nHost: project.localhost\\r\\n\\r\\n')
head = b''
while b'\\r\\n\\r\\n' not in head: head += long.recv(4096)
threads = [threading.Thread(target=ask, args=(n % 2 == 0,)) for n in range(4)]
for thread in threads: thread.start()
open('loading', 'w').close()
for thread in threads: thread.join()
open('finish', 'w').close()
rest = b''
while chunk := long.recv(4096): rest += chunk
print(len(done), len(failed), failed[:3], rest.endswith(b'the end\\r\\n0\\r\\n\\r\\n'))
";

const SERVER: &str = "\
import http.server, os, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def log_message(self, *rest): pass
    def do_HEAD(self): self.answer(b'')
    def do_GET(self):
        if self.path != '/endless': return self.answer(b'main')
        self.send_response(200)
        self.send_header('Transfer-Encoding', 'chunked')
        self.end_headers()
        while not os.path.exists('finish'): time.sleep(0.01)
        self.wfile.write(b'7\\r\\nthe end\\r\\n0\\r\\n\\r\\n')
        self.close_connection = True
    def answer(self, body):
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
";

#[test]
fn twenty_upgrades_under_load_fail_no_request_and_cut_no_answer() {
    let sandbox = Sandbox::new();
    sandbox.file("server.py", SERVER);
    sandbox.file("load.py", LOAD);
    let mut run = sandbox.run(&["--", "python3", "server.py"]);
    run.event("ready");
    let mut load = sandbox.program("python3");
    let mut load = load.arg("load.py").stdout(Stdio::piped()).spawn().unwrap();
    until(|| sandbox.project().join("loading").exists().then_some(())).expect("the load begins");
    let mut pids = std::collections::BTreeSet::new();
    let done = || std::fs::metadata(sandbox.project().join("done")).map_or(0, |file| file.len());
    for _ in 0..UPGRADES {
        let before = done();
        until(|| (done() > before + 4).then_some(())).expect("requests between two upgrades");
        let restarted = sandbox.output(&["daemon", "restart", "--json"]);
        assert_eq!(restarted.code, 0, "{restarted:?}");
        pids.insert(restarted.json()["pid"].as_u64().unwrap());
    }
    assert_eq!(pids.len(), UPGRADES, "each is another process");
    sandbox.file("stop", "");
    let mut told = String::new();
    load.stdout.take().unwrap().read_to_string(&mut told).unwrap();
    assert!(load.wait().unwrap().success(), "{told}");
    let words: Vec<&str> = told.split_whitespace().collect();
    assert!(words[0].parse::<usize>().unwrap() > UPGRADES, "{told}");
    assert_eq!((words[1], words[words.len() - 1]), ("0", "True"), "{told}");
    let status = sandbox.output(&["proxy", "status", "--json"]).json();
    assert_eq!(status["listeners"][0]["port"], 80, "{status}");
}

/// A service that says each line again.
const ECHO: &str = "\
import socketserver
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile: self.wfile.write(line)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address, daemon_threads, request_queue_size = True, True, 128
server = Server(('127.0.0.1', 5432), Echo)
open('listening', 'w').close()
server.serve_forever()
";

/// Connects without pause until a file says stop, with one connection that stays through all of it.
const LINES: &str = "\
import os, socket, sys
at, failed, done = ('127.0.0.1', int(sys.argv[1])), [], 0
counted = os.open('done', os.O_WRONLY | os.O_CREAT | os.O_APPEND)
def say(stream, word):
    stream.sendall(word + b'\\n')
    assert stream.makefile('rb').readline() == word + b'\\n'
stays = socket.create_connection(at, timeout=20)
say(stays, b'first')
while not os.path.exists('stop'):
    try:
        with socket.create_connection(at, timeout=20) as stream: say(stream, b'word')
        done += 1
        os.write(counted, b'.')
    except Exception as error:
        failed.append(repr(error))
say(stays, b'last')
print(done, len(failed), failed[:3])
";

#[test]
fn twenty_upgrades_refuse_no_connection_to_a_service() {
    let sandbox = Sandbox::new();
    sandbox.file("echo.py", ECHO);
    sandbox.file("lines.py", LINES);
    let mut echo = sandbox.program("python3").arg("echo.py").spawn().unwrap();
    until(|| sandbox.project().join("listening").exists().then_some(())).expect("it listens");
    let given = sandbox.output(&["tcp", "db", "5432", "--json"]).json();
    let port = given["services"][0]["port"].as_u64().unwrap();
    let mut load = sandbox.program("python3");
    let load = load.args(["lines.py", &port.to_string()]).stdout(Stdio::piped());
    let mut load = load.spawn().unwrap();
    let done = || std::fs::metadata(sandbox.project().join("done")).map_or(0, |file| file.len());
    for _ in 0..UPGRADES {
        let before = done();
        until(|| (done() > before + 4).then_some(())).expect("connections between two upgrades");
        let restarted = sandbox.output(&["daemon", "restart"]);
        assert_eq!(restarted.code, 0, "{restarted:?}");
    }
    let before = done();
    until(|| (done() > before).then_some(())).expect("the last one leads on as well");
    sandbox.file("stop", "");
    let mut told = String::new();
    load.stdout.take().unwrap().read_to_string(&mut told).unwrap();
    assert!(load.wait().unwrap().success(), "{told}");
    let words: Vec<&str> = told.split_whitespace().collect();
    assert_eq!(words[1], "0", "{told}");
    let list = sandbox.output(&["tcp", "--json"]).json();
    assert_eq!(list["services"][0]["port"], port, "{list}");
    echo.kill().unwrap();
    echo.wait().unwrap();
}

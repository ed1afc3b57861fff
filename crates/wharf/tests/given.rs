//! Names that a user gives: `wharf alias` and `wharf tcp`, before real servers.

mod asking;
mod sandbox;

use std::process::{Child, Command, Stdio};

use asking::{ask_on, get};
use sandbox::{Answer, Sandbox, answer, is_alive, until};

const SERVER: &[&str] = &["--", "python3", "-m", "http.server"];

/// A server that wharf did not start; it ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a program and waits until its port is listened on.
fn serve(mut command: Command, port: u16) -> Server {
    let server = Server(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    // wharf itself is not asked: that would start its daemon.
    let wanted = format!(":{port:04X}");
    let listens = || {
        let table = |name: &str| {
            std::fs::read_to_string(format!("/proc/{}/net/{name}", server.0.id())).ok()
        };
        let rows = [table("tcp"), table("tcp6")].map(Option::unwrap_or_default).concat();
        let mut rows = rows.lines().map(|row| row.split_whitespace().collect::<Vec<&str>>());
        rows.any(|row| row.len() > 3 && row[1].ends_with(&wanted) && row[3] == "0A").then_some(())
    };
    until(listens).expect("it listens");
    server
}

fn http(sandbox: &Sandbox, address: &str, port: u16) -> Server {
    let mut command = sandbox.program("python3");
    command.args(["-m", "http.server", "--bind", address, &port.to_string()]);
    serve(command, port)
}

/// Answers, once the last byte has come, with how many there were and their sum.
const COUNTER: &str = "\
import socket, sys, threading
family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET
listener = socket.socket(family)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind((sys.argv[1], int(sys.argv[2])))
listener.listen()
def serve(client):
    size = total = 0
    while data := client.recv(65536):
        size += len(data)
        total = (total + sum(data)) % 1000003
    client.sendall(f'{size} {total}'.encode())
    client.close()
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
";

/// Sends so many bytes and its last word, then prints what comes back, or which error.
const CLIENT: &str = "\
import socket, sys
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=30) as s:
        data = bytes(range(256)) * (int(sys.argv[3]) // 256)
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        answer = b''
        while part := s.recv(65536): answer += part
        print(answer.decode() == f'{len(data)} {sum(data) % 1000003}' and 'right' or answer.decode())
except OSError as error:
    print(type(error).__name__)
";

fn counter(sandbox: &Sandbox, address: &str, port: u16) -> Server {
    let mut command = sandbox.program("python3");
    command.args(["-c", COUNTER, address, &port.to_string()]);
    serve(command, port)
}

fn send(sandbox: &Sandbox, address: &str, port: u16, bytes: usize) -> String {
    let mut command = sandbox.program("python3");
    command.args(["-c", CLIENT, address, &port.to_string(), &bytes.to_string()]);
    let answer = answer(command);
    assert_eq!(answer.code, 0, "{answer:?}");
    answer.out.trim().to_owned()
}

fn pid(sandbox: &Sandbox) -> u32 {
    let status = sandbox.output(&["daemon", "status", "--json"]).json();
    u32::try_from(status["pid"].as_u64().unwrap()).unwrap()
}

fn kill_daemon(sandbox: &Sandbox) {
    let pid = pid(sandbox);
    sandbox::signal(pid, "KILL");
    until(|| (!is_alive(pid)).then_some(())).unwrap();
}

fn port_of(address: &Answer) -> u16 {
    assert_eq!(address.code, 0, "{address:?}");
    address.out.trim().rsplit(':').next().unwrap().parse().unwrap()
}

#[test]
fn alias_gives_a_name_to_what_wharf_did_not_start() {
    let sandbox = Sandbox::new();
    sandbox.file("who", "stranger");
    assert_eq!(sandbox.output(&["alias"]).out, "there are no aliases\n");
    let _server = http(&sandbox, "::1", 5000);
    let given = sandbox.output(&["alias", "db-admin", "5000"]);
    assert_eq!((given.code, given.out.as_str()), (0, "http://db-admin.localhost\n"), "{given:?}");
    let reply = get(&sandbox, "db-admin.localhost", "/who");
    assert_eq!((reply.status, reply.body.as_str()), (200, "stranger"));
    assert!(!reply.fields.contains("x-wharf-instance"), "{reply:?}");
    let list = sandbox.output(&["alias", "--json"]).json();
    let alias = &list["aliases"][0];
    assert_eq!((&list["schema"], &alias["name"]), (&1.into(), &"db-admin".into()), "{list}");
    assert_eq!(alias["target"], "http://localhost:5000");
    let status = sandbox.output(&["proxy", "status"]).out;
    assert!(status.contains("db-admin.localhost  alias"), "{status}");
    // A daemon that was killed comes back with the next command, and knows it.
    kill_daemon(&sandbox);
    let table = sandbox.output(&["alias"]).out;
    assert!(
        table.contains("db-admin  http://localhost:5000  http://db-admin.localhost"),
        "{table}"
    );
    assert_eq!(get(&sandbox, "db-admin.localhost", "/who").status, 200);
    let moved = sandbox.output(&["alias", "DB-Admin.localhost", "http://127.0.0.1:5000"]);
    assert!(moved.err.contains("db-admin led to http://localhost:5000 before"), "{moved:?}");
    assert_eq!(get(&sandbox, "db-admin.localhost", "/who").status, 502, "it listens on ::1 only");
    let removed = sandbox.output(&["alias", "--remove", "db-admin", "--json"]);
    assert_eq!(removed.json()["aliases"][0]["name"], "db-admin");
    assert_eq!(get(&sandbox, "db-admin.localhost", "/who").status, 421);
    assert_eq!(sandbox.output(&["alias", "--remove", "db-admin"]).code, 3);
    assert_eq!(sandbox.output(&["alias", "db-admin"]).code, 3);
}

#[test]
fn alias_refuses_other_machines_and_names_that_are_none() {
    let sandbox = Sandbox::new();
    for target in
        ["192.168.1.4:80", "http://192.168.1.4:80", "http://example.com:80", "0", "ftp://[::1]:21"]
    {
        let refused = sandbox.output(&["alias", "x", target]);
        assert_eq!(refused.code, 2, "{target}: {refused:?}");
    }
    let away = sandbox.output(&["alias", "x", "http://10.0.0.1:80"]);
    assert!(away.err.contains("the proxy connects to this machine only"), "{away:?}");
    for name in ["a_b", "a..b", "localhost", "*.x"] {
        let refused = sandbox.output(&["alias", name, "5000"]);
        assert_eq!(refused.code, 2, "{name}: {refused:?}");
    }
    let own = sandbox.output(&["alias", "x", "80"]);
    assert_eq!(own.code, 4, "the proxy's own port: {own:?}");
    assert_eq!(sandbox.output(&["alias"]).out, "there are no aliases\n");
}

#[test]
fn an_instance_that_lives_counts_more_than_an_alias() {
    let sandbox = Sandbox::new();
    sandbox.file("who", "instance");
    let other = sandbox.dir().join("other");
    std::fs::create_dir_all(&other).unwrap();
    std::fs::write(other.join("who"), "alias").unwrap();
    let mut command = sandbox.program("python3");
    command.args(["-m", "http.server", "--bind", "127.0.0.1", "5000"]).current_dir(&other);
    let _server = serve(command, 5000);
    let who = || get(&sandbox, "project.localhost", "/who").body;
    assert_eq!(sandbox.output(&["alias", "project", "5000"]).code, 0);
    assert_eq!(who(), "alias");
    let mut run = sandbox.run(SERVER);
    run.event("ready");
    assert_eq!(who(), "instance");
    let list = sandbox.output(&["alias", "--json"]).json();
    assert_eq!(list["aliases"][0]["shadowed"], true);
    assert_eq!(sandbox.output(&["alias", "--remove", "project"]).code, 0);
    let refused = sandbox.output(&["alias", "project", "5000"]);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.err.contains("the name of an instance that runs"), "{refused:?}");
    assert_eq!(sandbox.output(&["stop", "project"]).code, 0);
    assert_eq!(sandbox.output(&["alias", "project", "5000"]).code, 0, "it has ended");
    assert_eq!(who(), "alias");
}

/// A server behind TLS, with a certificate of its own making, that also offers HTTP/2 and cannot speak it.
const TLS_SERVER: &str = "\
import http.server, ssl
server = http.server.HTTPServer(('127.0.0.1', 8443), http.server.SimpleHTTPRequestHandler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain('cert.pem')
context.set_alpn_protocols(['h2', 'http/1.1'])
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
";

#[test]
fn an_alias_may_lead_to_a_server_behind_tls() {
    let sandbox = Sandbox::new();
    sandbox.file("who", "behind tls");
    let mut command = sandbox.program("openssl");
    command.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=mine"]);
    command.args(["-keyout", "cert.pem", "-out", "public.pem"]);
    assert_eq!(answer(command).code, 0);
    let both = ["cert.pem", "public.pem"]
        .map(|name| std::fs::read_to_string(sandbox.project().join(name)).unwrap());
    sandbox.file("cert.pem", &both.concat());
    let mut command = sandbox.program("python3");
    command.args(["-c", TLS_SERVER]);
    let _server = serve(command, 8443);
    assert_eq!(sandbox.output(&["alias", "secure", "https://127.0.0.1:8443"]).code, 0);
    let reply = get(&sandbox, "secure.localhost", "/who");
    assert_eq!((reply.status, reply.body.as_str()), (200, "behind tls"), "{reply:?}");
}

/// Notes what it gets.
const GREEDY: &str = "\
import socket, sys
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('127.0.0.1', 5000)); s.listen()
while True:
    client = s.accept()[0]
    got = client.recv(4096)
    open(sys.argv[1], 'a').write(f'{len(got)};')
    client.close()
";

#[test]
fn another_users_server_gets_not_a_byte() {
    let sandbox = Sandbox::new();
    let got = tempfile::Builder::new().prefix("wharf-got-").tempdir().unwrap();
    sandbox::mode(got.path(), 0o777);
    let notes = got.path().join("got");
    let mut command = sandbox.program("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
    // Whoever runs the tests may have programs in a home that nobody else gets into.
    command.args(["env", "PATH=/usr/bin:/bin", "python3", "-c", GREEDY]).arg(&notes);
    let _server = serve(command, 5000);
    assert_eq!(sandbox.output(&["alias", "theirs", "5000"]).code, 0);
    let service = port_of(&sandbox.output(&["tcp", "theirs", "5000"]));
    let reply = get(&sandbox, "theirs.localhost", "/secret");
    assert_eq!(reply.status, 502, "{reply:?}");
    assert!(reply.body.contains("held by user"), "{reply:?}");
    assert_eq!(send(&sandbox, "127.0.0.1", service, 256), "ConnectionResetError");
    let notes = until(|| {
        let notes = std::fs::read_to_string(&notes).unwrap_or_default();
        (notes.matches(';').count() == 2).then_some(notes)
    });
    assert_eq!(notes.as_deref(), Some("0;0;"));
}

#[test]
fn tcp_gives_a_service_an_address_that_stays() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.output(&["tcp"]).out, "there are no TCP services\n");
    let given = sandbox.output(&["tcp", "db", "5432"]);
    assert_eq!((given.code, given.out.as_str()), (0, "127.0.0.1:15432\n"), "{given:?}");
    assert_eq!(send(&sandbox, "127.0.0.1", 15432, 256), "ConnectionResetError", "nobody serves");
    let server = counter(&sandbox, "127.0.0.1", 5432);
    for address in ["127.0.0.1", "::1"] {
        assert_eq!(send(&sandbox, address, 15432, 16 * 1024 * 1024), "right", "{address}");
    }
    drop(server);
    let _server = counter(&sandbox, "::1", 5432);
    assert_eq!(send(&sandbox, "127.0.0.1", 15432, 1024), "right", "whichever listens");
    let status = sandbox.output(&["proxy", "status", "--json"]).json();
    let listeners = status["listeners"].as_array().unwrap();
    let tcp: Vec<_> = listeners.iter().filter(|one| one["scheme"] == "tcp").collect();
    assert_eq!((tcp.len(), &tcp[0]["port"]), (2, &15432.into()), "{status}");
    let leases = sandbox.output(&["ls", "--json"]).json()["leases"].clone();
    assert_eq!(leases[0]["key"]["service"], "db", "{leases}");
    // It has the same address at the next daemon, however this one ended.
    kill_daemon(&sandbox);
    assert_eq!(sandbox.output(&["tcp", "db"]).out, "127.0.0.1:15432\n");
    assert_eq!(send(&sandbox, "127.0.0.1", 15432, 1024), "right");
    assert_eq!(sandbox.output(&["daemon", "stop"]).code, 0);
    let list = sandbox.output(&["tcp", "--json"]).json();
    assert_eq!(list["services"][0]["port"], 15432, "{list}");
    let table = sandbox.output(&["tcp"]).out;
    assert!(table.contains("db    127.0.0.1:15432  port 5432"), "{table}");
    let removed = sandbox.output(&["tcp", "--remove", "db", "--json"]).json();
    assert_eq!(removed["services"][0]["name"], "db");
    let refused = until(|| {
        Some(send(&sandbox, "127.0.0.1", 15432, 256))
            .filter(|word| word == "ConnectionRefusedError")
    });
    refused.expect("nothing listens there any more");
    assert_eq!(sandbox.output(&["tcp", "--remove", "db"]).code, 3);
}

#[test]
fn a_stranger_on_the_address_of_a_service_moves_it_nowhere() {
    let sandbox = Sandbox::new();
    let _taken = http(&sandbox, "127.0.0.1", 15432);
    let _server = counter(&sandbox, "127.0.0.1", 5432);
    let port = port_of(&sandbox.output(&["tcp", "db", "5432"]));
    assert_ne!(port, 15432);
    assert_eq!(sandbox.output(&["daemon", "stop"]).code, 0);
    let stranger = http(&sandbox, "127.0.0.1", port);
    let waits = sandbox.output(&["tcp", "db", "--json"]).json();
    let service = &waits["services"][0];
    assert!(service["port"].is_null(), "{waits}");
    assert!(
        service["note"].as_str().unwrap().contains(&format!("port {port} is taken")),
        "{waits}"
    );
    drop(stranger);
    let back =
        until(|| Some(send(&sandbox, "127.0.0.1", port, 256)).filter(|word| word == "right"));
    back.expect("it listens as soon as the port is free");
}

#[test]
fn a_service_follows_an_instance_to_whatever_port_it_has() {
    let sandbox = Sandbox::new();
    let unknown = sandbox.output(&["tcp", "project"]);
    assert_eq!(unknown.code, 3, "{unknown:?}");
    assert!(unknown.err.contains("wharf tcp project PORT"), "{unknown:?}");
    let mut run = sandbox.run(SERVER);
    run.event("ready");
    let address = sandbox.output(&["tcp", "project"]);
    let port = port_of(&address);
    let ask = || ask_on(&sandbox, port, "anything", ("GET", "/"), &[]).status;
    assert_eq!(ask(), 200);
    drop(run);
    until(|| Some(ask()).filter(|status| *status == 0)).expect("it has ended");
    let _taken = http(&sandbox, "127.0.0.1", 8000);
    let mut run = sandbox.run(SERVER);
    assert_eq!(run.event("ready")["port"], 8001);
    assert_eq!(ask(), 200, "it has followed");
    assert_eq!(sandbox.output(&["tcp", "project"]).out, address.out);
}

#[test]
fn bytes_are_copied_where_the_kernel_refuses_to_splice() {
    let sandbox = Sandbox::new();
    let refuse = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sandbox/refuse.py");
    let mut command = sandbox.program("python3");
    command.args([refuse, "splice", "ENOSYS", "--", env!("CARGO_BIN_EXE_wharf"), "daemon", "run"]);
    let mut daemon = Server(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    until(|| (sandbox.output(&["daemon", "status"]).code == 0).then_some(())).unwrap();
    let _server = counter(&sandbox, "127.0.0.1", 5432);
    assert_eq!(sandbox.output(&["tcp", "db", "5432"]).out, "127.0.0.1:15432\n");
    assert_eq!(send(&sandbox, "127.0.0.1", 15432, 4 * 1024 * 1024), "right");
    assert_eq!(sandbox.output(&["daemon", "stop"]).code, 0);
    let _ = daemon.0.wait();
}

#[test]
fn names_alone_keep_no_daemon_and_no_daemon_is_needed_to_keep_them() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.wharf(&["daemon", "run", "--idle", "1"]);
    let mut daemon = Server(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    until(|| (sandbox.output(&["daemon", "status"]).code == 0).then_some(())).unwrap();
    let alias = sandbox.output(&["alias", "db-admin", "5000"]);
    assert_eq!(alias.code, 0, "{alias:?}");
    let tcp = sandbox.output(&["tcp", "db", "5432"]);
    assert_eq!(tcp.code, 0, "{tcp:?}");
    until(|| daemon.0.try_wait().unwrap()).expect("it is idle");
    assert!(sandbox.output(&["alias"]).out.contains("db-admin"));
    assert_eq!(sandbox.output(&["tcp", "db"]).out, tcp.out);
}

/// Stays connected and silent until it is told, then sends its bytes.
const PATIENT: &str = "\
import os, socket, sys
with socket.create_connection(('127.0.0.1', int(sys.argv[1])), timeout=30) as s:
    s.sendall(b'ab')
    open('connected', 'w').close()
    while not os.path.exists('go'): pass
    s.sendall(b'cd')
    s.shutdown(socket.SHUT_WR)
    print(s.recv(100).decode())
";

#[test]
fn a_newer_daemon_has_the_names_and_open_connections_stay() {
    let sandbox = Sandbox::new();
    let older = sandbox.older();
    let _server = counter(&sandbox, "127.0.0.1", 5432);
    let mut given = sandbox.program(&older);
    given.args(["tcp", "db", "5432"]);
    let address = answer(given);
    assert_eq!(address.out, "127.0.0.1:15432\n", "{address:?}");
    let old = pid(&sandbox);
    let patient = std::thread::scope(|scope| {
        let patient = scope.spawn(|| {
            let mut command = sandbox.program("python3");
            command.args(["-c", PATIENT, "15432"]);
            answer(command)
        });
        until(|| sandbox.project().join("connected").exists().then_some(())).unwrap();
        assert_eq!(sandbox.output(&["alias"]).code, 0, "the newer program's daemon");
        assert_ne!(pid(&sandbox), old);
        let works = || Some(send(&sandbox, "::1", 15432, 1024)).filter(|word| word == "right");
        until(works).expect("the next daemon listens there");
        sandbox.file("go", "");
        patient.join().unwrap()
    });
    assert_eq!(patient.out.trim(), "4 394", "{patient:?}");
}

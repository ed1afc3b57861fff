//! Listeners that outlive their servers: on demand, held, restarted, crashed. Nobody is refused.

mod sandbox;

use std::process::{Child, Stdio};

use sandbox::{Sandbox, answer, until};

/// A server that tells its process number, on the port that the text names.
fn server(port: &str) -> String {
    format!(
        "import http.server, os\n\
         class Handler(http.server.BaseHTTPRequestHandler):\n\
         \x20   def do_GET(self):\n\
         \x20       if self.path == '/crash': os._exit(3)\n\
         \x20       self.send_response(200)\n\
         \x20       self.end_headers()\n\
         \x20       self.wfile.write(str(os.getpid()).encode())\n\
         \x20   def log_message(self, *rest): pass\n\
         http.server.HTTPServer(('127.0.0.1', {port}), Handler).serve_forever()\n"
    )
}

/// Asks without a pause until it is told to stop, and then says how often it was answered and refused.
fn client(sandbox: &Sandbox, port: u64) -> Child {
    client_of(sandbox, &format!("127.0.0.1:{port}"))
}

fn client_of(sandbox: &Sandbox, at: &str) -> Child {
    let program = format!(
        "import os, sys, threading, urllib.request, urllib.error\n\
         end = threading.Event()\n\
         threading.Thread(target=lambda: (sys.stdin.read(), end.set()), daemon=True).start()\n\
         answered, refused, pids = 0, 0, set()\n\
         while not end.is_set():\n\
         \x20   try:\n\
         \x20       pids.add(urllib.request.urlopen('http://{at}/', timeout=30).read())\n\
         \x20       answered += 1\n\
         \x20   except urllib.error.URLError as error:\n\
         \x20       refused += isinstance(error.reason, ConnectionRefusedError)\n\
         \x20   except ConnectionError:\n\
         \x20       pass\n\
         print(answered, refused, len(pids))\n"
    );
    let mut command = sandbox.program("python3");
    command.args(["-c", &program]).stdin(Stdio::piped()).stdout(Stdio::piped());
    command.spawn().expect("python3 is there")
}

/// How often the client was answered and refused, and by how many servers.
fn tally(mut client: Child) -> (u32, u32, u32) {
    drop(client.stdin.take());
    let output = client.wait_with_output().expect("its output");
    let text = String::from_utf8(output.stdout).expect("numbers");
    let numbers: Vec<u32> = text.split_whitespace().map(|word| word.parse().unwrap()).collect();
    (numbers[0], numbers[1], numbers[2])
}

#[test]
fn a_server_on_demand_starts_at_the_first_connection_and_ends_when_idle() {
    let sandbox = Sandbox::new();
    let program = server("int(os.environ['PORT'])");
    let args = ["--on-demand", "--idle", "1s", "--", "python3", "-c", &program];
    let mut run = sandbox.run(&args);
    run.event("dormant");
    let ls = sandbox.output(&["ls", "--json"]).json();
    assert_eq!(ls["instances"][0]["state"], "leased", "{ls}");
    assert!(!run.events().iter().any(|event| event["event"] == "launched"), "nobody asked yet");
    let first = sandbox.get("http://127.0.0.1:8000/").expect("the first request is answered");
    assert_eq!(run.event("accepted")["port"], 8000);
    let again = run.event("again");
    assert_eq!(again["cause"], "idle");
    let gone = || (!sandbox::is_alive(first.parse().unwrap())).then_some(());
    until(gone).expect("the server has ended");
    let second = sandbox.get("http://127.0.0.1:8000/").expect("so is the next one");
    assert_ne!(first, second);
    run.signal("TERM");
    run.code();
    assert!(sandbox.get("http://127.0.0.1:8000/").is_err(), "nobody listens any more");
}

#[test]
fn a_server_on_demand_ends_before_anybody_came() {
    let sandbox = Sandbox::new();
    let mut run = sandbox.run(&["--on-demand", "--", "python3", "-c", &server("8000")]);
    run.event("dormant");
    run.signal("TERM");
    run.code();
}

#[test]
fn a_port_that_is_held_keeps_connections_until_the_server_is_there() {
    let sandbox = Sandbox::new();
    let program = format!("import time; time.sleep(1)\n{}", server("8123"));
    let mut run = sandbox.run(&["--hold", "--", "python3", "-c", &program]);
    run.event("launched");
    // The server has not even bound its port.
    let pid = sandbox.get("http://127.0.0.1:8000/").expect("it waits, and is answered");
    assert!(!pid.is_empty());
    assert_eq!(run.event("ready")["port"], 8000);
}

#[test]
fn a_restart_refuses_nobody() {
    for extra in [&[][..], &["--hold"][..]] {
        let sandbox = Sandbox::new();
        let program = server("8123");
        let mut args = extra.to_vec();
        args.extend(["--", "python3", "-c", &program]);
        let mut run = sandbox.run(&args);
        let port = run.event("ready")["port"].as_u64().unwrap();
        let client = client(&sandbox, port);
        for _ in 0..3 {
            let restart = sandbox.output(&["restart", &port.to_string()]);
            assert_eq!(restart.code, 0, "{restart:?}");
        }
        let (answered, refused, servers) = tally(client);
        assert_eq!(refused, 0, "{extra:?}: {answered} were answered");
        assert!(servers >= 2, "{extra:?}: {servers} servers answered {answered}");
        let ls = sandbox.output(&["ls", "--json"]).json();
        assert_eq!(ls["instances"][0]["restarts"], 3, "{ls}");
    }
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.output(&["restart", "nobody"]).code, 3);
}

#[test]
fn copies_with_addresses_of_their_own_are_restarted_and_ended_one_by_one() {
    let sandbox = Sandbox::new();
    let program = server("8123").replace("127.0.0.1", "0.0.0.0");
    let args = ["--remap", "address", "--", "python3", "-c", program.as_str()];
    let [mut one, mut two] = ["one", "two"].map(|name| {
        let folder = sandbox.dir().join(name);
        std::fs::create_dir_all(folder.join(".git")).expect("a folder");
        sandbox.run_in(&folder, &args)
    });
    let urls = [&mut one, &mut two]
        .map(|run| run.event("ready")["direct_url"].as_str().unwrap().to_owned());
    let at = urls.each_ref().map(|url| url.strip_prefix("http://").expect("HTTP").to_owned());
    let pid_of = |url: &String| sandbox.get(url).expect("it answers");
    let (first, second) = (pid_of(&urls[0]), pid_of(&urls[1]));

    let client = client_of(&sandbox, &at[1]);
    assert_eq!(sandbox.output(&["restart", &at[1]]).code, 0);
    let (answered, refused, _) = tally(client);
    assert_eq!(refused, 0, "{answered} were answered");
    assert_ne!(pid_of(&urls[1]), second, "it was restarted");
    assert_eq!(pid_of(&urls[0]), first, "the other was not");

    let answer = sandbox.output(&["stop", "8123"]);
    assert_eq!(answer.code, 2, "which of the two? {answer:?}");
    assert!(at.iter().all(|at| answer.err.contains(at)), "{answer:?}");
    let answer = sandbox.output(&["stop", &urls[0]]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert!(answer.err.contains(&format!("{} is free", at[0])), "{answer:?}");
    assert_eq!(one.code(), 143);
    assert!(sandbox.get(&urls[1]).is_ok(), "the other was not ended");
}

/// What WEBrick does on SIGTERM.
const SHUTS_DOWN: &str = "\
import os, signal, socket
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(('127.0.0.1', 8123))
listener.listen(64)
def end(*rest):
    listener.shutdown(socket.SHUT_RDWR)
    os._exit(0)
signal.signal(signal.SIGTERM, end)
while True:
    connection, peer = listener.accept()
    connection.recv(4096)
    body = str(os.getpid()).encode()
    connection.sendall(b'HTTP/1.0 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%s' % (len(body), body))
    connection.close()
";

#[test]
fn a_server_that_shuts_its_listener_down_for_all_ends_it_for_nobody() {
    for extra in [&[][..], &["--hold"][..]] {
        let sandbox = Sandbox::new();
        let mut args = extra.to_vec();
        args.extend(["--", "python3", "-c", SHUTS_DOWN]);
        let mut run = sandbox.run(&args);
        let port = run.event("ready")["port"].as_u64().unwrap();
        let clients: Vec<Child> = (0..4).map(|_| client(&sandbox, port)).collect();
        for _ in 0..5 {
            assert_eq!(sandbox.output(&["restart", &port.to_string()]).code, 0);
        }
        for client in clients {
            let (answered, refused, servers) = tally(client);
            assert_eq!(refused, 0, "{extra:?}: {answered} were answered");
            assert!(servers >= 2, "{extra:?}: {servers} servers answered {answered}");
        }
    }
}

/// It ends once its thread that waits in `accept` has been woken by the `shutdown`.
const WAKES_BY_SHUTDOWN: &str = "
import os, signal, socket, threading
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(('127.0.0.1', 8123))
listener.listen(64)
def accept():
    while True:
        try:
            connection, peer = listener.accept()
        except OSError:
            return
        connection.recv(4096)
        body = str(os.getpid()).encode()
        connection.sendall(b'HTTP/1.0 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%s' % (len(body), body))
        connection.close()
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
thread = threading.Thread(target=accept)
thread.start()
signal.sigwait([signal.SIGTERM])
listener.shutdown(socket.SHUT_RDWR)
thread.join()
";

#[test]
fn a_shutdown_that_wakes_an_accept_does_so_and_the_listener_is_opened_again() {
    let sandbox = Sandbox::new();
    let mut run = sandbox.run(&["--", "python3", "-c", WAKES_BY_SHUTDOWN]);
    let port = run.event("ready")["port"].as_u64().unwrap();
    let url = format!("http://127.0.0.1:{port}/");
    let mut servers = std::collections::BTreeSet::new();
    for _ in 0..3 {
        servers.insert(sandbox.get(&url).expect("it answers"));
        assert_eq!(sandbox.output(&["restart", &port.to_string()]).code, 0);
    }
    servers.insert(sandbox.get(&url).expect("it answers"));
    assert_eq!(servers.len(), 4, "{servers:?}");
    assert!(!run.err().contains("was killed"), "it ends by itself: {}", run.err());
}

#[test]
fn on_demand_a_listener_that_was_shut_down_wakes_the_next_server() {
    let sandbox = Sandbox::new();
    let mut run = sandbox.run(&["--on-demand", "--idle", "1s", "--", "python3", "-c", SHUTS_DOWN]);
    let port = run.event("dormant")["port"].as_u64().unwrap();
    let url = format!("http://127.0.0.1:{port}/");
    let mut servers = std::collections::BTreeSet::new();
    for round in 1..=3 {
        servers.insert(sandbox.get(&url).expect("it is launched and answers"));
        let dormant = |run: &sandbox::Running| {
            run.events().iter().filter(|event| event["event"] == "dormant").count()
        };
        until(|| (dormant(&run) > round).then_some(())).expect("it ends when it is idle");
    }
    assert_eq!(servers.len(), 3, "{servers:?}");
    servers.insert(sandbox.get(&url).expect("it is launched and answers"));
    run.signal("TERM");
    assert_eq!(run.code(), 0, "the server's own: {}", run.err());
}

#[test]
fn a_server_that_crashes_starts_again_and_keeps_its_connections() {
    let sandbox = Sandbox::new();
    let program = server("8123");
    let mut run = sandbox.run(&["--restart-on-crash", "--", "python3", "-c", &program]);
    let port = run.event("ready")["port"].as_u64().unwrap();
    assert!(sandbox.get(&format!("http://127.0.0.1:{port}/crash")).is_err());
    let again = run.event("again");
    assert_eq!((&again["cause"], &again["exit_code"]), (&"crashed".into(), &3.into()));
    let pid = sandbox.get(&format!("http://127.0.0.1:{port}/")).expect("it waits for the next one");
    assert!(!pid.is_empty());
    run.signal("TERM");
    assert_eq!(run.code(), 143, "an end that was asked for is no crash");
}

#[test]
fn without_remapping_there_is_nothing_to_hold() {
    let sandbox = Sandbox::new();
    for option in ["--hold", "--on-demand"] {
        let mut command = sandbox.wharf(&["run", option, "--remap", "off", "--", "true"]);
        let answer = answer({
            command.stdin(Stdio::null());
            command
        });
        assert_eq!(answer.code, 5, "{answer:?}");
        assert!(answer.err.contains("wharf doctor remap"), "{answer:?}");
    }
    assert_eq!(sandbox.output(&["run", "--idle", "5m", "--", "true"]).code, 2);
    assert_eq!(sandbox.output(&["run", "--on-demand", "--idle", "soon", "--", "true"]).code, 2);
}

#[test]
fn a_change_of_a_file_that_is_watched_starts_the_server_again() {
    let sandbox = Sandbox::new();
    sandbox.file("src/deep/settings.py", "a = 1\n");
    sandbox.file("node_modules/other.py", "a = 1\n");
    let program = server("8123");
    let mut run = sandbox.run(&["--watch", "*.py", "--", "python3", "-c", &program]);
    let port = run.event("ready")["port"].as_u64().unwrap();
    let url = format!("http://127.0.0.1:{port}/");
    let before = sandbox.get(&url).unwrap();
    sandbox.file("src/notes.txt", "no reason\n");
    sandbox.file("node_modules/other.py", "no reason\n");
    sandbox.file("src/deep/settings.py", "a = 2\n");
    run.event("again");
    assert!(run.err().contains("settings.py has changed"), "{}", run.err());
    assert_ne!(sandbox.get(&url).unwrap(), before);
    assert_eq!(sandbox.output(&["run", "--watch", "a***b", "--", "true"]).code, 2);
}

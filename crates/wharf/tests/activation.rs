//! Listening sockets as systemd passes them, to programs and from one launch to the next, and what a service
//! manager is told of wharf.

mod sandbox;

use std::io::Read;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Stdio};

use sandbox::{LIMIT, Sandbox};

/// Serves on descriptor 3 if it is passed by systemd's rules, and tells its environment.
const SERVER: &str = "import http.server, os, socket\n\
    assert os.environ['LISTEN_PID'] == str(os.getpid()), os.environ['LISTEN_PID']\n\
    assert os.environ['LISTEN_FDS'] == '1'\n\
    class Handler(http.server.BaseHTTPRequestHandler):\n\
    \x20   def do_GET(self):\n\
    \x20       name = self.path[1:]\n\
    \x20       self.send_response(200)\n\
    \x20       self.end_headers()\n\
    \x20       self.wfile.write(os.environ.get(name, 'none').encode())\n\
    \x20   def log_message(self, *rest): pass\n\
    server = http.server.HTTPServer(('127.0.0.1', 0), Handler, bind_and_activate=False)\n\
    server.socket.close()\n\
    server.socket = socket.socket(fileno=3)\n\
    assert server.socket.getblocking()\n\
    server.serve_forever()\n";

/// Asks without a pause, and has been answered once, until it is told to stop; then it says how often it was
/// answered and refused.
fn client(sandbox: &Sandbox, port: u64) -> Child {
    let program = format!(
        "import sys, threading, urllib.request, urllib.error, http.client\n\
         end = threading.Event()\n\
         threading.Thread(target=lambda: (sys.stdin.read(), end.set()), daemon=True).start()\n\
         answered, refused = 0, 0\n\
         while not end.is_set():\n\
         \x20   try:\n\
         \x20       urllib.request.urlopen('http://127.0.0.1:{port}/', timeout=30).read()\n\
         \x20       if not answered: print('up', flush=True)\n\
         \x20       answered += 1\n\
         \x20   except urllib.error.URLError as error:\n\
         \x20       refused += isinstance(error.reason, ConnectionRefusedError)\n\
         \x20   except (ConnectionError, http.client.HTTPException):\n\
         \x20       pass\n\
         print(answered, refused)\n"
    );
    let mut command = sandbox.program("python3");
    command.args(["-c", &program]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut client = command.spawn().expect("python3 is there");
    // What begins only after the last restart would prove nothing.
    let mut up = [0; 3];
    let told = client.stdout.as_mut().expect("a pipe").read_exact(&mut up);
    told.expect("its first answer");
    client
}

/// How often the client was answered and refused.
fn tally(mut client: Child) -> (u32, u32) {
    drop(client.stdin.take());
    let output = client.wait_with_output().expect("its output");
    let text = String::from_utf8(output.stdout).expect("numbers");
    let numbers: Vec<u32> = text.split_whitespace().map(|word| word.parse().unwrap()).collect();
    (numbers[0], numbers[1])
}

/// Restarts what serves on the port three times under requests, none of which may be refused.
fn restart_under_requests(sandbox: &Sandbox, port: u64) {
    let client = client(sandbox, port);
    for _ in 0..3 {
        let restart = sandbox.output(&["restart", &port.to_string()]);
        assert_eq!(restart.code, 0, "{restart:?}");
    }
    let (answered, refused) = tally(client);
    assert_eq!(refused, 0, "{answered} were answered");
    assert!(answered > 0, "it was answered before");
    let ls = sandbox.output(&["ls", "--json"]).json();
    assert_eq!(ls["instances"][0]["restarts"], 3, "{ls}");
}

#[test]
fn a_program_gets_its_listener_and_a_restart_refuses_nobody() {
    for remap in ["off", "auto"] {
        let sandbox = Sandbox::new();
        let args = ["--remap", remap, "--socket", "--name", "web", "--", "python3", "-c", SERVER];
        let mut run = sandbox.run(&args);
        let port = run.event("ready")["port"].as_u64().unwrap();
        let told = |name: &str| sandbox.get(&format!("http://127.0.0.1:{port}/{name}"));
        assert_eq!(told("LISTEN_FDNAMES").as_deref(), Ok("web"), "{remap}");
        assert_eq!(told("WHARF_PORT"), Ok(port.to_string()), "{remap}");
        restart_under_requests(&sandbox, port);
        run.signal("TERM");
        run.code();
        assert!(told("").is_err(), "nobody listens any more");
    }
}

#[test]
fn a_held_port_without_remapping_needs_a_program_that_takes_the_listener() {
    let sandbox = Sandbox::new();
    let args = ["run", "--remap", "off", "--on-demand", "--", "python3", "-c", SERVER];
    let refused = sandbox.output(&args);
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(refused.err.contains("`--socket`"), "{refused:?}");
    let args = ["--remap", "off", "--on-demand", "--socket", "--", "python3", "-c", SERVER];
    let mut run = sandbox.run(&args);
    let port = run.event("dormant")["port"].as_u64().unwrap();
    assert!(!run.events().iter().any(|event| event["event"] == "launched"), "nobody asked yet");
    let answer = sandbox.get(&format!("http://127.0.0.1:{port}/LISTEN_FDS"));
    assert_eq!(answer.as_deref(), Ok("1"));
    run.signal("TERM");
    run.code();
}

#[test]
fn nginx_takes_the_listener_of_a_held_port_by_itself() {
    let sandbox = Sandbox::new();
    let dir = sandbox.dir().display().to_string();
    let temp: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {dir}/{kind};"))
        .concat();
    sandbox.file(
        "nginx.conf",
        &format!(
            "daemon off; pid {dir}/nginx.pid; error_log stderr;\nevents {{}}\nhttp {{ access_log off; {temp}\n\
             server {{ listen 8080; return 200 here; }} }}\n"
        ),
    );
    let file = sandbox.project().join("nginx.conf").display().to_string();
    let mut run = sandbox.run(&["--remap", "off", "--hold", "--", "nginx", "-c", &file]);
    let port = run.event("ready")["port"].as_u64().unwrap();
    let answer = sandbox.get(&format!("http://127.0.0.1:{port}/"));
    assert_eq!(answer.as_deref(), Ok("here"));
    restart_under_requests(&sandbox, port);
    run.signal("TERM");
    run.code();
}

#[test]
fn a_project_says_that_a_service_gets_its_listener() {
    let sandbox = Sandbox::new();
    sandbox.file("server.py", SERVER);
    sandbox.file(
        "wharf.toml",
        "remap = \"off\"\n[service.web]\nrun = \"python3 server.py\"\nsocket = true\n",
    );
    let up = sandbox.output(&["up", "-d", "--json"]);
    assert_eq!(up.code, 0, "{up:?}");
    let ls = sandbox.output(&["ls", "--json"]).json();
    let port = ls["instances"][0]["port"].as_u64().unwrap();
    let answer = sandbox.get(&format!("http://127.0.0.1:{port}/LISTEN_FDNAMES"));
    assert_eq!(answer.as_deref(), Ok("web"), "{ls}");
    restart_under_requests(&sandbox, port);
    let down = sandbox.output(&["down"]);
    assert_eq!(down.code, 0, "{down:?}");
}

/// A service manager's socket, and what comes there.
struct Notices(UnixDatagram, String);

impl Notices {
    fn of(sandbox: &Sandbox) -> Notices {
        let path = sandbox.dir().join("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket.set_read_timeout(Some(LIMIT)).expect("a limit");
        Notices(socket, path.display().to_string())
    }

    fn hears(&self) -> String {
        let mut buffer = [0; 512];
        let length = self.0.recv(&mut buffer).expect("a word in time");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }
}

/// What a manager sets, for one who is not meant by the listeners.
fn environment(notices: &Notices) -> [(&'static str, &str); 4] {
    [
        ("NOTIFY_SOCKET", notices.1.as_str()),
        ("LISTEN_FDS", "1"),
        ("LISTEN_PID", "1"),
        ("WATCHDOG_USEC", "1000000"),
    ]
}

#[test]
fn a_service_manager_is_told_of_a_run_and_servers_do_not_see_it() {
    let sandbox = Sandbox::new();
    let notices = Notices::of(&sandbox);
    // It binds its port itself.
    let own = "server = http.server.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler)";
    let lines = SERVER.lines().filter(|line| !line.starts_with("assert"));
    let lines = lines.filter(|line| !line.starts_with("server.socket"));
    let lines = lines.map(|line| if line.starts_with("server = ") { own } else { line });
    let server = lines.collect::<Vec<_>>().join("\n");
    let mut command = sandbox.wharf(&["run", "--", "python3", "-c", &server]);
    command.envs(environment(&notices)).stdout(Stdio::null()).stderr(Stdio::null());
    let mut run = command.spawn().expect("wharf");
    let ready = notices.hears();
    assert!(ready.starts_with("READY=1\nSTATUS=serves at http://"), "{ready}");
    let ls = sandbox.output(&["ls", "--json"]).json();
    let port = ls["instances"][0]["port"].as_u64().unwrap();
    for (name, _) in environment(&notices) {
        let answer = sandbox.get(&format!("http://127.0.0.1:{port}/{name}"));
        assert_eq!(answer.as_deref(), Ok("none"), "{name}");
    }
    sandbox::signal(run.id(), "TERM");
    assert_eq!(notices.hears(), "STOPPING=1");
    run.wait().expect("its end");
}

#[test]
fn a_service_manager_is_told_of_a_project_once_all_of_it_is_up() {
    let sandbox = Sandbox::new();
    let notices = Notices::of(&sandbox);
    sandbox.file("server.py", SERVER);
    sandbox.file(
        "wharf.toml",
        "[service.a]\nrun = \"python3 server.py\"\nsocket = true\n\
         [service.b]\nrun = \"python3 server.py\"\nsocket = true\ndepends_on = [\"a\"]\n",
    );
    let mut command = sandbox.wharf(&["up"]);
    command.envs(environment(&notices)).stdout(Stdio::null()).stderr(Stdio::null());
    let mut up = command.spawn().expect("wharf");
    assert_eq!(notices.hears(), "READY=1\nSTATUS=2 instances are up");
    sandbox::signal(up.id(), "TERM");
    assert_eq!(notices.hears(), "STOPPING=1");
    up.wait().expect("its end");
}

#[test]
fn a_service_manager_is_told_of_the_daemon() {
    let sandbox = Sandbox::new();
    let notices = Notices::of(&sandbox);
    let mut command = sandbox.wharf(&["daemon", "run"]);
    command.envs(environment(&notices)).stdout(Stdio::null()).stderr(Stdio::null());
    let mut daemon = command.spawn().expect("wharf");
    assert_eq!(notices.hears(), "READY=1\nSTATUS=keeps the leases");
    let stopped = sandbox.output(&["daemon", "stop"]);
    assert_eq!(stopped.code, 0, "{stopped:?}");
    assert_eq!(notices.hears(), "STOPPING=1");
    daemon.wait().expect("its end");
}

/// Serves at once, and says that it is ready once a file is there.
const NOTIFIER: &str = "\
import http.server, os, socket, threading, time
server = http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.connect(os.environ['NOTIFY_SOCKET'])
while not os.path.exists('finish'):
    manager.send(b'STATUS=not yet')
    time.sleep(0.01)
manager.send(b'READY=1')
threading.Event().wait()
";

#[test]
fn what_says_itself_that_it_is_ready_is_ready_no_sooner_and_again_after_a_restart() {
    let sandbox = Sandbox::new();
    sandbox.file(".git/HEAD", "ref: refs/heads/main\n");
    sandbox.file("notifier.py", NOTIFIER);
    let web = "[service.web]\nrun = \"python3 notifier.py\"\nport = 8000\nready = \"notify\"\n";
    let worker = "[service.worker]\nrun = \"systemd-notify --ready && exec tail -f /dev/null\"\nready = \"notify\"\n";
    sandbox.file("wharf.toml", &format!("{web}{worker}"));
    let late = sandbox.output(&["up", "-d", "--timeout", "3"]);
    assert_eq!(late.code, 6, "{late:?}");
    let states = || -> Vec<(String, String)> {
        let list = sandbox.output(&["ls", "--json"]).json();
        let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
        let instances = list["instances"].as_array().expect("a list").iter();
        instances.map(|one| (text(&one["service"]), text(&one["state"]))).collect()
    };
    let pair = |service: &str, state: &str| (service.to_owned(), state.to_owned());
    assert_eq!(states(), [pair("web", "starting"), pair("worker", "ready")]);
    let finish = sandbox.file("finish", "");
    assert_eq!(sandbox.output(&["wait", "web", "worker"]).code, 0);
    std::fs::remove_file(finish).expect("it is there");
    let restarted = sandbox.output(&["restart", "web", "--timeout", "2"]);
    assert_ne!(restarted.code, 0, "the first launch's word is not the second's: {restarted:?}");
    assert_eq!(sandbox.output(&["down"]).code, 0);
    let left = std::fs::read_dir(sandbox.dir().join("run/wharf")).expect("the runtime folder");
    let left: Vec<_> = left.map(|entry| entry.expect("an entry").file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with("notify-")), "{left:?}");
}

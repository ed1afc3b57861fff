//! Names: the proxy of the daemon in front of real servers.

mod asking;
mod sandbox;

use asking::{ask_on, get};
use sandbox::{Sandbox, answer, is_alive, until};

const SERVER: &[&str] = &["--", "python3", "-m", "http.server"];

/// The daemon's process number, as it says itself.
fn daemon(sandbox: &Sandbox) -> u32 {
    let status = sandbox.output(&["daemon", "status", "--json"]).json();
    u32::try_from(status["pid"].as_u64().unwrap()).unwrap()
}

#[test]
fn a_name_leads_to_its_server_whatever_port_it_has() {
    let sandbox = Sandbox::new();
    sandbox.file("who", "main");
    let other = sandbox.dir().join("second");
    std::fs::create_dir_all(other.join(".git")).unwrap();
    std::fs::write(other.join("who"), "second").unwrap();
    let mut main = sandbox.run(SERVER);
    assert_eq!(main.event("ready")["url"], "http://project.localhost");
    let mut second = sandbox.run_in(&other, SERVER);
    assert_eq!(second.event("ready")["url"], "http://second.localhost");
    let (one, two) =
        (get(&sandbox, "project.localhost", "/who"), get(&sandbox, "second.localhost", "/who"));
    assert_eq!((one.body.as_str(), two.body.as_str()), ("main", "second"));
    assert!(one.fields.contains("x-wharf-instance: "), "{one:?}");
    let status = sandbox.output(&["proxy", "status", "--json"]).json();
    let listeners = status["listeners"].as_array().unwrap();
    let address = |at: usize| listeners[at]["address"].as_str().unwrap();
    assert_eq!((address(0), address(1)), ("127.0.0.1", "::1"), "{status}");
    assert_eq!(status["routes"].as_array().unwrap().len(), 2, "{status}");
    let table = sandbox.output(&["proxy", "status"]).out;
    assert!(table.contains("project.localhost") && table.contains("127.0.0.1:8001"), "{table}");
}

#[test]
fn an_unknown_name_is_told_nothing() {
    let sandbox = Sandbox::new();
    let mut run = sandbox.run(SERVER);
    run.event("ready");
    for host in [
        "127.0.0.1",
        "localhost",
        "evil.example",
        "project.localhost.evil.example",
        "project.localhost:81",
    ] {
        let reply = get(&sandbox, host, "/");
        assert_eq!(reply.status, 421, "{host}: {reply:?}");
        assert!(!reply.body.contains("project"), "{reply:?}");
    }
}

#[test]
fn a_server_that_has_ended_says_so_and_one_that_starts_is_waited_for() {
    let sandbox = Sandbox::new();
    sandbox.file("failing.py", "import sys\nsys.exit(7)\n");
    sandbox.file(
        "slow.py",
        "import http.server, os, sys\n\
         open('waiting', 'w').close()\n\
         while not os.path.exists('go'): pass\n\
         http.server.test(http.server.SimpleHTTPRequestHandler, port=int(os.environ['PORT']), bind='127.0.0.1')\n",
    );
    let mut failing = sandbox.run(&["--", "python3", "failing.py"]);
    assert_eq!(failing.code(), 7);
    let told = until(|| Some(get(&sandbox, "project.localhost", "/")).filter(|r| r.status == 502));
    let reply = told.unwrap();
    assert!(
        reply.body.contains("failed to start") && reply.body.contains("exit code 7"),
        "{reply:?}"
    );
    let json =
        ask_on(&sandbox, 80, "project.localhost", ("GET", "/"), &["Accept: application/json"]);
    let json: serde_json::Value = serde_json::from_str(&json.body).unwrap();
    assert_eq!(json["error"]["code"], "failed");
    let mut slow = sandbox.run(&["--", "python3", "slow.py"]);
    slow.event("launched");
    until(|| sandbox.project().join("waiting").exists().then_some(())).unwrap();
    let page = ask_on(&sandbox, 80, "project.localhost", ("GET", "/"), &["Accept: text/html"]);
    assert_eq!(page.status, 503);
    assert!(page.body.contains("http-equiv=\"refresh\""), "{page:?}");
    let held = std::thread::scope(|scope| {
        let held = scope.spawn(|| get(&sandbox, "project.localhost", "/slow.py"));
        sandbox.file("go", "");
        held.join().unwrap()
    });
    assert_eq!(held.status, 200, "{held:?}");
    slow.event("ready");
}

#[test]
fn the_first_request_starts_a_server_on_demand() {
    let sandbox = Sandbox::new();
    sandbox.file("who", "woken");
    let mut run = sandbox.run(&["--on-demand", "--", "python3", "-m", "http.server"]);
    run.event("dormant");
    let seen = until(|| {
        let routes = sandbox.output(&["proxy", "status", "--json"]).json();
        (routes["routes"][0]["condition"] == "dormant").then_some(())
    });
    seen.unwrap();
    let reply = get(&sandbox, "project.localhost", "/who");
    assert_eq!((reply.status, reply.body.as_str()), (200, "woken"));
    run.event("ready");
}

#[test]
fn a_foreign_process_that_took_the_port_gets_nothing() {
    let sandbox = Sandbox::new();
    // The server gives its port up without ending.
    sandbox.file(
        "leaves.py",
        "import http.server, os, signal, threading\n\
         address = ('127.0.0.1', int(os.environ['PORT']))\n\
         server = http.server.HTTPServer(address, http.server.SimpleHTTPRequestHandler)\n\
         def leave(*rest):\n\
         \u{20}   server.socket.close()\n\
         \u{20}   open('left', 'w').close()\n\
         \u{20}   threading.Event().wait()\n\
         signal.signal(signal.SIGUSR1, leave)\n\
         server.serve_forever()\n",
    );
    let mut run = sandbox.run(&["--remap", "off", "--", "python3", "leaves.py"]);
    run.event("ready");
    assert_eq!(get(&sandbox, "project.localhost", "/leaves.py").status, 200);
    run.signal("USR1");
    until(|| sandbox.project().join("left").exists().then_some(())).unwrap();
    sandbox.file(
        "stranger.py",
        "import socket\n\
         s = socket.socket()\n\
         s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n\
         s.bind(('127.0.0.1', 8000)); s.listen()\n\
         open('there', 'w').close()\n\
         c, _ = s.accept()\n\
         open('got', 'wb').write(c.recv(4096))\n",
    );
    let mut stranger = sandbox.program("python3");
    let mut stranger = stranger.arg("stranger.py").spawn().unwrap();
    until(|| sandbox.project().join("there").exists().then_some(())).unwrap();
    let reply = get(&sandbox, "project.localhost", "/secret");
    // Its pilot may have seen that it no longer listens, or not yet.
    assert!([502, 503].contains(&reply.status), "{reply:?}");
    let got = until(|| std::fs::read(sandbox.project().join("got")).ok());
    assert_eq!(got.as_deref().unwrap_or_default(), b"", "{reply:?}");
    let _ = stranger.kill();
    let _ = stranger.wait();
}

#[test]
fn an_ordinary_user_has_names_on_port_4080() {
    let sandbox = Sandbox::new();
    let user = "65534";
    for folder in ["home", "run", "project"] {
        let status = std::process::Command::new("chown")
            .args(["-R", user])
            .arg(sandbox.dir().join(folder))
            .status();
        assert!(status.unwrap().success());
    }
    let events = sandbox.project().join("events");
    let mut command = sandbox.program("setpriv");
    command.args([
        "--reuid",
        user,
        "--regid",
        user,
        "--clear-groups",
        "--bounding-set=-all",
        "--inh-caps=-all",
    ]);
    command.arg(env!("CARGO_BIN_EXE_wharf")).args(["run", "--events"]).arg(&events).args(SERVER);
    let mut child = command
        .stderr(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let ready = until(|| {
        let text = std::fs::read_to_string(&events).unwrap_or_default();
        text.lines().find(|line| line.contains("\"ready\"")).map(str::to_owned)
    });
    let ready = ready.expect("it becomes ready");
    assert!(ready.contains("http://project.localhost:4080"), "{ready}");
    let reply = ask_on(&sandbox, 4080, "project.localhost:4080", ("GET", "/"), &[]);
    assert_eq!(reply.status, 200, "{reply:?}");
    sandbox::signal(child.id(), "TERM");
    let _ = child.wait();
    let mut stop = sandbox.program("setpriv");
    stop.args(["--reuid", user, "--regid", user, "--clear-groups"]);
    stop.arg(env!("CARGO_BIN_EXE_wharf")).args(["daemon", "stop"]);
    assert_eq!(answer(stop).code, 0);
}

#[test]
fn systemd_may_open_the_port_that_a_user_may_not() {
    let sandbox = Sandbox::new();
    // What systemd does: sockets from descriptor 3 on, told by three variables.
    sandbox.file(
        "systemd.py",
        "import os, socket, sys\n\
         opened = [socket.create_server(('127.0.0.1', port)) for port in (8880, 8443)]\n\
         opened += [socket.create_server(('::1', 8880), family=socket.AF_INET6)]\n\
         for at, one in enumerate(opened): os.dup2(one.fileno(), 100 + at)\n\
         for at in range(3): os.dup2(100 + at, 3 + at)\n\
         os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='3', LISTEN_FDNAMES='http:https:http')\n\
         os.execv(sys.argv[1], [sys.argv[1], 'daemon', 'run'])\n",
    );
    let mut daemon = sandbox.program("python3");
    daemon.args(["systemd.py", env!("CARGO_BIN_EXE_wharf")]).stdout(std::process::Stdio::null());
    let mut daemon = daemon.spawn().unwrap();
    let up = until(|| (sandbox.output(&["daemon", "status"]).code == 0).then_some(()));
    up.expect("it serves");
    let mut run = sandbox.run(SERVER);
    assert_eq!(run.event("ready")["url"], "http://project.localhost:8880");
    let reply = ask_on(&sandbox, 8880, "project.localhost:8880", ("GET", "/"), &[]);
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(sandbox.output(&["daemon", "stop"]).code, 0);
    assert!(daemon.wait().unwrap().success());
}

#[test]
fn a_killed_daemon_comes_back_with_its_names() {
    let sandbox = Sandbox::new();
    sandbox.file("who", "main");
    let mut run = sandbox.run(SERVER);
    run.event("ready");
    let pid = daemon(&sandbox);
    sandbox::signal(pid, "KILL");
    until(|| (!is_alive(pid)).then_some(())).unwrap();
    // Nobody types a command: the pilot sees to it.
    let back =
        until(|| Some(get(&sandbox, "project.localhost", "/who")).filter(|r| r.status == 200));
    assert_eq!(back.unwrap().body, "main");
    assert_ne!(daemon(&sandbox), pid);
}

#[test]
fn a_service_may_be_asked_by_those_that_its_project_names() {
    let sandbox = Sandbox::new();
    sandbox.file("wharf.toml", "origins = [\"https://app.example\"]\n");
    let mut run = sandbox.run(SERVER);
    run.event("ready");
    let from = |origin: &str| {
        let origin = format!("Origin: {origin}");
        ask_on(
            &sandbox,
            80,
            "project.localhost",
            ("HEAD", "/"),
            &["Sec-Fetch-Site: cross-site", &origin],
        )
        .status
    };
    assert_eq!(from("https://app.example"), 200);
    assert_eq!(from("https://evil.example"), 403);
    drop(run);
    sandbox.file("wharf.toml", "[service.project]\nguard = \"off\"\n");
    let bad = sandbox.output(&["run", "--name", "web", "--", "true"]);
    assert_eq!(bad.code, 0, "another service's settings are nobody's trouble: {bad:?}");
}

#[test]
fn when_descriptors_are_used_up_the_proxy_waits_and_goes_on() {
    let sandbox = Sandbox::new();
    // As many as leave no room for what 300 clients want.
    let mut start = sandbox.program("prlimit");
    start.args(["--nofile=150:150", env!("CARGO_BIN_EXE_wharf"), "daemon", "start"]);
    assert_eq!(answer(start).code, 0);
    let pid = daemon(&sandbox);
    let mut run = sandbox.run(SERVER);
    run.event("ready");
    sandbox.file(
        "crowd.py",
        "import http.client, socket\n\
         crowd = []\n\
         for _ in range(300):\n\
         \u{20}   one = socket.socket()\n\
         \u{20}   one.connect(('127.0.0.1', 80))\n\
         \u{20}   one.sendall(b'GET / HTTP/1.1\\r\\nHost: project.localhost\\r\\n')\n\
         \u{20}   crowd.append(one)\n\
         for one in crowd: one.close()\n\
         client = http.client.HTTPConnection('127.0.0.1', 80, timeout=30)\n\
         client.request('GET', '/', headers={'Host': 'project.localhost'})\n\
         print(client.getresponse().status)\n",
    );
    let mut crowd = sandbox.program("python3");
    crowd.arg("crowd.py");
    let crowd = answer(crowd);
    assert_eq!(crowd.out.trim(), "200", "{crowd:?}");
    assert_eq!(daemon(&sandbox), pid, "it is the same daemon");
    run.signal("TERM");
    assert_eq!(run.code(), 143);
}

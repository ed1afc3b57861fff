//! Ports that a program names itself: each copy gets its own, and inside each copy the named port is
//! that copy's.

mod sandbox;

use std::process::Stdio;

use sandbox::{Sandbox, answer, until};

/// A server on port 8123 of an address, whatever it is told, that answers with a text.
fn server(address: &str, text: &str) -> String {
    format!(
        "import http.server, socket\n\
         class Server(http.server.HTTPServer):\n\
         \x20   address_family = socket.AF_INET6 if ':' in '{address}' else socket.AF_INET\n\
         class Handler(http.server.BaseHTTPRequestHandler):\n\
         \x20   def do_GET(self):\n\
         \x20       self.send_response(200)\n\
         \x20       self.end_headers()\n\
         \x20       self.wfile.write(b'{text}')\n\
         \x20   def log_message(self, *rest): pass\n\
         Server(('{address}', 8123), Handler).serve_forever()\n"
    )
}

/// A second and third checkout beside the sandbox's project.
fn checkout(sandbox: &Sandbox, name: &str) -> std::path::PathBuf {
    let folder = sandbox.dir().join(name);
    std::fs::create_dir_all(folder.join(".git")).expect("a folder");
    folder
}

fn run_in(sandbox: &Sandbox, folder: &std::path::Path, args: &[&str]) -> sandbox::Running {
    sandbox.run_in(folder, args)
}

#[test]
fn copies_of_a_program_that_names_its_port_run_side_by_side() {
    let sandbox = Sandbox::new();
    for address in ["127.0.0.1", "0.0.0.0", "::1", "::"] {
        let mut runs: Vec<_> = ["one", "two", "three"]
            .iter()
            .map(|name| {
                let folder = checkout(&sandbox, name);
                let program = server(address, name);
                run_in(&sandbox, &folder, &["--", "python3", "-c", &program])
            })
            .collect();
        let ports: Vec<u64> =
            runs.iter_mut().map(|run| run.event("ready")["port"].as_u64().unwrap()).collect();
        assert_eq!(ports[0].min(ports[1]).min(ports[2]), 8123, "{address}: {ports:?}");
        let host = if address == "::1" { "[::1]" } else { "127.0.0.1" };
        for (port, name) in ports.iter().zip(["one", "two", "three"]) {
            let body = sandbox.get(&format!("http://{host}:{port}/"));
            assert_eq!(body.as_deref(), Ok(name), "{address}");
        }
        let bound = runs[1].event("bound");
        assert_eq!(bound["named"], 8123);
        for run in &mut runs {
            run.signal("TERM");
            assert_eq!(run.code(), 143);
        }
    }
}

#[test]
fn a_port_that_was_given_once_is_given_again() {
    let sandbox = Sandbox::new();
    let (one, two) = (checkout(&sandbox, "one"), checkout(&sandbox, "two"));
    let start = |folder: &std::path::Path| {
        run_in(&sandbox, folder, &["--", "python3", "-c", &server("127.0.0.1", "x")])
    };
    let mut first = start(&one);
    assert_eq!(first.event("ready")["port"], 8123);
    let mut second = start(&two);
    assert_eq!(second.event("ready")["port"], 8124);
    for mut run in [first, second] {
        run.signal("TERM");
        run.code();
    }
    // Alone, and first: its home is still its own, and 8123 the other's.
    assert_eq!(start(&two).event("ready")["port"], 8124);
    assert_eq!(start(&one).event("ready")["port"], 8123);
}

#[test]
fn a_second_port_of_the_same_tree_is_leased_as_well() {
    let sandbox = Sandbox::new();
    let program = "import socket, threading, http.server, os\n\
                   side = socket.create_server(('127.0.0.1', 9876))\n\
                   address = ('127.0.0.1', int(os.environ['PORT']))\n\
                   http.server.HTTPServer(address, http.server.SimpleHTTPRequestHandler).serve_forever()\n";
    let start =
        |name: &str| run_in(&sandbox, &checkout(&sandbox, name), &["--", "python3", "-c", program]);
    let (mut one, mut two) = (start("one"), start("two"));
    let (first, second) = (one.event("ready")["port"].clone(), two.event("ready")["port"].clone());
    assert_ne!(first, second, "the server is where it was told to be");
    let ls = sandbox.output(&["ls", "--json"]).json();
    let mut held: Vec<u64> = ls["leases"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|lease| lease["key"]["service"].as_str().is_some_and(|s| s.ends_with("/bind9876")))
        .map(|lease| lease["port"].as_u64().unwrap())
        .collect();
    held.sort_unstable();
    assert_eq!(held, [9876, 9877], "{ls}");
}

#[test]
fn nobody_takes_the_port_while_the_server_starts() {
    let sandbox = Sandbox::new();
    let mut run = sandbox.run(&["--", "python3", "-c", "import time; time.sleep(600)"]);
    run.event("launched");
    // It binds with SO_REUSEADDR, which a reservation would let pass if it were shared.
    let mut stranger = sandbox.program("python3");
    stranger.args(["-m", "http.server", "8000"]);
    let stranger = answer(stranger);
    assert!(stranger.err.contains("Address already in use"), "{stranger:?}");
}

/// A front that asks the named port for its text, and an API on it.
const FRONT: &str = "\
import http.server, os, urllib.request
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        host = self.path.strip('/') or 'localhost'
        body = urllib.request.urlopen('http://' + host + ':8123/', timeout=10).read()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'front of ' + body)
    def log_message(self, *rest): pass
http.server.HTTPServer(('127.0.0.1', 3456), Handler).serve_forever()
";

#[test]
fn each_worktree_reaches_its_own_services_by_the_port_that_stands_in_the_program() {
    let sandbox = Sandbox::new();
    let folders = [checkout(&sandbox, "one"), checkout(&sandbox, "two")];
    for (address, hosts) in [
        ("127.0.0.1", &["localhost", "127.0.0.1"][..]),
        ("::", &["localhost", "127.0.0.1", "[::1]"][..]),
    ] {
        let mut runs = Vec::new();
        let mut fronts = Vec::new();
        for (folder, name) in folders.iter().zip(["one", "two"]) {
            let api = server(address, name);
            let mut api = run_in(&sandbox, folder, &["--name", "api", "--", "python3", "-c", &api]);
            api.event("ready");
            let args = ["--name", "front", "--", "python3", "-c", FRONT];
            let mut front = run_in(&sandbox, folder, &args);
            fronts.push(front.event("ready")["port"].as_u64().unwrap());
            runs.extend([api, front]);
        }
        assert_ne!(fronts[0], fronts[1]);
        for (port, name) in fronts.iter().zip(["one", "two"]) {
            for host in hosts {
                let body = sandbox.get(&format!("http://127.0.0.1:{port}/{host}"));
                assert_eq!(body, Ok(format!("front of {name}")), "{address} by {host}");
            }
        }
    }
}

#[test]
fn a_server_of_the_machine_is_reached_from_inside_as_before() {
    let sandbox = Sandbox::new();
    let mut database = sandbox.program("python3");
    database.args(["-c", &server("127.0.0.1", "database").replace("8123", "5432")]);
    let mut database = database.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until(|| sandbox.get("http://127.0.0.1:5432/").ok()).expect("it answers");
    let program = FRONT.replace("8123", "5432");
    // The second one is displaced, so its connects are answered by wharf.
    let mut runs = Vec::new();
    for name in ["one", "two"] {
        let folder = checkout(&sandbox, name);
        let mut front = run_in(&sandbox, &folder, &["--", "python3", "-c", &program]);
        let port = front.event("ready")["port"].clone();
        let body = sandbox.get(&format!("http://127.0.0.1:{port}/"));
        assert_eq!(body.as_deref(), Ok("front of database"));
        runs.push(front);
    }
    database.kill().unwrap();
    database.wait().unwrap();
}

#[test]
fn with_loopback_a_wildcard_is_this_machine_alone() {
    let sandbox = Sandbox::new();
    for address in ["0.0.0.0", "::"] {
        let program = server(address, "here");
        let args = ["--loopback", "--", "python3", "-c", &program];
        let mut run = run_in(&sandbox, &checkout(&sandbox, "one"), &args);
        let port = run.event("ready")["port"].clone();
        assert_eq!(sandbox.get(&format!("http://127.0.0.1:{port}/")).as_deref(), Ok("here"));
        let who = sandbox.output(&["who", &port.to_string(), "--json"]).json();
        let open: Vec<&serde_json::Value> = who["listeners"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|listener| listener["listening"] != false)
            .collect();
        assert!(open.iter().all(|listener| listener["exposure"] == "loopback"), "{who}");
        assert!(!run.events().iter().any(|event| event["event"] == "exposed"));
    }
}

#[test]
fn a_wharf_inside_a_wharf_is_left_alone() {
    let sandbox = Sandbox::new();
    let wharf = env!("CARGO_BIN_EXE_wharf");
    let inner = checkout(&sandbox, "inner");
    let script = format!("cd {} && exec {wharf} run -- python3 -m http.server", inner.display());
    let outer = sandbox.run(&["--name", "outer", "--", "sh", "-c", &script]);
    outer.said("ready in");
    let ls = sandbox.output(&["ls", "--json"]).json();
    let instances = ls["instances"].as_array().unwrap();
    let inner = instances.iter().find(|i| i["root"].as_str().unwrap().ends_with("/inner"));
    let inner = inner.unwrap_or_else(|| panic!("{ls}"));
    assert_eq!(inner["remap"], "cooperative", "one notifier in a chain: the outer one");
    let port = inner["port"].as_u64().unwrap();
    let body = sandbox.get(&format!("http://127.0.0.1:{port}/"));
    assert!(body.is_ok_and(|body| body.contains("Directory listing")));
}

#[test]
fn the_modes_can_be_asked_for_and_are_told() {
    let sandbox = Sandbox::new();
    let doctor = sandbox.output(&["doctor", "remap", "--json"]).json();
    assert_eq!(doctor["used"], "dup", "{doctor}");
    assert!(doctor["modes"].as_array().unwrap().iter().all(|mode| mode["works"] == true));
    assert!(sandbox.output(&["doctor", "remap"]).out.contains("dup          works, and is used"));
    // What an instance would leave whose pilot and guard were both killed by force.
    let mut escaped = sandbox.program("sleep");
    let mut escaped = escaped.arg("600").env("WHARF_ID", "4194303-1").spawn().unwrap();
    let found = until(|| {
        let doctor = sandbox.output(&["doctor", "remap", "--json"]).json();
        doctor["escaped"].as_array().unwrap().iter().find(|one| one["pid"] == escaped.id()).cloned()
    });
    escaped.kill().unwrap();
    escaped.wait().unwrap();
    assert_eq!(found.expect("it is found")["command"], "sleep 600");
    for mode in ["dup", "rewrite", "inject"] {
        let mut runs: Vec<_> = ["one", "two"]
            .iter()
            .map(|name| {
                let folder = checkout(&sandbox, name);
                let program = server("127.0.0.1", name);
                let args = ["--remap", mode, "--", "python3", "-c", &program];
                run_in(&sandbox, &folder, &args)
            })
            .collect();
        for (run, name) in runs.iter_mut().zip(["one", "two"]) {
            let port = run.event("ready")["port"].clone();
            let body = sandbox.get(&format!("http://127.0.0.1:{port}/"));
            assert_eq!(body.as_deref(), Ok(name), "{mode}");
        }
        let ls = sandbox.output(&["ls", "--json"]).json();
        assert!(ls["instances"].as_array().unwrap().iter().all(|i| i["remap"] == mode), "{ls}");
    }
    assert_eq!(sandbox.output(&["run", "--remap", "magic", "--", "true"]).code, 2);
}

#[test]
fn a_program_sees_the_port_that_it_has_or_that_it_named() {
    let sandbox = Sandbox::new();
    let program = "import socket, time\n\
                   one = socket.create_server(('127.0.0.1', 8123))\n\
                   print('it is', one.getsockname()[1], flush=True)\n\
                   time.sleep(600)\n";
    let start = |extra: &[&str], name: &str| {
        let args = [extra, &["--", "python3", "-c", program]].concat();
        run_in(&sandbox, &checkout(&sandbox, name), &args)
    };
    let seen = |run: &sandbox::Running| until(|| run.out().lines().next().map(str::to_owned));
    let first = start(&[], "one");
    assert_eq!(seen(&first).unwrap(), "it is 8123");
    let second = start(&[], "two");
    assert_eq!(seen(&second).unwrap(), "it is 8124");
    let third = start(&["--true-names", "off"], "three");
    assert_eq!(seen(&third).unwrap(), "it is 8123", "although others have that");
}

#[test]
fn settings_of_the_project_and_of_the_user_say_how() {
    let sandbox = Sandbox::new();
    let program = server("0.0.0.0", "here");
    let config = sandbox.dir().join("home/.config/wharf");
    std::fs::create_dir_all(&config).unwrap();
    std::fs::write(config.join("settings.toml"), "bind = \"loopback\"\n").unwrap();
    let mut run = sandbox.run(&["--", "python3", "-c", &program]);
    run.event("ready");
    assert!(!run.events().iter().any(|event| event["event"] == "exposed"));
    drop(run);
    sandbox.file("wharf.toml", "remap = \"off\"\nbind = \"ask the framework\"\n");
    let mut run = sandbox.run(&["--", "python3", "-c", &program]);
    assert_eq!(run.event("exposed")["port"], 8123);
    let ls = sandbox.output(&["ls", "--json"]).json();
    assert!(
        ls["instances"].as_array().unwrap().iter().any(|i| i["remap"] == "cooperative"),
        "{ls}"
    );
    drop(run);
    sandbox.file("wharf.toml", "remop = \"off\"\n");
    let answer = sandbox.output(&["run", "--", "true"]);
    assert_eq!(answer.code, 2, "{answer:?}");
    assert!(answer.err.contains("wharf.toml line 1"), "{answer:?}");
}

#[test]
fn with_an_address_of_its_own_each_copy_keeps_the_port_that_it_names() {
    let sandbox = Sandbox::new();
    for address in ["0.0.0.0", "::"] {
        let mut urls = Vec::new();
        let mut runs = Vec::new();
        for name in ["one", "two", "three"] {
            let folder = checkout(&sandbox, name);
            let program = server(address, name);
            let args =
                ["--remap", "address", "--name", "api", "--", "python3", "-c", program.as_str()];
            let mut run = run_in(&sandbox, &folder, &args);
            let ready = run.event("ready");
            assert_eq!(ready["port"], 8123, "{ready}");
            let url = ready["direct_url"].as_str().unwrap().to_owned();
            assert!(url.contains("://127.77."), "{address}: {url}");
            assert_eq!(sandbox.get(&url).as_deref(), Ok(name));
            let mut front = run_in(
                &sandbox,
                &folder,
                &["--remap", "address", "--name", "front", "--", "python3", "-c", FRONT],
            );
            let url = front.event("ready")["direct_url"].as_str().unwrap().to_owned();
            urls.push((url, name));
            runs.extend([run, front]);
        }
        for (url, name) in &urls {
            assert_eq!(sandbox.get(url), Ok(format!("front of {name}")), "{address}");
        }
        let distinct: std::collections::BTreeSet<&String> =
            urls.iter().map(|(url, _)| url).collect();
        assert_eq!(distinct.len(), 3, "{urls:?}");
        let ls = sandbox.output(&["ls", "--json"]).json();
        let live = ls["instances"].as_array().unwrap();
        assert!(live.iter().all(|instance| instance["remap"] == "address"), "{ls}");
    }
    let refused = sandbox.output(&["run", "--remap", "address", "--hold", "--", "true"]);
    assert_eq!(refused.code, 2, "{refused:?}");
}

#[test]
fn a_service_reaches_its_own_sibling_although_another_checkout_was_there_first() {
    let sandbox = Sandbox::new();
    let (one, two) = (checkout(&sandbox, "one"), checkout(&sandbox, "two"));
    let front = |folder: &std::path::Path| {
        let args = ["--name", "front", "--", "python3", "-c", FRONT];
        run_in(&sandbox, folder, &args)
    };
    let api = |folder: &std::path::Path, name: &str| {
        let program = server("127.0.0.1", name);
        run_in(&sandbox, folder, &["--name", "api", "--", "python3", "-c", &program])
    };
    // Alone, with nothing displaced: nobody could know what is to come.
    let mut front = front(&one);
    let url = format!("http://127.0.0.1:{}/", front.event("ready")["port"]);
    let mut other = api(&two, "two");
    assert_eq!(other.event("ready")["port"], 8123);
    let mut own = api(&one, "one");
    assert_eq!(own.event("ready")["port"], 8124);
    let reached = until(|| sandbox.get(&url).ok().filter(|body| body == "front of one"));
    assert!(reached.is_some(), "{:?}", sandbox.get(&url));
    own.signal("TERM");
    own.code();
    let refused = until(|| sandbox.get(&url).is_err().then_some(()));
    assert!(refused.is_some(), "what has ended is not replaced by another checkout's");
}

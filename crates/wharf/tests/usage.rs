//! What instances use, as `wharf ls --wide` tells it, and the most that they may.

mod sandbox;

use sandbox::{Sandbox, answer, until};

/// Works without pause, holds 64 MB, and answers.
const BUSY: &str = "\
import http.server, os, threading
block = bytearray(b'x') * (64 << 20)
def work():
    while True: pass
threading.Thread(target=work, daemon=True).start()
http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])),
    http.server.SimpleHTTPRequestHandler).serve_forever()
";

/// Stays connected, so often, until it is told.
const CLIENT: &str = "\
import os, socket, sys
open_ones = [socket.create_connection(('127.0.0.1', int(sys.argv[1]))) for _ in range(3)]
open('connected', 'w').close()
while not os.path.exists('go'): pass
";

#[test]
fn ls_wide_tells_processor_memory_and_connections() {
    let sandbox = Sandbox::new();
    sandbox.file("busy.py", BUSY);
    let mut run = sandbox.run(&["--", "python3", "busy.py"]);
    let port = run.event("ready")["port"].to_string();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut command = sandbox.program("python3");
            command.args(["-c", CLIENT, &port]);
            answer(command)
        });
        until(|| sandbox.project().join("connected").exists().then_some(())).expect("connections");
        let wide = || {
            let list = sandbox.output(&["ls", "--wide", "--json"]).json();
            let usage = list["instances"][0]["usage"].clone();
            let memory = usage["memory_bytes"].as_u64().unwrap();
            let is_told = usage["cpu_percent"].as_f64().unwrap() > 10.0
                && (60 << 20..400 << 20).contains(&memory)
                && usage["processes"] == 1
                && usage["connections"] == 3;
            is_told.then_some(())
        };
        let told = until(wide);
        let table = sandbox.output(&["ls", "--wide"]).out;
        sandbox.file("go", "");
        assert!(told.is_some(), "{table}");
        let head = table.lines().next().unwrap();
        assert!(head.contains("CPU") && head.contains("MEM") && head.contains("CONN"), "{table}");
    });
    let plain = sandbox.output(&["ls", "--json"]).json();
    assert!(plain["instances"][0]["usage"].is_null(), "only where it is asked for: {plain}");
    assert!(!sandbox.output(&["ls"]).out.contains("CPU"));
}

/// Serves until a file says that it shall need far more than it may have.
const HUNGRY: &str = "\
import http.server, os, threading
def eat():
    while not os.path.exists('eat'): pass
    blocks = [bytearray(b'x') * (16 << 20) for _ in range(32)]
if os.environ['WHARF_SERVICE'] == 'web': threading.Thread(target=eat, daemon=True).start()
http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])),
    http.server.SimpleHTTPRequestHandler).serve_forever()
";

#[test]
fn memory_max_ends_what_needs_more_or_says_why_it_does_not() {
    let sandbox = Sandbox::new();
    sandbox.file(".git/HEAD", "ref: refs/heads/main\n");
    sandbox.file("hungry.py", HUNGRY);
    sandbox.file(
        "wharf.toml",
        "[service.web]\nrun = \"python3 hungry.py\"\nport = 8000\nmemory_max = \"128M\"\n\
         [service.api]\nrun = \"python3 hungry.py\"\nport = 8001\nmemory_max = \"128M\"\n",
    );
    let up = sandbox.output(&["up", "-d"]);
    assert_eq!(up.code, 0, "{up:?}");
    let said = |text: &str| {
        let logs = sandbox.output(&["logs", "web"]);
        logs.out.contains(text).then_some(())
    };
    if wharf_os::cgroup::Cgroup::with_memory_max(128 << 20).is_err() {
        println!("this machine has no control group for us: the warning is what is tested");
        until(|| said("runs without its `memory_max` of 128M")).expect("a warning");
        let list = sandbox.output(&["ls", "--json"]).json();
        assert_eq!(list["instances"][0]["state"], "ready", "it runs without: {list}");
    } else {
        println!("this machine has control groups: the limit is what is tested");
        sandbox.file("eat", "");
        until(|| said("was ended because it needed more than 128M")).expect("the end, and why");
        let list = sandbox.output(&["ls", "--json"]).json();
        let live: Vec<&str> = list["instances"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|instance| instance["service"].as_str())
            .collect();
        assert_eq!(live, ["api"], "the other one lives: {list}");
    }
    assert_eq!(sandbox.output(&["down"]).code, 0);
}

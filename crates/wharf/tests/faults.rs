//! What goes wrong when a server is run, each with its words and its exit code, and nothing left.

mod sandbox;

use std::os::unix::ffi::OsStringExt;
use std::process::Stdio;

use sandbox::{Sandbox, answer, is_alive, mode, until};

/// Python that listens on `$PORT` without SO_REUSEADDR trouble.
const SERVE: &str = "import http.server, os\n\
    http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), \
    http.server.SimpleHTTPRequestHandler).serve_forever()\n";

fn python(program: &str) -> Vec<String> {
    ["--", "python3", "-c", program].map(str::to_owned).to_vec()
}

/// The same where a port that the program names itself stays as it is.
fn unmapped(program: &str) -> Vec<String> {
    let mut words = vec!["--remap".to_owned(), "off".to_owned()];
    words.extend(python(program));
    words
}

fn run(sandbox: &Sandbox, args: &[String]) -> sandbox::Running {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    sandbox.run(&args)
}

#[test]
fn unknown_flags_are_usage_errors() {
    let sandbox = Sandbox::new();
    for args in
        [&["run", "--prot", "3"][..], &["frobnicate"], &["run", "--instance", "0", "x"], &[]]
    {
        let answer = sandbox.output(args);
        assert_eq!(answer.code, 2, "{answer:?}");
        assert!(!answer.err.is_empty());
        assert!(answer.out.is_empty(), "{answer:?}");
    }
}

#[test]
fn commands_that_cannot_run_say_why_with_the_shells_codes() {
    let sandbox = Sandbox::new();
    sandbox.file("plain.sh", "echo no");
    for (command, code, word) in [
        ("no-such-program", 127, "no program named `no-such-program`"),
        ("./missing.sh", 127, "there is no file"),
        ("./plain.sh", 126, "is not executable"),
        ("/", 126, "is a folder"),
    ] {
        let answer = sandbox.output(&["run", "--", command]);
        assert_eq!(answer.code, code, "{answer:?}");
        assert!(answer.err.contains(word), "{answer:?}");
        assert!(answer.err.contains("help:"), "{answer:?}");
    }
    let ls = sandbox.output(&["ls", "--json"]).json();
    assert_eq!(ls["leases"].as_array().unwrap().len(), 0, "no lease is left: {ls}");
}

#[test]
fn an_interpreter_that_is_missing_is_said() {
    let sandbox = Sandbox::new();
    let script = sandbox.file("script", "#!/no/such/interpreter\n");
    mode(&script, 0o755);
    let answer = sandbox.output(&["run", "--", "./script"]);
    assert_eq!(answer.code, 126, "{answer:?}");
    assert!(answer.err.contains("cannot execute"), "{answer:?}");
}

#[test]
fn a_command_that_ends_at_once_is_said_to_have_never_served() {
    let sandbox = Sandbox::new();
    let answer = sandbox.output(&["run", "--", "sh", "-c", "exit 0"]);
    assert_eq!(answer.code, 0);
    assert!(answer.err.contains("ended with code 0 and never served"), "{answer:?}");
    let answer = sandbox.output(&["run", "--", "sh", "-c", "exit 9"]);
    assert_eq!(answer.code, 9);
    assert!(answer.err.contains("ended with code 9 and never served"), "{answer:?}");
}

#[test]
fn a_server_that_listens_late_and_twice_is_ready_once_it_serves() {
    let sandbox = Sandbox::new();
    let program = format!(
        "import socket, time, os\ntime.sleep(1)\n\
         s = socket.create_server(('127.0.0.1', int(os.environ['PORT']))); time.sleep(0.2); s.close()\n\
         time.sleep(0.3)\n{SERVE}"
    );
    let mut run = run(&sandbox, &python(&program));
    run.event("ready");
    assert!(sandbox.get("http://127.0.0.1:8000/").is_ok());
    let ready = run.events().into_iter().filter(|event| event["event"] == "ready").count();
    assert_eq!(ready, 1);
}

#[test]
fn a_command_that_forks_and_leaves_is_told_to_stay() {
    let sandbox = Sandbox::new();
    let program = "import os, time\n\
        if os.fork() == 0:\n os.setsid()\n open('pid', 'w').write(f'{os.getpid()}\\n'); time.sleep(600)\n\
        while not os.path.exists('pid'): time.sleep(0.01)\n";
    let mut run = run(&sandbox, &python(program));
    assert_eq!(run.code(), 0);
    let err = run.said("has to stay in the foreground");
    assert!(err.contains("python3"), "{err}");
    let pid =
        std::fs::read_to_string(sandbox.project().join("pid")).unwrap().trim().parse().unwrap();
    assert!(!is_alive(pid));
}

#[test]
fn a_flood_of_output_passes_untouched() {
    let sandbox = Sandbox::new();
    let program =
        "import sys\nfor _ in range(3_000_000 // 100): sys.stdout.write('x' * 99 + '\\n')";
    let mut command = sandbox.wharf(&["run", "--", "python3", "-c", program]);
    command.stdout(Stdio::piped());
    let answer = answer(command);
    assert_eq!(answer.code, 0);
    assert_eq!(answer.out.len(), 3_000_000);
    assert!(answer.out.lines().all(|line| line.len() == 99));
}

#[test]
fn a_server_that_ignores_its_port_gets_a_true_sentence() {
    let sandbox = Sandbox::new();
    let program = SERVE.replace("int(os.environ['PORT'])", "7777");
    let mut run = run(&sandbox, &unmapped(&program));
    let ready = run.event("ready");
    assert_eq!(ready["port"], 7777);
    let moved = run.event("moved");
    assert_eq!((&moved["leased"], &moved["port"]), (&8000.into(), &7777.into()));
    run.said("given port 8000 and ignored it: it listens on 7777");
    let ls = sandbox.output(&["ls", "--json"]).json();
    assert_eq!(ls["instances"][0]["port"], 7777, "{ls}");
}

#[test]
fn a_server_that_binds_everything_is_said_to_be_open() {
    let sandbox = Sandbox::new();
    let program = SERVE.replace("'127.0.0.1'", "'0.0.0.0'");
    let mut open = run(&sandbox, &python(&program));
    open.event("ready");
    assert_eq!(open.event("exposed")["port"], 8000);
    open.said("port 8000 is open to the LAN (all interfaces)");
    drop(open);
    let mut args = vec!["--loopback".to_owned()];
    args.extend(unmapped(&program));
    let mut refused = run(&sandbox, &args);
    assert_eq!(refused.code(), 5);
    refused.said("--loopback forbids that");
}

#[test]
fn a_strangers_answer_on_the_leased_port_is_never_ready() {
    let sandbox = Sandbox::new();
    let mut run = run(&sandbox, &unmapped("import time; time.sleep(600)"));
    run.event("launched");
    let mut stranger = sandbox.program("python3");
    stranger.args(["-m", "http.server", "8000"]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut stranger = stranger.spawn().unwrap();
    let err = run.said("is answered by another process");
    assert!(err.contains(&format!("pid {}", stranger.id())), "{err}");
    assert!(!run.events().iter().any(|event| event["event"] == "ready"));
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[test]
fn a_privileged_port_without_rights_is_a_permission_error() {
    let sandbox = Sandbox::new();
    let answer = answer(as_nobody(&sandbox, &["run", "--no-daemon", "--port", "81", "--", "true"]));
    assert_eq!(answer.code, 5, "{answer:?}");
    assert!(answer.err.contains("port 81 may not be bound"), "{answer:?}");
    assert!(answer.err.contains("1024"), "{answer:?}");
}

/// wharf as another user, with that user's own home and runtime folder.
fn as_nobody(sandbox: &Sandbox, args: &[&str]) -> std::process::Command {
    let home = sandbox.dir().join("nobody");
    std::fs::create_dir_all(&home).unwrap();
    std::os::unix::fs::chown(&home, Some(65534), Some(65534)).unwrap();
    let binary = sandbox.dir().join("wharf");
    if !binary.exists() {
        std::fs::copy(env!("CARGO_BIN_EXE_wharf"), &binary).unwrap();
    }
    let mut command = sandbox.program("setpriv");
    command.args([
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "--bounding-set=-all",
        "--inh-caps=-all",
        "--",
    ]);
    command.arg(binary).args(args).env("HOME", home).env_remove("XDG_RUNTIME_DIR");
    command
}

#[test]
fn a_port_of_another_user_is_passed_over_and_said() {
    let sandbox = Sandbox::new();
    let mut root = run(&sandbox, &python(SERVE));
    root.event("ready");
    let other = answer(as_nobody(&sandbox, &["run", "--port", "8000", "--", "true"]));
    assert_eq!(other.code, 4, "{other:?}");
    assert!(other.err.contains("port 8000 is taken by"), "{other:?}");
    assert!(other.err.contains("root"), "{other:?}");
    let who = answer(as_nobody(&sandbox, &["who", "8000"]));
    assert_eq!(who.code, 0, "{who:?}");
    assert!(who.out.contains("may not be seen"), "{who:?}");
    assert!(who.out.contains("sudo wharf who 8000"), "{who:?}");
    let stop = answer(as_nobody(&sandbox, &["daemon", "stop"]));
    assert_eq!(stop.code, 0, "{stop:?}");
}

#[test]
fn without_home_and_runtime_folder_the_server_still_runs() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.wharf(&["run", "--", "sh", "-c", "exit 3"]);
    // No home in the environment, and the one of the user database is hidden.
    command.env_remove("HOME").env_remove("XDG_RUNTIME_DIR").env("XDG_STATE_HOME", "/proc/nowhere");
    let answer = answer(command);
    assert_eq!(answer.code, 3, "{answer:?}");
    assert!(answer.err.contains("runs without the daemon"), "{answer:?}");
}

#[test]
fn odd_folders_are_projects_like_any_other() {
    let sandbox = Sandbox::new();
    for name in [&b"with space"[..], b"new\nline", b"not-utf8-\xff", "unicode-\u{e9}".as_bytes()] {
        let folder = sandbox.dir().join(std::ffi::OsString::from_vec(name.to_vec()));
        std::fs::create_dir_all(folder.join(".git")).unwrap();
        let mut command = sandbox.wharf(&["run", "--", "sh", "-c", "exit 4"]);
        command.current_dir(&folder);
        let answer = answer(command);
        assert_eq!(answer.code, 4, "{name:?}: {answer:?}");
    }
    let ls = sandbox.output(&["ls", "--all", "--json"]);
    assert_eq!(ls.code, 0);
    let homes = ls.json()["homes"].as_array().unwrap().len();
    assert_eq!(homes, 4, "each has a home of its own: {}", ls.out);
    let table = sandbox.output(&["ls", "--all"]).out;
    assert!(table.contains("new\\nline"), "{table}");
}

#[test]
fn a_folder_that_was_deleted_is_said() {
    let sandbox = Sandbox::new();
    let gone = sandbox.dir().join("gone");
    std::fs::create_dir(&gone).unwrap();
    let script = format!(
        "cd {0} && rmdir {0} && exec {1} run -- true",
        gone.display(),
        env!("CARGO_BIN_EXE_wharf")
    );
    let mut command = sandbox.program("sh");
    command.args(["-c", &script]);
    let answer = answer(command);
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(answer.err.contains("current folder cannot be read"), "{answer:?}");
}

#[test]
fn wharf_inside_wharf_runs_on_the_outer_port() {
    let sandbox = Sandbox::new();
    let inner = format!("exec {} run -- python3 -m http.server", env!("CARGO_BIN_EXE_wharf"));
    let mut run = sandbox.run(&["--", "sh", "-c", &inner]);
    let ready = run.event("ready");
    assert_eq!(ready["port"], 8000);
    run.said("inside another wharf");
    let ls = sandbox.output(&["ls", "--json"]).json();
    assert_eq!(ls["instances"].as_array().unwrap().len(), 1, "{ls}");
    run.signal("TERM");
    run.code();
}

#[test]
fn a_hang_up_ends_the_server_and_an_ignored_one_does_not() {
    let sandbox = Sandbox::new();
    let mut hung = run(&sandbox, &python(SERVE));
    hung.event("ready");
    hung.signal("HUP");
    assert_eq!(hung.code(), 129);
    let mut command = sandbox.program("nohup");
    command.args([env!("CARGO_BIN_EXE_wharf"), "run", "--events"]);
    let events = sandbox.dir().join("nohup-events");
    command.arg(&events).args(["--", "python3", "-c", SERVE]).stdout(Stdio::null());
    let mut kept = command.stderr(Stdio::null()).spawn().unwrap();
    let ready = || std::fs::read_to_string(&events).ok().filter(|text| text.contains("\"ready\""));
    assert!(until(ready).is_some());
    sandbox::signal(kept.id(), "HUP");
    assert!(sandbox.get("http://127.0.0.1:8000/").is_ok());
    sandbox::signal(kept.id(), "TERM");
    assert_eq!(kept.wait().unwrap().code(), Some(143));
}

#[test]
fn a_server_that_ignores_sigterm_is_killed_after_the_grace() {
    let sandbox = Sandbox::new();
    let program = format!("import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{SERVE}");
    let mut args = vec!["--grace".to_owned(), "1".to_owned()];
    args.extend(python(&program));
    let mut run = run(&sandbox, &args);
    run.event("ready");
    run.signal("TERM");
    assert_eq!(run.code(), 137);
    run.said("did not end in time and was killed");
}

#[test]
fn events_need_a_place_that_can_be_written() {
    let sandbox = Sandbox::new();
    for target in ["/no/such/folder/events", "77", "0x"] {
        let answer = sandbox.output(&["run", "--events", target, "--", "true"]);
        if target == "0x" {
            assert_eq!(answer.code, 0, "any other text is a file: {answer:?}");
        } else {
            assert_eq!(answer.code, 2, "{answer:?}");
            assert!(answer.err.contains("events cannot be written"), "{answer:?}");
        }
    }
}

#[test]
fn without_a_daemon_ports_still_do_not_collide() {
    let sandbox = Sandbox::new();
    let alone = |program: &str| {
        let mut args = vec!["--no-daemon".to_owned()];
        args.extend(python(program));
        args
    };
    let mut first = run(&sandbox, &alone(SERVE));
    let mut second = run(&sandbox, &alone(SERVE));
    let (one, two) = (first.event("ready")["port"].clone(), second.event("ready")["port"].clone());
    assert_ne!(one, two);
    assert_eq!(sandbox.output(&["daemon", "status"]).code, 7, "none was started");
}

#[test]
fn a_strangers_answer_on_the_other_family_is_never_ready() {
    let sandbox = Sandbox::new();
    let program = "import os, socket, time\n\
        open('up', 'w').close()\n\
        while not os.path.exists('go'): time.sleep(0.01)\n\
        s = socket.socket(socket.AF_INET6); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n\
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)\n\
        s.bind(('::', int(os.environ['PORT']))); s.listen(); time.sleep(600)";
    let mut run = run(&sandbox, &unmapped(program));
    assert!(until(|| sandbox.project().join("up").exists().then_some(())).is_some());
    let mut stranger = sandbox.program("python3");
    stranger.args(["-m", "http.server", "--bind", "127.0.0.1", "8000"]);
    let mut stranger = stranger.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    run.said("is answered by another process");
    sandbox.file("go", "");
    run.event("listening");
    // The question to [::1] is never answered, and 127.0.0.1 is not asked: silence is not readiness
    // of HTTP, but of a server that waits for its own kind of client.
    let ready = run.event("ready");
    assert_eq!(ready["http_status"], serde_json::Value::Null, "{ready}");
    assert!(ready["direct_url"].as_str().unwrap().contains("[::1]"), "{ready}");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[test]
fn descriptors_that_the_shell_opened_reach_the_command() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.program("bash");
    let script = format!("{} run cat <(echo through)", env!("CARGO_BIN_EXE_wharf"));
    command.args(["-c", &script]);
    let answer = answer(command);
    assert_eq!((answer.code, answer.out.as_str()), (0, "through\n"), "{answer:?}");
}

#[test]
fn two_services_inside_wharf_have_ports_of_their_own() {
    let sandbox = Sandbox::new();
    sandbox.file("package.json", "{}");
    for folder in ["api", "site"] {
        sandbox.file(&format!("{folder}/identity.txt"), folder);
    }
    let wharf = env!("CARGO_BIN_EXE_wharf");
    let script = format!(
        "(cd api && exec {wharf} run -- python3 -m http.server) & \
         (cd site && exec {wharf} run -- python3 -m http.server) & wait"
    );
    let mut outer = sandbox.run(&["--", "sh", "-c", &script]);
    outer.event("launched");
    let both = until(|| {
        let ls = sandbox.output(&["ls", "--json"]).json();
        let ready = |name: &str| {
            ls["instances"].as_array()?.iter().find(|instance| {
                instance["service"] == name && instance["state"] == "ready"
            })?["port"].as_u64()
        };
        Some((ready("api")?, ready("site")?))
    });
    let (api, site) = both.expect("both are ready");
    assert_ne!(api, site);
    let get = |port: u64| sandbox.get(&format!("http://127.0.0.1:{port}/identity.txt")).unwrap();
    assert_eq!((get(api).as_str(), get(site).as_str()), ("api", "site"));
    assert!(
        !outer.err().contains("ignored it"),
        "another instance's port is not taken: {}",
        outer.err()
    );
}

#[test]
fn a_server_that_dies_of_the_question_is_not_ready() {
    let sandbox = Sandbox::new();
    let program = "import os, socket, time\n\
        s = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))\n\
        c, _ = s.accept(); c.recv(999); c.close(); time.sleep(0.05); os._exit(1)";
    let mut run = run(&sandbox, &python(program));
    assert_eq!(run.code(), 1);
    assert!(!run.events().iter().any(|event| event["event"] == "ready"), "{:?}", run.events());
}

#[test]
fn a_stopped_pilot_can_be_ended() {
    let sandbox = Sandbox::new();
    let mut run = run(&sandbox, &python(SERVE));
    run.event("ready");
    run.signal("STOP");
    let stopped = sandbox.output(&["stop", "8000"]);
    assert_eq!(stopped.code, 0, "{stopped:?}");
    assert_eq!(run.code(), 143);
}

#[test]
fn a_port_typed_for_an_unknown_program_is_the_request() {
    let sandbox = Sandbox::new();
    let program = SERVE.replace("int(os.environ['PORT'])", "int(__import__('sys').argv[-1])");
    sandbox.file("own.py", &program);
    let mut run = sandbox.run(&["--", "python3", "own.py", "--port", "9003"]);
    assert_eq!(run.event("ready")["port"], 9003);
    assert_eq!(run.event("leased")["port"], 9003);
    let taken = sandbox.output(&["run", "--", "python3", "own.py", "--port=9003"]);
    assert_eq!(taken.code, 4, "{taken:?}");
}

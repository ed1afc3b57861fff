//! `wharf run`, with real Python servers.

mod sandbox;

use sandbox::{Sandbox, is_alive, signal, until};

/// A server that answers with the text of its file `identity.txt`, by Python's own http.server.
fn site(sandbox: &Sandbox, text: &str) {
    sandbox.file("identity.txt", text);
}

const SERVER: &[&str] = &["--", "python3", "-m", "http.server"];

#[test]
fn a_server_runs_on_its_conventional_port_on_loopback() {
    let sandbox = Sandbox::new();
    site(&sandbox, "mine");
    let mut run = sandbox.run(SERVER);
    let ready = run.event("ready");
    assert_eq!(ready["port"], 8000);
    assert_eq!(ready["direct_url"], "http://127.0.0.1:8000");
    assert_eq!(ready["url"], "http://project.localhost");
    assert_eq!(sandbox.get("http://127.0.0.1:8000/identity.txt").unwrap(), "mine");
    let err = run.said("ready in ");
    assert!(err.contains("http://project.localhost"), "{err}");
    let listening = run.event("listening");
    assert_eq!(listening["address"], "127.0.0.1");
    assert!(!run.events().iter().any(|event| event["event"] == "exposed"));
    run.signal("TERM");
    assert_eq!(run.code(), 143);
    assert_eq!(run.event("exited")["exit_code"], 143);
}

#[test]
fn two_copies_at_once_have_ports_of_their_own_and_keep_them() {
    let sandbox = Sandbox::new();
    site(&sandbox, "first");
    let mut first = sandbox.run(SERVER);
    assert_eq!(first.event("ready")["port"], 8000);
    let mut second = sandbox.run(SERVER);
    let port = second.event("ready")["port"].clone();
    assert_eq!(port, 8001);
    let leased = second.event("leased");
    assert_eq!(leased["requested_port"], 8000);
    second.signal("TERM");
    second.code();
    let mut again = sandbox.run(&["--instance", "2", "--", "python3", "-m", "http.server"]);
    assert_eq!(again.event("ready")["port"], port, "the second instance goes home");
    first.signal("TERM");
    first.code();
    let mut home = sandbox.run(SERVER);
    assert_eq!(home.event("ready")["port"], 8000, "the first instance goes home");
}

#[test]
fn a_stranger_on_the_port_is_named_and_left_alone() {
    let sandbox = Sandbox::new();
    let mut stranger = sandbox.program("python3");
    stranger.args(["-m", "http.server", "8000"]).stdout(std::process::Stdio::null());
    let mut stranger = stranger.stderr(std::process::Stdio::null()).spawn().unwrap();
    let found = until(|| sandbox.get("http://127.0.0.1:8000/").ok());
    assert!(found.is_some());
    let mut run = sandbox.run(SERVER);
    assert_eq!(run.event("ready")["port"], 8001);
    let err = run.err();
    assert!(err.contains("port 8000 is taken by `python3`"), "{err}");
    assert!(err.contains(&format!("pid {}", stranger.id())), "{err}");
    let exact = sandbox.output(&["run", "--port", "8000", "--", "python3", "-m", "http.server"]);
    assert_eq!(exact.code, 4, "{}", exact.err);
    assert!(exact.err.contains("port 8000 is taken by `python3`"), "{}", exact.err);
    assert!(is_alive(stranger.id()));
    signal(stranger.id(), "TERM");
    stranger.wait().unwrap();
    run.signal("TERM");
    run.code();
    let mut home = sandbox.run(SERVER);
    assert_eq!(home.event("ready")["port"], 8000, "a stranger's port is not given up for good");
}

#[test]
fn exit_codes_are_passed_on() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.output(&["run", "--", "sh", "-c", "exit 7"]).code, 7);
    assert_eq!(sandbox.output(&["run", "--", "sh", "-c", "kill -9 $$"]).code, 137);
    assert_eq!(sandbox.output(&["run", "--", "true"]).code, 0);
}

#[test]
fn sigkill_of_wharf_leaves_nothing_running() {
    let sandbox = Sandbox::new();
    let script = "setsid sh -c 'echo $$ > escaped; trap \"\" TERM HUP; while :; do sleep 1; done' & \
                  exec python3 -m http.server $PORT";
    let mut run = sandbox.run(&["--", "sh", "-c", script]);
    let server = run.event("launched")["pid"].as_u64().unwrap() as u32;
    let escaped = sandbox.project().join("escaped");
    let escaped: u32 =
        until(|| std::fs::read_to_string(&escaped).ok()?.trim().parse().ok()).unwrap();
    run.signal("KILL");
    run.code();
    assert!(until(|| (!is_alive(server) && !is_alive(escaped)).then_some(())).is_some());
}

#[test]
fn bad_ports_are_usage_errors_that_say_why() {
    let sandbox = Sandbox::new();
    for (port, word) in [("0", "not a port"), ("65536", "too large"), ("http", "not a number")] {
        let answer = sandbox.output(&["run", "--port", port, "--", "true"]);
        assert_eq!(answer.code, 2, "{answer:?}");
        assert!(answer.err.contains(word), "{answer:?}");
    }
    let blocked = sandbox.output(&["run", "--port", "6000", "--", "true"]);
    assert_eq!(blocked.code, 2, "{blocked:?}");
    assert!(blocked.err.contains("browser"), "{blocked:?}");
}

//! Every other command, with its answers in text and in JSON.

mod sandbox;

use std::process::Stdio;

use sandbox::{Sandbox, answer, is_alive, until};

const SERVER: &[&str] = &["--", "python3", "-m", "http.server"];

#[test]
fn port_prints_ports_that_nobody_else_gets() {
    let sandbox = Sandbox::new();
    let one = sandbox.output(&["port"]);
    assert_eq!((one.code, one.out.as_str()), (0, "8000\n"), "{one:?}");
    let more = sandbox.output(&["port", "--count", "3", "--near", "8000"]);
    assert_eq!(more.out, "8001\n8002\n8003\n");
    let json = sandbox.output(&["port", "--json", "--near", "9500"]).json();
    assert_eq!(json["schema"], 1);
    assert_eq!(json["ports"], serde_json::json!([9500]));
    for args in
        [&["port", "--count", "0"][..], &["port", "--near", "0"], &["port", "--near", "70000"]]
    {
        assert_eq!(sandbox.output(args).code, 2, "{args:?}");
    }
}

#[test]
fn a_service_has_the_same_port_every_time() {
    let sandbox = Sandbox::new();
    let first = sandbox.output(&["port", "--service", "db", "--near", "9000"]).out;
    assert_eq!(sandbox.output(&["port", "--service", "db"]).out, first);
    assert_eq!(sandbox.output(&["release", first.trim()]).code, 0);
    assert_eq!(sandbox.output(&["port", "--service", "db"]).out, first, "it goes home");
}

#[test]
fn release_gives_ports_back_and_says_what_is_not_leased() {
    let sandbox = Sandbox::new();
    let port = sandbox.output(&["port"]).out;
    let released = sandbox.output(&["release", port.trim()]);
    assert_eq!(released.code, 0, "{released:?}");
    let again = sandbox.output(&["release", port.trim()]);
    assert_eq!(again.code, 3, "{again:?}");
    let four = sandbox.output(&["port", "--count", "4"]).out;
    let mut named: Vec<&str> = four.split_whitespace().collect();
    named.extend(["7999", "7998"]);
    let refused = sandbox.output(&[&["release", "--json"], &named[..]].concat());
    assert_eq!((refused.code, refused.out.as_str()), (3, ""), "{refused:?}");
    assert!(refused.err.contains("not leased: 7999, 7998"), "{refused:?}");
    let released = sandbox.output(&["release", "--json", named[0]]).json();
    assert_eq!(released["ports"], serde_json::json!([8000]), "all four were kept");
    assert_eq!(released["leases"][0]["port"], 8000);
    let all = sandbox.output(&["release", "--all", "--json"]).json();
    assert_eq!(all["ports"].as_array().map(Vec::len), Some(3), "{all}");
    let ls = sandbox.output(&["ls", "--json"]).json();
    assert_eq!(ls["leases"], serde_json::json!([]));
    let mut run = sandbox.run(SERVER);
    run.event("ready");
    let held = sandbox.output(&["release", "8000"]);
    assert_eq!(held.code, 4, "a running instance keeps its port: {held:?}");
}

#[test]
fn port_holds_for_a_command_and_fills_its_words() {
    let sandbox = Sandbox::new();
    let script = "echo $PORT $PORT2 {port} {port2}; exit 6";
    let answer = sandbox.output(&["port", "--", "sh", "-c", script]);
    assert_eq!(answer.code, 6, "{answer:?}");
    assert_eq!(answer.out, "8000 8001 8000 8001\n");
    assert_eq!(answer.err, "", "a command is not a server: nothing is told");
    let serve =
        sandbox.output(&["port", "--", "timeout", "1", "python3", "-m", "http.server", "{port}"]);
    assert_eq!(serve.code, 124, "it binds over the reservation: {serve:?}");
}

#[test]
fn ls_shows_what_the_kernel_says() {
    let sandbox = Sandbox::new();
    let empty = sandbox.output(&["ls"]);
    assert_eq!(empty.out, "wharf runs nothing and holds no port\n");
    let mut run = sandbox.run(SERVER);
    run.event("ready");
    let table = sandbox.output(&["ls"]).out;
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    assert!(
        table.contains("ready") && table.contains("8000") && table.contains("loopback"),
        "{table}"
    );
    let document = sandbox.output(&["ls", "--json"]).json();
    let instance = &document["instances"][0];
    for key in [
        "project",
        "root",
        "worktree",
        "service",
        "instance",
        "framework",
        "state",
        "port",
        "requested_port",
        "listeners",
        "remap",
        "url",
        "direct_url",
        "pid",
        "pilot_pid",
        "started_at",
        "ready_ms",
        "exit_code",
        "command",
    ] {
        assert!(instance.get(key).is_some(), "{key}: {instance}");
    }
    assert_eq!(instance["state"], "ready");
    assert_eq!(instance["listeners"][0]["address"], "127.0.0.1");
    assert_eq!(instance["framework"], "python-http-server");
    // The server stops listening behind wharf's back.
    let server = instance["pid"].as_u64().unwrap() as u32;
    sandbox::signal(server, "KILL");
    assert_eq!(run.code(), 137);
    let live = sandbox.output(&["ls", "--json"]).json();
    assert_eq!(live["instances"], serde_json::json!([]));
    let all = sandbox.output(&["ls", "--all", "--json"]).json();
    assert_eq!(all["homes"][0]["port"], 8000, "{all}");
}

#[test]
fn who_names_every_holder_and_its_ancestors() {
    let sandbox = Sandbox::new();
    let nobody = sandbox.output(&["who", "8000"]);
    assert_eq!(nobody.code, 3, "{nobody:?}");
    assert!(nobody.out.contains("nobody listens"), "{nobody:?}");
    let mut run = sandbox.run(SERVER);
    run.event("ready");
    let text = sandbox.output(&["who", "8000"]);
    assert_eq!(text.code, 0);
    for word in ["python3 listens on 127.0.0.1:8000", "started by:", "wharf", "leased by wharf to"]
    {
        assert!(text.out.contains(word), "{word}: {}", text.out);
    }
    let by_name = sandbox.output(&["who", "project", "--json"]).json();
    let listening = |document: &serde_json::Value| -> serde_json::Value {
        let listeners = document["listeners"].as_array().unwrap();
        listeners.iter().find(|listener| listener["listening"] == true).unwrap().clone()
    };
    let listener = listening(&by_name);
    assert_eq!(listener["exposure"], "loopback");
    assert_eq!(listener["processes"][0]["command"], "python3");
    let unknown = sandbox.output(&["who", "no-such-name"]);
    assert_eq!(unknown.code, 3, "{unknown:?}");
    assert_eq!(sandbox.output(&["who", "0"]).code, 2);
}

#[test]
fn who_finds_workers_that_share_a_socket() {
    let sandbox = Sandbox::new();
    let program = "import socket, os, time\n\
        s = socket.create_server(('127.0.0.1', 8123))\n\
        if os.fork() == 0: time.sleep(600)\n\
        print('up', flush=True); time.sleep(600)";
    let mut workers = sandbox.program("python3");
    let mut workers = workers.args(["-c", program]).stdout(Stdio::piped()).spawn().unwrap();
    let seen = until(|| {
        let document = sandbox.output(&["who", "8123", "--json"]).json();
        let count = document["listeners"][0]["processes"].as_array()?.len();
        (count == 2).then_some(())
    });
    assert!(seen.is_some());
    let children =
        std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", workers.id())).unwrap();
    for child in children.split_whitespace() {
        sandbox::signal(child.parse().unwrap(), "KILL");
    }
    workers.kill().unwrap();
    workers.wait().unwrap();
}

#[test]
fn who_tells_of_other_network_namespaces() {
    let sandbox = Sandbox::new();
    let mut server = std::process::Command::new("unshare");
    server.args(["--net", "sh", "-c", "ip link set lo up; exec python3 -m http.server 8456"]);
    let mut server = server.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let seen = until(|| {
        let answer = sandbox.output(&["who", "8456"]);
        answer.out.contains("also in another network namespace").then_some(answer)
    });
    let answer = seen.expect("it is told");
    assert!(answer.out.contains("nobody listens in this network namespace"), "{answer:?}");
    assert!(answer.out.contains(&format!("pid {}", server.id())), "{answer:?}");
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn stop_ends_what_was_named_and_returns_when_the_port_is_free() {
    let sandbox = Sandbox::new();
    let mut first = sandbox.run(SERVER);
    let mut second = sandbox.run(SERVER);
    let server = first.event("launched")["pid"].as_u64().unwrap() as u32;
    let (one, two) = (first.event("ready")["port"].clone(), second.event("ready")["port"].clone());
    let ambiguous = sandbox.output(&["stop", "web"]);
    assert_eq!(ambiguous.code, 2, "{ambiguous:?}");
    assert_eq!(sandbox.output(&["stop", "nothing-like-it"]).code, 3);
    let name = if one == 8000 { "project" } else { "2.web.project" };
    let stopped = sandbox.output(&["stop", "--json", name]);
    assert_eq!(stopped.code, 0, "{stopped:?}");
    let document = stopped.json();
    assert_eq!((&document["schema"], &document["instances"][0]["port"]), (&1.into(), &one));
    assert_eq!(document["instances"][0]["state"], "exited");
    assert!(!is_alive(server));
    assert_eq!(sandbox.output(&["who", &one.to_string()]).code, 3, "the port is free");
    assert!(sandbox.get(&format!("http://127.0.0.1:{two}/")).is_ok(), "the other goes on");
    assert_eq!(sandbox.output(&["stop", "--all"]).code, 0);
    assert_eq!(second.code(), 143);
}

#[test]
fn two_projects_of_one_name_have_two_names() {
    let sandbox = Sandbox::new();
    let other = sandbox.dir().join("elsewhere/project");
    std::fs::create_dir_all(other.join(".git")).unwrap();
    let mut first = sandbox.run(SERVER);
    assert_eq!(first.event("ready")["url"], "http://project.localhost");
    let mut second = sandbox.run_in(&other, SERVER);
    let url = second.event("ready")["url"].as_str().unwrap().to_owned();
    let name = url.strip_prefix("http://").unwrap().strip_suffix(".localhost").unwrap();
    assert!(name.starts_with("project-") && name.len() == 12, "{url}");
    let table = sandbox.output(&["ls"]).out;
    assert!(table.contains(name) && table.contains(&url), "{table}");
    assert_eq!(sandbox.output(&["stop", "project"]).code, 0);
    assert_eq!(first.code(), 143);
    assert_eq!(sandbox.output(&["stop", "project"]).code, 3, "the other is not called so");
    assert_eq!(sandbox.output(&["stop", name]).code, 0);
    assert_eq!(second.code(), 143);
    // Whoever had the name first has it again, whichever runs first today.
    let mut second = sandbox.run_in(&other, SERVER);
    assert_eq!(second.event("ready")["url"], url);
}

#[test]
fn explain_is_right_about_8000() {
    let sandbox = Sandbox::new();
    let port = sandbox.output(&["explain", "8000"]);
    assert_eq!(port.code, 0, "{port:?}");
    for word in ["irdmi", "django", "38"] {
        assert!(port.out.to_lowercase().contains(word), "{word}: {}", port.out);
    }
    let framework = sandbox.output(&["explain", "vite"]);
    assert!(framework.out.contains("5173"), "{framework:?}");
    sandbox.file("manage.py", "import django\n");
    let here = sandbox.output(&["explain", "."]);
    assert!(here.out.contains("manage.py"), "{here:?}");
    let unknown = sandbox.output(&["explain", "no-such-framework"]);
    assert_eq!(unknown.code, 3, "{unknown:?}");
}

#[test]
fn completions_and_man_come_from_the_same_definitions() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = sandbox.output(&["completions", shell]);
        assert_eq!(script.code, 0);
        assert!(script.out.contains("explain"), "{shell}");
    }
    let page = sandbox.output(&["man"]);
    assert!(page.out.contains(".TH wharf 1"), "{}", &page.out[..200]);
    let folder = sandbox.dir().join("man");
    std::fs::create_dir(&folder).unwrap();
    let written = sandbox.output(&["man", "--out", folder.to_str().unwrap()]);
    assert_eq!(written.code, 0, "{written:?}");
    assert!(folder.join("wharf-run.1").exists());
}

#[test]
fn a_reader_that_closes_the_pipe_is_no_error() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.program("sh");
    let script = format!("{} completions bash | head -n 1; echo done", env!("CARGO_BIN_EXE_wharf"));
    command.args(["-c", &script]);
    let answer = answer(command);
    assert!(answer.out.ends_with("done\n"), "{answer:?}");
    assert_eq!(answer.err, "", "{answer:?}");
}

#[test]
fn a_step_of_a_pipeline_ends_although_the_daemon_lives_on() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.wharf(&["run", "--", "true"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    // `answer` waits for the end of both pipes.
    assert_eq!(answer(command).code, 0);
    let status = sandbox.output(&["daemon", "status", "--json"]).json();
    for key in ["schema", "pid", "version", "socket", "uptime_s"] {
        assert!(status.get(key).is_some(), "{key}: {status}");
    }
    let stopped = sandbox.output(&["daemon", "stop", "--json"]).json();
    assert_eq!((&stopped["schema"], &stopped["pid"]), (&1.into(), &status["pid"]));
    let twice = sandbox.output(&["daemon", "stop", "--json"]);
    assert_eq!(twice.code, 0, "twice is no error");
    assert_eq!(twice.json()["pid"], serde_json::Value::Null);
    let started = sandbox.output(&["daemon", "start", "--json"]).json();
    assert_eq!(started["pid"], sandbox.output(&["daemon", "status", "--json"]).json()["pid"]);
    assert_eq!(sandbox.output(&["daemon", "stop"]).code, 0);
}

#[test]
fn a_daemon_that_hangs_is_named_with_the_way_out() {
    let sandbox = Sandbox::new();
    sandbox.output(&["port"]);
    let pid =
        sandbox.output(&["daemon", "status", "--json"]).json()["pid"].as_u64().unwrap() as u32;
    sandbox::signal(pid, "STOP");
    for args in [&["daemon", "status"][..], &["ls"]] {
        let answer = sandbox.output(args);
        assert_eq!(answer.code, 6, "{answer:?}");
        assert!(answer.err.contains(&format!("kill -CONT {pid}")), "{answer:?}");
    }
    sandbox::signal(pid, "CONT");
}

#[test]
fn a_newer_program_replaces_the_daemon_under_running_servers() {
    let sandbox = Sandbox::new();
    let older = sandbox.older();
    let of_older = |args: &[&str]| {
        let mut command = sandbox.program(&older);
        command.args(args);
        answer(command)
    };
    let mut run = sandbox.run_by(&older, SERVER);
    let server = run.event("launched")["pid"].as_u64().unwrap() as u32;
    run.event("ready");
    let old = of_older(&["daemon", "status", "--json"]).json();
    assert_eq!(old["version"], "0.0.0");
    let asked = sandbox.output(&["port"]);
    assert_eq!((asked.code, asked.out.as_str()), (0, "8001\n"), "8000 is still leased: {asked:?}");
    let new = sandbox.output(&["daemon", "status", "--json"]).json();
    assert_eq!(new["version"], env!("CARGO_PKG_VERSION"));
    assert_ne!(new["pid"], old["pid"]);
    assert!(!is_alive(old["pid"].as_u64().unwrap() as u32));
    // The server and its pilot, which is of the older program, have noticed nothing.
    assert!(is_alive(server));
    assert!(sandbox.get("http://127.0.0.1:8000/").is_ok());
    let seen = of_older(&["ls", "--json"]).json();
    assert_eq!(
        (&seen["instances"][0]["pid"], &seen["instances"][0]["state"]),
        (&server.into(), &"ready".into())
    );
    let kept = of_older(&["daemon", "status", "--json"]).json();
    assert_eq!(kept["pid"], new["pid"], "an older program uses a newer daemon");
    assert_eq!(sandbox.output(&["stop", "project"]).code, 0);
    assert_eq!(run.code(), 143);
    assert!(until(|| (!is_alive(server)).then_some(())).is_some());
}

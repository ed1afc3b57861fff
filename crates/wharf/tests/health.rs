//! `wharf doctor` and `wharf clean`, on a machine that has what they look for.

mod sandbox;

use std::path::Path;

use sandbox::{Answer, Sandbox, answer, is_alive, mode, until};
use serde_json::Value;

/// What doctor says of an area.
fn findings<'a>(document: &'a Value, area: &str) -> Vec<&'a Value> {
    let all = document["findings"].as_array().expect("findings");
    all.iter().filter(|finding| finding["area"] == area).collect()
}

fn doctor(sandbox: &Sandbox) -> Value {
    sandbox.output(&["doctor", "--json"]).json()
}

/// wharf where a file of the test's stands in the place of a file of the system's.
fn with_file(sandbox: &Sandbox, place: &str, contents: &str, args: &[&str]) -> Answer {
    let file = sandbox.dir().join("in-its-place");
    std::fs::write(&file, contents).expect("a file");
    let mut command = sandbox.program("unshare");
    let script = format!("mount --bind {} {place} && exec \"$@\"", file.display());
    command.args(["--mount", "sh", "-c", &script, "sh", env!("CARGO_BIN_EXE_wharf")]).args(args);
    answer(command)
}

/// What `getent` finds is what doctor says that libc finds.
#[test]
fn the_verdict_on_names_is_that_of_libc() {
    let sandbox = Sandbox::new();
    let mut getent = sandbox.program("getent");
    getent.args(["ahosts", "wharf-doctor.localhost"]);
    let known = answer(getent).code == 0;
    let document = doctor(&sandbox);
    let last = findings(&document, "names").pop().expect("two findings").clone();
    assert_eq!(last["state"] == "good", known, "{last}");
}

#[test]
fn lines_of_the_hosts_file_are_found_and_believed() {
    let sandbox = Sandbox::new();
    let hosts = "127.0.0.1 localhost\n127.0.0.1 wharf-doctor.localhost\n";
    let answer = with_file(&sandbox, "/etc/hosts", hosts, &["doctor", "--json"]);
    let document = answer.json();
    let line = findings(&document, "hosts")[0];
    assert_eq!(line["state"], "note", "{line}");
    assert_eq!(line["command"], "sudo sed -i.bak '2d' /etc/hosts");
    assert_eq!(findings(&document, "names")[1]["state"], "good", "{document}");
    let hosts = "127.0.0.1 localhost\n192.0.2.7 wharf-doctor.localhost\n";
    let answer = with_file(&sandbox, "/etc/hosts", hosts, &["doctor", "--json"]);
    assert_eq!(answer.code, 8, "{answer:?}");
    let document = answer.json();
    assert_eq!(document["healthy"], false);
    for area in ["hosts", "names"] {
        let state = findings(&document, area).pop().map(|finding| finding["state"].clone());
        assert_eq!(state, Some("trouble".into()), "{area}: {document}");
    }
}

#[test]
fn a_folder_that_is_open_to_others_is_closed_by_fix_alone() {
    let sandbox = Sandbox::new();
    let folder = sandbox.dir().join("run/wharf");
    std::fs::create_dir(&folder).expect("a folder");
    mode(&folder, 0o755);
    let before = sandbox.output(&["doctor", "--json"]);
    assert_eq!(before.code, 8, "{before:?}");
    let document = before.json();
    let finding = findings(&document, "folders")[0];
    assert_eq!(finding["command"], format!("chmod 0700 {}", folder.display()));
    assert_eq!(finding["fixable"], true);
    let is_open = |folder: &Path| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::metadata(folder).expect("the folder").permissions().mode() & 0o077 != 0
    };
    assert!(is_open(&folder), "only looked at");
    let after = sandbox.output(&["doctor", "--fix", "--json"]);
    assert_eq!(after.code, 0, "{after:?}");
    assert!(!is_open(&folder));
    let document = after.json();
    assert_eq!(document["mended"].as_array().map(Vec::len), Some(1), "{document}");
    assert_eq!(findings(&document, "folders")[0]["state"], "good");
}

#[test]
fn an_older_daemon_is_found_and_replaced() {
    let sandbox = Sandbox::new();
    let older = sandbox.older();
    let mut start = sandbox.program(&older);
    start.args(["daemon", "start"]);
    assert_eq!(answer(start).code, 0);
    let before = sandbox.output(&["doctor", "--json"]);
    assert_eq!(before.code, 8, "{before:?}");
    assert_eq!(findings(&before.json(), "daemon")[0]["command"], "wharf daemon restart");
    let after = sandbox.output(&["doctor", "--fix", "--json"]);
    assert_eq!(findings(&after.json(), "daemon")[0]["state"], "good", "{after:?}");
}

/// What an instance would leave whose pilot and guard were both killed by force.
#[test]
fn what_has_lost_its_pilot_is_ended_by_fix_alone() {
    let sandbox = Sandbox::new();
    let mut escaped = sandbox.program("sleep");
    let mut escaped = escaped.arg("600").env("WHARF_ID", "4194303-1").spawn().expect("a process");
    let finding = until(|| {
        let document = doctor(&sandbox);
        let pid = format!("pid {} ", escaped.id());
        let found = findings(&document, "leftovers").into_iter();
        let mut ours =
            found.filter(|finding| finding["what"].as_str().is_some_and(|t| t.contains(&pid)));
        ours.next().cloned()
    });
    let still_runs = escaped.try_wait().expect("its state").is_none();
    let fixed = sandbox.output(&["doctor", "--fix"]);
    let ended = until(|| escaped.try_wait().expect("its state"));
    assert!(still_runs, "only looked at");
    assert_eq!(finding.expect("it is found")["state"], "trouble");
    assert!(fixed.out.contains("was ended"), "{fixed:?}");
    assert!(ended.is_some_and(|status| !status.success()));
}

#[test]
fn a_forward_proxy_and_a_used_up_inotify_are_told() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.wharf(&["doctor", "--json"]);
    command
        .env("http_proxy", "http://192.0.2.1:3128")
        .env_remove("no_proxy")
        .env_remove("NO_PROXY");
    let document = answer(command).json();
    let proxied = findings(&document, "network").pop().cloned().expect("a finding");
    assert_eq!(proxied["state"], "note", "{proxied}");
    let limit = "/proc/sys/fs/inotify/max_user_watches";
    let document = with_file(&sandbox, limit, "0\n", &["doctor", "--json"]).json();
    assert_eq!(findings(&document, "watching")[0]["state"], "trouble", "{document}");
}

#[test]
fn an_engine_that_refuses_and_one_that_has_gone_are_told_apart() {
    let sandbox = Sandbox::new();
    let socket = sandbox.dir().join("engine.sock");
    let listener = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
    let asked = || {
        let mut command = sandbox.wharf(&["doctor", "--json"]);
        command.env("DOCKER_HOST", format!("unix://{}", socket.display()));
        let document = answer(command).json();
        let name = socket.display().to_string();
        let all = findings(&document, "containers").into_iter();
        let mut ours =
            all.filter(|one| one["what"].as_str().is_some_and(|what| what.contains(&name)));
        ours.next().cloned().unwrap_or_else(|| panic!("{document}"))
    };
    let refuses = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = listener.accept().expect("a caller");
        let mut request = [0; 4096];
        let _ = stream.read(&mut request);
        let said = "HTTP/1.1 500 No\r\nContent-Length: 24\r\n\r\n{\"message\":\"out of it!\"}";
        let _ = stream.write_all(said.as_bytes());
    });
    let silent = asked();
    assert_eq!(silent["state"], "note", "{silent}");
    assert!(silent["why"].to_string().contains("out of it"), "{silent}");
    refuses.join().expect("the engine");
    let gone = asked();
    assert_eq!(gone["state"], "good", "{gone}");
    assert!(gone["what"].as_str().is_some_and(|what| what.contains("does not run")), "{gone}");
}

#[test]
fn people_read_lines_that_end_in_a_verdict() {
    let sandbox = Sandbox::new();
    let answer = sandbox.output(&["doctor"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert!(answer.out.contains("good     daemon       version"), "{answer:?}");
    assert!(answer.out.lines().last().is_some_and(|line| line.starts_with("everything")));
}

#[test]
fn what_runs_and_what_is_remembered_is_gone_after_clean() {
    let sandbox = Sandbox::new();
    let mut server = sandbox.run(&["python3", "-m", "http.server"]);
    server.event("ready");
    let daemon = sandbox.output(&["daemon", "status", "--json"]).json()["pid"].as_u64();
    let daemon = u32::try_from(daemon.expect("a daemon")).expect("a pid");
    let settings = sandbox.dir().join("home/.config/wharf");
    std::fs::create_dir_all(&settings).expect("a folder");
    std::fs::write(settings.join("settings.toml"), "").expect("settings");

    let listed = sandbox.output(&["clean", "--dry-run", "--json"]).json();
    assert_eq!(listed["done"], false);
    assert_eq!(listed["instances"].as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!(listed["daemon"], daemon);
    let asked = sandbox.output(&["clean"]);
    assert_eq!(asked.code, 4, "nobody can be asked: {asked:?}");
    assert!(asked.out.contains("keeps"), "{asked:?}");
    assert!(is_alive(daemon) && server.listens(), "nothing was done");

    let done = sandbox.output(&["clean", "--yes"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(server.ended(), "{done:?}");
    until(|| (!is_alive(daemon)).then_some(())).expect("the daemon has ended");
    let left: Vec<_> = ["run/wharf", "home/.local/state/wharf"]
        .into_iter()
        .filter(|folder| sandbox.dir().join(folder).exists())
        .collect();
    assert_eq!(left, [""; 0]);
    assert!(settings.join("settings.toml").exists(), "kept");

    let again = sandbox.output(&["clean", "--yes"]);
    assert!(again.err.contains("wharf has left nothing here"), "{again:?}");
    assert_eq!(sandbox.output(&["clean", "--yes", "--settings"]).code, 0);
    assert!(!settings.exists());
}

/// `script` gives it a terminal, and the answer is typed there.
#[test]
fn a_person_is_asked_and_no_is_no() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.output(&["daemon", "start"]).code, 0);
    let ask = |word: &str| {
        let wharf = env!("CARGO_BIN_EXE_wharf");
        let mut command = sandbox.program("sh");
        let line = format!("echo {word} | script -qec '{wharf} clean' /dev/null");
        command.args(["-c", &line]);
        answer(command)
    };
    let no = ask("n");
    assert_eq!(no.code, 1, "{no:?}");
    assert!(sandbox.dir().join("run/wharf").exists());
    let yes = ask("y");
    assert_eq!(yes.code, 0, "{yes:?}");
    assert!(!sandbox.dir().join("run/wharf").exists(), "{yes:?}");
}

//! What `wharf up` and the commands around it say: hints, documents, and how long they wait.

mod sandbox;

use sandbox::{Sandbox, until};
use serde_json::Value;

/// A project with a server `web`, and a second service.
fn sandbox(more: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.file(".git/HEAD", "ref: refs/heads/main\n");
    sandbox.file("server.py", include_str!("sandbox/server.py"));
    let web = "[service.web]\nrun = \"python3 server.py\"\n";
    sandbox.file("wharf.toml", &format!("{web}{more}"));
    sandbox
}

fn live(sandbox: &Sandbox) -> Vec<Value> {
    sandbox.output(&["ls", "--json"]).json()["instances"].as_array().unwrap().clone()
}

#[test]
fn a_service_that_is_stopped_is_told_with_the_command_that_starts_it() {
    let sandbox = sandbox("[service.api]\nrun = \"python3 server.py\"\n");
    assert_eq!(sandbox.output(&["up", "-d", "api"]).code, 0);
    for command in ["stop", "restart", "assert", "url"] {
        let refused = sandbox.output(&[command, "web"]);
        assert_eq!(refused.code, 3, "{command}: {refused:?}");
        assert!(refused.err.contains("`wharf up web` starts it"), "{command}: {refused:?}");
    }
    let unknown = sandbox.output(&["stop", "nobody"]);
    assert!(unknown.code == 3 && !unknown.err.contains("starts it"), "{unknown:?}");
}

#[test]
fn wait_and_restart_answer_with_documents() {
    let sandbox = sandbox("[service.late]\nrun = \"sleep 1000\"\nready = { log = \"never\" }\n");
    assert_eq!(sandbox.output(&["up", "-d", "web"]).code, 0);
    let waited = sandbox.output(&["wait", "web", "--json"]);
    assert_eq!(waited.code, 0, "{waited:?}");
    let document = waited.json();
    assert_eq!((&document["schema"], &document["missing"]), (&1.into(), &Value::Array(Vec::new())));
    assert_eq!(document["instances"][0]["service"], "web");
    let late = sandbox.output(&["wait", "--json", "--timeout", "1"]);
    assert_eq!(late.code, 6, "{late:?}");
    let document = late.json();
    assert_eq!(document["missing"], serde_json::json!(["late"]));
    let before = live(&sandbox)[0].clone();
    let restarted = sandbox.output(&["restart", "web", "--json"]);
    assert_eq!(restarted.code, 0, "{restarted:?}");
    let again = &restarted.json()["instances"][0];
    assert_eq!((&again["id"], &again["state"]), (&before["id"], &"ready".into()));
    assert_eq!(again["restarts"].as_u64(), before["restarts"].as_u64().map(|count| count + 1));
}

#[test]
fn in_the_foreground_a_timeout_that_was_asked_for_ends_everything() {
    let sandbox = sandbox("[service.late]\nrun = \"sleep 1000\"\nready = { log = \"never\" }\n");
    let late = sandbox.output(&["up", "--timeout", "3"]);
    assert_eq!(late.code, 6, "{late:?}");
    assert!(late.err.contains("not ready after 3 s: late"), "{late:?}");
    assert!(!late.err.contains("keeps running"), "{late:?}");
    assert!(live(&sandbox).is_empty(), "what it has started has ended");
}

#[test]
fn where_nothing_came_up_nothing_is_said_to_run() {
    let sandbox = sandbox("");
    sandbox.file("server.py", "raise SystemExit(4)\n");
    let failed = sandbox.output(&["up", "-d"]);
    assert_eq!(failed.code, 1, "{failed:?}");
    assert!(!failed.err.contains("keeps running"), "{failed:?}");
    let explained = sandbox.output(&["explain", "--project"]);
    assert!(explained.out.contains("declares 1 service\n"), "{explained:?}");
}

#[test]
fn a_home_that_takes_no_files_is_told_with_the_way_out() {
    let sandbox = sandbox("");
    std::fs::write(sandbox.dir().join("home/.local"), "in the way").unwrap();
    let refused = sandbox.output(&["up", "-d"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("help: HOME or XDG_STATE_HOME must name a folder"), "{refused:?}");
}

#[test]
fn a_restart_that_takes_long_says_what_it_waits_for() {
    let sandbox = sandbox("");
    assert_eq!(sandbox.output(&["up", "-d"]).code, 0);
    sandbox.file("server.py", "import time\ntime.sleep(1000)\n");
    let restart = sandbox.start(&["restart", "web"]);
    restart.said("is told to restart; waits until it serves");
}

#[test]
fn a_folder_of_foreign_letters_has_a_name_that_browsers_know() {
    let sandbox = Sandbox::new();
    let folder = sandbox.dir().join("проект");
    std::fs::create_dir_all(folder.join(".git")).unwrap();
    let words = ["--", "python3", "-m", "http.server", "--bind", "127.0.0.1"];
    let mut running = sandbox.run_in(&folder, &words);
    running.event("ready");
    let url = until(|| Some(live(&sandbox).first()?["url"].as_str()?.to_owned())).unwrap();
    assert_eq!(url.split([':', '/']).nth(3), Some("xn--e1akkdfp.localhost"), "{url}");
}

#[test]
fn braces_in_the_files_of_other_tools_mean_themselves() {
    let sandbox = Sandbox::new();
    sandbox.file(".git/HEAD", "ref: refs/heads/main\n");
    sandbox.file("Procfile", "web: echo '{url}' $LITERAL; exec python3 server.py\n");
    sandbox.file(".env", "LITERAL='{port}'\n");
    sandbox.file("server.py", include_str!("sandbox/server.py"));
    assert_eq!(sandbox.output(&["up", "-d"]).code, 0);
    let log = sandbox.output(&["logs", "web"]).out;
    assert!(log.contains("{url} {port}"), "{log}");
    assert!(sandbox.output(&["env", "web"]).out.contains("{port}"));
    let refused = sandbox.output(&["import"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("are filled in there"), "{refused:?}");
}

#[test]
fn a_project_changes_no_alias_that_a_person_gave_and_takes_its_own_away() {
    let sandbox = sandbox("[alias]\nmine = 5002\nown = 5003\n");
    assert_eq!(sandbox.output(&["alias", "mine", "7777"]).code, 0);
    let up = sandbox.output(&["up", "-d"]);
    assert_eq!(up.code, 0, "{up:?}");
    assert!(up.err.contains("the alias `mine` is not given") && up.err.contains("own leads to"));
    let targets = || -> Vec<String> {
        let list = sandbox.output(&["alias", "--json"]).json();
        let aliases = list["aliases"].as_array().expect("a list").iter();
        aliases.map(|one| format!("{} {}", one["name"], one["target"])).collect()
    };
    assert_eq!(targets().len(), 2, "{:?}", targets());
    // What the file no longer says goes with the next `up`.
    let web = "[service.web]\nrun = \"python3 server.py\"\n[alias]\nmine = 7777\n";
    sandbox.file("wharf.toml", web);
    assert_eq!(sandbox.output(&["up", "-d"]).code, 0);
    assert_eq!(targets().len(), 1, "{:?}", targets());
    assert_eq!(sandbox.output(&["down"]).code, 0);
    let left = targets();
    assert!(left.len() == 1 && left[0].contains("7777"), "{left:?}");
}

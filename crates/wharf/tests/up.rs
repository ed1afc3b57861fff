//! `wharf up` and `wharf down`: whole projects.

mod sandbox;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use sandbox::{Answer, Sandbox, answer, until};
use serde_json::Value;

/// A project whose server tells its environment.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.file(".git/HEAD", "ref: refs/heads/main\n");
    sandbox.file("server.py", include_str!("sandbox/server.py"));
    sandbox
}

fn in_folder(sandbox: &Sandbox, folder: &Path, args: &[&str]) -> Answer {
    let mut command = sandbox.wharf(args);
    command.current_dir(folder);
    answer(command)
}

/// The document of `up -d --json`.
fn up(sandbox: &Sandbox, args: &[&str]) -> Value {
    let answer = sandbox.output(&[&["up", "-d", "--json"], args].concat());
    assert_eq!(answer.code, 0, "{answer:?}");
    answer.json()
}

fn instances(document: &Value) -> Vec<&Value> {
    document["instances"].as_array().expect("a list").iter().collect()
}

fn one<'a>(document: &'a Value, service: &str, instance: u64) -> &'a Value {
    let is_it = |i: &&Value| i["service"] == service && i["instance"] == instance;
    instances(document).into_iter().find(is_it).unwrap_or_else(|| panic!("{service} {document:#}"))
}

/// What a server says of its environment.
fn environment(sandbox: &Sandbox, instance: &Value) -> Value {
    let body = sandbox.get(instance["direct_url"].as_str().unwrap()).unwrap();
    serde_json::from_str(&body).unwrap()
}

fn live(sandbox: &Sandbox) -> Vec<Value> {
    let list = sandbox.output(&["ls", "--json"]).json();
    list["instances"].as_array().unwrap().clone()
}

#[test]
fn ten_instances_have_ten_ports_and_names_and_end_together() {
    let sandbox = sandbox();
    sandbox.file("wharf.toml", "[service.web]\nrun = \"python3 server.py\"\nport = 8000\n");
    let document = up(&sandbox, &["--scale", "web=10"]);
    let ports: BTreeSet<u64> =
        instances(&document).iter().map(|i| i["port"].as_u64().unwrap()).collect();
    assert_eq!(ports, (8000..8010).collect(), "{document:#}");
    let urls: BTreeSet<&str> =
        instances(&document).iter().map(|i| i["url"].as_str().unwrap()).collect();
    assert_eq!(urls.len(), 10);
    for instance in instances(&document) {
        assert_eq!(instance["state"], "ready");
        let own = environment(&sandbox, instance);
        assert_eq!(own["WHARF_INSTANCE"], instance["instance"].to_string());
        assert_eq!(own["PORT"], instance["port"].to_string());
    }
    let fewer = up(&sandbox, &["--scale", "web=3"]);
    assert_eq!(instances(&fewer).len(), 3);
    assert_eq!(live(&sandbox).len(), 3, "the others have ended");
    let down = sandbox.output(&["down"]);
    assert_eq!((down.code, down.err.matches("has ended").count()), (0, 3), "{down:?}");
    assert_eq!(live(&sandbox).len(), 0);
    let list = sandbox.output(&["ls", "--json"]).json();
    assert_eq!(list["leases"].as_array().unwrap().len(), 0, "{list:#}");
    let again = sandbox.output(&["down"]);
    assert_eq!(again.code, 0, "nothing to end is no error: {again:?}");
}

#[test]
fn each_service_is_told_of_the_others_and_waits_for_what_it_needs() {
    let sandbox = sandbox();
    sandbox.file(
        "wharf.toml",
        "[service.web]\nrun = \"echo web >> order; exec python3 server.py\"\n\
         depends_on = [\"api\"]\n[service.web.env]\nAPI = \"{api.url}/v1\"\nOWN = \"{port}\"\n\
         [service.api]\nrun = \"echo api >> order; exec python3 server.py {port}\"\n\
         depends_on = [\"migrate\"]\n\
         [service.migrate]\nrun = \"sleep 0.2; echo migrate >> order\"\nready = \"exit\"\n",
    );
    let document = up(&sandbox, &[]);
    let order = std::fs::read_to_string(sandbox.project().join("order")).unwrap();
    assert_eq!(order, "migrate\napi\nweb\n");
    let (web, api) = (one(&document, "web", 1), one(&document, "api", 1));
    assert_eq!(web["url"], "http://project.localhost", "the primary one has the project's name");
    let env = environment(&sandbox, web);
    let direct = api["direct_url"].as_str().unwrap();
    assert_eq!(env["WHARF_API_URL"], direct);
    assert_eq!(env["API"], format!("{direct}/v1"));
    assert_eq!(env["OWN"], web["port"].to_string());
    assert_eq!(env["WHARF_API_PORT"], api["port"].to_string());
    assert_eq!(one(&document, "migrate", 1)["exit_code"], 0);
    // What nobody asked for is not started, what is needed is.
    sandbox.output(&["down"]);
    let only = up(&sandbox, &["api"]);
    let names: BTreeSet<&str> =
        instances(&only).iter().map(|i| i["service"].as_str().unwrap()).collect();
    assert_eq!(names, ["api", "migrate"].into());
}

#[test]
fn what_fails_is_told_with_its_last_lines_and_what_needs_it_is_not_started() {
    let sandbox = sandbox();
    sandbox.file(
        "wharf.toml",
        "[service.web]\nrun = \"python3 server.py\"\ndepends_on = [\"migrate\"]\n\
         [service.migrate]\nrun = \"echo no such table; exit 3\"\nready = \"exit\"\n\
         [service.other]\nrun = \"python3 server.py\"\n",
    );
    let failed = sandbox.output(&["up", "-d"]);
    assert_eq!(failed.code, 1, "{failed:?}");
    for text in ["migrate", "no such table", "web is not started", "wharf down"] {
        assert!(failed.err.contains(text), "{text}: {failed:?}");
    }
    let live = live(&sandbox);
    assert_eq!(live.len(), 1, "{live:#?}");
    assert_eq!(live[0]["service"], "other");
    let document = sandbox.output(&["up", "-d", "--json"]);
    assert_eq!(
        (document.code, &document.json()["failed"]),
        (1, &serde_json::json!(["migrate", "web"]))
    );
    // A program that is not there is told as such.
    sandbox.file("wharf.toml", "[service.web]\nrun = \"no-such-program\"\n");
    let missing = sandbox.output(&["up", "-d"]);
    assert!(missing.code != 0 && missing.err.contains("no-such-program"), "{missing:?}");
}

#[test]
fn up_again_does_nothing_and_a_change_restarts_what_it_concerns() {
    let sandbox = sandbox();
    let file = |env: &str| {
        sandbox.file(
            "wharf.toml",
            &format!(
                "[service.web]\nrun = \"python3 server.py\"\nenv = {{ COLOUR = \"{env}\" }}\n\
                 [service.api]\nrun = \"python3 server.py\"\n"
            ),
        )
    };
    file("red");
    let first = up(&sandbox, &[]);
    let again = sandbox.output(&["up", "-d"]);
    assert!(again.code == 0 && again.err.contains("already up"), "{again:?}");
    assert!(again.out.contains("http://project.localhost"), "{again:?}");
    let again = sandbox.output(&["up"]);
    assert_eq!(again.code, 0, "in the foreground too: {again:?}");
    file("blue");
    let changed = sandbox.output(&["up", "-d", "--json"]);
    assert!(changed.err.contains("web is started again: env.COLOUR"), "{changed:?}");
    assert!(!changed.err.contains("blue"), "values may be secret: {changed:?}");
    let second = changed.json();
    let pid = |document: &Value, service| one(document, service, 1)["pilot_pid"].clone();
    assert_eq!(pid(&first, "api"), pid(&second, "api"));
    assert_ne!(pid(&first, "web"), pid(&second, "web"));
    assert_eq!(one(&first, "web", 1)["port"], one(&second, "web", 1)["port"]);
    assert_eq!(environment(&sandbox, one(&second, "web", 1))["COLOUR"], "blue");
}

#[test]
fn bad_files_are_refused_with_their_line_and_the_way_out() {
    let sandbox = sandbox();
    for (text, wanted) in [
        ("[service.web]\nrun = \"x\"\ndepend_on = []\n", "did you mean `depends_on`"),
        ("[service.web]\nrun = \"x\"\ndepend_on = []\n", "wharf.toml line 3"),
        (
            "[service.a]\nrun = \"x\"\ndepends_on = [\"b\"]\n[service.b]\nrun = \"x\"\ndepends_on = [\"a\"]\n",
            "a → b → a",
        ),
        ("[service.a]\nrun = \"x\"\ndepends_on = [\"bee\"]\n", "`bee`, which is no service"),
        ("[service.a]\nrun = \"x {bee.port}\"\n", "`bee`"),
        ("[service.A]\nrun = \"x\"\n", "`A` cannot be a service's name"),
        ("[service.a]\nrun = \"x\"\nready = { log = \"(\" }\n", "no pattern"),
        ("[service.a]\nrun = \"x\"\nready = { log = \"(\" }\n", "wharf.toml line 3"),
        ("[service.a]\nrun = \"x\"\ninstances = 0\n", "wharf.toml line 3"),
        ("[service.a]\nrun = \"x\"\nstop_signal = \"NO\"\n", "wharf.toml line 3"),
        ("[service.a]\nrun = \"x\"\n\ndir = \"no/such\"\n", "wharf.toml line 4"),
        ("[service.a]\nrun = \"x\"\npaths = [\"api\"]\n", "wharf.toml line 3"),
    ] {
        sandbox.file("wharf.toml", text);
        let refused = sandbox.output(&["up", "-d"]);
        assert!(refused.code == 2 && refused.err.contains(wanted), "{wanted}: {refused:?}");
    }
    sandbox.file("wharf.toml", "");
    sandbox.file("Procfile", "web: x\nnonsense\n");
    let refused = sandbox.output(&["up", "-d"]);
    assert!(refused.code == 2 && refused.err.contains("Procfile line 2"), "{refused:?}");
    std::fs::remove_file(sandbox.project().join("Procfile")).unwrap();
    sandbox.file("wharf.toml", "[service.a]\nrun = \"x\"\n");
    for (args, code) in [
        (&["up", "b"][..], 3),
        (&["up", "--scale", "b=2"], 3),
        (&["up", "--scale", "a=0"], 2),
        (&["up", "--scale", "a"], 2),
        (&["down", "b"], 3),
    ] {
        let refused = sandbox.output(args);
        assert_eq!(refused.code, code, "{args:?}: {refused:?}");
    }
    assert_eq!(live(&sandbox).len(), 0);
    assert_eq!(sandbox.output(&["pilot"]).code, 2, "it is for `wharf up` alone");
}

#[test]
fn readiness_is_what_was_asked_for() {
    let sandbox = sandbox();
    sandbox.file(
        "wharf.toml",
        "[service.path]\nrun = \"python3 server.py\"\nready = { http = \"/slow\" }\n\
         [service.log]\nrun = \"echo one; sleep 0.2; echo is ready now; sleep 1000\"\n\
         ready = { log = \"is ready\" }\n\
         [service.command]\nrun = \"sleep 0.2; touch made; sleep 1000\"\n\
         ready = { command = \"test -e made\" }\n\
         [service.listen]\nrun = \"python3 server.py\"\nready = \"listen\"\n",
    );
    let mut up = sandbox.wharf(&["up", "-d", "--json"]);
    up.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null());
    let up = up.spawn().unwrap();
    let states = || {
        let live = live(&sandbox);
        let state = |service: &str| {
            live.iter().find(|i| i["service"] == service).map(|i| i["state"].clone())
        };
        ["log", "command", "listen", "path"].map(|name| state(name).unwrap_or_default())
    };
    until(|| (states()[..3] == ["ready", "ready", "ready"].map(Value::from)).then_some(()))
        .unwrap();
    assert_eq!(states()[3], "starting", "its path says 503");
    sandbox.file("fast", "");
    let output = up.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(states()[3], "ready");
    let log = sandbox.output(&["logs", "log"]);
    assert!(log.out.contains("is ready now"), "{log:?}");
}

#[test]
fn what_takes_too_long_is_told() {
    let sandbox = sandbox();
    sandbox.file(
        "wharf.toml",
        "[service.web]\nrun = \"echo waits for a database; sleep 1000\"\nready = \"listen\"\n",
    );
    let late = sandbox.output(&["up", "-d", "--timeout", "1s"]);
    assert_eq!(late.code, 6, "{late:?}");
    assert!(late.err.contains("not ready after 1 s: web"), "{late:?}");
    assert!(late.err.contains("waits for a database"), "{late:?}");
    assert_eq!(live(&sandbox).len(), 1, "it goes on");
}

#[test]
fn a_procfile_is_enough() {
    let sandbox = sandbox();
    sandbox.file(
        "Procfile",
        "web: python3 server.py\nworker: while :; do echo busy; sleep 0.5; done\n",
    );
    let document = up(&sandbox, &[]);
    let web = environment(&sandbox, one(&document, "web", 1));
    assert_eq!(web["PORT"], one(&document, "web", 1)["port"].to_string());
    let worker = one(&document, "worker", 1);
    assert_eq!(
        (worker["state"].as_str(), worker["listeners"].as_array().unwrap().len()),
        (Some("ready"), 0)
    );
    assert_eq!(web["PYTHONUNBUFFERED"], "1");
}

/// A checkout of git's, and linked worktrees of it.
fn worktrees(sandbox: &Sandbox, names: &[&str]) -> Vec<PathBuf> {
    let git = |args: &[&str]| {
        let mut command = sandbox.program("git");
        command.args(["-c", "user.name=t", "-c", "user.email=t@example.com"]).args(args);
        let answer = answer(command);
        assert_eq!(answer.code, 0, "{answer:?}");
    };
    std::fs::remove_dir_all(sandbox.project().join(".git")).unwrap();
    git(&["init", "-q", "."]);
    git(&["add", "."]);
    git(&["commit", "-qm", "all"]);
    let folder = |name: &&str| {
        let path = sandbox.dir().join(name);
        git(&["worktree", "add", "-q", "-b", name, path.to_str().unwrap()]);
        path
    };
    names.iter().map(folder).collect()
}

#[test]
fn worktrees_run_side_by_side_and_a_deleted_one_ends_its_servers() {
    let sandbox = sandbox();
    sandbox.file(
        "wharf.toml",
        "[service.web]\nrun = \"python3 server.py 8000\"\nport = 8000\ndepends_on = [\"api\"]\n\
         [service.api]\nrun = \"python3 server.py 9000\"\n",
    );
    let folders = worktrees(&sandbox, &["one", "two"]);
    up(&sandbox, &[]);
    for folder in &folders {
        let answer = in_folder(&sandbox, folder, &["up", "-d", "--json"]);
        assert_eq!(answer.code, 0, "{answer:?}");
        let document = answer.json();
        let (web, api) = (one(&document, "web", 1), one(&document, "api", 1));
        let env = environment(&sandbox, web);
        assert_eq!(env["WHARF_ROOT"], folder.to_str().unwrap());
        assert_eq!(env["WHARF_API_URL"], api["direct_url"], "its own");
    }
    assert_eq!(live(&sandbox).len(), 6);
    // Ends of one checkout are nobody else's.
    assert_eq!(in_folder(&sandbox, &folders[1], &["down"]).code, 0);
    assert_eq!(live(&sandbox).len(), 4);
    let pids: Vec<u32> = live(&sandbox)
        .iter()
        .filter(|i| i["worktree"] == "one")
        .map(|i| u32::try_from(i["pid"].as_u64().unwrap()).unwrap())
        .collect();
    std::fs::remove_dir_all(&folders[0]).unwrap();
    let gone = until(|| (!pids.iter().any(|pid| sandbox::is_alive(*pid))).then_some(()));
    assert!(gone.is_some(), "its servers have ended");
    let left = until(|| Some(live(&sandbox)).filter(|live| live.len() == 2));
    assert!(left.unwrap().iter().all(|i| i["worktree"] == ""), "the main checkout goes on");
    std::fs::remove_dir_all(&folders[1]).unwrap();
    let dry = sandbox.output(&["prune", "--dry-run"]);
    assert!(dry.out.contains("would forget") && dry.out.contains("(worktree two)"), "{dry:?}");
    let pruned = sandbox.output(&["prune", "--json"]).json();
    assert!(pruned["checkouts"].to_string().contains("(worktree two)"), "{pruned:#}");
    assert_eq!(sandbox.output(&["prune"]).out, "every checkout that wharf knows is there\n");
    let homes = sandbox.output(&["ls", "--all", "--json"]).json();
    let homes = homes["homes"].as_array().unwrap().clone();
    assert!(!homes.is_empty() && homes.iter().all(|home| home["worktree"] == ""), "{homes:#?}");
}

#[test]
fn in_the_foreground_all_output_is_one_and_ctrl_c_ends_all() {
    let sandbox = sandbox();
    sandbox.file(
        "wharf.toml",
        "[service.web]\nrun = \"python3 server.py\"\n\
         [service.worker]\nrun = \"trap 'echo bye; exit 0' TERM; while :; do echo busy; sleep 0.1; done\"\n\
         ready = { log = \"busy\" }\n",
    );
    let mut up = Foreground::of(&sandbox);
    up.said("everything is up");
    let pids = pids(&sandbox);
    assert_eq!(pids.len(), 2);
    sandbox::signal(up.child.id(), "INT");
    assert_eq!(up.code(), 130);
    let text = up.text();
    for line in ["web    | serves\n", "worker | busy\n", "worker | bye\n"] {
        assert!(text.contains(line), "{line}{text}");
    }
    assert!(!text.contains('\x1b'), "no colours in a file: {text}");
    assert!(!pids.iter().any(|pid| sandbox::is_alive(*pid)));
    assert_eq!(live(&sandbox).len(), 0);
}

#[test]
fn killing_up_in_the_foreground_leaves_nothing() {
    let sandbox = sandbox();
    sandbox
        .file("wharf.toml", "[service.web]\nrun = \"python3 server.py\"\nrestart = \"always\"\n");
    for signal in ["KILL", "HUP"] {
        let mut up = Foreground::of(&sandbox);
        up.said("everything is up");
        let pids = pids(&sandbox);
        sandbox::signal(up.child.id(), signal);
        up.code();
        let gone = until(|| (!pids.iter().any(|pid| sandbox::is_alive(*pid))).then_some(()));
        assert!(gone.is_some(), "{signal}");
        assert!(until(|| live(&sandbox).is_empty().then_some(())).is_some(), "{signal}");
    }
}

/// The servers' processes.
fn pids(sandbox: &Sandbox) -> Vec<u32> {
    live(sandbox).iter().map(|i| u32::try_from(i["pid"].as_u64().unwrap()).unwrap()).collect()
}

/// `wharf up` with its output in a file.
struct Foreground {
    child: std::process::Child,
    file: PathBuf,
}

impl Foreground {
    fn of(sandbox: &Sandbox) -> Foreground {
        let file = sandbox.dir().join("output");
        let output = std::fs::File::create(&file).unwrap();
        let mut command: Command = sandbox.wharf(&["up"]);
        command.stdout(output.try_clone().unwrap()).stderr(output);
        Foreground { child: command.spawn().unwrap(), file }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.file).unwrap()).into_owned()
    }

    fn said(&self, text: &str) {
        let said = until(|| self.text().contains(text).then_some(()));
        assert!(said.is_some(), "{text}: {}", self.text());
    }

    fn code(&mut self) -> i32 {
        use std::os::unix::process::ExitStatusExt;
        let status = until(|| self.child.try_wait().unwrap()).expect("it ends");
        status.code().or(status.signal().map(|signal| 128 + signal)).unwrap()
    }
}

impl Drop for Foreground {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_an_earlier_scale_has_added_follows_a_change() {
    let sandbox = sandbox();
    let write = |more: &str| {
        let text = format!("[service.web]\nrun = \"python3 server.py\"\n{more}");
        sandbox.file("wharf.toml", &text);
    };
    write("");
    up(&sandbox, &["--scale", "web=2"]);
    assert_eq!(instances(&up(&sandbox, &[])).len(), 2, "it stays, and is shown");
    write("env = { KEY = \"new\" }\n");
    let document = up(&sandbox, &[]);
    for instance in [1, 2] {
        let instance = one(&document, "web", instance);
        assert_eq!(environment(&sandbox, instance)["KEY"], "new", "{instance:#}");
    }
    sandbox.output(&["down"]);
}

#[test]
fn lines_of_an_earlier_launch_are_not_those_of_a_failure() {
    let sandbox = sandbox();
    sandbox.file("wharf.toml", "[service.web]\nrun = \"echo of old; exit 3\"\n");
    assert!(sandbox.output(&["up", "-d"]).err.contains("of old"));
    sandbox.file(
        "wharf.toml",
        "[service.db]\nrun = \"exit 4\"\nready = \"exit\"\n\
         [service.web]\nrun = \"python3 server.py\"\ndepends_on = [\"db\"]\n",
    );
    let failed = sandbox.output(&["up", "-d"]);
    assert_eq!(failed.code, 1, "{failed:?}");
    assert!(failed.err.contains("web is not started"), "{failed:?}");
    assert!(!failed.err.contains("of old"), "{failed:?}");
}

#[test]
fn a_published_port_is_kept_once_without_a_word_the_second_time() {
    let sandbox = sandbox();
    sandbox.file("compose.yaml", "services:\n  db:\n    image: x\n    ports: [\"5432:5432\"]\n");
    sandbox.file(
        "wharf.toml",
        "[service.web]\nrun = \"python3 server.py\"\n[service.api]\nrun = \"python3 server.py\"\n",
    );
    for service in ["web", "api"] {
        let up = sandbox.output(&["up", "-d", service]);
        assert_eq!((up.code, up.err.contains("5432")), (0, false), "{up:?}");
    }
    let leases = sandbox.output(&["ls", "--json"]).json()["leases"].clone();
    let is_it = |lease: &&Value| lease["port"] == 5432;
    assert_eq!(leases.as_array().unwrap().iter().filter(is_it).count(), 1, "{leases:#}");
    // Whoever had it has ended, and another of the project keeps it from then on.
    assert_eq!(sandbox.output(&["down", "web"]).code, 0);
    let kept = || {
        let leases = sandbox.output(&["ls", "--json"]).json()["leases"].clone();
        leases.as_array().unwrap().iter().find(is_it).cloned()
    };
    let api = live(&sandbox)[0]["pilot_pid"].clone();
    let is_its = |lease: &Value| lease["kind"]["process"]["pid"] == api;
    assert!(until(|| kept().filter(is_its)).is_some(), "{:#?}", kept());
    sandbox.output(&["down"]);
    assert!(kept().is_none(), "nothing of the project lives");
}

#[test]
fn what_is_still_on_its_way_is_not_called_up() {
    let sandbox = sandbox();
    sandbox.file(
        "wharf.toml",
        "[service.web]\nrun = \"python3 server.py\"\nready = { command = \"test -e go\" }\n",
    );
    let late = sandbox.output(&["up", "-d", "--timeout", "1"]);
    assert_eq!(late.code, 6, "{late:?}");
    let again = sandbox.output(&["up", "-d", "--timeout", "1"]);
    assert_eq!((again.code, again.err.contains("already up")), (6, false), "{again:?}");
    sandbox.file("go", "");
    assert_eq!(one(&up(&sandbox, &[]), "web", 1)["state"], "ready");
    sandbox.output(&["down"]);
}

#[test]
fn a_scale_of_what_is_not_to_run_is_refused() {
    let sandbox = sandbox();
    sandbox.file("wharf.toml", "[service.web]\nrun = \"x\"\n[service.api]\nrun = \"x\"\n");
    let refused = sandbox.output(&["up", "-d", "web", "--scale", "api=2"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.err.contains("`wharf up web api`"), "{refused:?}");
}

#[test]
fn ctrl_c_is_heeded_while_what_has_changed_ends() {
    let sandbox = sandbox();
    let write = |number: u32| {
        sandbox.file(
            "wharf.toml",
            &format!(
                "[service.web]\nrun = \"trap '' TERM INT; : {number}; exec python3 server.py\"\n\
                 stop_grace = 30\n"
            ),
        );
    };
    write(1);
    let web = one(&up(&sandbox, &[]), "web", 1).clone();
    write(2);
    let mut foreground = Foreground::of(&sandbox);
    foreground.said("web is started again");
    sandbox::signal(foreground.child.id(), "INT");
    assert_eq!(foreground.code(), 130, "{}", foreground.text());
    let server = u32::try_from(web["pid"].as_u64().unwrap()).unwrap();
    assert!(sandbox::is_alive(server), "it did not wait for the old one");
    sandbox::signal(server, "KILL");
    sandbox.output(&["down"]);
}

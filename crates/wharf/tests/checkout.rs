//! What a checkout's services are to scripts: `url`, `open`, `env`, `exec`, `wait`, `assert`.

mod sandbox;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use sandbox::{Answer, Sandbox, answer, until};
use serde_json::Value;

/// Two services; their server tells its environment.
const PROJECT: &str = "\
[service.web]
run = \"python3 server.py\"
port = \"8000+\"
depends_on = [\"api\"]
env = { ODD = \"it's \\\"$HOME\\\" `x` \\\\ at {api.url}\\nnext\", PLAIN = \"a b\" }

[service.api]
run = \"python3 server.py\"
port = \"9000+\"
";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.file(".git/HEAD", "ref: refs/heads/main\n");
    sandbox.file("server.py", include_str!("sandbox/server.py"));
    sandbox.file("wharf.toml", PROJECT);
    sandbox
}

fn up(sandbox: &Sandbox) {
    let up = sandbox.output(&["up", "-d"]);
    assert_eq!(up.code, 0, "{up:?}");
}

/// A second checkout of the same project.
fn worktree(sandbox: &Sandbox) -> PathBuf {
    let folder = sandbox.dir().join("fix");
    let admin = sandbox.project().join(".git/worktrees/fix");
    std::fs::create_dir_all(&admin).unwrap();
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(admin.join("commondir"), "../..\n").unwrap();
    std::fs::write(admin.join("HEAD"), "ref: refs/heads/fix\n").unwrap();
    std::fs::write(admin.join("gitdir"), format!("{}/.git\n", folder.display())).unwrap();
    std::fs::write(folder.join(".git"), format!("gitdir: {}\n", admin.display())).unwrap();
    for file in ["server.py", "wharf.toml"] {
        std::fs::copy(sandbox.project().join(file), folder.join(file)).unwrap();
    }
    folder
}

fn in_folder(sandbox: &Sandbox, folder: &Path, args: &[&str]) -> Answer {
    let mut command = sandbox.wharf(args);
    command.current_dir(folder);
    answer(command)
}

fn started(mut command: Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn ended(child: &mut Child) -> (i32, String) {
    let status = until(|| child.try_wait().unwrap()).expect("it ends");
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (status.code().unwrap(), said)
}

/// The environment that a server tells.
fn served(sandbox: &Sandbox, service: &str) -> Value {
    let url = sandbox.output(&["url", service, "--direct"]);
    assert_eq!(url.code, 0, "{url:?}");
    serde_json::from_str(&sandbox.get(url.out.trim()).unwrap()).unwrap()
}

#[test]
fn a_url_is_bare_and_of_what_runs() {
    let sandbox = sandbox();
    let nothing = sandbox.output(&["url"]);
    assert_eq!((nothing.code, nothing.out.as_str()), (3, ""), "{nothing:?}");
    let web = sandbox.output(&["url", "web"]);
    assert!(web.code == 3 && web.err.contains("wharf up web"), "{web:?}");
    up(&sandbox);
    let out = |args: &[&str]| sandbox.output(args).out;
    assert_eq!(out(&["url"]), "http://project.localhost\n");
    assert_eq!(out(&["url", "api"]), "http://api.project.localhost\n");
    assert_eq!(out(&["url", "api.1", "--direct"]), "http://127.0.0.1:9000\n");
    assert_eq!(out(&["url", "--all"]).lines().count(), 2);
    let json = sandbox.output(&["url", "--json"]).json();
    assert_eq!(
        (json["schema"].as_u64(), json["urls"][0]["service"].as_str()),
        (Some(1), Some("web"))
    );
    assert_eq!(sandbox.output(&["url", "nobody"]).code, 3);
    sandbox.output(&["down", "web"]);
    let api_alone = sandbox.output(&["url"]);
    assert!(api_alone.code == 3 && api_alone.err.contains("`web`"), "{api_alone:?}");
}

#[test]
fn a_url_is_opened_once_it_is_ready() {
    let sandbox = sandbox();
    assert_eq!(sandbox.output(&["open"]).code, 3);
    up(&sandbox);
    let without = sandbox.output(&["open"]);
    assert_eq!((without.code, without.out.as_str()), (0, "http://project.localhost\n"));
    assert!(without.err.contains("nothing to open it with"), "{without:?}");
    let browser =
        sandbox.file("browser", "#!/bin/sh\necho \"$@\" >opened.new && mv opened.new opened\n");
    sandbox::mode(&browser, 0o755);
    let mut open = sandbox.wharf(&["open", "api"]);
    open.env("BROWSER", format!("no-such-browser:{} --new %s", browser.display()));
    let open = answer(open);
    assert_eq!((open.code, open.out.as_str()), (0, ""), "{open:?}");
    let opened = until(|| std::fs::read_to_string(sandbox.project().join("opened")).ok());
    assert_eq!(opened.as_deref(), Some("--new http://api.project.localhost\n"));
    let print = sandbox.output(&["open", "--print"]);
    assert_eq!((print.code, print.out.as_str()), (0, "http://project.localhost\n"));
}

#[test]
fn env_prints_what_the_server_holds_in_every_form() {
    let sandbox = sandbox();
    let never = sandbox.output(&["env"]);
    assert_eq!((never.code, never.out.as_str()), (3, ""), "{never:?}");
    up(&sandbox);
    let served = served(&sandbox, "web");
    let printed = sandbox.output(&["env", "--json"]).json();
    assert_eq!(
        (printed["running"].as_bool(), printed["service"].as_str()),
        (Some(true), Some("web"))
    );
    let printed = printed["env"].as_object().unwrap();
    for (name, value) in printed.iter().filter(|(name, _)| *name != "HOST") {
        assert_eq!(served[name], *value, "{name}");
    }
    for (name, value) in served.as_object().unwrap() {
        // The caller's own, which says who asks.
        let is_callers = ["WHARF_AGENT", "WHARF_SESSION"].contains(&name.as_str());
        let is_told = name.starts_with("WHARF_") && name != "WHARF_ID" && !is_callers;
        assert!(!is_told || printed.get(name) == Some(value), "{name} is not printed");
    }
    assert_eq!(printed["WHARF_API_URL"], "http://127.0.0.1:9000");
    // Each form is read by what it is for.
    for (form, line) in
        [("", "eval \"$($0 env)\""), ("--dotenv", "$0 env --dotenv >all; set -a; . ./all")]
    {
        let mut shell = sandbox.program("sh");
        let script = format!("{line}; printf '%s|%s|%s' \"$ODD\" \"$PLAIN\" \"$WHARF_URL\"");
        shell.args(["-c", &script, env!("CARGO_BIN_EXE_wharf")]);
        let wanted = format!("{}|a b|http://project.localhost", served["ODD"].as_str().unwrap());
        assert_eq!(answer(shell).out, wanted, "{form}");
    }
    let direnv = sandbox.output(&["env", "api", "--direnv"]).out;
    assert!(
        direnv.starts_with("watch_file '") && direnv.contains("\nexport PORT='9000'\n"),
        "{direnv}"
    );
    sandbox.output(&["down"]);
    let remembered = sandbox.output(&["env", "api", "--json"]);
    assert!(remembered.err.contains("does not run"), "{remembered:?}");
    let remembered = remembered.json();
    assert_eq!(
        (remembered["running"].as_bool(), &remembered["env"]["PORT"]),
        (Some(false), &"9000".into())
    );
    assert_eq!(remembered["env"]["WHARF_URL"], "http://api.project.localhost");
    assert_eq!(remembered["env"]["WHARF_WEB_PORT"], "8000");
}

#[test]
fn exec_leaves_nothing_of_wharf() {
    let sandbox = sandbox();
    sandbox.file("part/here", "");
    let text = PROJECT
        .replace("[service.api]\n", "[service.api]\ndir = \"part\"\n")
        .replace("python3 server.py\"\nport = \"9", "python3 ../server.py\"\nport = \"9");
    sandbox.file("wharf.toml", &text);
    up(&sandbox);
    let script = "echo $PORT $WHARF_WEB_URL ${WHARF_ID-none} $OUTER; ls; exit 7";
    let mut exec = sandbox.wharf(&["exec", "api", "--", "sh", "-c", script]);
    exec.env("OUTER", "kept").env("WHARF_ID", "another").env("PORT", "1");
    let told = answer(exec);
    let wanted = "9000 http://127.0.0.1:8000 none kept\nhere\n";
    assert_eq!((told.code, told.out.as_str(), told.err.as_str()), (7, wanted, ""));
    let no_dashes = sandbox.output(&["exec", "web", "sh", "-c", "kill -9 $$"]);
    assert_eq!(no_dashes.code, 128 + 9, "{no_dashes:?}");
    assert_eq!(sandbox.output(&["exec", "web", "no-such-command"]).code, 127);
    assert_eq!(sandbox.output(&["exec", "web"]).code, 2);
    assert_eq!(sandbox.output(&["exec", "nobody", "true"]).code, 3);
}

#[test]
fn a_wait_begins_before_there_is_anything() {
    let sandbox = sandbox();
    let mut all = started(sandbox.wharf(&["wait", "--timeout", "40s"]));
    let mut api = started(sandbox.wharf(&["wait", "api", "--timeout", "40s"]));
    up(&sandbox);
    for wait in [&mut all, &mut api] {
        assert_eq!(ended(wait), (0, String::new()));
    }
    assert_eq!(sandbox.output(&["wait", "nobody"]).code, 3);
    let late = sandbox.output(&["wait", "web", "api.2", "--timeout", "1s"]);
    assert!(late.code == 6 && late.err.contains("api.2") && !late.err.contains("web"), "{late:?}");
}

#[test]
fn a_wait_ends_at_once_when_what_it_needs_has_failed() {
    let sandbox = sandbox();
    sandbox.file("bad.py", "import sys\nprint('no database')\nsys.exit(3)\n");
    sandbox.file("wharf.toml", &PROJECT.replace("server.py\"\nport = \"9", "bad.py\"\nport = \"9"));
    let mut wait = started(sandbox.wharf(&["wait", "web", "--timeout", "600s"]));
    assert_eq!(sandbox.output(&["up", "-d"]).code, 1);
    let (code, said) = ended(&mut wait);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("api has failed") && said.contains("no database"), "{said}");
    // What failed at an earlier time is not held against the next.
    let later = sandbox.output(&["wait", "--timeout", "1s"]);
    assert_eq!(later.code, 6, "{later:?}");
    sandbox.file("bad.py", include_str!("sandbox/server.py"));
    let mut again = started(sandbox.wharf(&["wait", "--timeout", "40s"]));
    up(&sandbox);
    assert_eq!(ended(&mut again).0, 0);
}

#[test]
fn assert_tells_this_checkout_from_another() {
    let sandbox = sandbox();
    assert_eq!(sandbox.output(&["assert"]).code, 3);
    up(&sandbox);
    let good = sandbox.output(&["assert"]);
    assert_eq!((good.code, good.out.lines().count(), good.err.as_str()), (0, 2, ""), "{good:?}");
    let other = worktree(&sandbox);
    let up = in_folder(&sandbox, &other, &["up", "-d"]);
    assert_eq!(up.code, 0, "{up:?}");
    let json = in_folder(&sandbox, &other, &["assert", "--json"]).json();
    assert_eq!((json["ok"].as_bool(), json["services"].as_array().unwrap().len()), (Some(true), 2));
    assert_eq!(json["services"][1]["url"], "http://fix.project.localhost", "{json:#}");
}

#[test]
fn assert_tells_who_answers_instead() {
    let sandbox = sandbox();
    // Without a reservation of the whole port somebody else can have it on another address.
    let mut run = sandbox.run(&["--name", "web", "--no-reserve", "--", "python3", "server.py"]);
    let port = run.event("ready")["port"].to_string();
    assert_eq!(sandbox.output(&["assert", "web"]).code, 0);
    let stranger = "import socket, sys, time\n\
        s = socket.create_server(('::1', int(sys.argv[1])), family=socket.AF_INET6)\n\
        print('up', flush=True)\n\
        time.sleep(1000)";
    let mut command = sandbox.program("python3");
    command.args(["-c", stranger, &port]).stdout(Stdio::piped());
    let mut stranger = command.spawn().unwrap();
    stranger.stdout.as_mut().unwrap().read_exact(&mut [0; 2]).unwrap();
    let bad = sandbox.output(&["assert", "web"]);
    assert!(bad.code == 1 && bad.out.is_empty() && bad.err.contains("python3"), "{bad:?}");
    let json = sandbox.output(&["assert", "web", "--json"]);
    assert_eq!((json.code, json.json()["services"][0]["direct"]["ok"].as_bool()), (1, Some(false)));
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    assert_eq!(sandbox.output(&["assert", "web"]).code, 0);
}

#[test]
fn a_name_means_this_checkouts_own() {
    let sandbox = sandbox();
    up(&sandbox);
    let other = worktree(&sandbox);
    assert_eq!(in_folder(&sandbox, &other, &["up", "-d"]).code, 0);
    let restart = in_folder(&sandbox, &other, &["restart", "web", "api"]);
    assert_eq!(restart.code, 0, "{restart:?}");
    assert_eq!(restart.err.matches("serves again").count(), 2, "{restart:?}");
    assert_eq!(restart.err.matches("fix.project.localhost").count(), 2, "{restart:?}");
    assert_eq!(sandbox.output(&["restart"]).code, 2);
    let stop = in_folder(&sandbox, &other, &["stop", "web"]);
    assert!(stop.code == 0 && stop.err.contains("fix.project has ended"), "{stop:?}");
    assert_eq!(sandbox.output(&["url", "fix.project"]).code, 3);
    assert_eq!(sandbox.output(&["url", "web"]).code, 0, "the main one runs");
    assert_eq!(
        sandbox.output(&["url", "api.fix.project"]).out,
        "http://api.fix.project.localhost\n"
    );
}

#[test]
fn what_runs_alone_is_told_of_the_others_too() {
    let sandbox = sandbox();
    assert_eq!(sandbox.output(&["up", "-d", "api"]).code, 0);
    let mut run = sandbox.run(&["--name", "admin", "--", "python3", "server.py"]);
    run.event("ready");
    let told = served(&sandbox, "admin");
    assert_eq!(told["WHARF_API_URL"], "http://127.0.0.1:9000");
    assert_eq!(told["WHARF_API_PORT"], "9000");
    assert_eq!(told.get("WHARF_ADMIN_URL"), None);
}

#[test]
fn a_project_is_explained() {
    let sandbox = sandbox();
    let text = sandbox.output(&["explain", "--project"]).out;
    for part in
        ["python3 server.py", "port 8000+", "after api", "wharf.toml line 1 [service.web]", "why"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let json = sandbox.output(&["explain", "--project", "--json"]).json();
    assert_eq!(json["services"][0]["depends_on"], serde_json::json!(["api"]));
    assert_eq!(json["services"][1]["port"], "9000+");
    assert!(json["trace"][0]["looked_at"].is_string());
    assert_eq!(sandbox.output(&["explain"]).code, 2);
}

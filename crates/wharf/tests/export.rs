//! `wharf export`: what it writes is taken by the tools that it is for, and the web servers among them answer the same
//! requests as wharf's own proxy.

mod sandbox;

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use sandbox::{Answer, Sandbox, answer, until};
use serde_json::Value;

/// Two servers with every kind of route, and a step.
const PROJECT: &str = include_str!("export/wharf.toml");

/// Where the web servers in front listen.
const FRONT: u16 = 7070;

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.file(".git/HEAD", "ref: refs/heads/main\n");
    sandbox.file("server.py", include_str!("export/server.py"));
    sandbox.file("wharf.toml", PROJECT);
    sandbox
}

fn up(sandbox: &Sandbox) {
    let up = sandbox.output(&["up", "-d"]);
    assert_eq!(up.code, 0, "{up:?}");
}

/// Exports to a folder of its own, for this port, and gives that.
fn exported(sandbox: &Sandbox, port: u16, target: &[&str]) -> PathBuf {
    let folder = sandbox.dir().join("exported").join(target.join("-"));
    let place = format!("{}/", folder.display());
    let front = port.to_string();
    let args = [&["export"], target, &["--listen", &front, "-o", &place]].concat();
    let done = sandbox.output(&args);
    assert_eq!(done.code, 0, "{done:?}");
    folder
}

/// A web server in front, which ends with this, and whether it has workers.
struct Front(Child, bool);

impl Drop for Front {
    fn drop(&mut self) {
        // Those that have workers end them on SIGTERM; the others would wait for open connections.
        let signal = if self.1 { "TERM" } else { "KILL" };
        sandbox::signal(self.0.id(), signal);
        let _ = until(|| self.0.try_wait().ok().flatten());
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn front(sandbox: &Sandbox, words: &[&str]) -> Front {
    let mut command = sandbox.program(words[0]);
    command.args(&words[1..]).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", words[0]));
    Front(child, words[0] != "caddy")
}

fn ran(sandbox: &Sandbox, words: &[&str]) -> Answer {
    let mut command = sandbox.program(words[0]);
    command.args(&words[1..]);
    answer(command)
}

/// What comes of the table's requests at a port; `ca` where they go by TLS.
fn asked(sandbox: &Sandbox, port: u16, ca: Option<&Path>) -> Value {
    let port = port.to_string();
    let mut words = vec!["python3", "-c", include_str!("export/table.py"), &port];
    let ca = ca.map(|ca| ca.display().to_string());
    words.extend(ca.as_deref());
    let told = ran(sandbox, &words);
    assert_eq!(told.code, 0, "{told:?}");
    told.json()
}

/// What comes of them once a web server in front is there.
fn asked_front(sandbox: &Sandbox, front: &mut Front, port: u16, ca: Option<&Path>) -> Value {
    let probe = format!(
        "import socket; socket.create_connection(('127.0.0.1', {port}), timeout=5).close()"
    );
    until(|| {
        assert!(front.0.try_wait().unwrap().is_none(), "the web server in front has ended");
        (ran(sandbox, &["python3", "-c", &probe]).code == 0).then_some(())
    })
    .expect("it listens");
    asked(sandbox, port, ca)
}

fn own_proxy(sandbox: &Sandbox, scheme: &str) -> u16 {
    let status = sandbox.output(&["proxy", "status", "--json"]).json();
    let all = status["listeners"].as_array().unwrap();
    let of_scheme = all.iter().find(|one| one["scheme"] == scheme).unwrap();
    of_scheme["port"].as_u64().unwrap().try_into().unwrap()
}

/// As `http { include … }` of a nginx that touches nothing of the machine's.
fn nginx_conf(sandbox: &Sandbox, file: &Path) -> String {
    let dir = sandbox.dir().join("nginx");
    std::fs::create_dir_all(&dir).unwrap();
    let dir = dir.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|name| format!("{name}_temp_path {dir}/{name};\n"))
        .collect();
    let text = format!(
        "daemon off;\npid {dir}/pid;\nerror_log stderr;\nevents {{ }}\nhttp {{\naccess_log off;\n\
         {temporary}include {};\n}}\n",
        file.display()
    );
    let conf = sandbox.dir().join("nginx/nginx.conf");
    std::fs::write(&conf, text).unwrap();
    conf.display().to_string()
}

/// The same rows, told one by one.
fn assert_same(of: &str, rows: &Value, own: &Value) {
    for (row, expected) in own.as_object().unwrap() {
        assert_eq!(rows[row], *expected, "{of}: {row}");
    }
}

fn assert_routes(own: &Value) {
    let name = |row: &str| own[row]["name"].as_str().unwrap_or_default().to_owned();
    for (row, server) in [
        ("primary", "web"),
        ("service", "api"),
        ("path", "api"),
        ("below the path", "api"),
        ("beside the path", "web"),
        ("a closer path", "web"),
        ("capitals", "api"),
    ] {
        assert_eq!(name(row), server, "{row}: {own}");
    }
    assert_eq!(own["unknown"], 421);
    assert_eq!(own["told by strangers"]["fields"]["X-Forwarded-For"][0], "127.0.0.1");
    assert_eq!(own["socket"][0], 101);
}

/// The web servers that there are, each with its file, how that is checked, and how it is served.
fn web_servers(sandbox: &Sandbox, more: &[&str]) -> Vec<(u16, [Vec<String>; 2])> {
    let file = |at: u16, target: &str, name: &str| {
        let folder = exported(sandbox, FRONT + at, &[&[target], more].concat());
        folder.join(name).display().to_string()
    };
    let words = |text: &str, file: &str| {
        text.split(' ').chain([file]).map(str::to_owned).collect::<Vec<String>>()
    };
    let nginx = nginx_conf(sandbox, Path::new(&file(0, "nginx", "project.conf")));
    let caddy = file(1, "caddy", "Caddyfile");
    let json = file(2, "caddy-json", "caddy.json");
    let haproxy = file(3, "haproxy", "haproxy.cfg");
    vec![
        (FRONT, [words("nginx -t -q -c", &nginx), words("nginx -c", &nginx)]),
        (
            FRONT + 1,
            [
                words("caddy validate --adapter caddyfile --config", &caddy),
                words("caddy run --adapter caddyfile --config", &caddy),
            ],
        ),
        (FRONT + 2, [words("caddy validate --config", &json), words("caddy run --config", &json)]),
        (FRONT + 3, [words("haproxy -c -f", &haproxy), words("haproxy -db -f", &haproxy)]),
    ]
}

/// Each of them is content with its file, and answers as wharf's own proxy does.
fn assert_all_the_same(sandbox: &Sandbox, more: &[&str], own: &Value, ca: Option<&Path>) {
    for (port, [check, serve]) in web_servers(sandbox, more) {
        let check: Vec<&str> = check.iter().map(String::as_str).collect();
        let serve: Vec<&str> = serve.iter().map(String::as_str).collect();
        let said = ran(sandbox, &check);
        assert_eq!(said.code, 0, "{check:?}: {said:?}");
        let mut front = front(sandbox, &serve);
        let rows = asked_front(sandbox, &mut front, port, ca);
        assert_same(&serve.join(" "), &rows, own);
    }
}

#[test]
fn web_servers_in_front_answer_as_wharfs_own_proxy_does() {
    let sandbox = sandbox();
    up(&sandbox);
    let own = asked(&sandbox, own_proxy(&sandbox, "http"), None);
    assert_routes(&own);
    assert_all_the_same(&sandbox, &[], &own, None);
}

#[test]
fn by_tls_they_have_a_certificate_of_the_local_ca_and_answer_as_its_own_proxy_does() {
    let sandbox = sandbox();
    let refused = sandbox.output(&["export", "nginx", "--tls"]);
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.err.contains("wharf trust"), "{refused:?}");
    // As a browser makes it; the machine's own stores are left alone.
    let stores = sandbox.dir().join("home/.pki/nssdb");
    std::fs::create_dir_all(&stores).unwrap();
    let database = format!("sql:{}", stores.display());
    let made = ran(&sandbox, &["certutil", "-N", "--empty-password", "-d", &database]);
    assert_eq!(made.code, 0, "{made:?}");
    let trust = sandbox.output(&["trust", "--store", "nss"]);
    assert_eq!(trust.code, 0, "{trust:?}");
    up(&sandbox);
    let ca = find(&sandbox.dir().join("home"), "ca.pem").expect("the authority's certificate");
    let own = asked(&sandbox, own_proxy(&sandbox, "https"), Some(&ca));
    assert_routes(&own);
    assert_all_the_same(&sandbox, &["--tls"], &own, Some(&ca));
    let made =
        find(&sandbox.dir().join("home"), "handed-over-project.pem").expect("its certificate");
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&made).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600, "a key is its user's alone");
    let untrust = sandbox.output(&["untrust"]);
    assert_eq!(untrust.code, 0, "{untrust:?}");
    assert!(!made.exists(), "`wharf untrust` undoes all of it");
}

/// The file of this name below a folder.
fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    std::fs::read_dir(folder).ok()?.flatten().find_map(|entry| match entry.path() {
        path if path.is_dir() => find(&path, name),
        path => (path.file_name()? == name).then_some(path),
    })
}

#[test]
fn nginx_by_port_has_a_port_for_each() {
    let sandbox = sandbox();
    up(&sandbox);
    let folder = exported(&sandbox, FRONT, &["nginx", "--by-port"]);
    let conf = nginx_conf(&sandbox, &folder.join("project-ports.conf"));
    let _front = front(&sandbox, &["nginx", "-c", &conf]);
    for (port, name) in [(FRONT, "web"), (FRONT + 1, "api")] {
        let body = until(|| sandbox.get(&format!("http://127.0.0.1:{port}/")).ok()).unwrap();
        let said: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(said["name"], name, "{port}: {said}");
    }
}

#[test]
fn systemd_takes_its_units() {
    let sandbox = sandbox();
    let folder = exported(&sandbox, FRONT, &["systemd"]);
    let units = verified(&sandbox, &folder);
    assert_eq!(units.len(), 5, "four units and a target: {units:?}");
}

/// The names of the units in a folder, all of which systemd takes.
fn verified(sandbox: &Sandbox, folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    let words = paths.iter().map(|path| path.to_str().unwrap());
    let verify: Vec<&str> =
        ["systemd-analyze", "--user", "verify"].into_iter().chain(words).collect();
    let said = ran(sandbox, &verify);
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    let mut names: Vec<String> = paths.iter().map(name).collect();
    names.sort();
    names
}

/// Two instances that take their sockets, and one beside them that binds its port.
const SOCKETS: &str = include_str!("export/sockets.toml");

#[test]
fn systemd_listens_for_those_that_take_their_socket() {
    let sandbox = Sandbox::new();
    sandbox.file(".git/HEAD", "ref: refs/heads/main\n");
    sandbox.file("passed.py", include_str!("export/passed.py"));
    sandbox.file("wharf.toml", SOCKETS);
    let folder = exported(&sandbox, FRONT, &["systemd"]);
    let units = verified(&sandbox, &folder);
    let expected = [
        "project-plain.service",
        "project-web-2.service",
        "project-web-2.socket",
        "project-web.service",
        "project-web.socket",
        "project.target",
    ];
    assert_eq!(units, expected);
    let target = std::fs::read_to_string(folder.join("project.target")).unwrap();
    assert!(target.contains("Wants=project-web.socket project-web-2.socket "), "{target}");
    let place = folder.display().to_string();
    let told = ran(&sandbox, &["python3", "-c", include_str!("export/activated.py"), &place]);
    assert_eq!(told.code, 0, "{told:?}");
    let note = "it's 100% \"$HOME\" \\ ${x}";
    let said = serde_json::json!({ "project-web": note, "project-web-2": note });
    assert_eq!(told.json(), said);
}

#[test]
fn a_file_that_is_there_is_shown_and_left_unless_told_otherwise() {
    let sandbox = sandbox();
    let file = sandbox.file("Procfile", "web: mine\n");
    let text = || std::fs::read_to_string(&file).unwrap();
    let refused = sandbox.output(&["export", "procfile", "-o", "Procfile"]);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.out.contains("-web: mine") && refused.out.contains("+web: "), "{refused:?}");
    assert_eq!(text(), "web: mine\n");
    let diff = sandbox.output(&["export", "procfile", "-o", "Procfile", "--diff"]);
    assert_eq!((diff.code, &diff.out), (8, &refused.out), "{diff:?}");
    let replaced = sandbox.output(&["export", "procfile", "-o", "Procfile", "--replace"]);
    assert_eq!(replaced.code, 0, "{replaced:?}");
    assert_eq!(text(), sandbox.output(&["export", "procfile"]).out);
    let same = sandbox.output(&["export", "procfile", "-o", "Procfile", "--diff"]);
    assert_eq!((same.code, same.out.as_str()), (0, ""), "{same:?}");
    std::os::unix::fs::symlink("/dev/null", sandbox.project().join("link")).unwrap();
    let link = sandbox.output(&["export", "procfile", "-o", "link", "--replace"]);
    assert_eq!(link.code, 1, "{link:?}");
}

#[test]
fn what_does_not_fit_is_refused_with_a_reason() {
    let sandbox = sandbox();
    for (args, code, said) in [
        (&["export", "procfile", "--by-port"][..], 2, "nginx"),
        (&["export", "nginx", "--ingress"], 2, "k8s"),
        (&["export", "compose", "--tls"], 2, "haproxy"),
        (&["export", "compose", "--all"], 2, "one project"),
        (&["export", "env", "--all"], 3, "nothing runs"),
        (&["export", "nothing"], 2, "nginx"),
    ] {
        let refused = sandbox.output(args);
        assert!(refused.code == code && refused.err.contains(said), "{args:?}: {refused:?}");
    }
    std::fs::remove_file(sandbox.project().join("wharf.toml")).unwrap();
    let empty = sandbox.output(&["export", "nginx"]);
    assert!(empty.code == 3 && empty.err.contains("wharf up"), "{empty:?}");
}

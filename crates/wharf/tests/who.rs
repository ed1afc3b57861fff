//! `wharf who` against the kernel's truth, which is taken by other ways: `ss`, `lsof`, `/proc`.

mod sandbox;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::net::IpAddr;
use std::process::{Child, ChildStdin, Command, Stdio};

use sandbox::{Answer, Sandbox, answer, is_alive, signal, until};
use serde_json::Value;

/// Makes listeners of every kind, says how many processes it has, and ends with its standard input.
const CROWD: &str = r#"
import ctypes, os, socket, sys
kept, children = [], 0
reading, writing = os.pipe()

def open_one(kind, address, v6only=None, reuseport=False, port=0):
    family = socket.AF_INET6 if ':' in address else socket.AF_INET
    one = socket.socket(family, kind)
    if v6only is not None: one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6only)
    if reuseport: one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    one.bind((address, port))
    if kind == socket.SOCK_STREAM: one.listen(8)
    kept.append(one)
    return one.getsockname()[1]

def child(work):
    global children
    up, told = os.pipe()
    if os.fork() == 0:
        os.close(writing)
        # The last ones are shared with each child, the others stay the parent's.
        for one in kept[:-3]: one.close()
        work()
        os.write(told, b'x')
        os.read(reading, 1)
        os._exit(0)
    os.close(told)
    assert os.read(up, 1) == b'x'
    os.close(up)
    children += 1

TCP, UDP = socket.SOCK_STREAM, socket.SOCK_DGRAM
def stranger():
    os.setgid(65534); os.setuid(65534)
    # Whoever has changed user may be looked into by root alone, until this (PR_SET_DUMPABLE).
    assert ctypes.CDLL(None).prctl(4, 1, 0, 0, 0) == 0
    for _ in range(20): open_one(TCP, '127.0.0.1')
child(stranger)
for _ in range(150): open_one(TCP, '127.0.0.1')
for number in range(20): open_one(TCP, '127.0.0.%d' % (number + 2))
for _ in range(40): open_one(TCP, '0.0.0.0')
for _ in range(40): open_one(TCP, '::1')
for _ in range(40): open_one(TCP, '::', v6only=0)
for _ in range(40): open_one(TCP, '::', v6only=1)
for _ in range(5): open_one(TCP, '::ffff:127.0.0.1', v6only=0)
for _ in range(20): open_one(UDP, '127.0.0.1')
for _ in range(10): open_one(UDP, '::', v6only=1)
for _ in range(8): child(lambda: None)
for _ in range(10):
    port = open_one(TCP, '127.0.0.1', reuseport=True)
    for _ in range(2): child(lambda: open_one(TCP, '127.0.0.1', reuseport=True, port=port))
# Neither of these is a listener: a socket that is only bound, and one with a peer.
bound = socket.socket(); bound.bind(('127.0.0.1', 0)); kept.append(bound)
peer = socket.socket(socket.AF_INET, UDP); peer.connect(('127.0.0.1', 9)); kept.append(peer)
print(children + 1, flush=True)
sys.stdin.read()
"#;

/// The processes of [`CROWD`].
struct Crowd {
    child: Child,
    input: Option<ChildStdin>,
}

impl Crowd {
    /// Returns once every listener is there.
    fn start(mut command: Command) -> Crowd {
        command.args(["-c", CROWD]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let input = child.stdin.take();
        let output = child.stdout.take().unwrap();
        let crowd = Crowd { child, input };
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "30", "every process of it is up");
        crowd
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

/// A network namespace with a name, deleted with the value.
struct Named(String);

impl Named {
    fn new() -> Named {
        let name = format!("wharf-test-{}", std::process::id());
        let made = Command::new("ip").args(["netns", "add", &name]).status().unwrap();
        assert!(made.success(), "iproute2 makes a namespace");
        let named = Named(name);
        assert!(named.command("ip").args(["link", "set", "lo", "up"]).status().unwrap().success());
        named
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0, program]);
        command
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

/// A listener: protocol, address, port, whether an IPv6 wildcard refuses IPv4, and the processes. Two with the same
/// first four are workers with sockets of their own.
type Fact = (String, IpAddr, u16, Option<bool>, BTreeSet<u32>);

fn by_ss(command: Command) -> Vec<Fact> {
    let mut command = command;
    command.args(["-HlntupO"]);
    let told = answer(command);
    assert_eq!(told.code, 0, "{told:?}");
    let mut facts: Vec<Fact> = told.out.lines().map(ss_line).collect();
    facts.sort();
    facts
}

/// `tcp LISTEN 0 8 127.0.0.1:4711 0.0.0.0:* users:(("python3",pid=12,fd=3),…)`. A socket of both families
/// has the address `*`, one that refuses IPv4 `[::]`.
fn ss_line(line: &str) -> Fact {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (address, port) = words[4].rsplit_once(':').unwrap();
    let v6only = match address {
        "*" => Some(false),
        "[::]" => Some(true),
        _ => None,
    };
    let address = if address == "*" { "::" } else { address.trim_matches(['[', ']']) };
    let pids = words.get(6).unwrap_or(&"").split("pid=").skip(1);
    let pids = pids.map(|rest| rest.split(',').next().unwrap().parse().unwrap()).collect();
    (words[0].to_owned(), address.parse().unwrap(), port.parse().unwrap(), v6only, pids)
}

/// The same of wharf's JSON: of its listeners, or of those of one other namespace.
fn by_wharf<'a>(listeners: impl Iterator<Item = &'a Value>) -> Vec<Fact> {
    let mut facts: Vec<Fact> = listeners
        .map(|one| {
            let address: IpAddr = one["address"].as_str().unwrap().parse().unwrap();
            let v6only = (address.is_unspecified() && address.is_ipv6())
                .then(|| one["families"].as_str() == Some("v6"));
            let pids = one["processes"].as_array().unwrap();
            let pids = pids.iter().map(|process| process["pid"].as_u64().unwrap() as u32);
            (
                one["transport"].as_str().unwrap().to_owned(),
                address,
                one["port"].as_u64().unwrap() as u16,
                v6only,
                pids.collect(),
            )
        })
        .collect();
    facts.sort();
    facts
}

/// Process and port of each TCP listener, by `lsof`.
fn by_lsof(sandbox: &Sandbox) -> BTreeSet<(u32, u16)> {
    let mut command = sandbox.program("lsof");
    command.args(["-nP", "-iTCP", "-sTCP:LISTEN", "-Fpn"]);
    let (mut found, mut pid) = (BTreeSet::new(), 0);
    for line in answer(command).out.lines() {
        match line.split_at(1) {
            ("p", number) => pid = number.parse().unwrap(),
            ("n", name) => {
                found.insert((pid, name.rsplit_once(':').unwrap().1.parse().unwrap()));
            }
            _ => {}
        }
    }
    found
}

/// Without wharf's own listeners: the proxy comes and goes with the daemon.
fn listeners(document: &Value) -> impl Iterator<Item = &Value> {
    document["listeners"].as_array().unwrap().iter().filter(|one| one["role"].is_null())
}

#[test]
fn the_map_is_that_of_ss_and_lsof_without_a_difference() {
    let sandbox = Sandbox::new();
    let named = Named::new();
    let _here = Crowd::start(sandbox.program("python3"));
    let _there = Crowd::start(named.command("python3"));
    let document = sandbox.output(&["who", "--json", "--udp"]).json();
    let own: BTreeSet<u32> = [document_daemon(&sandbox)].into();
    let mut truth = by_ss(sandbox.program("ss"));
    truth.retain(|(.., pids)| pids.is_disjoint(&own));
    let found = by_wharf(listeners(&document));
    assert!(found.len() > 400, "{}", found.len());
    assert_eq!(found, truth);
    let pairs = listeners(&document).filter(|one| one["transport"] == "tcp").flat_map(|one| {
        let port = one["port"].as_u64().unwrap() as u16;
        let pids = one["processes"].as_array().unwrap().iter();
        pids.map(move |process| (process["pid"].as_u64().unwrap() as u32, port))
    });
    let mut by_lsof = by_lsof(&sandbox);
    by_lsof.retain(|(pid, _)| !own.contains(pid));
    // `lsof` tells of the processes of every namespace what the tables of ours say, and nothing of others.
    assert_eq!(pairs.collect::<BTreeSet<_>>(), by_lsof);

    // The other namespace is told as it is seen from within.
    let file = format!("/run/netns/{}", named.0);
    let inside = document["elsewhere"].as_array().unwrap().iter();
    let inside: Vec<&Value> = inside.filter(|one| one["file"] == file.as_str()).collect();
    // Which version of IP a wildcard refuses is not told of other namespaces.
    let plain = |facts: Vec<Fact>| -> Vec<_> {
        facts.into_iter().map(|(kind, at, port, _, pids)| (kind, at, port, pids)).collect()
    };
    let truth = plain(by_ss(named.command("ss")));
    let mut found = plain(by_wharf(inside.into_iter()));
    found.sort();
    let mut truth = truth;
    truth.sort();
    assert_eq!(found, truth);
}

fn document_daemon(sandbox: &Sandbox) -> u32 {
    sandbox.output(&["daemon", "status", "--json"]).json()["pid"].as_u64().unwrap() as u32
}

#[test]
fn facts_of_processes_are_those_of_proc() {
    let sandbox = Sandbox::new();
    let _crowd = Crowd::start(sandbox.program("python3"));
    let document = sandbox.output(&["who", "--json", "--udp"]).json();
    let mut seen = BTreeMap::new();
    for listener in listeners(&document) {
        for process in listener["processes"].as_array().unwrap() {
            seen.insert(process["pid"].as_u64().unwrap() as u32, process.clone());
        }
    }
    assert_eq!(seen.len(), 30);
    for (pid, process) in seen {
        let link = |name: &str| {
            let path = std::fs::read_link(format!("/proc/{pid}/{name}")).unwrap();
            path.to_str().unwrap().to_owned()
        };
        assert_eq!(process["exe"], link("exe"));
        let folder = std::fs::canonicalize(sandbox.project()).unwrap();
        assert_eq!(process["folder"], folder.to_str().unwrap());
        assert_eq!(process["argv"][1], "-c");
        assert!(process["argv"][2] == CROWD, "whole");
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().next().unwrap().to_owned()
        };
        let user = if field("Uid:") == "0" { "root" } else { "nobody" };
        assert_eq!(process["user"], user);
        let parent = process["ancestry"][0].as_str().unwrap().to_owned();
        assert_eq!(parent.rsplit_once(' ').unwrap().1, field("PPid:"));
        assert!(process["age_s"].as_u64().unwrap() < 600);
    }
}

#[test]
fn another_user_sees_every_listener_and_is_told_what_is_hidden() {
    let sandbox = Sandbox::new();
    let _crowd = Crowd::start(sandbox.program("python3"));
    let told = answer(as_nobody(&sandbox, &["who", "--json"]));
    assert_eq!(told.code, 0, "{told:?}");
    let document = told.json();
    let mut expected = by_ss(sandbox.program("ss"));
    let is_wharf = |pid: &u32| sandbox::command_of(*pid).contains("/wharf");
    expected.retain(|(kind, .., pids)| kind == "tcp" && !pids.iter().any(is_wharf));
    assert_eq!(listeners(&document).count(), expected.len());
    let seen = listeners(&document).filter(|one| !one["processes"].as_array().unwrap().is_empty());
    let users: BTreeSet<&str> = seen.map(|one| one["user"].as_str().unwrap()).collect();
    assert_eq!(users, BTreeSet::from(["nobody"]), "its own, and nobody else's");
    assert!(document["unreadable_processes"].as_u64().unwrap() > 0);
    let text = answer(as_nobody(&sandbox, &["who"])).out;
    assert!(text.contains("(not to be seen)") && text.contains("`sudo wharf who`"), "{text}");
    let stop = answer(as_nobody(&sandbox, &["daemon", "stop"]));
    assert_eq!(stop.code, 0, "{stop:?}");
}

/// wharf as an ordinary user with a home of its own, for whom the program is within reach.
fn as_nobody(sandbox: &Sandbox, args: &[&str]) -> Command {
    let home = sandbox.dir().join("nobody");
    let binary = sandbox.dir().join("wharf");
    if !binary.exists() {
        std::fs::create_dir(&home).unwrap();
        std::os::unix::fs::chown(&home, Some(65_534), Some(65_534)).unwrap();
        std::fs::copy(env!("CARGO_BIN_EXE_wharf"), &binary).unwrap();
    }
    let mut command = sandbox.program("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
    command.args(["--bounding-set=-all", "--inh-caps=-all", "--"]);
    command.arg(binary).args(args).env("HOME", home).env_remove("XDG_RUNTIME_DIR");
    command
}

/// A server in a folder of a project.
fn server(sandbox: &Sandbox, folder: &std::path::Path, port: &str) -> Child {
    let mut command = sandbox.program("python3");
    command.args(["-m", "http.server", port, "--bind", "127.0.0.1"]).current_dir(folder);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().unwrap();
    let listens = || {
        let document = sandbox.output(&["who", port, "--json"]).json();
        document["listeners"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["listening"] == true)
            .then_some(())
    };
    assert!(until(listens).is_some());
    child
}

fn end(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_listener_is_told_with_its_project_worktree_and_framework() {
    let sandbox = Sandbox::new();
    sandbox.file(".git/HEAD", "ref: refs/heads/main\n");
    sandbox.file(".git/worktrees/fix-login/commondir", "../..\n");
    let linked = sandbox.dir().join("elsewhere");
    std::fs::create_dir(&linked).unwrap();
    let git_dir = sandbox.project().join(".git/worktrees/fix-login");
    std::fs::write(linked.join(".git"), format!("gitdir: {}\n", git_dir.display())).unwrap();
    let (main, other) =
        (server(&sandbox, &sandbox.project(), "8001"), server(&sandbox, &linked, "8002"));
    let document = sandbox.output(&["who", "--json"]).json();
    let of = |port: u64| listeners(&document).find(|one| one["port"] == port).unwrap();
    for (port, worktree) in [(8001, ""), (8002, "fix-login")] {
        assert_eq!(of(port)["project"], "project");
        assert_eq!(of(port)["worktree"], worktree);
        assert_eq!(of(port)["framework"], "python-http-server");
    }
    let table = sandbox.output(&["who"]).out;
    assert!(table.contains("project (fix-login)") && table.contains("http.server"), "{table}");
    let both = sandbox.output(&["who", "8001", "8002"]);
    assert!(both.out.contains("127.0.0.1:8001") && both.out.contains("127.0.0.1:8002"), "{both:?}");
    let ports = |args: &[&str]| -> Vec<u64> {
        let document = sandbox.output(args).json();
        listeners(&document).map(|one| one["port"].as_u64().unwrap()).collect()
    };
    assert_eq!(ports(&["who", "--json", "--project", "fix-login"]), [8002]);
    assert_eq!(ports(&["who", "--json", "--project", "project"]), [8001, 8002]);
    assert_eq!(ports(&["who", "--json", "--framework", "python-http-server"]), [8001, 8002]);
    assert_eq!(ports(&["who", "--json", "--user", "root", "8001"]), [8001]);
    for nothing in
        [&["who", "--exposed"][..], &["who", "--framework", "vite"], &["who", "--user", "nobody"]]
    {
        assert_eq!(sandbox.output(nothing).code, 3, "{nothing:?}");
    }
    let tree = sandbox.output(&["who", "--tree"]).out;
    let line = format!("python3 {}", main.id());
    assert!(
        tree.contains(&line) && tree.contains("tcp 127.0.0.1:8001, http.server, project"),
        "{tree}"
    );
    end(main);
    end(other);
}

#[test]
fn wharfs_own_listeners_are_named_as_what_they_are() {
    let sandbox = Sandbox::new();
    let mut run = sandbox.run(&["--", "python3", "-m", "http.server", "8000"]);
    run.event("ready");
    let document = sandbox.output(&["who", "--json"]).json();
    let all = document["listeners"].as_array().unwrap();
    let of = |role: &str| -> Vec<u64> {
        all.iter()
            .filter(|one| one["role"] == role)
            .map(|one| one["port"].as_u64().unwrap())
            .collect()
    };
    assert_eq!(of("instance"), [8000]);
    assert!(all.iter().all(|one| one["listening"] == true), "a reservation is no listener");
    assert!(!of("proxy").is_empty() && of("daemon").is_empty(), "{document}");
    let instance = all.iter().find(|one| one["role"] == "instance").unwrap();
    assert_eq!(instance["instance"], "project");
    assert_eq!(document["leases"][0]["port"], 8000);
    let table = sandbox.output(&["who"]).out;
    assert!(table.contains("project (wharf)") && table.contains("wharf's proxy (http)"), "{table}");
}

#[test]
fn a_process_is_told_with_what_it_was_started_from() {
    let sandbox = Sandbox::new();
    sandbox.file(".git/HEAD", "ref: refs/heads/main\n");
    // An agent is known by what its interpreter runs.
    let agent = sandbox.file("bin/aider", "import subprocess, sys\n\
        child = subprocess.Popen([sys.executable, '-m', 'http.server', '8003', '--bind', '127.0.0.1'])\n\
        sys.stdin.read(); child.kill(); child.wait()\n");
    let mut command = sandbox.program("python3");
    command.arg(agent).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut agent = command.spawn().unwrap();
    let told = until(|| {
        let document = sandbox.output(&["who", "8003", "--json"]).json();
        document["listeners"][0]["started_from"].as_str().map(str::to_owned)
    });
    assert_eq!(told.unwrap(), "an agent (aider) in the main checkout");
    let text = sandbox.output(&["who", "8003"]).out;
    assert!(text.contains("from an agent (aider)"), "{text}");
    drop(agent.stdin.take());
    agent.wait().unwrap();
}

/// `wharf who --watch`, and what it has said so far.
struct Watching {
    child: Child,
    lines: std::sync::Arc<std::sync::Mutex<Vec<String>>>,
}

impl Watching {
    fn start(sandbox: &Sandbox) -> Watching {
        let mut command = sandbox.wharf(&["who", "--watch", "--json", "8004", "8005"]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let lines = std::sync::Arc::default();
        let kept: std::sync::Arc<std::sync::Mutex<Vec<String>>> = std::sync::Arc::clone(&lines);
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                kept.lock().unwrap().push(line);
            }
        });
        Watching { child, lines }
    }

    /// Waits for so many documents, and gives the ports of the last.
    fn ports(&self, count: usize) -> Vec<u64> {
        let lines = until(|| Some(self.lines.lock().unwrap().clone()).filter(|l| l.len() >= count));
        let lines = lines.expect("it tells");
        assert_eq!(lines.len(), count, "once for each change: {lines:?}");
        let document: Value = serde_json::from_str(&lines[count - 1]).expect("one document a line");
        listeners(&document).map(|one| one["port"].as_u64().unwrap()).collect()
    }
}

#[test]
fn watching_tells_each_change_once_and_ends_with_ctrl_c() {
    let sandbox = Sandbox::new();
    let mut watching = Watching::start(&sandbox);
    assert_eq!(watching.ports(1), [0u64; 0]);
    let mut program = sandbox.program("python3");
    let listen =
        "import socket, sys; s = socket.create_server(('127.0.0.1', 8004)); sys.stdin.read()";
    let mut one = program.args(["-c", listen]).stdin(Stdio::piped()).spawn().unwrap();
    assert_eq!(watching.ports(2), [8004]);
    drop(one.stdin.take());
    one.wait().unwrap();
    assert_eq!(watching.ports(3), [0u64; 0]);
    signal(watching.child.id(), "INT");
    let ended = until(|| watching.child.try_wait().unwrap());
    assert!(ended.is_some() && !is_alive(watching.child.id()));
}

/// The table has no line that a terminal of 80 columns would break, whatever processes are called.
#[test]
fn the_table_fits_a_terminal() {
    let sandbox = Sandbox::new();
    let long = sandbox.dir().join("a-project-with-a-rather-long-name-of-its-own-for-tests");
    std::fs::create_dir_all(long.join(".git")).unwrap();
    std::fs::write(long.join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
    let child = server(&sandbox, &long, "8006");
    let mut command = sandbox.program("script");
    let line = format!("stty cols 80; {} who", env!("CARGO_BIN_EXE_wharf"));
    command.args(["-qec", &line, "/dev/null"]).env("TERM", "dumb");
    let told = answer(command);
    end(child);
    assert!(told.out.contains("8006"), "{told:?}");
    let widest = told.out.lines().map(|line| line.trim_end().chars().count()).max();
    assert!(widest <= Some(80), "{told:?}");
    let whole: Answer = sandbox.output(&["who", "8006", "--json"]);
    assert_eq!(whole.code, 3, "it has ended");
}

/// Speaks as an engine does, to so many that ask, and then no more.
fn engine(socket: &std::path::Path, status: &str, body: &str, times: usize) {
    let listener = std::os::unix::net::UnixListener::bind(socket).unwrap();
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    let answer = format!("{head}{body}");
    std::thread::spawn(move || {
        for stream in listener.incoming().take(times) {
            let mut stream = stream.unwrap();
            let asked = BufReader::new(&stream).lines().next().unwrap().unwrap();
            assert_eq!(asked, "GET /containers/json HTTP/1.1");
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
}

/// A port that a proxy of the engine's holds, and one that only the firewall leads into a container.
#[test]
fn published_ports_are_told_with_their_container() {
    let sandbox = Sandbox::new();
    let socket = sandbox.dir().join("engine.sock");
    let list = r#"[{"Id": "8dfafdbc3a40", "Names": ["/shop-db"], "Image": "postgres:17",
        "Ports": [{"IP": "127.0.0.1", "PrivatePort": 5432, "PublicPort": 8010, "Type": "tcp"},
                  {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8011, "Type": "tcp"}]}]"#;
    engine(&socket, "200 OK", list, 2);
    let proxy = sandbox.dir().join("docker-proxy");
    std::os::unix::fs::symlink("/usr/bin/python3", &proxy).unwrap();
    let listen = "import socket, sys\n\
        kept = [socket.create_server(('127.0.0.1', port)) for port in (8010, 8012)]\n\
        print('up', flush=True); sys.stdin.read()";
    let mut command = sandbox.program(&proxy);
    command.args(["-c", listen]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let up = BufReader::new(child.stdout.take().unwrap()).lines().next();
    assert_eq!(up.unwrap().unwrap(), "up");
    let ask = |args: &[&str], socket: &std::path::Path| {
        let mut command = sandbox.wharf(args);
        command.env("DOCKER_HOST", format!("unix://{}", socket.display()));
        answer(command)
    };
    let document = ask(&["who", "--json"], &socket).json();
    let of = |port: u64| listeners(&document).find(|one| one["port"] == port).unwrap();
    assert_eq!(of(8010)["container"]["name"], "shop-db");
    assert!(of(8012)["container"].is_null(), "nothing is published there");
    let redirected = &document["redirected"][0];
    assert_eq!(
        (redirected["port"].as_u64(), redirected["inner_port"].as_u64()),
        (Some(8011), Some(80))
    );
    assert_eq!(redirected["exposure"], "all");
    let text = ask(&["who", "8011"], &socket);
    assert!(text.code == 0 && text.out.contains("shop-db"), "{text:?}");
    let other = sandbox.dir().join("refusing.sock");
    engine(&other, "500 Internal Server Error", r#"{"message": "out of order"}"#, 1);
    let silent = ask(&["who", "--json"], &other).json();
    let said = silent["silent_engines"].to_string();
    assert!(said.contains("refusing.sock") && said.contains("out of order"), "{said}");
    drop(child.stdin.take());
    child.wait().unwrap();
}

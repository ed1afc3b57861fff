//! Where a step of remapping is refused, as in containers and by old kernels: the next mode is used and
//! told, and nothing hangs.

mod sandbox;

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use sandbox::{Running, Sandbox, answer};

/// What is refused, what `wharf doctor remap` says of each mode, and which is used.
struct Case {
    refused: &'static [&'static str],
    /// Of duplicating, of rewriting and injecting; none where it works.
    dup: Option<&'static str>,
    others: Option<&'static str>,
    used: &'static str,
}

const NO_DUPLICATE: Option<&str> =
    Some("duplicating a socket (pidfd_getfd): Operation not permitted");
const NO_NAME: Option<&str> =
    Some("telling what a socket is (/proc/PID/fd): Operation not permitted");
const NO_FILTER: &str = "installing the filter (seccomp): ";

const CASES: &[Case] = &[
    Case { refused: &["pidfd_getfd", "EPERM"], dup: NO_DUPLICATE, others: None, used: "rewrite" },
    Case { refused: &["process_vm", "EPERM"], dup: None, others: None, used: "dup" },
    Case {
        refused: &["pidfd_getfd", "EPERM", "process_vm", "EPERM"],
        dup: NO_DUPLICATE,
        others: None,
        used: "rewrite",
    },
    Case {
        refused: &["pidfd_getfd", "EPERM", "getxattr", "EPERM"],
        dup: NO_DUPLICATE,
        others: NO_NAME,
        used: "cooperative",
    },
    of_all(&["receive", "EPERM"], "receiving a call: Operation not permitted"),
    of_all(&["send", "EPERM"], "sending an answer: permission denied"),
    of_all(&["seccomp", "EPERM"], NO_FILTER),
    of_all(&["seccomp", "ENOSYS"], NO_FILTER),
    // gVisor.
    of_all(&["new_listener", "EINVAL"], NO_FILTER),
    // Before Linux 5.19.
    Case { refused: &["wait_killable", "EINVAL"], dup: None, others: None, used: "dup" },
];

const fn of_all(refused: &'static [&'static str], why: &'static str) -> Case {
    Case { refused, dup: Some(why), others: Some(why), used: "cooperative" }
}

/// The words before a command that refuse it something.
fn refuser(refused: &[&str]) -> Vec<String> {
    let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/sandbox/refuse.py");
    let program = program.to_str().expect("a path of letters");
    let words = ["python3", program].into_iter().chain(refused.iter().copied()).chain(["--"]);
    words.map(str::to_owned).collect()
}

fn refusing(sandbox: &Sandbox, refused: &[&str], args: &[&str]) -> Command {
    let words = refuser(refused);
    let mut command = sandbox.program(&words[0]);
    command.args(&words[1..]).arg(env!("CARGO_BIN_EXE_wharf")).args(args);
    command
}

/// A program that names its port, and then reaches itself by the name.
const PROGRAM: &str = "\
import os, socket, threading
name = os.path.basename(os.getcwd()).encode()
server = socket.create_server(('127.0.0.1', 8123))
def answer():
    while True:
        with server.accept()[0] as client: client.sendall(name)
threading.Thread(target=answer, daemon=True).start()
told = socket.create_connection(('127.0.0.1', 8123)).recv(100)
print('own' if told == name else told, flush=True)
threading.Event().wait()
";

fn copy(sandbox: &Sandbox, refused: &[&str], name: &str) -> Running {
    let folder = sandbox.dir().join(name);
    std::fs::create_dir_all(folder.join(".git")).expect("a folder");
    sandbox.run_under(&folder, &refuser(refused), &["--", "python3", "-c", PROGRAM])
}

#[test]
fn the_next_mode_is_used_and_told() {
    for case in CASES {
        // What was found is kept, and a filter is not told from another.
        let sandbox = Sandbox::new();
        let start = Instant::now();
        doctor(&sandbox, case);
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "{:?}: {:?}",
            case.refused,
            start.elapsed()
        );
        // The second finds the first: whether connects are answered is decided at the launch.
        let mut runs = ["one", "two"].map(|name| {
            let mut run = copy(&sandbox, case.refused, name);
            sandbox::until(|| (run.listens() || run.ended()).then_some(())).expect("either");
            run
        });
        if case.used == "cooperative" {
            collide(&mut runs, case);
            continue;
        }
        for run in &mut runs {
            run.event("bound");
            let own = sandbox::until(|| Some(run.out()).filter(|out| out.ends_with('\n')));
            assert_eq!(own.as_deref(), Some("own\n"), "{:?}: {}", case.refused, run.err());
            let told = run.err().contains("remapping by `rewrite`, since duplicating is refused");
            assert_eq!(told, case.used == "rewrite", "{:?}: {}", case.refused, run.err());
        }
        let ports = runs.each_mut().map(|run| run.event("bound")["port"].as_u64().unwrap());
        assert_eq!((ports[0].min(ports[1]), ports[0].max(ports[1])), (8123, 8124));
        for run in &mut runs {
            run.signal("TERM");
            assert_eq!(run.code(), 143, "{:?}", case.refused);
        }
    }
}

/// One of two has the port, and the other is told why it has not.
fn collide(runs: &mut [Running; 2], case: &Case) {
    let ended = sandbox::until(|| runs.iter_mut().position(|run| run.ended()));
    let ended = ended.unwrap_or_else(|| panic!("{:?}: both run", case.refused));
    // The end of the output may be read after the end of the process.
    let said = runs[ended].said("Address already in use");
    let told = format!("remapping is off here: {}", case.dup.unwrap_or_default());
    assert!(said.contains(&told), "{:?}: {said}", case.refused);
}

fn doctor(sandbox: &Sandbox, case: &Case) {
    let doctor = answer(refusing(sandbox, case.refused, &["doctor", "remap", "--json"])).json();
    assert_eq!(doctor["used"], case.used, "{:?}: {doctor}", case.refused);
    for mode in doctor["modes"].as_array().expect("modes") {
        let expected = if mode["mode"] == "dup" { case.dup } else { case.others };
        let said = mode["why"].as_str();
        let fits = said.unwrap_or_default().starts_with(expected.unwrap_or_default());
        assert!(said.is_some() == expected.is_some() && fits, "{:?}: {mode}", case.refused);
    }
}

#[test]
fn the_mode_that_was_asked_for_is_refused_in_words() {
    let sandbox = Sandbox::new();
    let args = ["run", "--remap", "dup", "--", "true"];
    let answer = answer(refusing(&sandbox, &["pidfd_getfd", "EPERM"], &args));
    assert!(answer.code != 0 && answer.err.contains("remapping by `dup` does not work here"));
    assert!(answer.err.contains("duplicating a socket (pidfd_getfd)"), "{answer:?}");
}

#[test]
fn signals_do_no_harm_where_they_take_a_call_back() {
    let sandbox = Sandbox::new();
    // Handlers that restart calls, every half a millisecond, and pauses between the calls.
    let program = "\
import signal, socket
signal.signal(signal.SIGALRM, lambda *_: None)
signal.siginterrupt(signal.SIGALRM, False)
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
for _ in range(300):
    with socket.create_server(('127.0.0.1', 8123)) as server:
        client = socket.create_connection(server.getsockname())
        server.accept()[0].close()
        client.close()
signal.setitimer(signal.ITIMER_REAL, 0)
";
    let args = ["run", "--", "python3", "-c", program];
    let answer = answer(refusing(&sandbox, &["wait_killable", "EINVAL"], &args));
    assert_eq!(answer.code, 0, "{answer:?}");
}

#[test]
fn a_network_of_its_own_has_ports_of_its_own() {
    let sandbox = Sandbox::new();
    let program = "\
import os, socket, sys
server = socket.create_server(('127.0.0.1', 8123))
print(server.getsockname()[1], flush=True)
if len(sys.argv) == 1:
    inside = 'ip link set lo up && exec python3 ' + __file__ + ' again'
    os.execvp('unshare', ['unshare', '--net', 'sh', '-c', inside])
";
    let program = sandbox.file("program.py", program);
    // Somebody has the port, so that the first one is remapped.
    let mut stranger = sandbox.program("python3");
    stranger.args(["-m", "http.server", "-b", "127.0.0.1", "8123"]);
    stranger.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut stranger = stranger.spawn().expect("python3 is there");
    sandbox::until(|| sandbox.get("http://127.0.0.1:8123/").ok()).expect("it serves");
    let mut run = sandbox.run(&["--", "python3", program.to_str().unwrap()]);
    assert_eq!(run.code(), 0, "{}", run.err());
    let printed = sandbox::until(|| Some(run.out()).filter(|out| out.lines().count() == 2));
    assert_eq!(printed.as_deref(), Some("8124\n8123\n"), "{}", run.err());
    let unmapped = run.event("unmapped");
    assert_eq!(unmapped["why"], "the process has a network of its own");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

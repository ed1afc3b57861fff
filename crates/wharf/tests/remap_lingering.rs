//! Processes that wharf cannot end, since they are another user's, still need it to answer their calls.

mod sandbox;

use std::path::{Path, PathBuf};

use sandbox::{Running, Sandbox, until};

/// The command ends at once, and leaves a process of another user, which tries to bind a port whenever a
/// line comes through the pipe, and tells what came of it.
const PROGRAM: &str = "\
import os, socket, sys
gate = sys.argv[1]
os.mkfifo(gate)
os.chmod(gate, 0o666)
mine, theirs = os.pipe()
if os.fork():
    os.read(mine, 1)
    os._exit(0)
os.setresgid(1234, 1234, 1234)
os.setresuid(1234, 1234, 1234)
os.write(theirs, b'.')
sockets = []
for line in open(gate):
    sockets.append(socket.socket())
    try:
        sockets[-1].bind(('127.0.0.1', int(line)))
        print('bound', sockets[-1].getsockname()[1], flush=True)
    except OSError as error:
        print('errno', error.errno, flush=True)
";

/// What the process is told through its pipe; it ends when this is dropped.
struct Gate(std::fs::File);

impl Gate {
    fn open(path: &Path) -> Gate {
        Gate(std::fs::OpenOptions::new().write(true).open(path).expect("a pipe"))
    }

    fn name(&mut self, port: u16) {
        std::io::Write::write_all(&mut self.0, format!("{port}\n").as_bytes()).expect("a reader");
    }
}

/// Root, but without the right to signal other users' processes.
fn lingering(sandbox: &Sandbox, mode: &str) -> (Running, PathBuf) {
    let gate = sandbox.dir().join("gate");
    let words = ["setpriv", "--bounding-set", "-kill", "--inh-caps", "-kill", "--"];
    let path = gate.to_string_lossy();
    let options = ["--no-daemon", "--grace", "1", "--remap", mode];
    let args = [&options[..], &["--", "python3", "-c", PROGRAM, &path]].concat();
    let run = sandbox.run_under(&sandbox.project(), &words.map(str::to_owned), &args);
    let said = run.said("could not be ended");
    assert_eq!(said.contains("still needs wharf to answer"), mode != "off", "{said}");
    assert!(said.contains("python3"), "it is named: {said}");
    (run, gate)
}

#[test]
fn wharf_waits_for_what_it_cannot_end_and_answers_it() {
    let sandbox = Sandbox::new();
    let (mut run, path) = lingering(&sandbox, "auto");
    let mut gate = Gate::open(&path);
    gate.name(8123);
    let bound = run.event("bound");
    assert_eq!(bound["named"], 8123, "{bound}");
    let told = format!("bound {}\n", bound["port"]);
    until(|| run.out().contains(&told).then_some(())).expect("its bind was answered");
    assert!(!run.ended(), "it is still needed");
    drop(gate);
    assert_eq!(run.code(), 0, "the command's own: {}", run.err());
}

#[test]
fn without_remapping_it_is_waited_for_and_not_answered() {
    let sandbox = Sandbox::new();
    let (mut run, path) = lingering(&sandbox, "off");
    let mut gate = Gate::open(&path);
    gate.name(8123);
    until(|| run.out().contains("bound 8123\n").then_some(())).expect("it binds by itself");
    assert!(!run.ended(), "it is waited for");
    drop(gate);
    assert_eq!(run.code(), 0, "the command's own: {}", run.err());
}

#[test]
fn a_wish_to_end_ends_the_waiting() {
    let sandbox = Sandbox::new();
    let (mut run, path) = lingering(&sandbox, "auto");
    let mut gate = Gate::open(&path);
    run.signal("INT");
    assert_eq!(run.code(), 0, "the command's own: {}", run.err());
    gate.name(8123);
    // ENOSYS: nobody is left who could answer.
    until(|| run.out().contains("errno 38\n").then_some(())).expect("its bind fails");
}

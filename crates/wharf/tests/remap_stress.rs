//! Remapped calls under stress: signals, forks, closes, kills and threads in the midst of them, and a
//! pilot that is killed, stopped, or has nobody who reads what it says.
//!
//! The seed is printed; `WHARF_STRESS_SEED` repeats a run, `WHARF_STRESS_ROUNDS` makes it longer.

mod sandbox;

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use sandbox::{Running, Sandbox, until};

const PROGRAM: &str = include_str!("stress/child.py");

/// How many rounds there are, of both copies together.
const ROUNDS: u32 = 1000;

fn number(variable: &str) -> Option<u32> {
    std::env::var(variable).ok()?.parse().ok()
}

fn seed() -> u32 {
    let clock = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seed = number("WHARF_STRESS_SEED").unwrap_or_else(|| clock().unwrap().subsec_nanos());
    println!("WHARF_STRESS_SEED={seed}");
    seed
}

/// Somebody else on ports that the copies name.
struct Stranger(Child);

impl Stranger {
    fn new(sandbox: &Sandbox) -> Stranger {
        let program = "\
import selectors, socket
which = selectors.DefaultSelector()
for port in (8000, 8700):
    which.register(socket.create_server(('127.0.0.1', port)), selectors.EVENT_READ)
print('up', flush=True)
while True:
    for key, _ in which.select():
        with key.fileobj.accept()[0] as client:
            client.sendall(b'a stranger')
";
        let mut command = sandbox.program("python3");
        command.args(["-c", program]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("python3 is there");
        let up = std::io::Read::read(child.stdout.as_mut().unwrap(), &mut [0; 3]);
        assert!(up.is_ok_and(|length| length > 0), "it listens");
        Stranger(child)
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A copy in a checkout of its own.
fn copy(sandbox: &Sandbox, name: &str, seed: u32, rounds: u32) -> Running {
    let folder = sandbox.dir().join(name);
    std::fs::create_dir_all(folder.join(".git")).expect("a folder");
    let (seed, rounds) = (seed.to_string(), rounds.to_string());
    sandbox.run_in(&folder, &["--", "python3", "-c", PROGRAM, &seed, &rounds, name])
}

/// What a copy has printed of one kind.
fn printed(run: &Running, key: &str) -> Option<serde_json::Value> {
    let out = run.out();
    let whole = out.rfind('\n').map_or("", |end| &out[..end]);
    let documents = whole.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    documents.into_iter().rfind(|document: &serde_json::Value| document.get(key).is_some())
}

/// Waits for the end of a copy with which nothing was wrong.
fn ends_well(run: &mut Running) {
    let code = run.code();
    // The end of the output may be read after the end of the process.
    let summary = until(|| printed(run, "wrong")).unwrap_or_else(|| panic!("{}", run.err()));
    println!("{summary}");
    assert_eq!((code, summary["wrong"].as_array().map(Vec::len)), (0, Some(0)), "{summary}");
}

fn begun(run: &Running, rounds: u64) {
    let far = || printed(run, "begun").filter(|told| told["begun"].as_u64() >= Some(rounds));
    until(far).unwrap_or_else(|| panic!("{}\n{}", run.out(), run.err()));
}

#[test]
fn random_interleavings_neither_hang_nor_go_wrong() {
    let sandbox = Sandbox::new();
    let _stranger = Stranger::new(&sandbox);
    let (seed, rounds) = (seed(), number("WHARF_STRESS_ROUNDS").unwrap_or(ROUNDS));
    let start = Instant::now();
    let mut copies = ["one", "two"].map(|name| copy(&sandbox, name, seed, rounds / 2));
    let ports = copies.each_ref().map(|run| until(|| printed(run, "ports")).expect("ports"));
    for (named, own) in ports[0]["ports"].as_object().unwrap() {
        assert_ne!(own, &ports[1]["ports"][named], "two copies on one port");
    }
    copies.iter_mut().for_each(ends_well);
    println!("{rounds} rounds in {:?}", start.elapsed());
}

#[test]
fn a_pilot_that_is_killed_takes_the_tree_with_it_and_nothing_hangs() {
    let sandbox = Sandbox::new();
    let _stranger = Stranger::new(&sandbox);
    let seed = seed();
    let mut run = copy(&sandbox, "one", seed, u32::MAX);
    let other = copy(&sandbox, "two", seed, u32::MAX);
    begun(&run, 100);
    run.signal("KILL");
    assert_eq!(run.code(), 137);
    let is_left = || tree("one", seed).is_empty().then_some(());
    until(is_left).unwrap_or_else(|| panic!("left: {:?}", tree("one", seed)));
    // The other copy has lost nothing.
    let so_far = printed(&other, "begun").map_or(0, |told| told["begun"].as_u64().unwrap());
    begun(&other, so_far + 100);
    assert_eq!(printed(&other, "wrong"), None, "{}", other.out());
}

/// The processes of a copy.
fn tree(name: &str, seed: u32) -> Vec<String> {
    let wanted = format!("\0{seed}\0{}\0{name}\0", u32::MAX);
    let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
    let is_it = |pid: &String| {
        std::fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|c| c.contains(&wanted))
    };
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).filter(is_it).collect()
}

#[test]
fn calls_wait_for_a_pilot_that_is_stopped_and_go_on() {
    let sandbox = Sandbox::new();
    let _stranger = Stranger::new(&sandbox);
    let mut run = copy(&sandbox, "one", seed(), 300);
    begun(&run, 50);
    run.signal("STOP");
    let stopped = Instant::now();
    until(|| (stopped.elapsed() > Duration::from_secs(1)).then_some(()));
    assert!(printed(&run, "begun").unwrap()["begun"].as_u64() < Some(200), "nobody waited");
    run.signal("CONT");
    ends_well(&mut run);
}

#[test]
fn binds_are_answered_though_nobody_reads_what_the_pilot_says() {
    let sandbox = Sandbox::new();
    let _stranger = Stranger::new(&sandbox);
    let fill = "\
import fcntl, os, sys
keep, full = os.pipe()
os.set_blocking(full, False)
try:
    while True: os.write(full, bytes(4096))
except BlockingIOError:
    pass
os.set_blocking(full, True)
os.set_inheritable(keep, True)
os.dup2(full, 2)
os.close(full)
os.execv(sys.argv[1], sys.argv[1:])
";
    // Each of them is asked for, and told in a line.
    let binds = "\
import socket
keep = [socket.create_server(('127.0.0.1', port)) for port in (8700, 8000, 9001, 9002, 9003)]
print(*[one.getsockname()[1] for one in keep])
";
    let mut command = sandbox.program("python3");
    command.args(["-c", fill, env!("CARGO_BIN_EXE_wharf"), "run", "--", "python3", "-c", binds]);
    let start = Instant::now();
    let answer = sandbox::answer(command);
    assert_eq!((answer.code, &*answer.out), (0, "8701 8001 9001 9002 9003\n"), "{answer:?}");
    // A bind that nobody answers goes on by itself after seven seconds.
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
}

//! Measures what the crate promises to be fast: `cargo run --release -p wharf-os --example speed`.
//!
//! Starts 200 processes with 5 listeners each on 127.0.0.1, asks, and ends them again. Where `lsof`
//! and `ss` are there, they are timed beside. Medians.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use wharf_os::{diag, holders, process, reserve};

const PROCESSES: usize = 200;
const EACH: usize = 5;
const ROUNDS: usize = 21;

fn main() {
    if std::env::args().nth(1).as_deref() == Some("hold") {
        return hold();
    }
    let mut watch = diag::Watch::open().unwrap();
    report("Watch::listening, nobody there", || drop(watch.listening(1).unwrap()));
    let mut children: Vec<Child> = (0..PROCESSES).map(|_| child()).collect();
    let ports: Vec<u16> = children.iter_mut().map(port_of).collect();
    let port = ports[ports.len() / 2];
    let inode = diag::holding(port).unwrap()[0].inode;
    println!("{} listeners, {} processes", diag::listeners().unwrap().len(), pids());
    report("diag::listeners", || assert!(diag::listeners().unwrap().len() >= PROCESSES * EACH));
    report("Watch::listening", || assert_eq!(watch.listening(port).unwrap().len(), 1));
    report("diag::holding", || assert_eq!(diag::holding(port).unwrap().len(), 1));
    report("diag::lingering", || assert!(!diag::lingering(port).unwrap()));
    report("reserve::probe of a taken port", || drop(reserve::probe(port)));
    report("reserve::probe of a free port", || drop(reserve::probe(1)));
    let own = std::process::id();
    report("process::tree of all", || assert_eq!(process::tree(own).len(), PROCESSES + 1));
    let tree = process::tree(own);
    report("holders::in_tree of one", || drop(holders::in_tree(&tree[1..2], &[inode])));
    report("holders::in_tree of all", || drop(holders::in_tree(&tree, &[inode])));
    let inode_of_port = || {
        let sockets = diag::holding(port).unwrap();
        assert_eq!(holders::of_inodes(&[sockets[0].inode]).unwrap().by_inode.len(), 1);
    };
    report("holding + of_inodes", inode_of_port);
    let filter = format!("-iTCP:{port}");
    beside("lsof", &["-nP", &filter, "-sTCP:LISTEN"], inode_of_port);
    beside("ss", &["-Hltnp", &format!("sport = {port}")], inode_of_port);
    for mut child in children {
        drop(child.stdin.take());
        child.wait().unwrap();
    }
}

/// In the child: listens, tells one port, and stays until its standard input ends.
fn hold() {
    let listeners: Vec<TcpListener> =
        (0..EACH).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    println!("{}", listeners[0].local_addr().unwrap().port());
    let _ = std::io::stdin().lines().count();
}

fn child() -> Child {
    Command::new(std::env::current_exe().unwrap())
        .arg("hold")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn port_of(child: &mut Child) -> u16 {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    line.trim().parse().unwrap()
}

fn pids() -> usize {
    process::all().unwrap().len()
}

/// In turns, so that both meet the same load of the machine.
fn beside(name: &str, args: &[&str], ask: impl Fn()) {
    let Ok(path) = Command::new("which").arg(name).output() else {
        return;
    };
    let path = String::from_utf8(path.stdout).unwrap();
    if path.trim().is_empty() {
        return;
    }
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        ask();
        ours.push(begun.elapsed());
        let begun = Instant::now();
        assert!(Command::new(path.trim()).args(args).output().unwrap().status.success());
        theirs.push(begun.elapsed());
    }
    let (ours, theirs) = (median(ours), median(theirs));
    let ratio = theirs.as_secs_f64() / ours.as_secs_f64();
    println!("{name:32} {theirs:>12.1?}   ({ratio:.1} times as long as ours beside it)");
}

fn report(what: &str, mut ask: impl FnMut()) {
    let time = |_| {
        let begun = Instant::now();
        ask();
        begun.elapsed()
    };
    let times: Vec<Duration> = (0..ROUNDS).map(time).collect();
    let least = times.iter().min().copied().unwrap_or_default();
    println!("{what:32} {:>12.1?}   (least {least:.1?})", median(times));
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

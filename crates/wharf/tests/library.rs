//! The library `wharf-ports`, beside the daemon and without one: in processes of their own, which are this
//! very test program, told by their environment how many ports to lease.

mod sandbox;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use sandbox::{Sandbox, until};
use wharf_ports::{ErrorKind, Port, lease_port, listeners, reserve};

/// How many processes lease at once, and how many ports each.
const PROCESSES: usize = 20;
const EACH: usize = 10;
/// How many ports a process leases; it tells them and holds them until its standard input ends.
const COUNT: &str = "WHARF_TEST_PORTS";

/// One process of a suite. By itself it takes one port, and asks no daemon: there may be one of whoever
/// runs the tests.
#[test]
fn a_process_leases_and_serves() {
    let count = std::env::var(COUNT).ok();
    let number = count.as_deref().map_or(1, |count| count.parse().expect("a number"));
    let wanted = lease_port().near(8000);
    let wanted = if count.is_some() { wanted } else { wanted.without_daemon() };
    let lease = || wanted.clone().take().expect("a port");
    let ports: Vec<Port> = std::thread::scope(|scope| {
        let leasing: Vec<_> = (0..number).map(|_| scope.spawn(lease)).collect();
        leasing.into_iter().map(|one| one.join().expect("no panic")).collect()
    });
    assert_eq!(ports.iter().map(Port::number).collect::<BTreeSet<_>>().len(), number);
    for port in &ports {
        serve(port);
        println!("port {port} {}", port.is_leased());
    }
    if count.is_some() {
        std::io::stdin().read_to_end(&mut Vec::new()).expect("the end of the test");
    }
}

/// A server on the port that answers once.
fn serve(port: &Port) {
    let server = port.bind().expect("the port is ours");
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = server.accept().expect("a client");
        stream.write_all(b"hello").expect("an answer");
    });
    let mut told = String::new();
    let mut stream = TcpStream::connect(port.address()).expect("it listens");
    stream.read_to_string(&mut told).expect("an answer");
    answering.join().expect("the server's end");
    assert_eq!(told, "hello");
}

/// Starts the test above in the sandbox.
fn process(sandbox: &Sandbox, count: usize) -> Child {
    let mut command: Command = sandbox.program(std::env::current_exe().expect("this program"));
    command.args(["--exact", "a_process_leases_and_serves", "--nocapture"]);
    command.env(COUNT, count.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
    command.spawn().expect("it starts")
}

/// Each port that it holds, and whether the daemon leased it.
fn told(out: &mut impl BufRead, count: usize) -> Vec<(u16, bool)> {
    let port = |line: String| {
        let mut words = line.strip_prefix("port ")?.split(' ');
        Some((words.next()?.parse().ok()?, words.next()? == "true"))
    };
    out.lines().filter_map(|line| port(line.expect("a line"))).take(count).collect()
}

/// All of them at once: what they hold, until each has ended well.
fn hold_at_once(sandbox: &Sandbox, leased: bool) -> BTreeSet<u16> {
    let mut suite: Vec<Child> = (0..PROCESSES).map(|_| process(sandbox, EACH)).collect();
    let out = |one: &mut Child| BufReader::new(one.stdout.take().expect("a pipe"));
    let mut outs: Vec<_> = suite.iter_mut().map(out).collect();
    let held: Vec<(u16, bool)> = outs.iter_mut().flat_map(|out| told(out, EACH)).collect();
    assert_eq!(held.len(), PROCESSES * EACH);
    assert!(held.iter().all(|(_, by_daemon)| *by_daemon == leased), "{held:?}");
    let ports: BTreeSet<u16> = held.iter().map(|(port, _)| *port).collect();
    assert_eq!(ports.len(), PROCESSES * EACH, "0 collisions: {held:?}");
    if leased {
        assert_eq!(leases(sandbox), PROCESSES * EACH);
    }
    for mut one in suite {
        drop(one.stdin.take());
        assert!(one.wait().expect("its end").success());
    }
    ports
}

fn leases(sandbox: &Sandbox) -> usize {
    let status = sandbox.output(&["daemon", "status", "--json"]).json();
    usize::try_from(status["leases"].as_u64().expect("a number")).expect("a small one")
}

#[test]
fn two_hundred_leases_at_once_never_collide_and_are_given_back() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.output(&["daemon", "start"]).code, 0);
    let ports = hold_at_once(&sandbox, true);
    assert!(ports.iter().all(|port| !(32_768..=60_999).contains(port)), "{ports:?}");
    assert_eq!(until(|| (leases(&sandbox) == 0).then_some(())), Some(()), "all are given back");
}

#[test]
fn without_a_daemon_the_kernel_alone_keeps_two_hundred_apart() {
    let sandbox = Sandbox::new();
    let ports = hold_at_once(&sandbox, false);
    assert!(ports.iter().all(|port| !(32_768..=60_999).contains(port)), "{ports:?}");
}

#[test]
fn a_port_that_is_taken_names_its_holder_and_is_passed_over() {
    let held = reserve(0).expect("some port");
    let server = held.bind().expect("a listener");
    let taken = lease_port().exactly(held.number()).without_daemon().take().unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::Taken);
    let text = taken.to_string();
    assert!(text.contains(&format!("pid {}", std::process::id())), "{text}");
    assert!(taken.help().is_some_and(|help| help.contains("near(")), "{text}");
    let next = lease_port().near(held.number()).without_daemon().take().expect("the next one");
    assert_ne!(next.number(), held.number());
    let all = listeners().expect("the kernel's word");
    assert!(all.iter().any(|one| one.port() == held.number()
        && one.processes().iter().any(|process| process.pid() == std::process::id())));
    drop(server);
    assert_eq!(lease_port().near(0).take().unwrap_err().kind(), ErrorKind::NotAPort);
}

//! The port server protocol: portpicker's own client (`portserver/portpicker.py` is that of portpicker
//! 1.6.0 from PyPI, unchanged), and one in C that speaks it byte by byte.

mod sandbox;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use sandbox::{Answer, Sandbox, answer, until};

/// How many processes pick a port at once.
const MANY: usize = 200;

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/portserver").join(name)
}

fn address(sandbox: &Sandbox) -> String {
    let told = sandbox.output(&["port", "--server"]);
    assert_eq!((told.code, told.err.as_str()), (0, ""), "{told:?}");
    let address = told.out.trim().to_owned();
    assert_eq!(sandbox.output(&["port", "--server", "--json"]).json()["server"], address.as_str());
    address
}

fn leases(sandbox: &Sandbox) -> usize {
    let status = sandbox.output(&["daemon", "status", "--json"]).json();
    usize::try_from(status["leases"].as_u64().expect("a number")).expect("a small one")
}

#[test]
fn two_hundred_processes_pick_two_hundred_ports_and_give_them_back() {
    let sandbox = Sandbox::new();
    let mut suite = sandbox.program("python3");
    suite.arg(file("suite.py")).arg(MANY.to_string());
    suite.env("PORTSERVER_ADDRESS", address(&sandbox)).env("PYTHONDONTWRITEBYTECODE", "1");
    let mut suite = suite.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python3");
    let out = BufReader::new(suite.stdout.take().expect("a pipe"));
    let ports: Vec<u16> =
        out.lines().take(MANY).map(|line| line.expect("a line").parse().expect("a port")).collect();
    assert_eq!(ports.len(), MANY);
    assert_eq!(ports.iter().collect::<BTreeSet<_>>().len(), MANY, "0 collisions: {ports:?}");
    assert!(ports.iter().all(|port| *port >= 15_000 && !(32_768..=60_999).contains(port)));
    assert_eq!(leases(&sandbox), MANY);
    drop(suite.stdin.take());
    assert!(suite.wait().expect("its end").success(), "every bind succeeded");
    let ended = until(|| (leases(&sandbox) == 0).then_some(()));
    assert_eq!(ended, Some(()), "the leases end with their processes");
}

#[test]
fn a_port_tells_which_agent_the_process_works_for() {
    let sandbox = Sandbox::new();
    let mut suite = sandbox.program("python3");
    suite.arg(file("suite.py")).arg("1");
    suite.env("PORTSERVER_ADDRESS", address(&sandbox)).env("PYTHONDONTWRITEBYTECODE", "1");
    suite.env("WHARF_AGENT", "my-bot").env("WHARF_SESSION", "7");
    let mut suite = suite.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python3");
    let mut port = String::new();
    BufReader::new(suite.stdout.take().expect("a pipe")).read_line(&mut port).expect("a line");
    let lease = &sandbox.output(&["ls", "--json"]).json()["leases"][0];
    assert_eq!(lease["port"].to_string(), port.trim());
    assert_eq!(lease["agent"], serde_json::json!({"name": "my-bot", "session": "7"}));
    drop(suite.stdin.take());
    assert!(suite.wait().expect("its end").success());
}

fn client(sandbox: &Sandbox) -> PathBuf {
    let program = sandbox.dir().join("client");
    let built = Command::new("cc").arg("-o").arg(&program).arg(file("client.c")).status();
    assert!(built.expect("cc").success());
    program
}

fn ask(sandbox: &Sandbox, program: &PathBuf, address: &str, line: &str) -> Answer {
    let mut command = sandbox.program(program);
    command.args([address, line]);
    answer(command)
}

#[test]
fn a_client_in_c_gets_a_port_and_a_line_that_names_no_process_of_ours_gets_none() {
    let sandbox = Sandbox::new();
    let (program, address) = (client(&sandbox), address(&sandbox));
    let given = ask(&sandbox, &program, &address, "self");
    let port = given.out.strip_suffix('\n').expect("a line");
    assert!(port.parse::<u16>().expect("a port") >= 15_000, "{given:?}");
    // Of nobody, of init, of no number, too long, of a process in another network.
    let outside = format!("{}\n", std::process::id());
    let long = "1".repeat(4096);
    for line in ["\n", "", "0\n", "1\n", "-7\n", "4194999\n", "x\n", "12 13\n", &long, &outside] {
        let refused = ask(&sandbox, &program, &address, line);
        assert_eq!(refused.out, "", "{line:?}");
    }
    let ended = until(|| (leases(&sandbox) == 0).then_some(()));
    assert_eq!(ended, Some(()), "the leases end with their processes");
    let again = ask(&sandbox, &program, &address, "self");
    assert!(again.out.ends_with('\n'), "the server still serves: {again:?}");
}

//! Which agent a lease and an instance are of, and what a project tells agents of wharf.

mod sandbox;

use sandbox::{Answer, Sandbox, answer};
use serde_json::{Value, json};

fn project() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.file(".git/HEAD", "ref: refs/heads/main\n");
    sandbox.file("server.py", include_str!("sandbox/server.py"));
    sandbox.file("wharf.toml", "[service.web]\nrun = \"python3 server.py\"\nport = 8000\n");
    sandbox
}

/// A command of an agent that publishes these variables.
fn by(sandbox: &Sandbox, variables: &[(&str, &str)], args: &[&str]) -> Answer {
    let mut command = sandbox.wharf(args);
    command.env_remove("WHARF_AGENT").envs(variables.iter().copied());
    answer(command)
}

const CLAUDE: [(&str, &str); 2] =
    [("CLAUDECODE", "1"), ("CLAUDE_CODE_SESSION_ID", "4721a313-bd20")];

fn claude() -> Value {
    json!({"name": "Claude Code", "session": "4721a313-bd20"})
}

#[test]
fn a_lease_tells_which_agent_and_session_asked() {
    let sandbox = project();
    let leased = by(&sandbox, &CLAUDE, &["port", "--json"]).json();
    assert_eq!(leased["leases"][0]["agent"], claude(), "{leased:#}");
    let named = [("WHARF_AGENT", "my-bot"), ("WHARF_SESSION", "7"), ("CLAUDECODE", "1")];
    let leased = by(&sandbox, &named, &["port", "--json"]).json();
    assert_eq!(leased["leases"][0]["agent"], json!({"name": "my-bot", "session": "7"}));
    let leased = sandbox.output(&["port", "--json"]).json();
    assert_eq!(leased["leases"][0].get("agent"), None, "a person is nobody's agent");
    let shown = sandbox.output(&["ls"]).out;
    assert!(shown.contains("BY") && shown.contains("my-bot"), "{shown}");
}

#[test]
fn what_no_terminal_should_see_is_not_taken_over() {
    let sandbox = project();
    let long = "x".repeat(500);
    let variables = [("WHARF_AGENT", "a\u{1b}[2J\nb"), ("WHARF_SESSION", &long)];
    let leased = by(&sandbox, &variables, &["port", "--json"]).json();
    let agent = &leased["leases"][0]["agent"];
    assert_eq!(agent["name"], "a[2Jb");
    assert_eq!(agent["session"].as_str().unwrap().len(), 128);
}

#[test]
fn instances_of_up_are_the_agents_who_brought_them_up() {
    let sandbox = project();
    let up = by(&sandbox, &CLAUDE, &["up", "-d", "--json"]).json();
    assert_eq!(up["instances"][0]["agent"], claude(), "{up:#}");
    let list = sandbox.output(&["ls", "--json"]).json();
    assert_eq!(list["instances"][0]["agent"], claude(), "{list:#}");
    assert_eq!(list["leases"][0]["agent"], claude(), "{list:#}");
    let shown = sandbox.output(&["ls", "--wide"]).out;
    assert!(shown.contains("Claude Code 4721a313-bd20"), "{shown}");
    let who = sandbox.output(&["who", "8000"]);
    assert!(who.out.contains("asked for by Claude Code, session 4721a313-bd20"), "{who:?}");
    // Another one finds it there, and it stays the first one's.
    let again = by(&sandbox, &[("GEMINI_CLI", "1")], &["up", "-d", "--json"]).json();
    assert_eq!(again["instances"][0]["id"], up["instances"][0]["id"]);
    assert_eq!(again["instances"][0]["agent"], claude());
}

#[test]
fn an_agent_that_publishes_nothing_is_known_by_its_process() {
    let sandbox = project();
    // A program of that name, which runs wharf.
    let agent = sandbox.file("bin/codex", "");
    let shell = std::fs::canonicalize("/bin/sh").expect("a shell");
    std::fs::copy(shell, &agent).expect("a copy");
    let mut command = sandbox.program(&agent);
    command.args(["-c", "\"$@\"; exit $?", "codex", env!("CARGO_BIN_EXE_wharf"), "port", "--json"]);
    command.env_remove("WHARF_AGENT");
    let leased = answer(command).json();
    let told = &leased["leases"][0]["agent"];
    assert_eq!(told["name"], "Codex", "{leased:#}");
    assert!(told["session"].as_str().unwrap().starts_with("pid "), "{leased:#}");
}

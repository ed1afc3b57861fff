//! `wharf mcp`: what a client of the Model Context Protocol gets, word for word.

mod sandbox;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};

use sandbox::{LIMIT, Sandbox, signal, until};
use serde_json::{Value, json};

/// How many lines of the server may lie unread.
const LINES_MAX: usize = 1024;

/// A client that says what it is told to say.
struct Client {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<Value>,
    next: u64,
}

impl Client {
    /// Starts the server in the project's folder and shakes hands.
    fn new(sandbox: &Sandbox) -> Client {
        let mut client = Client::silent(sandbox);
        let hello = json!({
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "test-agent", "version": "1"},
        });
        let answer = client.ask("initialize", hello);
        assert_eq!(answer["result"]["serverInfo"]["name"], "wharf", "{answer:#}");
        client.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string());
        client
    }

    fn silent(sandbox: &Sandbox) -> Client {
        let mut command = sandbox.wharf(&["mcp"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("it starts");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        let (tell, lines) = sync_channel(LINES_MAX);
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                // Nothing but the protocol may stand there.
                let value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
                if tell.send(value).is_err() {
                    return;
                }
            }
        });
        Client { input: child.stdin.take(), child, lines, next: 0 }
    }

    fn say(&mut self, line: &str) {
        let input = self.input.as_mut().expect("not closed yet");
        writeln!(input, "{line}").and_then(|()| input.flush()).expect("it reads");
    }

    /// Sends a request; gives its number.
    fn send(&mut self, method: &str, params: Value) -> u64 {
        self.next += 1;
        let id = self.next;
        self.say(
            &json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string(),
        );
        id
    }

    /// The answer to a request; what comes before it is left out.
    fn answer(&self, id: u64) -> Value {
        loop {
            let line = self.lines.recv_timeout(LIMIT).expect("an answer in time");
            if line["id"] == id {
                return line;
            }
        }
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.send(method, params);
        self.answer(id)
    }

    /// The result of a tool.
    fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let answer = self.ask("tools/call", json!({"name": tool, "arguments": arguments}));
        assert!(answer["result"].is_object(), "{answer:#}");
        answer["result"].clone()
    }

    /// The document of a tool that has done what it was asked for.
    fn done(&mut self, tool: &str, arguments: Value) -> Value {
        let result = self.call(tool, arguments);
        assert_eq!(result["isError"], false, "{result:#}");
        result["structuredContent"].clone()
    }

    /// The error of a tool that has not.
    fn refused(&mut self, tool: &str, arguments: Value) -> Value {
        let result = self.call(tool, arguments);
        assert_eq!(result["isError"], true, "{result:#}");
        let error = result["structuredContent"]["error"].clone();
        let text = result["content"][0]["text"].as_str().expect("a text");
        assert!(text.contains(&format!("error: {}", error["what"].as_str().unwrap())), "{text}");
        error
    }

    /// Closes its input and waits for its end: the exit code.
    fn end(mut self) -> Option<i32> {
        drop(self.input.take());
        let status = until(|| self.child.try_wait().expect("it can be asked"));
        status.expect("it ends").code()
    }
}

fn project() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.file(".git/HEAD", "ref: refs/heads/main\n");
    sandbox.file("server.py", include_str!("sandbox/server.py"));
    sandbox.file("wharf.toml", "[service.web]\nrun = \"python3 server.py\"\nport = 8000\n");
    sandbox
}

#[test]
fn six_tools_are_told_with_schemas_and_hints() {
    let sandbox = project();
    let mut client = Client::new(&sandbox);
    let answer = client.ask("tools/list", json!({}));
    let tools = answer["result"]["tools"].as_array().expect("a list");
    let names: Vec<&str> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["up", "list", "who", "logs", "stop", "requests"]);
    for tool in tools {
        assert_eq!(tool["inputSchema"]["type"], "object", "{tool:#}");
        assert_eq!(tool["inputSchema"]["additionalProperties"], false, "{tool:#}");
        assert!(tool["inputSchema"]["properties"]["dir"].is_object(), "{tool:#}");
        let changes = ["up", "stop"].contains(&tool["name"].as_str().unwrap());
        assert_eq!(tool["annotations"]["readOnlyHint"], !changes, "{tool:#}");
    }
    assert_eq!(tools[4]["annotations"]["destructiveHint"], true);
    assert_eq!(tools[0]["annotations"]["idempotentHint"], true);
    assert_eq!(client.end(), Some(0));
}

#[test]
fn a_project_comes_up_once_and_outlives_the_session() {
    let sandbox = project();
    let mut client = Client::new(&sandbox);
    let first = client.done("up", json!({}));
    let agent = first["instances"][0]["agent"].clone();
    assert_eq!(agent["name"], "test-agent", "{first:#}");
    assert!(agent["session"].as_str().unwrap().starts_with("mcp-"), "{agent:#}");
    let again = client.done("up", json!({"services": ["web"]}));
    assert_eq!(first["instances"][0]["id"], again["instances"][0]["id"], "{again:#}");
    assert_eq!(first["instances"][0]["state"], "ready");
    let listed = client.done("list", json!({}));
    assert_eq!(listed, sandbox.output(&["ls", "--json"]).json(), "the same as a script is told");
    let who = client.done("who", json!({"targets": [8000]}));
    assert_eq!(who["instance"], sandbox.output(&["who", "8000", "--json"]).json()["instance"]);
    let logs = client.done("logs", json!({"lines": 1}));
    assert_eq!(logs["lines"].as_array().expect("a list").len(), 1);
    assert_eq!(client.done("requests", json!({}))["inspecting"], false);
    assert_eq!(client.end(), Some(0));
    let left = sandbox.output(&["ls", "--json"]).json();
    assert_eq!(left["instances"][0]["state"], "ready", "{left:#}");
    let mut client = Client::new(&sandbox);
    assert_eq!(client.done("stop", json!({"names": ["web"]}))["instances"][0]["state"], "exited");
    assert_eq!(client.done("list", json!({}))["instances"], json!([]));
    let free = client.done("who", json!({"targets": ["8000"]}));
    assert_eq!(free["listeners"], json!([]), "a free port is an answer");
}

#[test]
fn what_is_wrong_is_said_with_a_way_out() {
    let sandbox = project();
    let mut client = Client::new(&sandbox);
    let nothing = client.refused("stop", json!({}));
    assert_eq!(nothing["what"], "`stop` ends nothing that was not named");
    assert_eq!(nothing["exit_code"], 2);
    for (tool, arguments) in [
        ("logs", json!({"lines": 5000})),
        ("up", json!({"detach": false})),
        ("up", json!({"timeout_s": "soon"})),
        ("list", json!({"dir": "/nowhere/at/all"})),
        ("who", json!({"targets": ["80\u{7}80"]})),
    ] {
        let error = client.refused(tool, arguments);
        assert!(!error["help"].as_array().unwrap().is_empty(), "{error:#}");
    }
    let unknown = client.refused("up", json!({"services": ["--help"]}));
    assert_eq!(unknown["help"], json!(["it has: web"]), "{unknown:#}");
    let answer = client.ask("tools/call", json!({"name": "kill", "arguments": {}}));
    assert_eq!(answer["error"]["code"], -32602, "{answer:#}");
    client.say("this is no JSON");
    assert_eq!(client.ask("ping", json!({}))["result"], json!({}), "and it goes on");
}

/// A call of `up` for a service that starts and is never ready; its number.
fn on_its_way() -> (Sandbox, Client, u64) {
    let sandbox = project();
    sandbox.file(
        "wharf.toml",
        "[service.web]\nrun = \"python3 server.py\"\nport = 8000\nready = { log = \"never said\" }\n",
    );
    let mut client = Client::new(&sandbox);
    let id = client.send("tools/call", json!({"name": "up", "arguments": {}}));
    until(|| (listed(&sandbox)[0]["state"] == "starting").then_some(())).expect("it is on its way");
    (sandbox, client, id)
}

fn listed(sandbox: &Sandbox) -> Value {
    sandbox.output(&["ls", "--json"]).json()["instances"].clone()
}

#[test]
fn the_end_of_the_session_ends_what_is_not_up_yet() {
    let (sandbox, client, _) = on_its_way();
    assert_eq!(client.end(), Some(0));
    assert_eq!(listed(&sandbox), json!([]), "nothing is left of it");
}

#[test]
fn a_signal_ends_the_server_and_what_is_not_up_yet() {
    let (sandbox, mut client, _) = on_its_way();
    // Its input stays open.
    signal(client.child.id(), "TERM");
    let status = until(|| client.child.try_wait().expect("it can be asked")).expect("it ends");
    assert_eq!(status.code(), Some(128 + 15));
    assert_eq!(listed(&sandbox), json!([]), "nothing is left of it");
}

#[test]
fn a_call_that_is_taken_back_ends_its_command() {
    let (sandbox, mut client, id) = on_its_way();
    let cancelled = json!({
        "jsonrpc": "2.0",
        "method": "notifications/cancelled",
        "params": {"requestId": id, "reason": "enough"},
    });
    client.say(&cancelled.to_string());
    until(|| (listed(&sandbox) == json!([])).then_some(())).expect("it ends");
    assert_eq!(client.done("list", json!({}))["instances"], json!([]), "the server still answers");
}

#[test]
fn a_client_that_never_speaks_is_no_error() {
    let sandbox = project();
    assert_eq!(Client::silent(&sandbox).end(), Some(0));
    let answer = sandbox.output(&["mcp", "--help"]);
    assert!(answer.out.contains("`claude mcp add wharf"), "{answer:?}");
}

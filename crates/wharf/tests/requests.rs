//! `wharf requests`: what went through the proxy, for whoever looks.

mod asking;
mod sandbox;

use std::process::Stdio;

use asking::get;
use sandbox::{Sandbox, until};

const SERVER: &[&str] = &["--", "python3", "-m", "http.server"];

#[test]
fn requests_are_kept_only_if_that_is_wanted() {
    let sandbox = Sandbox::new();
    sandbox.file("who", "main");
    let mut run = sandbox.run(SERVER);
    run.event("ready");
    assert_eq!(get(&sandbox, "project.localhost", "/who").status, 200);
    let none = sandbox.output(&["requests"]);
    assert_eq!((none.code, none.out.as_str()), (0, ""), "{none:?}");
    assert!(
        none.err.contains("no requests are kept") && none.err.contains("--inspect on"),
        "{none:?}"
    );
    let json = sandbox.output(&["requests", "--json"]).json();
    assert_eq!((&json["schema"], &json["inspecting"]), (&1.into(), &false.into()), "{json}");
    let on = sandbox.output(&["requests", "--inspect", "on", "--json"]).json();
    assert_eq!(on["inspecting"], true);
    let still = sandbox.output(&["requests"]);
    assert!(still.err.contains("no request has come"), "{still:?}");
    assert_eq!(get(&sandbox, "project.localhost", "/who?token=secret&x").status, 200);
    assert_eq!(get(&sandbox, "nobody.localhost", "/").status, 421);
    let kept = until(|| {
        let kept = sandbox.output(&["requests", "--json"]).json();
        (kept["requests"].as_array().map(Vec::len) == Some(2)).then_some(kept)
    });
    let kept = kept.unwrap();
    let first = &kept["requests"][0];
    assert_eq!((&first["method"], &first["status"]), (&"GET".into(), &200.into()), "{kept}");
    assert_eq!((&first["path"], &first["bytes"]), (&"/who?token=…&x".into(), &4.into()), "{kept}");
    assert_eq!(
        (&first["upstream"], &first["host"]),
        (&"project".into(), &"project.localhost".into())
    );
    assert!(first["instance"].is_string() && first["micros"].as_u64() > Some(0), "{kept}");
    assert!(kept["requests"][1]["upstream"].is_null(), "{kept}");
    let table = sandbox.output(&["requests", "project"]).out;
    assert!(table.contains("200   GET") && !table.contains("nobody"), "{table}");
    assert!(!table.contains("secret"), "{table}");
    assert_eq!(sandbox.output(&["requests", "nothing"]).code, 3);
    assert_eq!(sandbox.output(&["requests", "no_name"]).code, 2);
    assert_eq!(sandbox.output(&["requests", "--inspect", "off"]).code, 0);
    let gone = sandbox.output(&["requests", "--json"]).json();
    assert_eq!(gone["requests"], serde_json::json!([]), "{gone}");
}

/// `wharf requests -f …` whose output goes to a file.
struct Following {
    child: std::process::Child,
    out: std::path::PathBuf,
}

impl Following {
    fn new(sandbox: &Sandbox, name: &str, args: &[&str]) -> Following {
        let out = sandbox.dir().join(name);
        let file = std::fs::File::create(&out).unwrap();
        let mut command = sandbox.wharf(&[&["requests", "-f"], args].concat());
        let child = command.stdout(file).stderr(Stdio::null()).spawn().unwrap();
        Following { child, out }
    }

    /// Waits until it has written this.
    fn says(&self, text: &str) -> String {
        let said = || std::fs::read_to_string(&self.out).unwrap_or_default();
        until(|| Some(said()).filter(|out| out.contains(text)))
            .unwrap_or_else(|| panic!("never said `{text}`: {}", said()))
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn following_shows_each_as_it_is_answered() {
    let sandbox = Sandbox::new();
    sandbox.file("who", "main");
    let mut run = sandbox.run(SERVER);
    run.event("ready");
    let mut json = Following::new(&sandbox, "json", &["--json"]);
    json.says("\"subscribed\"");
    let text = Following::new(&sandbox, "text", &["project"]);
    text.says("PATH");
    let other = Following::new(&sandbox, "other", &["other", "--json"]);
    other.says("\"subscribed\"");
    assert_eq!(get(&sandbox, "project.localhost", "/who?a=b").status, 200);
    json.says("/who?a=…");
    text.says("/who?a=…");
    let lines = json.says("\"request\"");
    for line in lines.lines() {
        let document: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(document["schema"], 1);
    }
    let meanwhile = sandbox.output(&["requests", "--json"]).json();
    assert_eq!((&meanwhile["followed"], &meanwhile["inspecting"]), (&true.into(), &false.into()));
    assert_eq!(meanwhile["requests"].as_array().map(Vec::len), Some(1), "{meanwhile}");
    // The next daemon goes on where this one has ended.
    let pid = sandbox.output(&["daemon", "status", "--json"]).json()["pid"].as_u64().unwrap();
    sandbox::signal(u32::try_from(pid).unwrap(), "KILL");
    let again = || {
        get(&sandbox, "project.localhost", "/again");
        let out = std::fs::read_to_string(&json.out).unwrap();
        out.contains("/again").then_some(())
    };
    until(again).expect("it goes on");
    assert!(!other.says("subscribed").contains("/who"), "it is not of that name");
    sandbox::signal(json.child.id(), "INT");
    let ended = until(|| json.child.try_wait().unwrap()).unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended), Some(2), "as Ctrl-C does");
    drop(text);
    drop(other);
    let nobody = until(|| {
        let kept = sandbox.output(&["requests", "--json"]).json();
        (kept["followed"] == false).then_some(kept)
    });
    assert_eq!(nobody.unwrap()["requests"], serde_json::json!([]));
}

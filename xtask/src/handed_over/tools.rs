//! The files for editors, shells and runners of Procfiles, as the tools read them that they are for.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::real::sandbox;

/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(180);

/// What the project says, and every server and task has to be told.
const NOTE: &str = "it's 100% \"$HOME\" \\ $(x) `y` #: ünï 'z' !a ~\t=😀 ";

/// Who reads the variables.
const READERS: [&str; 8] =
    ["sh", "python-dotenv", "dotenv", "compose", "honcho", "foreman", "direnv", "mise"];

/// The image of a project whose language is not known.
const IMAGE: &str = "mcr.microsoft.com/devcontainers/base:debian";

/// What was found, told one by one.
#[derive(Default)]
struct Findings {
    passed: usize,
    wrong: Vec<String>,
}

impl Findings {
    fn check(&mut self, what: &str, found: &Value, expected: Value) {
        match *found == expected {
            true => self.passed += 1,
            false => self.wrong.push(format!("{what} is {found}, not {expected}")),
        }
    }
}

pub(super) fn run() -> Result<(), String> {
    sandbox::judged("tools", ("handover/tools.sh", "handover/tools"), LIMIT, judge)
}

fn judge(work: &Path) -> Result<(), String> {
    let mut findings = Findings::default();
    for reader in READERS {
        findings.check(reader, &read(work, &format!("env.{reader}.json"))?, variables());
    }
    for runner in ["honcho", "foreman"] {
        let web = read(work, &format!("procfile.{runner}.json"))?;
        findings.check(runner, &web["name"], json!("web"));
        findings.check(runner, &web["env"], json!(NOTE));
        let api = read(work, &format!("procfile.{runner}.api.json"))?;
        findings.check(runner, &api["name"], json!("api"));
    }
    systemd(work, &mut findings)?;
    vscode(&read(work, "vscode.json")?, &mut findings);
    devcontainer(&read(work, "devcontainer.json")?["configuration"], &mut findings);
    let asked = fs::read_to_string(work.join("docker.asked")).unwrap_or_default();
    let pulled = asked.lines().any(|line| line == format!("pull {IMAGE}"));
    findings.check("whether the container was to be made", &json!(pulled), json!(true));
    println!("tools: {} passed, {} failed", findings.passed, findings.wrong.len());
    if findings.wrong.is_empty() { Ok(()) } else { Err(findings.wrong.join("\n")) }
}

fn read(work: &Path, name: &str) -> Result<Value, String> {
    let text = fs::read_to_string(work.join(name)).map_err(|e| format!("no {name}: {e}"))?;
    serde_json::from_str(&text).map_err(|error| format!("{name}: {error}"))
}

fn variables() -> Value {
    let mut all = json!({});
    for (name, port) in [("WEB", 8000), ("API", 8100), ("API_2", 8101)] {
        all[format!("WHARF_{name}_HOST")] = json!("127.0.0.1");
        all[format!("WHARF_{name}_PORT")] = json!(port.to_string());
        all[format!("WHARF_{name}_URL")] = json!(format!("http://127.0.0.1:{port}"));
    }
    all
}

/// The manager tells a unit's lines with what it took for their values.
fn systemd(work: &Path, findings: &mut Findings) -> Result<(), String> {
    let text = fs::read(work.join("systemd.log")).map_err(|e| format!("no systemd.log: {e}"))?;
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    let folder = work.join("project/web it's $x ünï").display().to_string();
    for line in [
        format!("WorkingDirectory: {folder}"),
        format!("Environment: NOTE={NOTE}"),
        "Environment: EMPTY=".to_owned(),
        // Quoted by the manager for who reads it; `$$` is one once the command is started.
        r#"Command Line: /bin/sh -c "exec python3 ../server.py web \$\$PORT""#.to_owned(),
        r#"Command Line: /bin/sh -c "exec \"\$\$0\" \"\$\$@\"" true "a b" "\$\$(x) 50%""#
            .to_owned(),
    ] {
        let found = lines.contains(&line.as_str());
        findings.check(&format!("whether systemd says `{line}`"), &json!(found), json!(true));
    }
    Ok(())
}

fn vscode(told: &Value, findings: &mut Findings) {
    findings.check("what Visual Studio Code complains of", &told["wrong"], json!([]));
    let task = |label: &str| {
        let all = told["tasks"].as_array().into_iter().flatten();
        all.into_iter().find(|task| task["label"] == label).cloned().unwrap_or_default()
    };
    let (web, api, all) = (task("web"), task("api"), task("wharf: all"));
    findings.check("a task's variable", &web["options"]["env"]["NOTE"], json!(NOTE));
    findings.check("an empty one", &web["options"]["env"]["EMPTY"], json!(""));
    let folder = "${workspaceFolder}/web it's $x ünï";
    findings.check("a task's folder", &web["options"]["cwd"], json!(folder));
    findings.check("what it needs", &web["needs"], json!(["migrate", "api"]));
    findings.check("whether it goes on", &web["background"], json!(true));
    let words = ["python3", "server.py", "api", "8100", "a b$c", "it's", "%d"];
    findings.check("a task's words", &api["words"], json!(words));
    findings.check("that it is no shell's", &api["process"], json!(true));
    findings.check("a step", &task("migrate")["words"], json!(["true", "a b", "$(x) 50%"]));
    findings.check("all servers", &all["needs"], json!(["web", "api"]));
    let open = &told["launch"]["configurations"][0];
    findings.check("what is opened", &open["url"], json!("http://localhost:8000"));
}

fn devcontainer(read: &Value, findings: &mut Findings) {
    findings.check("a container's image", &read["image"], json!(IMAGE));
    findings.check("its ports", &read["forwardPorts"], json!([8000, 8100, 8101]));
    let of_web = json!({ "label": "web", "onAutoForward": "silent", "protocol": "http" });
    findings.check("a port's attributes", &read["portsAttributes"]["8000"], of_web);
}

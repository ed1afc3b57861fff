//! Visual Studio Code: tasks that run the services, and launch configurations that open them
//! (<https://code.visualstudio.com/docs/editor/tasks>).

use serde_json::{Map, Value, json};

use crate::document::Document;
use crate::error::ExportError;
use crate::quote;
use crate::site::{Handover, Server};

const FORMAT: &str = "Visual Studio Code";

/// Both files.
pub(crate) fn files(handover: &Handover) -> Result<Vec<Document>, ExportError> {
    let first: Vec<&Server> =
        handover.servers.iter().filter(|server| server.key.instance == 1).collect();
    if first.is_empty() {
        return Err(ExportError::Nothing { format: FORMAT, why: "it is about commands" });
    }
    let mut tasks = Vec::new();
    for server in &first {
        tasks.push(task(handover, server)?);
    }
    let all: Vec<String> = first.iter().filter(|s| !s.is_step).map(|s| s.label()).collect();
    tasks.push(json!({ "label": "wharf: all", "dependsOn": all, "problemMatcher": [] }));
    let configurations: Vec<Value> =
        handover.web().map(|server| launch(handover, server)).collect();
    let mut files = vec![file("tasks.json", &json!({ "version": "2.0.0", "tasks": tasks }))];
    if !configurations.is_empty() {
        let launch = json!({ "version": "0.2.0", "configurations": configurations });
        files.push(file("launch.json", &launch));
    }
    Ok(files)
}

fn file(name: &str, value: &Value) -> Document {
    Document::private(format!(".vscode/{name}"), format!("{value:#}\n"))
}

fn task(handover: &Handover, server: &Server) -> Result<Value, ExportError> {
    let dir = server.below(&handover.root);
    let dir = literal(quote::text(FORMAT, dir.as_os_str())?)?;
    let cwd = match dir.as_str() {
        "." => "${workspaceFolder}".to_owned(),
        dir if dir.starts_with('/') => dir.to_owned(),
        dir => format!("${{workspaceFolder}}/{dir}"),
    };
    let mut env = Map::new();
    for (name, value) in &server.here.env {
        env.insert(name.clone(), literal(value)?.into());
    }
    let mut task = json!({
        "label": server.label(),
        "isBackground": !server.is_step,
        "problemMatcher": [],
        "options": { "cwd": cwd, "env": env },
    });
    let mut words = Vec::new();
    for word in &server.here.argv {
        words.push(literal(quote::text(FORMAT, word)?)?);
    }
    let mut words = words.into_iter();
    task["type"] = "process".into();
    task["command"] = words.next().ok_or_else(|| unknown(server))?.into();
    task["args"] = words.collect::<Vec<_>>().into();
    if !server.depends_on.is_empty() {
        task["dependsOn"] = json!(server.depends_on);
        let is_step = |name: &String| {
            handover.servers.iter().any(|other| other.is_step && other.key.service == *name)
        };
        // A server does not end, and what would wait for its end would never start.
        if server.depends_on.iter().all(is_step) {
            task["dependsOrder"] = "sequence".into();
        }
    }
    Ok(task)
}

fn unknown(server: &Server) -> ExportError {
    ExportError::NoForm {
        format: FORMAT,
        what: format!("the command of `{}`", server.called()),
        why: "it is not known, or needs files that wharf writes",
    }
}

/// A text that is nothing but itself: `${` begins a variable, which cannot be escaped.
fn literal(text: &str) -> Result<String, ExportError> {
    match text.contains("${") {
        false => Ok(text.to_owned()),
        true => Err(ExportError::NoForm {
            format: FORMAT,
            what: format!("{text:?}"),
            why: "`${` begins a variable there and cannot be escaped",
        }),
    }
}

fn launch(handover: &Handover, server: &Server) -> Value {
    let scheme = if server.protocol == wharf_model::Protocol::Tls { "https" } else { "http" };
    json!({
        "name": format!("Open {}", server.called()),
        "type": "chrome",
        "request": "launch",
        "url": format!("{scheme}://localhost:{}", server.port),
        "webRoot": match server.below(&handover.root).to_string_lossy() {
            dir if dir == "." => "${workspaceFolder}".to_owned(),
            dir if dir.starts_with('/') => dir.into_owned(),
            dir => format!("${{workspaceFolder}}/{dir}"),
        },
    })
}

//! Part of `cargo xtask handover`: compose projects as wharf reads them, against the reference implementation of
//! Docker Compose's files.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::real::sandbox;

/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(120);

/// Has every case read by both, and compares.
pub fn run() -> Result<(), String> {
    sandbox::judged("composed", ("handover/compose.sh", "handover/compose"), LIMIT, judge)
}

fn judge(work: &Path) -> Result<(), String> {
    let mut wrong = Vec::new();
    let (mut read, mut refused) = (0, 0);
    let mut names: Vec<String> = fs::read_dir(work.join("cases"))
        .map_err(|error| format!("no cases: {error}"))?
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .collect();
    names.sort_unstable();
    for name in names {
        let by = |who: &str| answer(&work.join("read"), &format!("{name}.{who}"));
        match (by("wharf")?, by("docker")?) {
            (Ok(own), Ok(theirs)) => {
                let own = as_docker(&own["compose"]);
                let theirs = sorted(&theirs);
                match own == theirs {
                    true => read += 1,
                    false => wrong.push(format!("{name}: wharf reads\n  {own}\nnot\n  {theirs}")),
                }
            }
            (Err(_), Err(_)) => refused += 1,
            (Ok(_), Err(why)) => {
                wrong.push(format!("{name} is refused by compose-go alone: {why}"))
            }
            (Err(why), Ok(_)) => wrong.push(format!("{name} is refused by wharf alone: {why}")),
        }
    }
    println!("compose projects: {read} read alike, {refused} refused alike, {} not", wrong.len());
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// What a reader said, or why it refused.
fn answer(folder: &Path, name: &str) -> Result<Result<Value, String>, String> {
    let read = |end: &str| {
        let path = folder.join(format!("{name}.{end}"));
        fs::read_to_string(&path).map_err(|error| format!("no {}: {error}", path.display()))
    };
    let text = read("json")?;
    if text.is_empty() {
        return Ok(Err(read("err")?.trim().to_owned()));
    }
    serde_json::from_str(&text).map(Ok).map_err(|error| format!("{name}: {error}"))
}

/// wharf's reading in the words of the judge.
fn as_docker(own: &Value) -> Value {
    let ports = |key: &str| {
        let all = own[key].as_array().into_iter().flatten();
        let one = |service: &Value| {
            let name = service["name"].as_str().unwrap_or_default().to_owned();
            (name, service["published"].clone())
        };
        all.map(one).collect::<BTreeMap<String, Value>>()
    };
    sorted(&json!({
        "name": own["name"], "services": ports("services"), "dormant": ports("dormant")
    }))
}

/// Ports in order: it means nothing in which order they stand.
fn sorted(read: &Value) -> Value {
    let mut read = json!({
        "name": read["name"], "services": read["services"], "dormant": read["dormant"]
    });
    for key in ["services", "dormant"] {
        let services = read[key].as_object_mut().into_iter().flatten();
        for (_, ports) in services {
            if let Some(ports) = ports.as_array_mut() {
                ports.sort_by_key(Value::to_string);
            }
        }
    }
    read
}

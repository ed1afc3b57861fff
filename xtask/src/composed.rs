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

/// How many cases there are at least: fewer were not read at all.
const CASES_MIN: usize = 54;

/// What wharf exits with where a file is refused.
const REFUSED: &str = "2";

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
    let names_read = names.len();
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
            (Err(why), Err(_)) => {
                let code = fs::read_to_string(work.join("read").join(format!("{name}.wharf.code")))
                    .map_err(|error| format!("no exit code of {name}: {error}"))?;
                match code.trim() == REFUSED {
                    true => refused += 1,
                    false => wrong.push(format!("{name}: wharf ends with {code}: {why}")),
                }
            }
            (Ok(_), Err(why)) => {
                wrong.push(format!("{name} is refused by compose-go alone: {why}"))
            }
            (Err(why), Ok(_)) => wrong.push(format!("{name} is refused by wharf alone: {why}")),
        }
    }
    if names_read < CASES_MIN {
        wrong.push(format!("{names_read} cases of {CASES_MIN}"));
    }
    overridden(work, &mut wrong)?;
    println!("compose projects: {read} read alike, {refused} refused alike, {} not", wrong.len());
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// Two checkouts with an override each: docker compose can have both up at once.
fn overridden(work: &Path, wrong: &mut Vec<String>) -> Result<(), String> {
    let read = |name: &str| -> Result<Value, String> {
        let text = fs::read_to_string(work.join(name)).map_err(|e| format!("no {name}: {e}"))?;
        serde_json::from_str(&text).map_err(|error| format!("{name}: {error}"))
    };
    let mut check = |what: &str, found: Value, expected: Value| {
        if found != expected {
            wrong.push(format!("{what} is {found}, not {expected}"));
        }
    };
    let mut ports: Vec<Vec<String>> = Vec::new();
    for (checkout, name, container) in
        [("shop", "shop", "shop-db"), ("feature", "shop-feature", "shop-db-feature")]
    {
        let theirs = read(&format!("{checkout}.json"))?;
        check("the project's name", theirs["name"].clone(), json!(name));
        check("a fixed name", theirs["containers"]["db"].clone(), json!(container));
        let own = as_docker(&read(&format!("{checkout}.own.json"))?["compose"]);
        check("wharf's own reading", own, sorted(&theirs));
        let services = theirs["services"].as_object().into_iter().flatten();
        let all: Vec<Value> =
            services.flat_map(|(_, ports)| ports.as_array().cloned().unwrap_or_default()).collect();
        check("how many ports", json!(all.len()), json!(8));
        let is_open =
            |port: &Value| !["127.0.0.1", "::1"].iter().any(|own| port["host_ip"] == *own);
        check(
            "what is beyond this machine",
            json!(all.iter().filter(|p| is_open(p)).count()),
            json!(0),
        );
        let mut published: Vec<String> =
            all.iter().filter_map(|port| port["published"].as_str().map(str::to_owned)).collect();
        published.sort_unstable();
        published.dedup();
        ports.push(published);
        let targets = theirs["services"]["web"].as_array().into_iter().flatten();
        let targets: Vec<Value> = targets.map(|port| port["target"].clone()).collect();
        check("the ports within", json!(targets), json!([80, 443, 9000]));
    }
    check(
        "the main checkout's ports",
        json!(ports[0]),
        json!(["5353", "5432", "8080", "8443", "9229"]),
    );
    let shared: Vec<&String> = ports[1].iter().filter(|port| ports[0].contains(port)).collect();
    check("ports that both have", json!(shared), json!([]));
    check("how many the other has", json!(ports[1].len()), json!(5));
    Ok(())
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

//! Traefik itself, asked the table of requests of `wharf export`'s other web servers: by its file provider, by http and by
//! TLS, and by the labels of a compose file, for which a script plays Docker's engine.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::PROJECT;
use crate::real::sandbox;

/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(180);

pub(super) fn run() -> Result<(), String> {
    sandbox::judged("traefik", ("handover/traefik.sh", PROJECT), LIMIT, judge)
}

fn judge(work: &Path) -> Result<(), String> {
    let read = |name: &str| -> Result<Value, String> {
        let text = fs::read_to_string(work.join(name)).map_err(|e| format!("no {name}: {e}"))?;
        serde_json::from_str(&text).map_err(|error| format!("{name}: {error}"))
    };
    let (own, own_tls) = (read("own.json")?, read("own--tls.json")?);
    let mut wrong = Vec::new();
    let mut passed = 0;
    for (name, own) in [("file", &own), ("file--tls", &own_tls), ("docker", &own)] {
        let rows = read(&format!("{name}.json"))?;
        let odd = read(&format!("{name}.odd.json"))?;
        let expected_odd = read("own.odd.json")?;
        match odd["name"] == "api" && odd["path"] == expected_odd["path"] {
            true => passed += 1,
            false => wrong.push(format!("{name}: the odd path led to {odd}, not {expected_odd}")),
        }
        let own = own.as_object().ok_or("the table has no rows")?;
        for (row, answer) in own {
            let expected = expected(name, row, answer);
            match rows[row] == expected {
                true => passed += 1,
                false => wrong.push(format!("{name}: {row} is {}, not {expected}", rows[row])),
            }
        }
    }
    println!("Traefik: {passed} passed, {} failed", wrong.len());
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// What comes of a row of wharf's own proxy's. Where it is another thing, `docs/export.md` says so.
fn expected(name: &str, row: &str, own: &Value) -> Value {
    let mut expected = own.clone();
    match (name, row) {
        ("file" | "docker", "unknown") => return json!(404),
        // A field is set to what the file says, or left.
        ("file--tls", "origin") => {
            let plain = own["fields"]["Referer"][0].as_str().unwrap_or_default();
            expected["fields"]["Referer"] = json!([plain.replacen("http://", "https://", 1)]);
        }
        // The first container of the compose file, which has the conventional port.
        ("docker", "redirect") => return json!("http://127.0.0.11:8000/there"),
        ("docker", _) => {
            if let Some(note) = own["env"].as_str() {
                expected["env"] = json!(note.replace("8001", "8000"));
            }
        }
        _ => {}
    }
    expected
}

//! Real servers with their listening socket from systemd, by the words and variables of their units.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::real::sandbox;

/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(300);

pub(super) fn run() -> Result<(), String> {
    sandbox::judged("activated", ("handover/activated.sh", "handover/activated"), LIMIT, judge)
}

fn judge(work: &Path) -> Result<(), String> {
    let text = fs::read_to_string(work.join("activated.json"));
    let text = text.map_err(|error| format!("no activated.json: {error}"))?;
    let found: Value =
        serde_json::from_str(&text).map_err(|error| format!("activated.json: {error}"))?;
    // Neither the one whose address is typed nor the one that a wrapper starts has a socket unit.
    let expected = json!({
        "project-flask": "flask",
        "project-gunicorn": "wsgi",
        "project-hypercorn": "asgi",
        "project-reloading": "asgi",
        "project-text": "wsgi",
        "project-uvicorn": "asgi",
        "project-words": "wsgi",
    });
    if found != expected {
        return Err(format!("what was started with a socket said {found}, not {expected}"));
    }
    println!("activated: {} servers answered", expected.as_object().map_or(0, |all| all.len()));
    Ok(())
}

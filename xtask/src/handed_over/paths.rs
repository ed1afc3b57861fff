//! Paths of every kind, each handed over to each web server: it leads where wharf's own proxy leads, or it is refused.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::PROJECT;
use crate::real::sandbox;

/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(300);

/// What no web server has a reason to refuse.
const PLAIN: [&str; 3] = ["/~a+b!&(c),;=:@", "/a'b", "/a.b"];

pub(super) fn run() -> Result<(), String> {
    sandbox::judged("paths", ("handover/paths.sh", PROJECT), LIMIT, judge)
}

fn judge(work: &Path) -> Result<(), String> {
    let text = fs::read_to_string(work.join("paths.json"));
    let text = text.map_err(|error| format!("no paths.json: {error}"))?;
    let all: Value = serde_json::from_str(&text).map_err(|error| format!("paths.json: {error}"))?;
    let (mut same, mut refused, mut wrong) = (0, 0, Vec::new());
    for (path, row) in all.as_object().into_iter().flatten() {
        let own = &row["wharf"];
        for (server, answers) in row.as_object().into_iter().flatten() {
            match answers.as_str() {
                None if answers == own => same += usize::from(server != "wharf"),
                Some(why) if why.contains("cannot say") && !PLAIN.contains(&&**path) => {
                    refused += 1;
                }
                _ => wrong.push(format!("{server}: {path} led to {answers}, not {own}")),
            }
        }
    }
    println!("paths: {same} the same, {refused} refused, {} wrong", wrong.len());
    match wrong.is_empty() && PLAIN.iter().all(|path| all[path].is_object()) {
        true => Ok(()),
        false => Err(format!("not every path is as it should be\n{}", wrong.join("\n"))),
    }
}

//! `cargo xtask audit`: `wharf audit` of real servers: databases, debuggers, notebooks, files. Of each kind
//! there is one that is open and one that is not, and the rule tells them apart.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use crate::real::sandbox;

/// How long all of it may take; the slowest of it are three Java programs that are compiled as they start.
const LIMIT: Duration = Duration::from_secs(180);

/// What is to be found by a rule, and where it must not be. `Some` is the level that it has there.
struct Case {
    report: &'static str,
    rule: &'static str,
    port: u16,
    level: Option<&'static str>,
}

const fn case(rule: &'static str, port: u16, level: Option<&'static str>) -> Case {
    Case { report: "own.json", rule, port, level }
}

const fn of_owner(rule: &'static str, port: u16, level: Option<&'static str>) -> Case {
    Case { report: "postgres.json", rule, port, level }
}

const CASES: [Case; 25] = [
    case("redis-without-password", 6379, Some("low")),
    case("redis-without-password", 6380, None),
    case("redis-without-password", 6381, Some("critical")),
    case("exposed-listener", 6379, None),
    case("exposed-listener", 6381, Some("medium")),
    case("node-inspector", 9229, Some("low")),
    case("node-inspector", 9230, None),
    case("jdwp-open", 5005, Some("low")),
    case("jdwp-open", 5006, Some("critical")),
    case("jdwp-open", 5007, None),
    case("werkzeug-debugger", 5001, Some("medium")),
    case("werkzeug-debugger", 5002, None),
    case("django-debug", 8003, Some("low")),
    case("django-debug", 5002, None),
    case("jupyter-without-token", 8889, Some("high")),
    case("jupyter-without-token", 8890, None),
    case("directory-listing", 8081, Some("low")),
    case("directory-listing", 8082, None),
    case("secrets-served", 8081, Some("high")),
    case("secrets-served", 8082, None),
    case("host-not-checked", 8081, Some("medium")),
    case("host-not-checked", 8003, None),
    of_owner("postgres-trust", 5432, Some("medium")),
    of_owner("postgres-trust", 5433, None),
    of_owner("redis-without-password", 6379, None),
];

#[derive(Deserialize)]
struct Report {
    findings: Vec<Finding>,
}

#[derive(Deserialize)]
struct Finding {
    rule: String,
    level: String,
    port: Option<u16>,
}

/// Does what `cargo xtask audit` says.
pub fn run() -> Result<(), String> {
    sandbox::judged("audit", ("audit/servers.sh", "projects"), LIMIT, judge)
}

fn judge(work: &Path) -> Result<(), String> {
    let mut wrong = Vec::new();
    for Case { report, rule, port, level } in CASES {
        let file = work.join(report);
        let text = fs::read_to_string(&file).map_err(|error| format!("no {report}: {error}"))?;
        let found: Report = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let is_it = |finding: &&Finding| finding.rule == rule && finding.port == Some(port);
        let said = found.findings.iter().find(is_it).map(|finding| finding.level.as_str());
        if said != level {
            wrong.push(format!("{rule} of port {port}: {said:?}, not {level:?}"));
        }
    }
    println!("audited: {} passed, {} failed", CASES.len() - wrong.len(), wrong.len());
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

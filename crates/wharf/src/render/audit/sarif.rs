//! The audit as a SARIF 2.1.0 log
//! (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>).

use serde_json::{Value, json};
use wharf_plan::audit::{self, Finding, Place, Rule};

use super::place;
use crate::audit::Audit;
use crate::version;

/// Where the schema is published.
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// What paths are relative to.
const ROOT: &str = "ROOT";

/// The log: one run.
pub(super) fn log(audit: &Audit) -> Value {
    let rules: Vec<&Rule> = audit::all().collect();
    let results = audit.findings.iter().map(|(one, print)| result(one, print, &rules));
    let results: Vec<Value> = results.collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "wharf audit",
                "version": version::own(),
                "rules": rules.iter().map(|one| rule(one)).collect::<Vec<_>>(),
            } },
            "columnKind": "unicodeCodePoints",
            "originalUriBaseIds": { ROOT: { "description": { "text": "the root of the project" } } },
            "invocations": [{
                "executionSuccessful": true,
                "toolExecutionNotifications": audit.not_looked.iter().map(notification).collect::<Vec<_>>(),
            }],
            "results": results,
        }],
    })
}

fn notification(what: &String) -> Value {
    json!({ "level": "note", "message": { "text": format!("not looked at: {what}") } })
}

fn rule(rule: &Rule) -> Value {
    json!({
        "id": rule.id,
        "name": rule.id,
        "shortDescription": { "text": rule.title },
        "fullDescription": { "text": format!("{}: {}", rule.title, rule.why) },
        "help": { "text": format!("{}. See {}", rule.fix, rule.link()), "markdown": rule.page },
        "defaultConfiguration": { "level": rule.level.sarif() },
        "properties": {
            "security-severity": rule.level.score(),
            "precision": "high",
            "tags": ["security", rule.scope().word()],
            "page": rule.link(),
            "sources": rule.sources,
        },
    })
}

fn result(finding: &Finding, fingerprint: &str, rules: &[&Rule]) -> Value {
    let hit = &finding.hit;
    let seen = hit.evidence.join("; ");
    let mut result = json!({
        "ruleId": finding.rule.id,
        "ruleIndex": rules.iter().position(|rule| rule.id == finding.rule.id),
        "level": hit.level.sarif(),
        "message": { "text": format!("{}. Seen: {seen}. To do: {}", hit.what, hit.fix) },
        "locations": [location(finding)],
        "partialFingerprints": { "wharfAudit/v1": fingerprint },
        "properties": { "level": hit.level.word(), "security-severity": hit.level.score() },
    });
    if let Some(fix) = fix(finding) {
        result["fixes"] = json!([fix]);
    }
    result
}

fn location(finding: &Finding) -> Value {
    match &finding.place {
        Place::File { path, line } => json!({ "physicalLocation": {
            "artifactLocation": artifact(&path.display().to_string()),
            "region": { "startLine": line },
        } }),
        // What listens is no file.
        Place::Listener { .. } | Place::Port(_) => json!({ "logicalLocations": [{
            "fullyQualifiedName": format!("tcp://{}", place(finding).replace(' ', "/")),
            "kind": "resource",
        }] }),
    }
}

fn artifact(path: &str) -> Value {
    json!({ "uri": uri(path), "uriBaseId": ROOT })
}

fn fix(finding: &Finding) -> Option<Value> {
    let change = finding.hit.change.as_ref()?;
    // The end of the line stays.
    let region = json!({ "startLine": change.line, "startColumn": 1,
        "endLine": change.line, "endColumn": change.old.chars().count() + 1 });
    Some(json!({
        "description": { "text": finding.hit.fix },
        "artifactChanges": [{
            "artifactLocation": artifact(&change.path.display().to_string()),
            "replacements": [{
                "deletedRegion": region,
                "insertedContent": { "text": change.new.join("\n") },
            }],
        }],
    }))
}

/// A relative path as a reference (RFC 3986): what means something else in it is escaped.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte));
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_references() {
        assert_eq!(uri("a b/c:d/é#?.py"), "a%20b/c%3Ad/%C3%A9%23%3F.py");
    }
}

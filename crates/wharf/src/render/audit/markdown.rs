//! The audit as a document for a security team.

use std::collections::BTreeSet;

use wharf_model::{Exposure, Port, PortRange};
use wharf_os::reserve;
use wharf_plan::audit::{Finding, Level, Listener};
use wharf_plan::explain;

use super::{place, summary};
use crate::audit::{Audit, Verdict};
use crate::version;

/// The document.
pub(super) fn report(audit: &Audit) -> String {
    let mut text = format!("# Audit of {}\n\n", escaped(&audit.project));
    text.push_str(&format!(
        "Made by wharf {} for {}. Findings: {}.\n\n",
        version::own(),
        code(&audit.root.display().to_string()),
        summary(audit)
    ));
    text.push_str(&overview(audit));
    text.push_str(&listeners(audit));
    text.push_str(&ports(audit));
    text.push_str(&findings(audit));
    text.push_str(&left_out(audit));
    text
}

fn overview(audit: &Audit) -> String {
    let mut text = "## Summary\n\n| level | findings |\n|---|---:|\n".to_owned();
    for (level, count) in audit.counts() {
        text.push_str(&format!("| {level} | {count} |\n"));
    }
    text.push('\n');
    text
}

fn listeners(audit: &Audit) -> String {
    if !audit.scope.listeners {
        return String::new();
    }
    let mut text = "## What listens, and whether that is acceptable\n\n".to_owned();
    if audit.listeners.is_empty() {
        text.push_str("Nothing listens on TCP in this network namespace.\n\n");
        return text;
    }
    text.push_str("| address | reach | process | project | user | judged | why |\n|---|---|---|---|---|---|---|\n");
    for listener in &audit.listeners {
        text.push_str(&row(audit, listener));
    }
    if let Some(listener) = audit.listeners.first() {
        text.push_str(&format!("\nOf the firewall: {}.\n\n", escaped(&listener.firewall)));
    }
    text
}

fn row(audit: &Audit, listener: &Listener) -> String {
    let verdict = Verdict::of(listener, audit.at(listener));
    let reach = match listener.exposure() {
        Exposure::Loopback => "this machine",
        Exposure::Lan => "one network",
        Exposure::All => "every network",
    };
    let project = listener.project.as_ref().map_or("-", |(_, name)| name);
    let process = match listener.process() {
        Some(process) => format!("{} (pid {})", code(&process.command), process.pid),
        None => "not visible".to_owned(),
    };
    let cells = [
        code(&listener.endpoint()),
        reach.to_owned(),
        process,
        escaped(project),
        escaped(&listener.user),
        verdict.word().to_owned(),
        escaped(&verdict.why(listener, audit.at(listener))),
    ];
    format!("| {} |\n", cells.join(" | "))
}

/// What the ports are registered as, and what that means.
fn ports(audit: &Audit) -> String {
    let own = audit.listeners.iter().filter(|listener| listener.is_own);
    let mut numbers: BTreeSet<u16> = own.map(|listener| listener.port).collect();
    numbers.extend(audit.ports.iter().copied());
    if numbers.is_empty() {
        return String::new();
    }
    let mut text = "## What the ports are registered as\n\n\
        A registration at IANA is a name for a number: it neither reserves the port on a machine nor makes it safe or \
        unsafe. Whoever listens decides who is let in.\n\n\
        | port | registered as | scanned | what that means |\n|---:|---|---|---|\n"
        .to_owned();
    let (first, last) = reserve::ephemeral_range();
    for number in numbers {
        let Ok(port) = Port::try_from(number) else { continue };
        let facts = explain::port(port, PortRange { first, last });
        let of = |topic: &str| {
            let texts = facts.facts.iter().filter(|fact| fact.topic == topic);
            texts.map(|fact| fact.text.clone()).collect::<Vec<_>>().join("; ")
        };
        let corrected = facts.corrections.iter().map(|one| one.truth.to_owned());
        let meaning = [of("convention"), of("privilege"), of("ephemeral"), of("note")];
        let meaning: Vec<String> =
            meaning.into_iter().filter(|text| !text.is_empty()).chain(corrected).collect();
        let meaning: Vec<&str> = meaning.iter().map(|text| text.trim_end_matches('.')).collect();
        text.push_str(&format!(
            "| {number} | {} | {} | {} |\n",
            escaped(&of("registry")),
            escaped(&of("scanners")),
            escaped(&meaning.join(". "))
        ));
    }
    text.push_str(&format!("\nSources: {}; {}.\n\n", source("iana"), source("nmap")));
    text
}

fn source(key: &str) -> String {
    escaped(wharf_plan::ports::source(key).unwrap_or(key))
}

fn findings(audit: &Audit) -> String {
    let mut text = "## Findings\n\n".to_owned();
    if audit.findings.is_empty() {
        text.push_str("None.\n\n");
    }
    for (number, (finding, fingerprint)) in audit.findings.iter().enumerate() {
        text.push_str(&one(number + 1, finding, fingerprint));
    }
    text
}

fn one(number: usize, finding: &Finding, fingerprint: &str) -> String {
    let hit = &finding.hit;
    let mut text = format!(
        "### {number}. {}: {}\n\n{} At {}.\n\n",
        capital(hit.level),
        escaped(finding.rule.title),
        sentence(&hit.what),
        code(&place(finding))
    );
    text.push_str("Evidence:\n\n");
    for fact in &hit.evidence {
        text.push_str(&format!("- {}\n", escaped(fact)));
    }
    if hit.evidence.is_empty() {
        text.push_str("- the place itself\n");
    }
    text.push_str(&format!("\nWhy it matters: {}.\n\n", finding.rule.why));
    // What is wharf's own text has its own markup.
    let fix = if hit.fix == finding.rule.fix { hit.fix.clone() } else { escaped(&hit.fix) };
    text.push_str(&format!("What to do: {fix}.\n\n"));
    if let Some(change) = &hit.change {
        let mut lines = vec![format!("-{}", change.old)];
        lines.extend(change.new.iter().map(|line| format!("+{line}")));
        text.push_str(&fenced("diff", &lines.join("\n")));
    }
    text.push_str(&format!(
        "Rule {} ({}), fingerprint {}.\n\n",
        code(finding.rule.id),
        code(&finding.rule.link()),
        code(fingerprint)
    ));
    text
}

fn left_out(audit: &Audit) -> String {
    let mut text = "## What was not looked at\n\n".to_owned();
    for what in &audit.not_looked {
        text.push_str(&format!("- {}\n", escaped(what)));
    }
    if audit.not_looked.is_empty() {
        text.push_str("Nothing was left out.\n");
    }
    text
}

fn capital(level: Level) -> String {
    let word = level.word();
    word[..1].to_uppercase() + &word[1..]
}

fn sentence(text: &str) -> String {
    format!("{}.", escaped(text).trim_end_matches('.'))
}

/// A text from outside between words of ours: nothing in it is markup, a line's end or a cell's.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for character in super::printable(text).chars() {
        match character {
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '<' | '>' | '#' | '|' | '!' | '~'
            | '$' => {
                out.push('\\');
                out.push(character);
            }
            // A reference such as `&lt;` would be read.
            '&' => out.push_str("&amp;"),
            c if is_turning(c) => out.push_str(&format!("\\\\u{{{:x}}}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

/// A text from outside as code, whatever backticks it has.
fn code(text: &str) -> String {
    // A cell ends at `|` even within code, and no escape but an entity would do there.
    let text: String = super::printable(text).chars().filter(|c| !is_turning(*c)).collect();
    if text.contains('|') || text.is_empty() {
        return escaped(&text);
    }
    let fence = "`".repeat(longest_run(&text) + 1);
    let gap = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{gap}{text}{gap}{fence}")
}

fn fenced(language: &str, text: &str) -> String {
    let fence = "`".repeat(longest_run(text).max(2) + 1);
    let lines: Vec<String> = text.lines().map(super::printable).collect();
    format!("{fence}{language}\n{}\n{fence}\n\n", lines.join("\n"))
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// Characters that turn the direction of what is read (Unicode's bidirectional controls), or hide.
fn is_turning(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_is_markup() {
        let hostile = "a|b`c`\n# d <script> [x](y) \u{202e}&lt;\u{1b}[31m";
        let text = escaped(hostile);
        assert_eq!(
            text,
            "a\\|b\\`c\\`\\\\n\\# d \\<script\\> \\[x\\](y) \\\\u{202e}&amp;lt;\\\\x1b\\[31m"
        );
        assert_eq!(code("a`b"), "``a`b``");
        assert_eq!(code("`a"), "`` `a ``");
        assert_eq!(code("a|b"), "a\\|b");
        assert!(fenced("diff", "```\nx").starts_with("````diff\n"));
    }
}

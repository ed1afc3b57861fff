//! The answer of `wharf audit`: for a terminal, as JSON, as SARIF, as Markdown.

mod markdown;
mod sarif;

use std::net::IpAddr;

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use wharf_model::Exposure;
use wharf_model::event::SCHEMA;
use wharf_plan::audit::{self, Finding, Level, Listener, Place, Rule};

use super::table::{Give, table, wrapped};
use super::{RED, printable, takes_colours};
use crate::audit::{Audit, Verdict};
use crate::report::Report;

/// Prints it for people.
pub(crate) fn text(audit: &Audit) -> Result<(), Report> {
    super::text(&Plain { colours: takes_colours(&std::io::stdout()) }.all(audit))
}

/// Prints one JSON document.
pub(crate) fn json(audit: &Audit, least: Option<Level>) -> Result<(), Report> {
    super::json(&Document::of(audit, least))
}

/// Prints a SARIF log.
pub(crate) fn sarif(audit: &Audit) -> Result<(), Report> {
    super::json(&sarif::log(audit))
}

/// Prints a report in Markdown.
pub(crate) fn markdown(audit: &Audit) -> Result<(), Report> {
    super::text(&markdown::report(audit))
}

/// Prints the page of a rule.
pub(crate) fn rule(rule: &Rule) -> Result<(), Report> {
    super::text(rule.page)
}

/// Prints all rules.
pub(crate) fn rules() -> Result<(), Report> {
    let row = |rule: &'static Rule| {
        vec![
            rule.id.to_owned(),
            rule.level.word().to_owned(),
            rule.scope().word().to_owned(),
            rule.title.to_owned(),
        ]
    };
    let give = Give { last_below: true, shortened: 0 };
    super::text(&table(&["RULE", "LEVEL", "LOOKS AT", "WHAT"], audit::all().map(row), give))
}

/// Where a finding is, in few words.
fn place(finding: &Finding) -> String {
    match &finding.place {
        Place::File { path, line } => format!("{}:{line}", path.display()),
        Place::Listener { port, address, .. } => {
            std::net::SocketAddr::new(*address, *port).to_string()
        }
        Place::Port(port) => format!("port {port}"),
    }
}

/// `2 high, 1 low`
fn summary(audit: &Audit) -> String {
    let some = audit.counts().filter(|(_, count)| *count > 0);
    let told: Vec<String> = some.map(|(level, count)| format!("{count} {level}")).collect();
    if told.is_empty() { "no findings".to_owned() } else { told.join(", ") }
}

/// Sentences for a terminal.
struct Plain {
    colours: bool,
}

impl Plain {
    fn all(&self, audit: &Audit) -> String {
        let root = printable(&audit.root.display().to_string());
        let mut text = format!("{} ({root}): {}\n", printable(&audit.project), summary(audit));
        let mut rest = &audit.findings[..];
        while let Some((first, _)) = rest.first() {
            let same = |(other, _): &(Finding, String)| {
                other.rule == first.rule && other.level() == first.level()
            };
            let count = rest.iter().take_while(|one| same(one)).count();
            let (group, others) = rest.split_at(count);
            text.push_str(&self.group(group));
            rest = others;
        }
        text.push_str(&listeners(audit));
        if !audit.not_looked.is_empty() {
            text.push_str("\nnot looked at:\n");
            let line = |what: &String| wrapped("  ", &printable(what));
            audit.not_looked.iter().for_each(|what| text.push_str(&line(what)));
        }
        text
    }

    /// The findings of one rule and level.
    fn group(&self, group: &[(Finding, String)]) -> String {
        let Some((first, _)) = group.first() else { return String::new() };
        let rule = first.rule;
        let level = self.level(first.level());
        let mut text = format!("\n{level}  {} [{}]\n", rule.title, rule.id);
        // What somebody may only want to know takes a line, not six.
        let is_short = first.level() == Level::Info;
        for (finding, _) in group {
            let lead = format!("  {}  ", printable(&place(finding)));
            text.push_str(&wrapped(&lead, &printable(&finding.hit.what)));
            if is_short {
                continue;
            }
            for fact in &finding.hit.evidence {
                text.push_str(&wrapped("      seen: ", &printable(fact)));
            }
            text.push_str(&wrapped("      fix:  ", &printable(&finding.hit.fix)));
        }
        if !is_short {
            text.push_str(&wrapped("  why: ", rule.why));
        }
        text.push_str(&format!("  more: `wharf audit --rule {}`\n", rule.id));
        text
    }

    fn level(&self, level: Level) -> String {
        let style = match level {
            Level::Critical | Level::High => RED,
            Level::Medium => Style::new().bold().fg_color(Some(AnsiColor::Yellow.into())),
            Level::Low | Level::Info => Style::new().dimmed(),
        };
        let word = level.word().to_uppercase();
        if self.colours { format!("{style}{word}{style:#}") } else { word }
    }
}

fn listeners(audit: &Audit) -> String {
    if audit.listeners.is_empty() {
        return String::new();
    }
    let row = |listener: &Listener| {
        let verdict = Verdict::of(listener, audit.at(listener));
        let project = listener.project.as_ref().map_or("-", |(_, name)| name);
        vec![
            listener.endpoint(),
            listener.name().to_owned(),
            project.to_owned(),
            listener.user.clone(),
            verdict.word().to_owned(),
        ]
    };
    let give = Give { last_below: false, shortened: 1 };
    let rows: Vec<Vec<String>> = audit.listeners.iter().map(row).collect();
    format!("\n{}", table(&["LISTENER", "PROCESS", "PROJECT", "USER", "JUDGED"], rows, give))
}

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    project: &'a str,
    root: String,
    /// The level from which on the exit code is 8; null where it never is.
    fail_on: Option<&'static str>,
    worst: Option<&'static str>,
    counts: Counts,
    findings: Vec<FindingLine<'a>>,
    listeners: Vec<ListenerLine<'a>>,
    not_looked_at: &'a [String],
}

#[derive(Serialize, Default)]
struct Counts {
    critical: usize,
    high: usize,
    medium: usize,
    low: usize,
    info: usize,
}

#[derive(Serialize)]
struct FindingLine<'a> {
    rule: &'static str,
    level: &'static str,
    title: &'static str,
    what: &'a str,
    evidence: &'a [String],
    why: &'static str,
    fix: &'a str,
    page: String,
    sources: &'static [&'static str],
    file: Option<String>,
    line: Option<usize>,
    address: Option<IpAddr>,
    port: Option<u16>,
    /// What tells it from others, today and tomorrow.
    fingerprint: &'a str,
    change: Option<ChangeLine<'a>>,
}

#[derive(Serialize)]
struct ChangeLine<'a> {
    old: &'a str,
    new: &'a [String],
}

#[derive(Serialize)]
struct ListenerLine<'a> {
    address: IpAddr,
    port: u16,
    exposure: Exposure,
    user: &'a str,
    own: bool,
    processes: Vec<ProcessLine<'a>>,
    project: Option<&'a str>,
    root: Option<String>,
    container: Option<&'a str>,
    wharf: bool,
    judged: &'static str,
    why: String,
    registered: String,
    asked: Vec<AskedLine<'a>>,
    not_asked: Option<&'a str>,
}

#[derive(Serialize)]
struct ProcessLine<'a> {
    pid: u32,
    command: &'a str,
    argv: &'a [String],
    folder: Option<String>,
}

/// One question over HTTP, and the status that came.
#[derive(Serialize)]
struct AskedLine<'a> {
    path: &'a str,
    status: u16,
}

impl<'a> Document<'a> {
    fn of(audit: &'a Audit, least: Option<Level>) -> Document<'a> {
        let mut counts = Counts::default();
        for (level, count) in audit.counts() {
            *counts.of(level) = count;
        }
        Document {
            schema: SCHEMA,
            project: &audit.project,
            root: audit.root.display().to_string(),
            fail_on: least.map(Level::word),
            worst: audit.worst().map(Level::word),
            counts,
            findings: audit.findings.iter().map(|(one, print)| finding(one, print)).collect(),
            listeners: audit.listeners.iter().map(|one| listener(audit, one)).collect(),
            not_looked_at: &audit.not_looked,
        }
    }
}

impl Counts {
    fn of(&mut self, level: Level) -> &mut usize {
        match level {
            Level::Critical => &mut self.critical,
            Level::High => &mut self.high,
            Level::Medium => &mut self.medium,
            Level::Low => &mut self.low,
            Level::Info => &mut self.info,
        }
    }
}

fn finding<'a>(finding: &'a Finding, fingerprint: &'a str) -> FindingLine<'a> {
    let (file, line) = match &finding.place {
        Place::File { path, line } => (Some(path.display().to_string()), Some(*line)),
        _ => (None, None),
    };
    let (address, port) = match &finding.place {
        Place::Listener { port, address, .. } => (Some(*address), Some(*port)),
        Place::Port(port) => (None, Some(*port)),
        Place::File { .. } => (None, None),
    };
    let hit = &finding.hit;
    FindingLine {
        rule: finding.rule.id,
        level: hit.level.word(),
        title: finding.rule.title,
        what: &hit.what,
        evidence: &hit.evidence,
        why: finding.rule.why,
        fix: &hit.fix,
        page: finding.rule.link(),
        sources: finding.rule.sources,
        file,
        line,
        address,
        port,
        fingerprint,
        change: hit.change.as_ref().map(|change| ChangeLine { old: &change.old, new: &change.new }),
    }
}

fn listener<'a>(audit: &Audit, one: &'a Listener) -> ListenerLine<'a> {
    let verdict = Verdict::of(one, audit.at(one));
    let process = |process: &'a audit::Process| ProcessLine {
        pid: process.pid,
        command: &process.command,
        argv: &process.argv,
        folder: process.folder.as_ref().map(|folder| folder.display().to_string()),
    };
    let asked = |answer: &'a audit::Answer| AskedLine { path: &answer.path, status: answer.status };
    ListenerLine {
        address: one.address,
        port: one.port,
        exposure: one.exposure(),
        user: &one.user,
        own: one.is_own,
        processes: one.processes.iter().map(process).collect(),
        project: one.project.as_ref().map(|(_, name)| name.as_str()),
        root: one.project.as_ref().map(|(root, _)| root.display().to_string()),
        container: one.container.as_deref(),
        wharf: one.is_wharf,
        judged: verdict.word(),
        why: verdict.why(one, audit.at(one)),
        registered: registered(one.port),
        asked: one.answers.http.values().map(asked).collect(),
        not_asked: one.answers.unasked.as_deref(),
    }
}

/// What a port is registered as at IANA, in few words.
fn registered(port: u16) -> String {
    let Some(facts) = wharf_plan::ports::facts(port) else {
        return match port {
            49152.. => "in the dynamic range, which IANA never assigns".to_owned(),
            _ => "not in wharf's data".to_owned(),
        };
    };
    match (facts.iana_name, facts.iana_description) {
        ("", _) => facts.iana_status.to_owned(),
        (name, "") => name.to_owned(),
        (name, description) => format!("{name} ({description})"),
    }
}

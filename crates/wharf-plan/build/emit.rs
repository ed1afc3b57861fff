//! Writes the tables as Rust source.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write};

use crate::entry::{
    Bare, Entry, Fact, Interpreter, Page, PortEntry, PortsFile, RunnerEntry, Setting, TakesSocket,
    Tool, Value, Wrapper, Wrappers,
};

fn list<T: Debug>(items: &[T]) -> String {
    format!("&{items:?}")
}

fn pairs(map: &BTreeMap<String, String>) -> String {
    list(&map.iter().collect::<Vec<_>>())
}

fn patterns(texts: &[String]) -> String {
    let rows: Vec<String> =
        texts.iter().map(|text| list(&text.split_whitespace().collect::<Vec<_>>())).collect();
    format!("&[{}]", rows.join(", "))
}

fn option<T: Debug>(kind: &str, value: Option<T>) -> String {
    match value {
        Some(value) => format!("Some({kind}::{value:?})"),
        None => "None".to_owned(),
    }
}

fn facts(map: &BTreeMap<Fact, Value>) -> String {
    let rows: Vec<String> =
        map.iter().map(|(fact, value)| format!("(Fact::{fact:?}, {:?})", value.text())).collect();
    format!("&[{}]", rows.join(", "))
}

fn settings(rows: &[Setting]) -> String {
    let mut text = String::from("&[");
    for row in rows {
        let Setting { file, kind, key } = row;
        let _ = write!(
            text,
            "Setting {{ file: {file:?}, kind: SettingKind::{kind:?}, key: {key:?} }}, "
        );
    }
    text + "]"
}

fn bare(rows: &[Bare]) -> String {
    let mut text = String::from("&[");
    for row in rows {
        let Bare { order, files, deps, code, argv } = row;
        let _ = write!(
            text,
            "Bare {{ order: {order}, files: {}, deps: {}, code: {}, argv: {} }}, ",
            list(files),
            list(deps),
            list(code),
            list(argv),
        );
    }
    text + "]"
}

fn framework(e: &Entry) -> String {
    let d = &e.detect;
    let t = &e.typed;
    let mut ports = vec![e.conventional];
    ports.extend(&e.further_ports);
    format!(
        "Framework {{ id: {:?}, name: {:?}, lang: Lang::{:?}, category: {:?}, tested: {:?}, \
         verified: Verified::{:?}, proof: Proof::{:?}, ports: {}, bind: {:?}, probe: Probe::{:?}, \
         reads_port_env: Reads::{:?}, loopback_advice: {:?}, notes: {:?}, \
         detect: Detect {{ commands: {}, commands_with_dep: {}, except: {}, titles: {}, deps: {}, files: {}, \
         code: {}, entry: {} }}, inject: {}, \
         typed: Typed {{ port: {}, host: {}, address: {}, inline: {}, value_flags: {} }}, \
         socket: {}, settings: {}, bare: {}, facts: {}, sources: {} }},\n",
        e.id,
        e.name,
        e.lang,
        e.category,
        e.tested,
        e.verified,
        e.proof,
        list(&ports),
        e.bind,
        e.probe,
        e.reads_port_env,
        e.loopback_advice,
        e.notes,
        patterns(&d.commands),
        patterns(&d.commands_with_dep),
        patterns(&d.except),
        list(&d.titles),
        list(&d.deps),
        list(&d.files),
        list(&d.code),
        list(&d.entry),
        inject(e),
        list(&t.port),
        list(&t.host),
        list(&t.address),
        list(&t.inline),
        list(&t.value_flags),
        e.socket.as_ref().map_or("None".to_owned(), socket),
        settings(&e.settings),
        bare(&e.bare),
        facts(&e.facts),
        pairs(&e.sources),
    )
}

fn socket(takes: &TakesSocket) -> String {
    format!(
        "Some(TakesSocket {{ env: {}, address: {:?}, unless: {}, unless_env: {} }})",
        pairs(&takes.env),
        takes.address,
        list(&takes.unless),
        list(&takes.unless_env)
    )
}

fn inject(e: &Entry) -> String {
    let i = &e.inject;
    format!(
        "Inject {{ by: By::{:?}, else_by: {}, only: {}, env: {}, env_append: {}, env_host: {}, \
         env_extra: {}, args: {}, args_host: {}, args_extra: {}, env_default: {}, page: {}, env_beats_flag: {}, \
         flag_adds_listener: {}, port_variable: {}, derive: {}, positional: {}, template: {:?}, replace: {:?} }}",
        i.by,
        option("By", i.else_by),
        patterns(&i.only),
        pairs(&i.env),
        pairs(&i.env_append),
        pairs(&i.env_host),
        pairs(&i.env_extra),
        list(&i.args),
        list(&i.args_host),
        list(&i.args_extra),
        pairs(&i.env_default),
        i.page.as_ref().map_or("None".to_owned(), page),
        i.env_beats_flag,
        i.flag_adds_listener,
        i.port_variable,
        option("Derive", i.derive),
        option("Positional", i.positional),
        i.template,
        i.replace,
    )
}

fn page(p: &Page) -> String {
    format!(
        "Some(Page {{ args: {}, package: {:?}, since: {}, files: {:?}, unless: {} }})",
        list(&p.args),
        p.package,
        p.since,
        p.files,
        list(&p.unless),
    )
}

fn runner(e: &RunnerEntry) -> String {
    let r = &e.runner;
    format!(
        "Runner {{ id: {:?}, name: {:?}, tested: {:?}, verified: Verified::{:?}, proof: Proof::{:?}, programs: {}, run: {}, \
         shorthands: {}, exec: {}, any_script: {}, double_dash: DoubleDash::{:?}, lockfiles: {}, \
         package_manager: {:?}, dir_flags: {}, value_flags: {}, workspace_flags: {}, own_flags: {}, \
         facts: {}, sources: {} }},\n",
        e.id,
        e.name,
        e.tested,
        e.verified,
        e.proof,
        list(&r.programs),
        list(&r.run),
        list(&r.shorthands),
        list(&r.exec),
        r.any_script,
        r.double_dash,
        list(&r.lockfiles),
        r.package_manager,
        list(&r.dir_flags),
        list(&r.value_flags),
        list(&r.workspace_flags),
        list(&r.own_flags),
        pairs(&e.facts),
        pairs(&e.sources),
    )
}

fn wrapper(w: &Wrapper) -> String {
    format!(
        "Wrapper {{ programs: {}, sub: {}, value_flags: {}, shell_flags: {}, dir_flags: {}, \
         module_flags: {}, positionals: {}, assignments: {}, after_dashes: {}, versioned: {}, \
         shell_words: {}, several: {} }},\n",
        list(&w.programs),
        patterns(&w.sub),
        list(&w.value_flags),
        list(&w.shell_flags),
        list(&w.dir_flags),
        list(&w.module_flags),
        w.positionals,
        w.assignments,
        w.after_dashes,
        w.versioned,
        w.shell_words,
        w.several,
    )
}

fn interpreter(i: &Interpreter) -> String {
    format!(
        "Interpreter {{ programs: {}, lang: Lang::{:?}, sub: {}, value_flags: {}, \
         module_flags: {}, code_flags: {} }},\n",
        list(&i.programs),
        i.lang,
        list(&i.sub),
        list(&i.value_flags),
        list(&i.module_flags),
        list(&i.code_flags),
    )
}

fn tool(t: &Tool) -> String {
    let (programs, env) = (list(&t.programs), pairs(&t.env_append));
    format!("Tool {{ programs: {programs}, env_append: {env} }},\n")
}

fn table<T>(name: &str, kind: &str, rows: &[T], row: impl Fn(&T) -> String) -> String {
    let rows: String = rows.iter().map(row).collect();
    format!("static {name}: &[{kind}] = &[\n{rows}];\n")
}

/// The catalog's tables.
pub(crate) fn catalog(entries: &[Entry], runners: &[RunnerEntry], wrappers: &Wrappers) -> String {
    table("FRAMEWORKS", "Framework", entries, framework)
        + &table("RUNNERS", "Runner", runners, runner)
        + &table("WRAPPERS", "Wrapper", &wrappers.wrapper, wrapper)
        + &table("INTERPRETERS", "Interpreter", &wrappers.interpreter, interpreter)
        + &table("TOOLS", "Tool", &wrappers.tool, tool)
}

fn port(p: &PortEntry) -> String {
    format!(
        "PortFacts {{ number: {}, iana_name: {:?}, iana_status: {:?}, iana_description: {:?}, \
         iana_range: {:?}, iana_unauthorized_use: {:?}, dev_users: {}, nmap_name: {:?}, \
         nmap_rank: {:?}, nmap_frequency: {:?}, nmap_rank_tied_with: {:?}, nmap_listed: {}, \
         nmap_top100: {}, nmap_top1000: {}, notes: {:?} }},\n",
        p.number,
        p.iana_name,
        p.iana_status,
        p.iana_description,
        p.iana_range,
        p.iana_unauthorized_use,
        list(&p.dev_users),
        p.nmap_name,
        p.nmap_rank,
        p.nmap_frequency,
        p.nmap_rank_tied_with,
        p.nmap_listed.unwrap_or(true),
        p.nmap_top100,
        p.nmap_top1000,
        p.notes,
    )
}

/// The tables of ports.
pub(crate) fn ports(file: &PortsFile) -> String {
    table("PORTS", "PortFacts", &file.port, port)
        + &table("STATEMENTS", "Statement", &file.facts.statement, |s| {
            format!(
                "Statement {{ about: {}, text: {:?}, source: {:?}, corrects: {:?} }},\n",
                list(&s.about),
                s.text,
                s.source,
                s.corrects,
            )
        })
        + &format!("static SOURCES: &[(&str, &str)] = {};\n", pairs(&file.facts.sources))
}

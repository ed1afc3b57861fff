//! How the proxy speaks HTTP/2, by the judgement of a conformance suite of other people's: h2spec.

use std::fs;
use std::process::Command;

use super::world::World;

/// What it finds that is meant. The port speaks HTTP/1 as well, so that a preface which is none of HTTP/2's is a
/// bad request and gets its 400; the suite wants nothing but a close. Over TLS both sides have agreed on HTTP/2.
const MEANT_WITHOUT_TLS: [&str; 1] = ["Sends invalid connection preface"];

/// How many cases it has at least: a suite that ran none has found nothing.
const CASES: usize = 140;

pub fn prove(world: &mut World<'_>) -> Result<String, String> {
    for run in world.runs()? {
        world.start(run, "shop", &[])?;
    }
    world.ready()?;
    let [site] = &world.sites[..] else { return Err("one server was wanted".to_owned()) };
    let host = site.host.clone();
    // It looks names up as Go does, which knows `localhost` alone. This is the sandbox's own file.
    let hosts = world.place.root.join("hosts");
    let known = fs::read_to_string(&hosts).map_err(|error| format!("no hosts file: {error}"))?;
    fs::write(&hosts, format!("{known}127.0.0.1 {host}\n"))
        .map_err(|error| format!("cannot write {}: {error}", hosts.display()))?;
    let plain = judge(world, "plain", &["-h", &host, "-p", "80"], &MEANT_WITHOUT_TLS)?;
    let tls = judge(world, "TLS", &["-h", &host, "-p", "443", "-t", "-k"], &[])?;
    Ok(format!("{plain}, {tls}"))
}

/// How many cases passed, or those that failed and were not meant to.
fn judge(
    world: &World<'_>,
    way: &str,
    arguments: &[&str],
    meant: &[&str],
) -> Result<String, String> {
    let out = world.place.root.join(format!("h2spec-{way}.xml"));
    Command::new(world.place.parts.join("h2spec/h2spec"))
        .args(arguments)
        .args(["--strict", "--junit-report"])
        .arg(&out)
        .output()
        .map_err(|error| format!("cannot run h2spec: {error}"))?;
    let report = fs::read_to_string(&out)
        .map_err(|error| format!("h2spec wrote no report over {way}: {error}"))?;
    let cases = cases(&report);
    let failed: Vec<&str> =
        cases.iter().filter(|case| case.failed).map(|case| case.title.as_str()).collect();
    let wrong: Vec<&&str> = failed.iter().filter(|title| !meant.contains(title)).collect();
    if !wrong.is_empty() {
        return Err(format!("h2spec over {way}: {wrong:?} failed"));
    }
    if let Some(passes) = meant.iter().find(|title| !failed.contains(title)) {
        return Err(format!("h2spec over {way}: `{passes}` passes now: say so in the documents"));
    }
    if cases.len() < CASES {
        return Err(format!("h2spec over {way} ran {} cases alone", cases.len()));
    }
    Ok(format!("{} of {} by h2spec over {way}", cases.len() - failed.len(), cases.len()))
}

/// One case of a report.
struct Case {
    title: String,
    failed: bool,
}

/// The cases of a JUnit report, as h2spec writes it: a case that was not tried is no case.
fn cases(report: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    for piece in report.split("<testcase ").skip(1) {
        let piece = piece.split("</testcase>").next().unwrap_or(piece);
        if piece.contains("<skipped") {
            continue;
        }
        // The class is the text of the case, the package its section.
        let title = piece.split("classname=\"").nth(1).and_then(|rest| rest.split('"').next());
        let failed = piece.contains("<failure") || piece.contains("<error");
        cases.push(Case { title: title.unwrap_or_default().to_owned(), failed });
    }
    cases
}

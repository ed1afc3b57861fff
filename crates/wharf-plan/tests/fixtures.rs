//! Every entry of the catalog has a fixture folder, and every case in it gives the plan it says.
//!
//! A fixture is `fixtures/<id>/`: the few files that such a project has, and `fixture.toml` with
//! cases. Nothing is installed and nothing is started.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use wharf_model::plan::{Hint, Values};
use wharf_model::{LaunchPlan, Port, PortRequest};
use wharf_plan::catalog;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixture {
    /// Files that a fixture cannot have lying about, such as `.env`: name and contents.
    #[serde(default)]
    files: BTreeMap<String, String>,
    case: Vec<Case>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What the case shows.
    #[serde(default)]
    shows: String,
    /// The command; none for `wharf run` alone.
    command: Option<Vec<String>>,
    /// The folder below the fixture's.
    #[serde(default)]
    dir: String,
    /// `--port`.
    port: Option<String>,
    /// The environment of `wharf run`.
    #[serde(default)]
    inherited: BTreeMap<String, String>,
    /// More files for this case.
    #[serde(default)]
    files: BTreeMap<String, String>,
    /// The expected framework; none for an unknown one.
    framework: Option<String>,
    /// The expected command.
    argv: Vec<String>,
    /// The expected variables, all of them.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// The expected request: `5173`, `5173+` or `auto 5173`.
    request: String,
    /// The expected hint.
    hint: String,
    /// The expected service's name.
    service: Option<String>,
    /// Texts that the derived file has.
    #[serde(default)]
    derived: Vec<String>,
    /// A text that the trace has.
    trace: Option<String>,
}

/// The folder of the fixtures.
fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn write(dir: &Path, files: &BTreeMap<String, String>) {
    for (name, text) in files {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

fn plan(case: &Case, dir: &Path) -> Result<LaunchPlan, wharf_plan::PlanError> {
    let command: Option<Vec<OsString>> =
        case.command.as_ref().map(|words| words.iter().map(OsString::from).collect());
    let env = |name: &str| case.inherited.get(name).map(OsString::from);
    wharf_plan::plan(&wharf_plan::Request {
        dir: &dir.join(&case.dir),
        command: command.as_deref(),
        port: case.port.as_ref().map(|port| port.parse().unwrap()),
        service: None,
        env: &env,
        home: None,
    })
}

fn request(request: PortRequest) -> String {
    match request {
        PortRequest::Exactly(port) => format!("{port}"),
        PortRequest::AtLeast(port) => format!("{port}+"),
        PortRequest::Conventional(port) | PortRequest::Remembered(port) => format!("auto {port}"),
    }
}

fn hint(hint: Hint) -> &'static str {
    match hint {
        Hint::Env => "env",
        Hint::Flag => "flag",
        Hint::Positional => "positional",
        Hint::Config => "config",
        Hint::Typed => "typed",
        Hint::Convention => "convention",
        Hint::None => "none",
    }
}

/// What differs between a plan and its case, as lines.
fn differences(case: &Case, plan: &LaunchPlan, dir: &Path) -> Vec<String> {
    let port = |number| Port::new(number).unwrap();
    let values = Values {
        host: "127.0.0.1".into(),
        ports: vec![port(8123), port(8124)],
        files: "/files".into(),
    };
    // Paths of the fixture's copy are written as $DIR.
    let text = |word: OsString| {
        word.to_string_lossy().replace(&dir.canonicalize().unwrap().display().to_string(), "$DIR")
    };
    let argv: Vec<String> = plan.argv(&values).into_iter().map(text).collect();
    let env: BTreeMap<String, String> =
        plan.env(&values).into_iter().map(|(name, value)| (text(name), text(value))).collect();
    let mut out = Vec::new();
    let mut check = |what: &str, expected: String, actual: String| {
        if expected != actual {
            out.push(format!(
                "    {what}: expected {expected}\n    {:>width$}  but is {actual}",
                "",
                width = what.len()
            ));
        }
    };
    check(
        "framework",
        format!("{:?}", case.framework),
        format!("{:?}", plan.framework.as_ref().map(|f| f.id)),
    );
    check("argv", format!("{:?}", case.argv), format!("{argv:?}"));
    check("env", format!("{:?}", case.env), format!("{env:?}"));
    check("request", case.request.clone(), request(plan.request));
    check("hint", case.hint.clone(), hint(plan.hint).to_owned());
    if let Some(service) = &case.service {
        check("service", service.clone(), plan.service.clone());
    }
    let files: Vec<String> = plan.files.iter().map(|file| values.fill_file(file)).collect();
    for part in &case.derived {
        check(
            &format!("{part:?} in a derived file"),
            "true".into(),
            files.iter().any(|f| f.contains(part)).to_string(),
        );
    }
    if case.derived.is_empty() {
        check("derived files", "0".into(), files.len().to_string());
    }
    if let Some(part) = &case.trace {
        let found = plan.trace.iter().any(|s| s.found.contains(part) || s.looked_at.contains(part));
        if !found {
            out.push(format!("    no {part:?} in the trace {:#?}", plan.trace));
        }
    }
    out
}

#[test]
fn every_entry_has_a_fixture_and_every_case_passes() {
    let ids = catalog::all().iter().map(|f| f.id).chain(catalog::runners().iter().map(|r| r.id));
    let mut wrong = Vec::new();
    let mut cases = 0;
    for id in ids {
        let folder = fixtures().join(id);
        let Ok(text) = fs::read_to_string(folder.join("fixture.toml")) else {
            wrong.push(format!("{id}: has no fixture"));
            continue;
        };
        let fixture: Fixture = toml::from_str(&text).unwrap_or_else(|why| panic!("{id}: {why}"));
        if fixture.case.is_empty() {
            wrong.push(format!("{id}: its fixture has no case"));
        }
        if !id.starts_with("runner-")
            && !fixture.case.iter().any(|c| c.framework.as_deref() == Some(id))
        {
            wrong.push(format!("{id}: no case of its fixture detects it"));
        }
        for case in &fixture.case {
            cases += 1;
            let copied = tempfile::tempdir().unwrap();
            copy(&folder, copied.path());
            // A root of its own: nothing above the fixture counts.
            fs::create_dir(copied.path().join(".git")).unwrap();
            fs::write(copied.path().join(".git/HEAD"), "ref: refs/heads/main").unwrap();
            write(copied.path(), &fixture.files);
            write(copied.path(), &case.files);
            let shown = format!("{id}: {:?} {}", case.command, case.shows);
            match plan(case, copied.path()) {
                Ok(plan) => {
                    let lines = differences(case, &plan, copied.path());
                    if !lines.is_empty() {
                        wrong.push(format!("{shown}\n{}", lines.join("\n")));
                    }
                }
                Err(why) => wrong.push(format!("{shown}\n    {why}")),
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {cases} cases and entries are wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn no_fixture_is_left_over() {
    for entry in fs::read_dir(fixtures()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let runner = catalog::runners().iter().any(|runner| runner.id == name);
        assert!(runner || catalog::by_id(&name).is_some(), "{name} is in no catalog");
    }
}

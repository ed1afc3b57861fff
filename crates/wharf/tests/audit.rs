//! `wharf audit`: files, listeners and answers in a network of their own, and every form of the report.

mod sandbox;

use std::process::{Child, Command, Stdio};

use sandbox::{Answer, Sandbox, answer, until};

/// A server that is ended with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a program of Python's in the project, and waits until it listens.
fn serve(sandbox: &Sandbox, port: u16, words: &[&str]) -> Server {
    let mut command = sandbox.program("python3");
    command.args(words).stdout(Stdio::null()).stderr(Stdio::null());
    let server = Server(command.spawn().expect("python3 is there"));
    until(|| sandbox.get(&format!("http://127.0.0.1:{port}/")).ok()).expect("it answers");
    server
}

const COMPOSE: &str = "services:\n  db:\n    image: postgres\n    ports:\n      - \"5432:5432\"\n";

/// A project with something to mend in two files.
fn project() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.file("compose.yml", COMPOSE);
    sandbox.file("Procfile", "web: python manage.py runserver 0.0.0.0:8000\n");
    sandbox
}

fn rules(answer: &Answer) -> Vec<String> {
    let document = answer.json();
    let findings = document["findings"].as_array().unwrap().iter();
    findings.map(|one| one["rule"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn files_are_judged_and_the_level_decides_the_code() {
    let sandbox = project();
    let found = sandbox.output(&["audit", "--files", "--json"]);
    assert_eq!(found.code, 8, "{found:?}");
    let names = rules(&found);
    assert!(names.contains(&"compose-publishes-all".to_owned()), "{names:?}");
    assert!(names.contains(&"command-binds-all".to_owned()), "{names:?}");
    let document = found.json();
    assert_eq!((&document["schema"], &document["worst"]), (&1.into(), &"high".into()));
    assert_eq!(document["findings"][0]["file"], "compose.yml");
    assert_eq!(document["findings"][0]["line"], 5);
    assert_eq!(sandbox.output(&["audit", "--files", "--fail-on", "critical"]).code, 0);
    assert_eq!(sandbox.output(&["audit", "--files", "--fail-on", "never"]).code, 0);
    let again = sandbox.output(&["audit", "--files", "--json"]);
    assert_eq!(found.out, again.out, "two runs say the same");
}

#[test]
fn the_patch_is_taken_by_git_and_written_only_when_told() {
    let sandbox = project();
    let patch = sandbox.output(&["audit", "--fix"]);
    assert_eq!(patch.code, 0, "{patch:?}");
    let compose = sandbox.project().join("compose.yml");
    assert_eq!(std::fs::read_to_string(&compose).unwrap(), COMPOSE, "nothing is written");
    let file = sandbox.dir().join("a.patch");
    std::fs::write(&file, &patch.out).unwrap();
    let mut check = Command::new("git");
    check.args(["apply", "--check"]).arg(&file).current_dir(sandbox.project());
    check.env("GIT_DIR", "/nonexistent");
    let checked = answer(check);
    assert_eq!(checked.code, 0, "{checked:?}\n{}", patch.out);
    sandbox::mode(&compose, 0o640);
    let written = sandbox.output(&["audit", "--fix", "--apply"]);
    assert_eq!(written.code, 0, "{written:?}");
    assert!(std::fs::read_to_string(&compose).unwrap().contains("\"127.0.0.1:5432:5432\""));
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(&compose).unwrap().permissions().mode() & 0o777, 0o640);
    let left = rules(&sandbox.output(&["audit", "--files", "--json"]));
    assert!(left.iter().all(|rule| !rule.ends_with("-all")), "{left:?}");
}

#[test]
fn listeners_and_answers_are_judged() {
    let sandbox = Sandbox::new();
    sandbox.file(".env", "SECRET=hidden-value\n");
    let _open = serve(&sandbox, 8000, &["-m", "http.server", "8000"]);
    let _near = serve(&sandbox, 8100, &["-m", "http.server", "8100", "--bind", "127.0.0.1"]);
    let found = sandbox.output(&["audit", "--json"]);
    assert_eq!(found.code, 8, "{found:?}");
    let document = found.json();
    let of = |rule: &str, port: u16| {
        let mut all = document["findings"].as_array().unwrap().iter();
        all.find(|one| one["rule"] == rule && one["port"] == port).map(|one| one["level"].clone())
    };
    assert_eq!(of("exposed-listener", 8000), Some("high".into()));
    assert_eq!(of("exposed-listener", 8100), None);
    assert_eq!(of("directory-listing", 8000), Some("medium".into()));
    assert_eq!(of("directory-listing", 8100), Some("low".into()));
    assert_eq!(of("host-not-checked", 8100), Some("medium".into()));
    assert_eq!(of("secrets-served", 8000), Some("critical".into()));
    for form in ["--json", "--markdown", "--sarif"] {
        assert!(!sandbox.output(&["audit", form]).out.contains("hidden-value"), "{form}");
    }
    let silent = sandbox.output(&["audit", "--listeners", "--json"]);
    assert!(rules(&silent).iter().all(|rule| rule != "directory-listing"), "nothing is asked");
}

#[test]
fn sarif_has_places_fingerprints_and_fixes() {
    let sandbox = project();
    let log = sandbox.output(&["audit", "--files", "--sarif"]).json();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let result = &run["results"][0];
    assert_eq!(
        (&result["ruleId"], &result["level"]),
        (&"compose-publishes-all".into(), &"error".into())
    );
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "compose.yml");
    assert_eq!(place["region"]["startLine"], 5);
    let print = result["partialFingerprints"]["wharfAudit/v1"].clone();
    assert!(result["fixes"][0]["artifactChanges"][0]["replacements"].is_array());
    let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
    assert_eq!(run["tool"]["driver"]["rules"][index]["id"], "compose-publishes-all");
    // The line moves, and the finding stays the same one.
    sandbox.file("compose.yml", &format!("# moved\n{COMPOSE}"));
    let moved = sandbox.output(&["audit", "--files", "--sarif"]).json();
    assert_eq!(moved["runs"][0]["results"][0]["partialFingerprints"]["wharfAudit/v1"], print);
}

#[test]
fn the_report_and_the_pages_are_for_reading() {
    let sandbox = project();
    let report = sandbox.output(&["audit", "--markdown", "--files"]).out;
    for part in
        ["# Audit of project", "## Findings", "irdmi", "rank 38", "## What was not looked at"]
    {
        assert!(report.contains(part), "{part}:\n{report}");
    }
    let page = sandbox.output(&["audit", "--rule", "compose-publishes-all"]);
    assert!(page.code == 0 && page.out.starts_with("# "), "{page:?}");
    let unknown = sandbox.output(&["audit", "--rule", "compose-publish-all"]);
    assert!(unknown.code == 3 && unknown.err.contains("compose-publishes-all"), "{unknown:?}");
    assert_eq!(sandbox.output(&["audit", "nowhere"]).code, 3);
}

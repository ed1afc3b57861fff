//! The compose projects that `cargo xtask handover` has compose-go read, read by wharf alone: what is read of them
//! stands in the snapshot, and agreed with compose-go when it was taken.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use wharf_model::External;
use wharf_plan::services::compose::{self, Compose, Wish};

fn lines(path: PathBuf) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

fn read(case: &Path, is_strict: bool) -> Result<Compose, String> {
    let variables = lines(case.join("case.env"));
    let env = |name: &str| {
        let of_name = |line: &&String| line.split_once('=').is_some_and(|(known, _)| known == name);
        variables.iter().find(of_name)?.split_once('=').map(|(_, value)| value.to_owned())
    };
    let files: Vec<PathBuf> =
        lines(case.join("case.files")).into_iter().map(PathBuf::from).collect();
    let profiles = lines(case.join("case.profiles"));
    let wish = Wish { files: &files, profiles: &profiles, env: &env, is_strict, skips_own: false };
    let folder = format!("{}/", case.display());
    compose::read(case, case, wish).map_err(|error| error.to_string().replace(&folder, ""))
}

fn service(text: &mut String, one: &External, profiles: &[String]) {
    let External { name, what, published, container, source, .. } = one;
    write!(text, "  {name}: {what}; {source}").unwrap();
    if let Some(container) = container {
        write!(text, "; container {container}").unwrap();
    }
    if !profiles.is_empty() {
        write!(text, "; by request: {}", profiles.join(" ")).unwrap();
    }
    for one in published {
        let address = one.address.map(|address| format!("{address} ")).unwrap_or_default();
        let (host, target, protocol) = (one.host_text(), one.target, &one.protocol);
        write!(text, "\n    {address}{host} to {target}/{protocol}").unwrap();
    }
    text.push('\n');
}

#[test]
fn projects_are_read_as_compose_go_reads_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/real/handover/compose");
    let mut cases: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= 40, "{}", cases.len());
    let mut text = String::new();
    for case in cases {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        match read(&case, true) {
            Err(error) => writeln!(text, "{name}\n  refused: {error}").unwrap(),
            Ok(compose) => {
                writeln!(text, "{name}\n  called {} by {}", compose.name, compose.named_by)
                    .unwrap();
                compose.services.iter().for_each(|one| service(&mut text, one, &[]));
                compose.dormant.iter().for_each(|(one, by)| service(&mut text, one, by));
            }
        }
    }
    insta::assert_snapshot!("compose", text);
}

#[test]
fn what_runs_beside_docker_does_not_fail_for_a_variable_of_dockers() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/real/handover/compose");
    let elsewhere = read(&folder.join("required-missing-elsewhere"), false).unwrap();
    assert_eq!(elsewhere.services.len(), 1);
    let missing = read(&folder.join("required-missing"), false).unwrap();
    assert!(missing.services[0].published.is_empty());
    let said = missing.trace.iter().any(|step| step.found.contains("say where it is to be"));
    assert!(said, "{:?}", missing.trace);
}

#[test]
fn what_wharf_has_written_can_be_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    write("compose.yaml", "services:\n  db: {image: x, ports: ['5432:5432']}\n");
    write(
        "compose.override.yaml",
        "x-wharf: {}\nservices:\n  db: {ports: !override ['127.0.0.1:5433:5432']}\n",
    );
    let read = |skips_own| {
        let wish = Wish { skips_own, ..Wish::plain() };
        let compose = compose::read(dir.path(), dir.path(), wish).unwrap();
        (compose.files.len(), compose.services[0].ports())
    };
    assert_eq!((read(false), read(true)), ((2, vec![5433]), (1, vec![5432])));
}

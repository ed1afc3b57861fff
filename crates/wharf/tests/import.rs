//! `wharf import`: the file that it writes runs what the project's own files run.

mod sandbox;

use std::path::{Path, PathBuf};

use sandbox::{Sandbox, answer};
use serde_json::Value;

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        match entry.path() {
            path if path.is_dir() => copy(&path, &place),
            path => drop(std::fs::copy(path, place).unwrap()),
        }
    }
}

/// What `wharf up` would run there: everything but where it was found.
fn explained(sandbox: &Sandbox, folder: &Path) -> (i32, Vec<Value>) {
    let mut command = sandbox.wharf(&["explain", "--project", "--json"]);
    command.current_dir(folder);
    let told = answer(command);
    if told.code != 0 {
        return (told.code, Vec::new());
    }
    let services = told.json()["services"].as_array().cloned().unwrap_or_default();
    let bare = services.into_iter().map(|mut service| {
        service["source"] = Value::Null;
        service
    });
    (0, bare.collect())
}

#[test]
fn what_well_known_projects_run_is_written_down_and_runs_the_same() {
    let sandbox = Sandbox::new();
    let fixtures =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../wharf-plan/fixtures-services");
    let mut imported = 0;
    for entry in std::fs::read_dir(fixtures).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_dir() {
            continue;
        }
        let folder = sandbox.dir().join("import").join(path.file_name().unwrap());
        copy(&path, &folder);
        std::fs::create_dir_all(folder.join(".git")).unwrap();
        let before = explained(&sandbox, &folder);
        let mut command = sandbox.wharf(&["import", "-o", "wharf.toml"]);
        command.current_dir(&folder);
        let done = answer(command);
        if before.1.is_empty() {
            assert_eq!(done.code, 3, "{}: {done:?}", path.display());
            continue;
        }
        assert_eq!(done.code, 0, "{}: {done:?}", path.display());
        assert_eq!(explained(&sandbox, &folder), before, "{}", path.display());
        imported += 1;
    }
    assert!(imported >= 10, "only {imported} projects have something to import");
}

#[test]
fn a_procfile_comes_back_out_of_what_was_made_of_it() {
    let sandbox = Sandbox::new();
    sandbox.file("Procfile", "web: python3 -m http.server $PORT\nworker: ./work 'a b' | cat\n");
    sandbox.file(".env", "NOTE=\"it's\"\n");
    let text = sandbox.output(&["import"]);
    assert_eq!(text.code, 0, "{text:?}");
    for line in ["[service.web]", "run = \"python3 -m http.server $PORT\"", "[service.worker]"] {
        assert!(text.out.lines().any(|known| known == line), "{line}: {text:?}");
    }
    assert!(text.out.contains("\"NOTE\" = \"it's\""), "{text:?}");
    let written = sandbox.output(&["import", "-o", "wharf.toml"]);
    assert_eq!(written.code, 0, "{written:?}");
    std::fs::remove_file(sandbox.project().join("Procfile")).unwrap();
    let back = sandbox.output(&["export", "procfile"]);
    let has = |end: &str| back.out.lines().any(|line| line.ends_with(end));
    assert!(has("python3 -m http.server $PORT") && has("./work 'a b' | cat"), "{back:?}");
    assert!(back.out.contains("export NOTE='it'\\''s'; "), "{back:?}");
}

#[test]
fn a_file_that_is_there_is_left_and_a_folder_without_anything_is_told() {
    let sandbox = Sandbox::new();
    let nothing = sandbox.output(&["import"]);
    assert_eq!(nothing.code, 3, "{nothing:?}");
    sandbox.file("Procfile", "web: python3 -m http.server $PORT\n");
    sandbox.file("wharf.toml", "# mine\n");
    let refused = sandbox.output(&["import", "-o", "wharf.toml"]);
    assert!(refused.code == 4 && refused.out.contains("-# mine"), "{refused:?}");
    let missing = sandbox.output(&["import", "nowhere"]);
    assert_eq!(missing.code, 3, "{missing:?}");
}

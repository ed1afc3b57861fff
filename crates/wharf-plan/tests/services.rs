//! What is found of whole projects: one snapshot for each folder of `fixtures-services`.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use wharf_model::{ProjectServices, Ready, Run, Service, Step};
use wharf_plan::project::Project;
use wharf_plan::{PlanError, services};

fn project(root: &Path) -> Project {
    let root = fs::canonicalize(root).unwrap();
    let step = Step::new("project", "the fixture");
    Project { path: root.clone(), worktree: String::new(), root, step }
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures-services")
}

/// A service in one line and, where it says more, some indented ones.
fn service(service: &Service, root: &Path) -> String {
    let below = service.dir.strip_prefix(root).unwrap();
    let run = match &service.run {
        None => "(as `wharf run` alone)".to_owned(),
        Some(Run::Shell(text)) => format!("sh: {text}"),
        Some(Run::Words(words)) => {
            words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
        }
    };
    let mut text = format!("{} in ./{}: {run}\n", service.name, below.display());
    writeln!(text, "    from {}", service.source).unwrap();
    if let Some(port) = service.port {
        writeln!(text, "    port {port}").unwrap();
    }
    if service.ready == Ready::Exit {
        text.push_str("    a step\n");
    }
    if !service.depends_on.is_empty() {
        writeln!(text, "    after {}", service.depends_on.join(", ")).unwrap();
    }
    for (name, value) in &service.env {
        writeln!(text, "    {name}={value}").unwrap();
    }
    text
}

fn shown(found: &ProjectServices, root: &Path) -> String {
    let mut text: String = found.services.iter().map(|s| service(s, root)).collect();
    for external in &found.external {
        let ports = external.ports.iter().map(u16::to_string).collect::<Vec<_>>().join(" ");
        let (name, by, what) = (&external.name, &external.by, &external.what);
        writeln!(text, "{name} by {by}: {what}; {}; [{ports}]", external.source).unwrap();
    }
    text.push_str("--\n");
    for step in &found.trace {
        // What bare looks for grows with the catalog.
        if step.found != "not there" {
            writeln!(text, "{}: {}", step.looked_at, step.found).unwrap();
        }
    }
    text
}

#[test]
fn well_known_projects() {
    let mut count = 0;
    for entry in fs::read_dir(fixtures()).unwrap().flatten() {
        if !entry.path().is_dir() {
            continue;
        }
        let project = project(&entry.path());
        let found = services::detect(&project, &project.root).unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        insta::assert_snapshot!(name, shown(&found, &project.root));
        count += 1;
    }
    assert!(count >= 12, "{count}");
}

//! What is found of whole projects: one snapshot for each folder of `fixtures-services`.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use wharf_model::{ProjectServices, Ready, Run, Service, Step};
use wharf_plan::project::Project;
use wharf_plan::{PlanError, Request, services};

fn project(root: &Path) -> Project {
    let root = fs::canonicalize(root).unwrap();
    let step = Step::new("project", "the fixture");
    Project { path: root.clone(), worktree: String::new(), root, marked: true, step }
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
        let ports = external.ports().iter().map(u16::to_string).collect::<Vec<_>>().join(" ");
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

/// A project made of some files.
fn made(files: &[(&str, &str)]) -> (tempfile::TempDir, Project) {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let project = project(dir.path());
    (dir, project)
}

/// What is found in one line: `name: command` and what it waits for.
fn short(files: &[(&str, &str)]) -> String {
    let (_guard, project) = made(files);
    let found = services::detect(&project, &project.root).unwrap();
    let one = |service: &Service| {
        let run = match &service.run {
            None => "-".to_owned(),
            Some(Run::Shell(text)) => {
                text.rsplit_once(":$PATH\" && ").map_or(text.as_str(), |(_, t)| t).to_owned()
            }
            Some(Run::Words(words)) => words.join(" ".as_ref()).to_string_lossy().into_owned(),
        };
        let after: String = service.depends_on.iter().map(|name| format!(" <{name}")).collect();
        let port = service.port.map(|port| format!(" @{port}")).unwrap_or_default();
        format!("{}: {run}{port}{after}", service.name)
    };
    found.services.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn scripts(scripts: &str) -> String {
    short(&[("package.json", &format!("{{\"scripts\": {{{scripts}}}}}"))])
}

#[test]
fn scripts_that_run_several_things() {
    let common = r#""api": "node api.js", "web:dev": "vite", "build": "tsc", "migrate": "knex migrate:latest""#;
    for (dev, expected) in [
        (
            r#"concurrently \"npm run api\" \"npm run web:dev\""#,
            "api: npm run api, web: npm run web:dev",
        ),
        (
            r#"concurrently 'npm:api' vite tsc 'tsc -w'"#,
            "api: npm run api, vite: vite, tsc: tsc -w",
        ),
        (r#"npm run api & npm run web:dev & wait"#, "api: npm run api, web: npm run web:dev"),
        (
            r#"npm run migrate && concurrently npm:api npm:web:dev"#,
            "migrate: npm run migrate, api: npm run api <migrate, web: npm run web:dev <migrate",
        ),
        (
            r#"npm-run-all build migrate -p api web:dev"#,
            "build: npm run build, migrate: npm run migrate <build, api: npm run api <migrate, web: npm run web:dev <migrate",
        ),
        (r#"NODE_ENV=development run-p api web:*"#, "api: npm run api, web: npm run web:dev"),
        (
            r#"run-p api \"web:dev --port 4000\""#,
            "api: npm run api, web: npm run web:dev -- --port 4000 @4000+",
        ),
        ("PORT=5000 A=1 run-p api web:*", "api: npm run api @5000+, web: npm run web:dev @5000+"),
        // One service, as far as it can be read.
        (r#"vite"#, "web: -"),
        (r#"npm run migrate && vite"#, "web: -"),
        (r#"npm run build; concurrently npm:api"#, "web: -"),
        (r#"A=$B concurrently npm:api npm:web:dev"#, "web: -"),
        (r#"dotenv -e .env -- concurrently npm:api npm:web:dev"#, "web: -"),
        (r#"(concurrently npm:api npm:web:dev)"#, "web: -"),
        (r#"cd x && concurrently npm:api npm:web:dev"#, "x: -"),
        (r#"concurrently 'npm run dev' 'npm run dev'"#, "web: npm run dev, web-2: npm run dev"),
        (r#"concurrently tsc 'npm run build'"#, "web: -"),
    ] {
        assert_eq!(scripts(&format!("\"dev\": \"{dev}\", {common}")), expected, "{dev}");
    }
    assert_eq!(
        scripts(r#""predev": "tsc", "dev": "run-p a b", "a": "node a.js", "b": "node b.js""#),
        "predev: npm run predev, a: npm run a <predev, b: npm run b <predev"
    );
}

#[test]
fn a_port_reaches_the_program_of_a_part() {
    let json = r#"{"scripts": {"dev": "concurrently -n front,back vite 'node api.js'"},
        "devDependencies": {"vite": "7"}}"#;
    let (_guard, project) = made(&[("package.json", json)]);
    let found = services::detect(&project, &project.root).unwrap();
    let Some(Run::Shell(text)) = &found.services[0].run else { panic!("{found:?}") };
    let argv = ["sh", "-c", text].map(Into::into);
    let plan = wharf_plan::plan(&Request {
        dir: &project.root,
        command: Some(&argv),
        port: None,
        service: Some("front"),
        env: &|_| None,
        home: None,
    })
    .unwrap();
    assert_eq!(plan.framework.map(|framework| framework.id), Some("vite"));
    assert!(format!("{:?}", plan.argv).contains("vite --port {port}"), "{:?}", plan.argv);
}

#[test]
fn scripts_that_run_each_other_many_times_come_to_an_end() {
    let wide = |next: usize| vec![format!("npm run s{next}"); 20].join(" && ");
    let nested: Vec<String> = (0..11).map(|n| format!("\"s{n}\": \"{}\"", wide(n + 1))).collect();
    let json = format!("\"dev\": \"npm run s0\", {}, \"s11\": \"vite\"", nested.join(", "));
    assert_eq!(scripts(&json), "web: -");
}

#[test]
fn scripts_of_a_workspace() {
    let members = [
        ("apps/web/package.json", r#"{"name": "@x/web", "scripts": {"dev": "vite --port 4000"}}"#),
        (
            "apps/api/package.json",
            r#"{"name": "api", "scripts": {"dev": "node --watch api.js", "start": "node api.js"}}"#,
        ),
        ("packages/ui/package.json", r#"{"name": "ui", "scripts": {"dev": "tsc"}}"#),
    ];
    for (dev, expected) in [
        ("npm run dev --workspaces --if-present", "api: npm run dev, web: npm run dev"),
        ("npm run dev -w web", "web: npm run dev"),
        ("lerna run start --scope api", "api: npm run start"),
        (
            "turbo run dev --filter=./apps/*",
            "build: turbo run build '--filter=api^...' '--filter=@x/web^...', \
          api: npm run dev <build, web: npm run dev <build",
        ),
        ("concurrently 'turbo dev --filter nothing'", "turbo: turbo dev --filter nothing"),
        ("npm run dev --workspaces -- --open", "web: -"),
    ] {
        let root =
            format!(r#"{{"workspaces": ["apps/*", "packages/*"], "scripts": {{"dev": "{dev}"}}}}"#);
        let turbo = r#"{"tasks": {"dev": {"dependsOn": ["^build"], "persistent": true}}}"#;
        let mut files = vec![("package.json", root.as_str()), ("turbo.json", turbo)];
        files.extend(members);
        assert_eq!(short(&files), expected, "{dev}");
    }
    let mut files = vec![("package.json", r#"{"workspaces": ["apps/*", "packages/*"]}"#)];
    files.extend(members);
    assert_eq!(short(&files), "web: npm run dev", "only what is known to serve");
}

#[test]
fn folders_that_are_projects() {
    let front = ("frontend/package.json", r#"{"scripts": {"dev": "vite"}}"#);
    let back = ("backend/manage.py", "import django\n");
    assert_eq!(short(&[front, back]), "backend: -, frontend: -");
    let lib = ("packages/lib/package.json", r#"{"scripts": {"dev": "tsc -w"}}"#);
    let tests = ("tests/package.json", r#"{"scripts": {"dev": "vite"}}"#);
    assert_eq!(short(&[front, lib, tests, (".x/package.json", front.1)]), "frontend: -");
    let delegates = ("package.json", r#"{"scripts": {"dev": "npm --prefix frontend run dev"}}"#);
    assert_eq!(short(&[delegates, front, back]), "backend: -, frontend: -");
    let own = ("package.json", r#"{"scripts": {"dev": "next dev -p 4000"}}"#);
    assert_eq!(short(&[own, front, back]), "web: -");
    let tasks = ("pyproject.toml", "[tool.pdm.scripts]\ndev = 'x'\n");
    assert_eq!(short(&[own, tasks, front]), "web: pdm run dev");
}

#[test]
fn the_folder_that_was_meant() {
    let (_guard, project) = made(&[
        ("Procfile", "web: a\n"),
        ("api/Procfile", "api: b\n"),
        ("lib/package.json", "{}"),
        ("lib/src/x", ""),
        ("front/package.json", r#"{"scripts": {"dev": "vite"}}"#),
    ]);
    let first = |dir: &str| {
        let found = services::detect(&project, &project.root.join(dir)).unwrap();
        (found.services[0].name.clone(), found.services[0].source.clone())
    };
    let pair = |name: &str, source: &str| (name.to_owned(), source.to_owned());
    assert_eq!(first(""), pair("web", "Procfile line 1"));
    assert_eq!(first("api"), pair("api", "api/Procfile line 1"));
    assert_eq!(first("front"), pair("front", "front/package.json"));
    assert_eq!(first("lib"), pair("web", "Procfile line 1"));
    assert_eq!(first("lib/src"), pair("web", "Procfile line 1"));
}

#[test]
fn what_is_wrong_is_said_and_ends() {
    let error = |files: &[(&str, &str)]| {
        let (_guard, project) = made(files);
        services::detect(&project, &project.root).unwrap_err()
    };
    let PlanError::NothingToRun { looked_for, .. } = error(&[]) else { panic!() };
    assert!(looked_for.iter().any(|step| step.looked_at == "Procfile.dev, Procfile"));
    for (name, text, line) in [
        ("Procfile", "web: x\n\nworker\n", 3),
        ("compose.yml", "services:\n  a: [\n", 3),
        ("pyproject.toml", "a = 1\nb\n", 2),
    ] {
        match error(&[(name, text)]) {
            PlanError::MalformedFile { path, line: found, .. } => {
                assert!(path.ends_with(name) && found == line, "{name} {found}");
            }
            other => panic!("{name}: {other}"),
        }
    }
    let workspace = ("pnpm-workspace.yaml", "packages:\n  - 'a\n");
    assert!(matches!(error(&[("package.json", "{}"), workspace]), PlanError::MalformedFile { .. }));
    let large = "#".repeat(300 * 1024);
    assert!(matches!(error(&[("compose.yaml", &large)]), PlanError::FileTooLarge { .. }));
    let many: String = (0..300).map(|n| format!("p{n}: x\n")).collect();
    assert!(matches!(error(&[("Procfile", &many)]), PlanError::TooManyServices { .. }));
    let wide = |next: &str| vec![format!("npm:{next}"); 40].join(" ");
    let nested: Vec<String> = (0..5)
        .map(|n| format!("\"s{n}\": \"concurrently {}\"", wide(&format!("s{}", n + 1))))
        .collect();
    let json = format!(
        "{{\"scripts\": {{\"dev\": \"npm run s0\", {}, \"s5\": \"x\"}}}}",
        nested.join(", ")
    );
    assert!(matches!(error(&[("package.json", &json)]), PlanError::TooManyServices { .. }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_scripts_are_read(texts in prop::collection::vec(
        "((npm run |npx |yarn |pnpm -r |concurrently |run-p |turbo |A=1 |cd )?[abc*:'&|;$({-]{0,4} ?){0,4}", 3,
    )) {
        let json = serde_json::json!({
            "workspaces": ["*"],
            "scripts": {"dev": texts[0], "a": texts[1], "b": texts[2]},
        });
        let text = json.to_string();
        let (_guard, project) = made(&[("package.json", &text), ("w/package.json", &text)]);
        let found = services::detect(&project, &project.root);
        prop_assert!(found.is_ok_and(|found| !found.services.is_empty()));
    }
}

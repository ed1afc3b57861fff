//! Answers of the planner that are no matter of a single framework: errors, projects, names.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use wharf_model::plan::Arg;
use wharf_model::{LaunchPlan, PathText, PortRequest};
use wharf_plan::{PlanError, Request};

fn write(dir: &Path, name: &str, text: &str) {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn words(command: &str) -> Vec<OsString> {
    command.split(' ').map(OsString::from).collect()
}

fn plan_of(
    dir: &Path,
    command: Option<&str>,
    port: Option<&str>,
    service: Option<&str>,
) -> Result<LaunchPlan, PlanError> {
    let command = command.map(words);
    wharf_plan::plan(&Request {
        dir,
        command: command.as_deref(),
        port: port.map(|port| port.parse().unwrap()),
        service,
        env: &|_| None,
        home: None,
    })
}

fn plan(dir: &Path, command: &str) -> Result<LaunchPlan, PlanError> {
    plan_of(dir, Some(command), None, None)
}

#[test]
fn nothing_to_run_says_what_was_looked_for() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "index.html", "");
    let error = plan_of(dir.path(), None, None, None).unwrap_err();
    let PlanError::NothingToRun { looked_for, .. } = error else { panic!("{error}") };
    for name in ["package.json", "manage.py", "pom.xml", "Cargo.toml", "go.mod", "index.html"] {
        assert!(looked_for.iter().any(|step| step.looked_at.contains(name)), "{name}");
    }
    let last = looked_for.last().unwrap();
    assert!(last.found.contains("names no server"), "{}", last.found);
}

#[test]
fn broken_manifests_and_missing_scripts_are_named() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "package.json", "{\n\"scripts\": {\n");
    for command in [None, Some("npm run dev")] {
        let error = plan_of(dir.path(), command, None, None).unwrap_err().to_string();
        assert!(error.contains("package.json is not valid JSON at line 3"), "{error}");
    }
    // A command that does not need the manifest does not fail for it.
    assert!(plan(dir.path(), "python -m http.server").is_ok());
    write(dir.path(), "package.json", r#"{"scripts": {"dev": "vite", "build": "vite build"}}"#);
    let error = plan(dir.path(), "npm run dvv").unwrap_err();
    assert!(error.to_string().ends_with("package.json has no script `dvv`"), "{error}");
    let PlanError::ScriptMissing { known, .. } = error else { panic!() };
    assert_eq!(known, ["build", "dev"]);
}

#[test]
fn a_port_that_cannot_be_replaced_conflicts_with_another() {
    let dir = tempfile::tempdir().unwrap();
    let script = r#"{"scripts": {"start": "PORT=3001 react-scripts start"}}"#;
    write(dir.path(), "package.json", script);
    let with = |port| plan_of(dir.path(), Some("npm start"), Some(port), None);
    let error = with("9000").unwrap_err().to_string();
    let expected = "`--port` asks for 9000, but the script (`PORT=3001`) says 3001, and wharf \
                    cannot replace that";
    assert_eq!(error, expected);
    assert!(with("9000+").is_err());
    assert!(
        matches!(with("3001").unwrap().request, PortRequest::Exactly(port) if port.get() == 3001)
    );
    assert!(matches!(with("auto").unwrap().request, PortRequest::Conventional(_)));
}

#[test]
fn a_folder_or_a_command_that_is_none_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "file", "");
    for name in ["missing", "file"] {
        let error = plan(&dir.path().join(name), "vite").unwrap_err();
        assert!(matches!(error, PlanError::BadFolder { .. }), "{error}");
    }
    let request = |command| Request {
        dir: dir.path(),
        command: Some(command),
        port: None,
        service: None,
        env: &|_| None,
        home: None,
    };
    for command in [&[][..], &[OsString::new()]] {
        assert!(matches!(wharf_plan::plan(&request(command)), Err(PlanError::EmptyCommand)));
    }
    let error = plan_of(dir.path(), Some("vite"), None, Some("--")).unwrap_err();
    assert!(matches!(error, PlanError::BadServiceName { .. }), "{error}");
}

#[test]
fn a_linked_worktree_keeps_its_files_and_its_own_name() {
    let top = tempfile::tempdir().unwrap();
    let top = top.path().canonicalize().unwrap();
    let (shop, fix) = (top.join("shop"), top.join("fix"));
    write(&shop, ".git/HEAD", "ref: refs/heads/main");
    write(&shop, ".git/worktrees/fix/commondir", "../..");
    write(&fix, ".git", &format!("gitdir: {}/.git/worktrees/fix", shop.display()));
    for root in [&shop, &fix] {
        write(root, "package.json", r#"{"scripts": {"dev": "vite"}}"#);
        write(root, "web/package.json", r#"{"scripts": {"dev": "vite"}}"#);
    }
    let main = plan(&shop, "npm run dev").unwrap();
    let linked = plan(&fix, "npm run dev").unwrap();
    assert_eq!(main.project, PathText::new(&shop));
    assert_eq!((main.worktree.as_str(), linked.worktree.as_str()), ("", "fix"));
    assert_eq!(linked.project, main.project);
    assert_eq!((linked.root, linked.dir), (fix.clone(), fix.clone()));
    assert!(main.primary && linked.primary);
    let below = plan(&fix.join("web"), "npm run dev").unwrap();
    assert_eq!((below.service.as_str(), below.primary), ("web", false));
}

#[test]
fn names_tell_the_services_of_one_root_apart() {
    let dir = tempfile::tempdir().unwrap();
    let scripts = r#"{"scripts": {"dev": "next dev", "dev:api": "node api.js"}}"#;
    write(dir.path(), "package.json", scripts);
    write(dir.path(), "manage.py", "");
    let name = |command| plan(dir.path(), command).unwrap().service;
    assert_eq!(name("npm run dev"), "web");
    assert_eq!(name("next dev"), "web");
    assert_eq!(name("npm run dev:api"), "dev-api");
    assert_eq!(name("python manage.py runserver"), "django-runserver");
    assert_eq!(name("./tools/Mail_Catcher --verbose"), "mail-catcher");
    assert_eq!(name("redis-server"), "redis");
    let named = plan_of(dir.path(), Some("npm run dev"), None, Some("Front End")).unwrap();
    assert_eq!((named.service.as_str(), named.primary), ("front-end", false));
}

#[cfg(unix)]
#[test]
fn words_and_folders_that_are_not_utf8_are_kept() {
    use std::os::unix::ffi::OsStringExt;

    let top = tempfile::tempdir().unwrap();
    let dir = top.path().join(OsString::from_vec(b"sh\xffop".to_vec()));
    write(&dir, "package.json", r#"{"scripts": {"dev": "vite"}}"#);
    let odd = OsString::from_vec(b"--open=\xfe".to_vec());
    let command = [OsString::from("vite"), odd.clone()];
    let plan = wharf_plan::plan(&Request {
        dir: &dir,
        command: Some(&command),
        port: None,
        service: None,
        env: &|_| None,
        home: None,
    })
    .unwrap();
    assert_eq!(plan.argv[..2], [Arg::Given("vite".into()), Arg::Given(odd)]);
    assert_eq!(plan.project.to_path(), dir.canonicalize().unwrap());
    assert_eq!(plan.argv[2], Arg::Template("--port".into()));
}

#[test]
fn further_ports_are_counted_and_hosts_seen() {
    let dir = tempfile::tempdir().unwrap();
    let minio = plan(dir.path(), "minio server data").unwrap();
    assert_eq!((minio.extra_ports, minio.hands_host), (1, true));
    let vite = plan(dir.path(), "vite --host 0.0.0.0").unwrap();
    assert_eq!((vite.extra_ports, vite.hands_host), (0, false));
}

#[test]
fn a_port_that_an_unknown_program_is_told_is_the_request_and_stays() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "package.json", r#"{"scripts": {"dev": "shop -p 9001"}}"#);
    for (command, port) in [
        ("shop -p 9000", 9000),
        ("shop --listen :9000", 9000),
        ("npm run dev", 9001),
        ("npm run dev -- -p 9000", 9000),
    ] {
        let plan = plan(dir.path(), command).unwrap();
        assert_eq!(
            plan.request,
            PortRequest::Exactly(port.to_string().parse().unwrap()),
            "{command}"
        );
        let given: Vec<Arg> = words(command).into_iter().map(Arg::Given).collect();
        assert_eq!(plan.argv, given, "{command}");
    }
    for command in ["psql -p 6543", "mkdir -p 2024", "npm run dev -p 9000"] {
        let request = plan(dir.path(), command).unwrap().request;
        let expected = if command.starts_with("npm") { "9001" } else { "8000" };
        let port = expected.parse().unwrap();
        assert!(
            matches!(request, PortRequest::Conventional(p) | PortRequest::Exactly(p) if p == port),
            "{command}: {request:?}"
        );
    }
}

#[test]
fn only_a_port_that_is_certain_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let with = |command| plan_of(dir.path(), Some(command), Some("9100"), None);
    let error = with("shop -p 9000").unwrap_err().to_string();
    assert!(error.contains("the command (`-p 9000`) says 9000"), "{error}");
    let plan = with("shop --listen :9000").unwrap();
    assert_eq!(plan.argv[2], Arg::Template(":{port}".into()));
}

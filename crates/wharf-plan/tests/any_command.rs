//! Whatever is typed and whatever stands in a script: a plan or an error, never a panic, and never
//! a word of the user's that is lost or moved.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use wharf_model::LaunchPlan;
use wharf_model::plan::{Arg, Values};
use wharf_model::request::PortArgument;
use wharf_plan::{PlanError, Request};

/// Words that mean something to some part of the planner, and words that mean nothing.
const WORDS: &[&str] = &[
    "npm",
    "run",
    "dev",
    "start",
    "--",
    "-w",
    "web",
    "--prefix",
    "pnpm",
    "yarn",
    "workspace",
    "bun",
    "deno",
    "task",
    "npx",
    "exec",
    "vite",
    "vite@latest",
    "next",
    "-p",
    "-p3000",
    "--port",
    "9000",
    "--port=9000",
    "--port=",
    "0",
    "--host",
    "python",
    "-m",
    "http.server",
    "manage.py",
    "runserver",
    "0.0.0.0:8000",
    "[::1]:80",
    "flask",
    "--app",
    "app.py",
    "uv",
    "poetry",
    "env",
    "PORT=1",
    "PORT=",
    "A=B",
    "cross-env",
    "sh",
    "-c",
    "bash",
    "-lc",
    "cd web && npm run dev",
    "vite --port 9000 | tee x",
    "$PORT",
    "${PORT:-3000}",
    "nodemon",
    "--exec",
    "node",
    "server.js",
    "concurrently",
    "php",
    "-S",
    "-Slocalhost:8000",
    "sbt",
    "java",
    "-jar",
    "start.jar",
    "jetty.http.port=1",
    "nginx",
    "-c",
    "nginx.conf",
    "catalina.sh",
    "-config",
    "gunicorn",
    "-b",
    "tcp://0.0.0.0:9000",
    "serve",
    "{port}",
    "{host}",
    "",
    "é",
    "sudo",
    "timeout",
    "nohup",
    "exec",
    "dotenv",
    "-e",
    "doppler",
    "serve",
    "bundle",
    "cargo",
    "go",
    ".",
    "./cmd/api",
    "&&",
    "'",
    "\"",
    "--listen",
    ":9000",
    "-p9000",
    "--workspaces",
    "--call",
    "vite & wait",
    "vite -- --port 9000",
    "GUNICORN_CMD_ARGS=-b :9000 --reload",
];

fn word() -> impl Strategy<Value = OsString> {
    let text = prop_oneof![
        8 => prop::sample::select(WORDS).prop_map(str::to_owned),
        1 => "[ -~]{0,12}".prop_map(String::from),
    ];
    prop_oneof![
        20 => text.prop_map(OsString::from),
        1 => prop::collection::vec(1u8..=255, 0..8).prop_map(bytes),
    ]
}

#[cfg(unix)]
fn bytes(bytes: Vec<u8>) -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes)
}

#[cfg(not(unix))]
fn bytes(bytes: Vec<u8>) -> OsString {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

fn script() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        8 => prop::sample::select(WORDS).prop_map(str::to_owned),
        2 => prop::sample::select(&["&&", "|", "&", ";", "\n", "(", ")", "#", "<<", ">", "`", "$("][..])
            .prop_map(str::to_owned),
    ];
    prop::collection::vec(part, 0..8).prop_map(|parts| parts.join(" "))
}

fn argument() -> impl Strategy<Value = Option<PortArgument>> {
    prop::sample::select(&["", "9100", "9100+", "auto"][..]).prop_map(|text| text.parse().ok())
}

/// A folder in which scripts call each other and everything else.
fn project(dir: &Path, dev: &str) {
    let package = serde_json::json!({
        "scripts": { "dev": dev, "start": "npm run dev" },
        "dependencies": { "vite": "*", "express": "*" },
        "workspaces": ["web"],
    });
    fs::create_dir_all(dir.join("web")).unwrap();
    fs::write(dir.join("package.json"), package.to_string()).unwrap();
    fs::write(dir.join("web/package.json"), package.to_string()).unwrap();
    fs::write(dir.join("server.js"), "require('express')().listen(3000)").unwrap();
    fs::write(dir.join("app.py"), "import flask\napp.run(port=5001)").unwrap();
    fs::write(dir.join("manage.py"), "").unwrap();
    fs::write(dir.join("nginx.conf"), "http { server { listen 8080; } }").unwrap();
}

fn plan(
    dir: &Path,
    command: Option<&[OsString]>,
    port: Option<PortArgument>,
) -> Result<LaunchPlan, PlanError> {
    let env = |_: &str| None;
    wharf_plan::plan(&Request { dir, command, port, service: None, env: &env, home: None })
}

/// Every typed word is still there, in its order: as it was, or replaced where it stood.
fn words_are_kept(typed: &[OsString], planned: &[Arg]) -> bool {
    // The fewest words that stand for typed ones: a template may be an addition or a replacement.
    let mut reachable = vec![false; typed.len() + 1];
    reachable[0] = true;
    for arg in planned {
        let mut next = vec![false; typed.len() + 1];
        for (at, _) in reachable.iter().enumerate().filter(|(_, reached)| **reached) {
            match arg {
                Arg::Given(word) => {
                    if typed.get(at) == Some(word) {
                        next[at + 1] = true;
                    }
                }
                Arg::Template(_) => {
                    next[at] = true;
                    if at < typed.len() {
                        next[at + 1] = true;
                    }
                }
            }
        }
        reachable = next;
    }
    reachable[typed.len()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_command_breaks_the_planner(
        typed in prop::collection::vec(word(), 0..9),
        dev in script(),
        port in argument(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        project(dir.path(), &dev);
        if let Ok(plan) = plan(dir.path(), Some(&typed), port) {
            prop_assert!(words_are_kept(&typed, &plan.argv), "{typed:?} became {:?}", plan.argv);
            let values = Values {
                host: "127.0.0.1".into(),
                ports: vec![wharf_model::Port::new(8123).unwrap(); 1 + plan.extra_ports],
                files: "/files".into(),
            };
            prop_assert!(plan.argv(&values).len() >= typed.len());
        }
    }

    #[test]
    fn no_script_breaks_the_planner(dev in "[ -~\n'\"$`\\\\;&|<>(){}é]{0,60}", port in argument()) {
        let dir = tempfile::tempdir().unwrap();
        project(dir.path(), &dev);
        let typed: Vec<OsString> = ["npm", "run", "dev"].map(OsString::from).to_vec();
        let plan = plan(dir.path(), Some(&typed), port);
        if let Ok(plan) = plan {
            prop_assert!(words_are_kept(&typed, &plan.argv));
        }
    }

    #[test]
    fn no_shell_text_breaks_the_planner(text in "(vite|next dev|--port 9000|npm run dev|[ -~\né]){0,12}", port in argument()) {
        let dir = tempfile::tempdir().unwrap();
        project(dir.path(), "vite");
        let typed: Vec<OsString> = ["sh", "-c", text.as_str()].map(OsString::from).to_vec();
        if let Ok(plan) = plan(dir.path(), Some(&typed), port) {
            prop_assert!(words_are_kept(&typed, &plan.argv));
            // What was written into the text is written between its own characters.
            if let Some(Arg::Template(new)) = plan.argv.get(2) {
                prop_assert!(new.len() + 8 >= text.len());
            }
        }
    }
}

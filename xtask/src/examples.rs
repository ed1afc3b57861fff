//! `cargo xtask examples`: the suites under `examples/`, two copies of each at once, each test with a server on
//! a port of wharf's. Every test must pass, and no lease may be left.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::real::place::Place;
use crate::real::{environment, sandbox, wait};

/// How long one suite may take, and how long all of them: many times what they need.
const SUITE_LIMIT: Duration = Duration::from_secs(120);
const LIMIT: Duration = Duration::from_secs(400);
/// How long leases may take to end after the processes that they belong to.
const GIVEN_BACK: Duration = Duration::from_secs(10);
/// How many copies of a suite run at once.
const COPIES: usize = 2;
/// The parts that are needed.
const PARTS: [&str; 6] = ["system", "chromium", "pytest", "junit", "node-jest", "node-playwright"];

/// A folder of `examples/`.
struct Suite {
    name: &'static str,
    /// For the shell; `$PARTS` is what script/parts installed.
    command: &'static str,
    /// What its runner says when all tests have passed, and only then.
    passed: &'static str,
    /// Whether its packages are those of the part `node-NAME`.
    modules: bool,
}

const SUITES: [Suite; 5] = [
    Suite { name: "shell", command: "./suite.sh", passed: "16 passed, 0 failed", modules: false },
    Suite {
        name: "pytest",
        command: "\"$PARTS/pytest/bin/python\" -m pytest -q -n 4",
        passed: "\n16 passed in",
        modules: false,
    },
    Suite {
        name: "jest",
        command: "node_modules/.bin/jest --maxWorkers=4",
        passed: "Tests:       16 passed, 16 total",
        modules: true,
    },
    Suite {
        name: "playwright",
        command: "CHROMIUM=$(command -v chromium) node_modules/.bin/playwright test",
        passed: "  6 passed (",
        modules: true,
    },
    Suite {
        name: "junit",
        command: "mvn -B -ntp -o -Dmaven.repo.local=\"$PARTS/m2\" test",
        passed: "Tests run: 16, Failures: 0, Errors: 0, Skipped: 0",
        modules: false,
    },
];

#[derive(Deserialize)]
struct Status {
    leases: usize,
}

/// Does what `cargo xtask examples ARGS…` says.
pub fn run(args: &[String]) -> Result<(), String> {
    match args {
        [] => outside(),
        [inside, root, wharf] if inside == "--inside" => {
            let place = Place::find(false)?;
            within(&Place { root: root.into(), wharf: wharf.into(), ..place })
        }
        _ => Err("`cargo xtask examples` takes no arguments".to_owned()),
    }
}

/// Runs this program again in a network in which no port is taken, and of which nothing is left.
fn outside() -> Result<(), String> {
    sandbox::check()?;
    let place = Place::find(true)?;
    check_parts(&place)?;
    environment::make_home(&place)?;
    let own = env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let mut command = sandbox::command(own);
    command.args(["examples", "--inside"]).args([&place.root, &place.wharf]);
    let status = sandbox::status(&mut command, LIMIT)?.map(|status| status.success());
    match status {
        Some(true) => {
            let _ = fs::remove_dir_all(&place.root);
            Ok(())
        }
        Some(false) => Err(format!("the logs are in {}", place.root.display())),
        None => Err(format!("the suites took more than {LIMIT:?}")),
    }
}

fn check_parts(place: &Place) -> Result<(), String> {
    let told = Command::new("bash")
        .arg(place.repo.join("script/parts"))
        .arg("--check")
        .args(PARTS)
        .env("WHARF_PARTS", &place.parts)
        .output()
        .map_err(|error| format!("cannot run script/parts: {error}"))?;
    if told.status.success() {
        return Ok(());
    }
    let missing =
        String::from_utf8_lossy(&told.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    Err(format!("not installed: {missing}; run `script/parts {missing}`"))
}

fn within(place: &Place) -> Result<(), String> {
    let bin = place.root.join("bin");
    let made = fs::create_dir_all(&bin)
        .and_then(|()| std::os::unix::fs::symlink(&place.wharf, bin.join("wharf")));
    made.map_err(|error| format!("cannot make {}: {error}", bin.display()))?;
    let mut wrong = Vec::new();
    for suite in &SUITES {
        let begun = Instant::now();
        match at_once(place, suite).and_then(|()| no_lease(place)) {
            Ok(()) => {
                let took = begun.elapsed().as_secs_f64();
                println!("passed {took:5.1} s  {}, {COPIES} at once", suite.name);
            }
            Err(why) => {
                println!("FAILED {}: {why}", suite.name);
                wrong.push(suite.name);
            }
        }
    }
    println!("example suites: {} passed, {} failed", SUITES.len() - wrong.len(), wrong.len());
    if wrong.is_empty() { Ok(()) } else { Err(format!("failed: {}", wrong.join(", "))) }
}

/// All copies of a suite; each must say that every test has passed.
fn at_once(place: &Place, suite: &Suite) -> Result<(), String> {
    let folder = |copy: usize| place.root.join(format!("{}-{copy}", suite.name));
    let started = (0..COPIES).map(|copy| start(place, suite, &folder(copy)));
    let mut running = started.collect::<Result<Vec<Child>, String>>()?;
    let ended: Vec<Option<bool>> =
        running.iter_mut().map(|child| ended(child, SUITE_LIMIT)).collect();
    for (copy, ended) in ended.into_iter().enumerate() {
        let said = fs::read_to_string(log(&folder(copy))).unwrap_or_default();
        match ended {
            Some(true) if said.contains(suite.passed) => {}
            Some(_) => return Err(format!("copy {copy} said:\n{said}")),
            None => return Err(format!("copy {copy} took more than {SUITE_LIMIT:?}:\n{said}")),
        }
    }
    Ok(())
}

fn start(place: &Place, suite: &Suite, folder: &Path) -> Result<Child, String> {
    let failed = |error: std::io::Error| format!("cannot start {}: {error}", suite.name);
    let from = place.repo.join("examples").join(suite.name);
    let copied = Command::new("cp").arg("-R").args([&from, folder]).status().map_err(failed)?;
    if !copied.success() {
        return Err(format!("cannot copy {}", from.display()));
    }
    if suite.modules {
        let modules = place.parts.join("node").join(suite.name).join("node_modules");
        std::os::unix::fs::symlink(modules, folder.join("node_modules")).map_err(failed)?;
    }
    let out = File::create(log(folder)).map_err(failed)?;
    Command::new("sh")
        .args(["-c", suite.command])
        .current_dir(folder)
        .env_clear()
        .envs(environment::common(place))
        .env("PATH", path(place))
        .env("PARTS", &place.parts)
        .stdin(Stdio::null())
        .stderr(out.try_clone().map_err(failed)?)
        .stdout(out)
        .spawn()
        .map_err(failed)
}

fn path(place: &Place) -> String {
    let bin = place.root.join("bin");
    format!("{}:{}", bin.display(), env::var("PATH").unwrap_or_default())
}

fn log(folder: &Path) -> PathBuf {
    folder.with_extension("log")
}

/// Whether it succeeded; nothing where it did not end in time, and has been ended.
fn ended(child: &mut Child, limit: Duration) -> Option<bool> {
    let status = wait::until(Instant::now() + limit, || child.try_wait().ok().flatten());
    if status.is_none() {
        let _ = child.kill();
        let _ = child.wait();
    }
    status.map(|status| status.success())
}

/// The daemon knows of no lease once the suites have ended.
fn no_lease(place: &Place) -> Result<(), String> {
    let mut left = leases(place);
    wait::until(Instant::now() + GIVEN_BACK, || {
        left = leases(place);
        matches!(left, Ok(0)).then_some(())
    });
    match left? {
        0 => Ok(()),
        count => Err(format!("{count} leases are left")),
    }
}

fn leases(place: &Place) -> Result<usize, String> {
    let told = Command::new(&place.wharf)
        .args(["daemon", "status", "--json"])
        .env_clear()
        .envs(environment::common(place))
        .output()
        .map_err(|error| format!("cannot start wharf: {error}"))?;
    let status: Status = serde_json::from_slice(&told.stdout)
        .map_err(|error| format!("`wharf daemon status --json`: {error}"))?;
    Ok(status.leases)
}

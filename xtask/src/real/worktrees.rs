//! Two worktrees of one project: a front and an API with literal ports in each. A browser shows each
//! front, and in each its own API; in the group itself it finds the API by the port in the program.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::copies::{Problems, is_free};
use super::copy::Copy;
use super::environment::{self, Variables};
use super::events::Event;
use super::place::Place;
use super::spec::{Book, Expect, Run};
use super::started::{Started, Surroundings};
use super::{daemon, processes, sockets};

/// How long a browser may take to show a page and to end.
const SHOWN_WITHIN: Duration = Duration::from_secs(60);

/// The services of a worktree: how they are called and started.
const SERVICES: [(&str, [&str; 2]); 2] =
    [("front", ["node", "front.js"]), ("api", ["python3", "api.py"])];

/// A browser that shows a page once, when all that it asks for has come, and calls nobody at home. Its
/// own sandbox is refused to root.
const BROWSER: [&str; 11] = [
    "chromium",
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=10000",
    "--dump-dom",
];

/// One worktree: where it is, and what runs in it.
struct Worktree {
    copy: Copy,
    env: Variables,
    services: Vec<Started>,
    ports: Vec<u16>,
}

/// What a run that went well says of itself, or everything that is wrong.
pub fn prove(book: &Book, run: &Run, place: &Place) -> Result<String, String> {
    let mut worktrees = make(book, run, place).map_err(|why| format!("  - {why}\n"))?;
    let mut problems = Problems::new();
    let said = check(&mut worktrees, run, place);
    end(&mut worktrees, run, &mut problems);
    problems.extend(daemon::stop(place).err());
    match said {
        Ok(said) if problems.is_empty() => Ok(said),
        said => {
            problems.extend(said.err());
            Err(failure(&mut worktrees, &problems))
        }
    }
}

/// The main checkout and a worktree beside it, as git makes them.
fn make(book: &Book, run: &Run, place: &Place) -> Result<[Worktree; 2], String> {
    let main = Copy::make(run, place, 'a')?;
    let other = main.elsewhere(run, place, 'b', "worktree")?;
    let git = |arguments: &[&str]| {
        git(&place.command("git"), &main.folder, &environment::common(place), arguments)
    };
    git(&["init", "--quiet"])?;
    git(&["add", "api.py", "front.js"])?;
    let author = ["-c", "user.name=shop", "-c", "user.email=shop@example.com"];
    git(&[&author[..], &["commit", "--quiet", "--message", "The shop"]].concat())?;
    git(&["worktree", "add", "--quiet", "-b", "sale", &other.folder_text()])?;
    other.identify(run)?;
    Ok([main, other].map(|copy| Worktree {
        env: environment::of_copy(book, run, place, &copy),
        copy,
        services: Vec::new(),
        ports: Vec::new(),
    }))
}

/// A command of git's; `program` is what is typed to start it.
pub fn git(
    program: &[String],
    folder: &Path,
    env: &Variables,
    arguments: &[&str],
) -> Result<(), String> {
    let (program, first) = program.split_first().ok_or("there is no git")?;
    let done = Command::new(program)
        .args(first)
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(env)
        .output()
        .map_err(|error| format!("cannot run git: {error}"))?;
    let said = String::from_utf8_lossy(&done.stderr);
    if done.status.success() { Ok(()) } else { Err(format!("git {arguments:?}: {}", said.trim())) }
}

fn check(worktrees: &mut [Worktree; 2], run: &Run, place: &Place) -> Result<String, String> {
    // All four at once: whoever is first has the port that stands in the program, and no more.
    for worktree in worktrees.iter_mut() {
        for (name, command) in SERVICES {
            let started = start(worktree, place, name, &command.map(str::to_owned))?;
            worktree.services.push(started);
        }
    }
    let deadline = Instant::now() + run.ready_within();
    for worktree in worktrees.iter_mut() {
        for service in &mut worktree.services {
            let ready: Event = service.event("ready", deadline)?;
            worktree.ports.extend(ready.port);
        }
    }
    let inside = run.expect == Expect::BrowserInside;
    let shown = show(worktrees, place, inside)?;
    for (index, text) in shown.iter().enumerate() {
        let (own, other) = (&worktrees[index].copy, &worktrees[1 - index].copy);
        check_page(text, own, other, inside)?;
    }
    let [a, b] = worktrees.each_ref().map(|worktree| &worktree.ports);
    Ok(format!("front and API on {a:?} and on {b:?}, each page its own worktree's"))
}

/// Starts a command of a worktree under wharf.
fn start(
    worktree: &Worktree,
    place: &Place,
    name: &str,
    command: &[String],
) -> Result<Started, String> {
    let copy = worktree.copy.output_of(name);
    let mut argv = place.wharf_command();
    argv.extend(["run", "--name", name, "--events"].map(str::to_owned));
    argv.extend([copy.events.to_string_lossy().into_owned(), "--".to_owned()]);
    argv.extend(command.iter().cloned());
    Started::start(copy, &argv, &worktree.env, Surroundings::Nothing)
}

/// What two browsers show that are open at once, one for each worktree.
fn show(worktrees: &[Worktree], place: &Place, inside: bool) -> Result<Vec<String>, String> {
    let mut browsers = Vec::new();
    for worktree in worktrees {
        let url = match inside {
            true => "http://localhost:8000/".to_owned(),
            false => format!("http://127.0.0.1:{}/", worktree.ports[0]),
        };
        let profile = place.root.join(format!("profile-{}", worktree.copy.letter));
        let mut command: Vec<String> = BROWSER.map(str::to_owned).to_vec();
        command.extend([format!("--user-data-dir={}", profile.display()), url]);
        browsers.push(match inside {
            true => start(worktree, place, "browser", &command)?,
            false => {
                let copy = worktree.copy.output_of("browser");
                Started::start(copy, &command, &worktree.env, Surroundings::Nothing)?
            }
        });
    }
    browsers.iter_mut().map(page).collect()
}

fn page(browser: &mut Started) -> Result<String, String> {
    let code = browser.exit_code(SHOWN_WITHIN)?;
    if code != 0 {
        return Err(format!("a browser ended with {code}:\n{}", browser.evidence()));
    }
    fs::read_to_string(&browser.copy.stdout).map_err(|error| format!("no page: {error}"))
}

/// The front shows what its server side and the page itself have asked for.
fn check_page(text: &str, own: &Copy, other: &Copy, inside: bool) -> Result<(), String> {
    let expected = match inside {
        true => vec![own.identity.clone()],
        false => ["server", "page"].map(|side| format!("{side}: {}", own.identity)).to_vec(),
    };
    let letter = own.letter;
    if text.contains(&other.identity) {
        return Err(format!("worktree {letter} shows the other's API: {text:.600}"));
    }
    match expected.iter().find(|expected| !text.contains(*expected)) {
        None => Ok(()),
        Some(expected) => Err(format!("worktree {letter} shows no `{expected}`, but: {text:.600}")),
    }
}

/// Ends everything; nothing of it may be left.
fn end(worktrees: &mut [Worktree; 2], run: &Run, problems: &mut Problems) {
    for worktree in worktrees.iter_mut() {
        for service in &mut worktree.services {
            let told = service.ask_to_end();
            problems.extend(told.and_then(|()| service.exit_code(run.gone_within())).err());
        }
        let places = worktree.ports.iter().map(|port| (Ipv4Addr::UNSPECIFIED, *port).into());
        problems.extend(places.filter_map(|place| is_free(place).err()));
    }
}

fn failure(worktrees: &mut [Worktree; 2], problems: &Problems) -> String {
    let mut text: String = problems.iter().map(|one| format!("  - {one}\n")).collect();
    let listening = sockets::listening().unwrap_or_default();
    text.push_str(&format!("  listening at the end: {listening:?}\n"));
    for process in processes::others() {
        text.push_str(&format!("  running at the end: {process}\n"));
    }
    for service in worktrees.iter_mut().flat_map(|worktree| &mut worktree.services) {
        text.push_str(&service.evidence());
    }
    text
}

//! `cargo xtask agents`: `wharf mcp` by the official client of the Model Context Protocol, with real servers, for two
//! agents at once in two worktrees of one project.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::real::place::Place;
use crate::real::{parts, sandbox};

/// How long all of it may take: ten times what two cores need.
const LIMIT: Duration = Duration::from_secs(300);

/// What it needs of `script/parts`.
const PARTS: [&str; 3] = ["system", "python", "mcp"];

/// What is written once into the project, and is the same in each worktree.
const PROJECT: &str = "\
[service.web]
run = \"python manage.py runserver\"

[service.files]
run = \"python -m http.server\"
";

/// A server that never becomes ready.
const SLOW: &str = "\
[service.web]
run = \"python -m http.server\"
ready = { log = \"this is never said\" }
";

/// Does what `cargo xtask agents` says.
pub fn run() -> Result<(), String> {
    sandbox::check()?;
    let place = Place::find(true)?;
    let missing = parts::missing_of(&PARTS, &place)?;
    if !missing.is_empty() {
        let missing: Vec<&str> = missing.iter().map(String::as_str).collect();
        return Err(format!("missing: run `script/parts {}`", missing.join(" ")));
    }
    let work = place.root.with_extension("agents");
    let outcome = furnish(&place, &work).and_then(|()| converse(&place, &work));
    let _ = fs::remove_dir_all(&work);
    outcome
}

/// Two worktrees of one project, and a project that does not come up.
fn furnish(place: &Place, work: &Path) -> Result<(), String> {
    let made = |error: std::io::Error| format!("cannot make {}: {error}", work.display());
    for folder in ["home", "run", "slow/.git"] {
        fs::create_dir_all(work.join(folder)).map_err(made)?;
    }
    fs::set_permissions(work.join("run"), fs::Permissions::from_mode(0o700)).map_err(made)?;
    fs::write(work.join("slow/wharf.toml"), SLOW).map_err(made)?;
    let one = work.join("one");
    done(
        Command::new("cp").arg("-R").arg(place.repo.join("tests/real/projects/django")).arg(&one),
    )?;
    fs::write(one.join("wharf.toml"), PROJECT).map_err(made)?;
    let git = |args: &[&str]| {
        let mut git = Command::new("git");
        git.arg("-C").arg(&one).args(["-c", "user.name=x", "-c", "user.email=x@example"]);
        done(git.args(args).env("HOME", work.join("home")))
    };
    git(&["init", "-q"])?;
    git(&["add", "."])?;
    git(&["commit", "-q", "-m", "a project"])?;
    git(&["worktree", "add", "-q", "../two"])?;
    for name in ["one", "two"] {
        fs::write(work.join(name).join("identity.txt"), name).map_err(made)?;
    }
    Ok(())
}

fn done(command: &mut Command) -> Result<(), String> {
    let status = command.stdin(Stdio::null()).status();
    let status = status.map_err(|error| format!("cannot run {command:?}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} failed ({status})")) }
}

fn converse(place: &Place, work: &Path) -> Result<(), String> {
    let python = place.parts.join("python/bin");
    let path = env::var("PATH").unwrap_or_default();
    let mut command = sandbox::command("node");
    command
        .arg(place.repo.join("tests/real/agents/client.mjs"))
        .args([&place.parts, &place.wharf, work])
        .current_dir(env::temp_dir())
        .env("HOME", work.join("home"))
        .env("XDG_RUNTIME_DIR", work.join("run"))
        .env("PATH", format!("{}:{path}", python.display()))
        // Whoever runs this may be an agent.
        .env("WHARF_AGENT", "");
    sandbox::succeed(&mut command, LIMIT, "the client was not content")
}

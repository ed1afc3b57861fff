//! A machine of its own for each run: its own network with nothing but loopback, its own processes,
//! its own `/etc/hosts`. The conventional ports are free in it, nothing of it is seen outside, and when
//! it is left everything in it is gone.

use std::env;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::place::Place;
use super::spec::{By, Run};
use super::wait;

/// The names that every Debian and every macOS has: with the second line, `localhost` is [::1] first
/// for Node, which is the harder case.
const HOSTS: &str = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n";

/// What the first process of the sandbox does. It stays the parent, since the first process collects
/// the orphans.
const ENTER: &str =
    "ip link set lo up && mount --bind \"$0/hosts\" /etc/hosts && { \"$@\"; exit $?; }";

/// Lets other users through the caller's home, in the sandbox alone: a toolchain or the parts may lie in
/// it, and it is often its owner's only. Each entry keeps the mode that it has.
const OPEN_HOME: &str = r#"
seen=$0/caller
mkdir "$seen" && mount --rbind "$HOME" "$seen" && mount -t tmpfs -o mode=755 tmpfs "$HOME" || exit
for entry in "$seen"/* "$seen"/.[!.]*; do
    place=$HOME/${entry##*/}
    if [ -L "$entry" ]; then cp -P "$entry" "$place"
    elif [ -d "$entry" ]; then mkdir "$place" && mount --rbind "$entry" "$place"
    elif [ -f "$entry" ]; then touch "$place" && mount --bind "$entry" "$place"
    fi || exit
done
umount -l "$seen" && "#;

/// How many seconds a run may take beyond the time that it gives its copies.
const MARGIN: u64 = 240;

/// The flags of `unshare`, which needs a user namespace where the user is not root.
pub fn flags() -> Vec<&'static str> {
    let mut flags = vec!["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
    if !is_root() {
        flags.extend(["--user", "--map-root-user"]);
    }
    flags
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|data| data.uid() == 0)
}

/// Whether a sandbox can be made here at all; else why not, and what to do.
pub fn check() -> Result<(), String> {
    let done = Command::new("unshare")
        .args(flags())
        .args(["sh", "-c", "ip link set lo up"])
        .output()
        .map_err(|error| format!("cannot run `unshare` ({error}): run script/parts first"))?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(format!(
        "cannot make a network of its own for the runs: {}\n  why: this user may not make namespaces \
         here\n  help: run it as root, or in a container with CAP_SYS_ADMIN",
        said.trim()
    ))
}

/// A program in a network in which no port is taken, and of which nothing is left: a command to add to.
pub fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("unshare");
    command
        .args(flags())
        .args(["sh", "-c", "ip link set lo up && { \"$@\"; exit $?; }", "sh"])
        .arg(program)
        .stdin(Stdio::null());
    command
}

/// Runs it to its end, which comes by force after the limit: `None` then.
pub fn status(command: &mut Command, limit: Duration) -> Result<Option<ExitStatus>, String> {
    let mut child = command.spawn().map_err(|error| format!("cannot run `unshare`: {error}"))?;
    let status = wait::until(Instant::now() + limit, || child.try_wait().ok().flatten());
    if status.is_none() {
        let _ = child.kill();
        let _ = child.wait();
    }
    Ok(status)
}

/// Runs it to a good end. `failed` says what a bad one means.
pub fn succeed(command: &mut Command, limit: Duration, failed: &str) -> Result<(), String> {
    match status(command, limit)? {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(format!("{failed} ({status})")),
        None => Err(format!("it took more than {limit:?}")),
    }
}

/// Runs a script of `tests/real` in such a network, with the parts, a folder that it writes to, the program and a
/// project, and judges what it wrote. The folder stays where something is wrong.
pub fn judged(
    name: &str,
    (script, project): (&str, &str),
    limit: Duration,
    judge: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<(), String> {
    check()?;
    let place = Place::find(true)?;
    let work = place.root.with_extension(name);
    fs::create_dir_all(&work)
        .map_err(|error| format!("cannot make {}: {error}", work.display()))?;
    let mut command = command("bash");
    command
        .arg(place.repo.join("tests/real").join(script))
        .args([&place.parts, &work, &place.wharf])
        .arg(place.repo.join("tests/real").join(project))
        .current_dir(env::temp_dir());
    let outcome = succeed(&mut command, limit, "the script failed").and_then(|()| judge(&work));
    if outcome.is_ok() {
        let _ = fs::remove_dir_all(&work);
    }
    outcome.map_err(|why| format!("{why}\n  what was written is in {}", work.display()))
}

/// Runs this program again in a sandbox, for one run, and gives what it reported.
pub fn enter(run: &Run, place: &Place, mode: &str) -> Result<(ExitStatus, String), String> {
    fs::create_dir_all(&place.root)
        .and_then(|()| fs::write(place.root.join("hosts"), HOSTS))
        .map_err(|error| format!("cannot write in {}: {error}", place.root.display()))?;
    let report = place.root.join("report");
    let own = env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    if run.by == By::Ordinary && !is_root() {
        return Err("  - only root can start it as another user\n".to_owned());
    }
    let home = env::var_os("HOME").is_some_and(|home| Path::new(&home).parent().is_some());
    let opened = if run.by == By::Ordinary && home { OPEN_HOME } else { "" };
    let mut child = Command::new("unshare")
        .args(flags())
        .args(["sh", "-c", &format!("{opened}{ENTER}")])
        .arg(&place.root)
        .arg(own)
        .args(["real", mode, &run.name])
        .arg(&place.root)
        .arg(&place.wharf)
        .stdin(Stdio::null())
        .stdout(file(&report)?)
        .stderr(file(&place.root.join("report-errors"))?)
        .spawn()
        .map_err(|error| format!("cannot run `unshare`: {error}"))?;
    let within = run.ready_within() + run.gone_within() * 2;
    let deadline = Instant::now() + within + std::time::Duration::from_secs(MARGIN);
    let status = wait::until(deadline, || child.try_wait().ok().flatten());
    let Some(status) = status else {
        // The first process of the sandbox dies with `unshare`, and everything else with it.
        let _ = child.kill();
        let _ = child.wait();
        return Err(format!("the run itself hung for more than {within:?}"));
    };
    Ok((status, read(&report) + &read(&place.root.join("report-errors"))))
}

fn file(path: &Path) -> Result<File, String> {
    File::create(path).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn read(path: &Path) -> String {
    let text = fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&text).into_owned()
}

//! What happens to a project when something dies, hangs, floods or is full.

mod asking;
mod sandbox;

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use asking::get;
use sandbox::{Sandbox, signal, until};
use serde_json::Value;

fn sandbox(services: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.file(".git/HEAD", "ref: refs/heads/main\n");
    sandbox.file("server.py", include_str!("sandbox/server.py"));
    sandbox.file("wharf.toml", services);
    sandbox
}

fn up(sandbox: &Sandbox) -> Value {
    let answer = sandbox.output(&["up", "-d", "--json"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    answer.json()
}

fn live(sandbox: &Sandbox) -> Vec<Value> {
    sandbox.output(&["ls", "--json"]).json()["instances"].as_array().unwrap().clone()
}

fn pid(instance: &Value, field: &str) -> u32 {
    u32::try_from(instance[field].as_u64().unwrap_or_else(|| panic!("{field}: {instance:#}")))
        .unwrap()
}

fn service<'a>(list: &'a [Value], name: &str) -> Option<&'a Value> {
    list.iter().find(|instance| instance["service"] == name)
}

const SERVER: &str = "run = \"python3 server.py\"\n";

#[test]
fn a_killed_pilot_takes_its_tree_and_the_policy_decides() {
    let sandbox = sandbox(&format!(
        "[service.web]\n{SERVER}restart = \"always\"\n[service.api]\n{SERVER}env = {{ KEY = \"1\" }}\n"
    ));
    up(&sandbox);
    let before = live(&sandbox);
    let servers: Vec<u32> = before.iter().map(|i| pid(i, "pid")).collect();
    for instance in &before {
        signal(pid(instance, "pilot_pid"), "KILL");
    }
    let gone = until(|| (!servers.iter().any(|pid| sandbox::is_alive(*pid))).then_some(()));
    assert!(gone.is_some(), "the trees have gone");
    let again = until(|| {
        let live = live(&sandbox);
        let web = service(&live, "web").filter(|i| i["state"] == "ready")?.clone();
        (live.len() == 1 && web["pilot_pid"] != service(&before, "web")?["pilot_pid"])
            .then_some(web)
    });
    let web = again.unwrap_or_else(|| panic!("{:#?}", live(&sandbox)));
    assert_eq!(web["port"], service(&before, "web").unwrap()["port"], "at its port");
    let body = sandbox.get(web["direct_url"].as_str().unwrap()).unwrap();
    assert!(body.contains("WHARF_API_URL"), "with the environment that it had");
    // Whoever ended it in order does not want it back.
    assert_eq!(sandbox.output(&["down"]).code, 0);
    assert!(live(&sandbox).is_empty());
}

#[test]
fn killed_daemons_and_pilots_in_turn_lose_nothing() {
    let sandbox =
        sandbox(&format!("[service.web]\n{SERVER}restart = \"always\"\n[service.api]\n{SERVER}"));
    up(&sandbox);
    let api = service(&live(&sandbox), "api").unwrap().clone();
    for round in 0..10 {
        let daemon = sandbox.output(&["daemon", "status", "--json"]).json();
        signal(pid(&daemon, "pid"), "KILL");
        if round % 3 == 0 {
            let live = live(&sandbox);
            if let Some(web) = service(&live, "web") {
                signal(pid(web, "pilot_pid"), "KILL");
            }
        }
        let whole = until(|| {
            let live = live(&sandbox);
            let ready = |name| service(&live, name).is_some_and(|i| i["state"] == "ready");
            (ready("api") && ready("web")).then_some(live.len())
        });
        assert_eq!(whole, Some(2), "round {round}: {:#?}", live(&sandbox));
    }
    let now = service(&live(&sandbox), "api").unwrap().clone();
    assert_eq!((&now["pid"], &now["port"]), (&api["pid"], &api["port"]), "it never noticed");
}

#[test]
fn a_crash_loop_is_named_and_given_up() {
    let sandbox = sandbox(
        "[service.web]\nrun = \"echo cannot reach the database; exit 7\"\nrestart = \"on-failure\"\n",
    );
    let failed = sandbox.output(&["up", "-d"]);
    assert_eq!(failed.code, 1, "{failed:?}");
    let log = sandbox.output(&["logs", "web"]).out;
    assert!(log.contains("it has ended 7 times within"), "{log}");
    assert_eq!(log.matches("cannot reach the database").count(), 7, "{log}");
    assert!(failed.err.contains("cannot reach the database"), "{failed:?}");
}

#[test]
fn what_ignores_the_first_signal_is_killed_and_that_is_said() {
    let sandbox = sandbox(
        "[service.web]\nrun = \"trap '' TERM; echo deaf; while :; do sleep 1; done\"\n\
         ready = { log = \"deaf\" }\nstop_grace = 1\n\
         [service.int]\nrun = \"trap 'echo by INT; exit 0' INT; echo on; while :; do sleep 0.1; done\"\n\
         ready = { log = \"on\" }\nstop_signal = \"INT\"\n",
    );
    up(&sandbox);
    assert_eq!(sandbox.output(&["down"]).code, 0);
    let log = sandbox.output(&["logs", "web"]).out;
    assert!(log.contains("did not end in time and was killed"), "{log}");
    assert!(sandbox.output(&["logs", "int"]).out.contains("by INT"));
}

#[test]
fn the_name_of_what_has_failed_shows_its_last_lines() {
    let sandbox = sandbox(
        "[service.web]\nrun = \"echo first; echo relation users does not exist; exit 3\"\n",
    );
    let failed = sandbox.output(&["up", "-d"]);
    assert_eq!(failed.code, 1, "{failed:?}");
    let page = until(|| {
        let reply = get(&sandbox, "project.localhost", "/");
        reply.body.contains("relation users does not exist").then_some(reply)
    });
    assert!(page.is_some(), "{:?}", get(&sandbox, "project.localhost", "/").body);
}

#[test]
fn a_flood_of_output_stops_neither_the_server_nor_fills_the_disk() {
    let sandbox = sandbox(
        "[service.web]\nrun = \"python3 -c 'import sys\\nfor _ in range(3000): sys.stdout.write((\\\"x\\\"*99+\\\"\\\\n\\\")*1000)\\nopen(\\\"done\\\",\\\"w\\\")\\nimport time; time.sleep(1000)'\"\n\
         ready = { command = \"test -e done\" }\n",
    );
    let begun = Instant::now();
    up(&sandbox);
    println!("300 MB in {:?}", begun.elapsed());
    let logs = sandbox.dir().join("home/.local/state/wharf/logs");
    let size: u64 = std::fs::read_dir(&logs)
        .unwrap()
        .flatten()
        .filter_map(|folder| std::fs::read_dir(folder.path()).ok())
        .flat_map(|files| files.flatten().map(|file| file.metadata().unwrap().size()))
        .sum();
    assert!(size < 20 * 1024 * 1024, "{size} bytes");
    let pilot = pid(&live(&sandbox)[0], "pilot_pid");
    let status = std::fs::read_to_string(format!("/proc/{pilot}/status")).unwrap();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    let peak: u64 = peak.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(peak < 200 * 1024, "{peak} kB, and the output was 300 MB");
}

#[test]
fn a_flood_that_is_shown_keeps_nobody_from_being_heard() {
    let sandbox =
        sandbox("[service.web]\nrun = [\"yes\", \"a line that is long enough to be shown\"]\n");
    let mut shown = sandbox.wharf(&["up"]);
    shown.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut shown = shown.spawn().unwrap();
    until(|| (!live(&sandbox).is_empty()).then_some(())).expect("it runs");
    signal(shown.id(), "INT");
    let ended = until(|| shown.try_wait().unwrap());
    let _ = shown.kill();
    let _ = shown.wait();
    assert_eq!(ended.expect("Ctrl-C is heard").code(), Some(130));
}

#[test]
fn a_suspended_and_continued_project_serves_on() {
    let sandbox = sandbox(&format!("[service.web]\n{SERVER}[service.api]\n{SERVER}"));
    up(&sandbox);
    let all: Vec<u32> =
        live(&sandbox).iter().flat_map(|i| [pid(i, "pilot_pid"), pid(i, "pid")]).collect();
    let daemon = pid(&sandbox.output(&["daemon", "status", "--json"]).json(), "pid");
    for pid in all.iter().chain([&daemon]) {
        signal(*pid, "STOP");
    }
    for pid in all.iter().chain([&daemon]) {
        signal(*pid, "CONT");
    }
    let ready = until(|| {
        let live = live(&sandbox);
        live.iter().all(|i| i["state"] == "ready").then_some(live)
    });
    for instance in ready.unwrap() {
        sandbox.get(instance["direct_url"].as_str().unwrap()).unwrap();
    }
}

/// Forks for as long as it is let, whole sessions too. The tokens in a pipe bound how many there are at a time,
/// and the clock how long, so that no machine is harmed.
const BOMB: &str = "\
import os, random, time
over, (out, back) = time.monotonic() + 60, os.pipe()
os.set_blocking(out, False)
os.write(back, b'x' * 200)
root, told = os.getpid(), False
while time.monotonic() < over:
    try:
        os.read(out, 1)
        if os.fork() == 0:
            random.seed()
            if random.random() < 0.5:
                os.setsid()
    except BlockingIOError:
        if os.getpid() == root and not told:
            told = True
            print('as many as may be', flush=True)
    if os.getpid() != root and random.random() < 0.1:
        os.write(back, b'x')
        os._exit(0)
    time.sleep(0.05)
";

#[test]
fn what_forks_without_end_ends_with_its_service() {
    let sandbox = sandbox(&format!(
        "[service.bomb]\nrun = \"python3 bomb.py\"\nready = {{ log = \"as many\" }}\n\
         [service.web]\n{SERVER}"
    ));
    sandbox.file("bomb.py", BOMB);
    let bombs = || {
        let all = sandbox.processes().into_iter();
        all.filter(|pid| sandbox::command_of(*pid).ends_with("python3 bomb.py")).count()
    };
    let web = || {
        let web = service(&live(&sandbox), "web").cloned().expect("it runs");
        sandbox.get(web["direct_url"].as_str().unwrap()).expect("it answers");
        web["pid"].clone()
    };
    up(&sandbox);
    let before = web();
    assert!(bombs() > 20, "{} have forked", bombs());
    let down = sandbox.output(&["down", "bomb"]);
    assert_eq!(down.code, 0, "{down:?}");
    assert_eq!((bombs(), web()), (0, before.clone()), "whoever ends it in order leaves none");
    up(&sandbox);
    signal(pid(service(&live(&sandbox), "bomb").unwrap(), "pilot_pid"), "KILL");
    assert!(until(|| (bombs() == 0).then_some(())).is_some(), "{} are left", bombs());
    assert_eq!(web(), before);
    assert_eq!(sandbox.output(&["down"]).code, 0);
}

/// In the environment of the copy of a test that may mount.
const MAY_MOUNT: &str = "WHARF_TEST_MAY_MOUNT";

#[test]
fn a_disk_that_a_flood_fills_stops_nobody() {
    if std::env::var_os(MAY_MOUNT).is_some() {
        return on_a_small_disk();
    }
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private"]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", "a_disk_that_a_flood_fills_stops_nobody", "--nocapture"]);
    assert!(command.env(MAY_MOUNT, "1").status().unwrap().success());
}

/// Puts out all it can until there is a file `stop`, and then a line now and then.
const FLOOD: &str = "\
import os, time
while not os.path.exists('stop'):
    print(('x' * 99 + '\\n') * 100, end='', flush=True)
    time.sleep(0.01)
while True:
    print('calm', flush=True)
    time.sleep(0.1)
";

/// Whether the disk takes nothing more.
fn is_full(disk: &Path) -> bool {
    let probe = disk.join("probe");
    let is_full = std::fs::write(&probe, [1; 8192]).is_err();
    let _ = std::fs::remove_file(probe);
    is_full
}

fn on_a_small_disk() {
    let sandbox = sandbox(&format!(
        "[service.flood]\nrun = \"python3 flood.py\"\nready = {{ log = \"x\" }}\n\
         [service.web]\n{SERVER}[service.api]\n{SERVER}"
    ));
    sandbox.file("flood.py", FLOOD);
    let disk = sandbox.dir().join("home/.local/state/wharf");
    std::fs::create_dir_all(&disk).unwrap();
    let mount = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=6m,mode=700", "tmpfs"])
        .arg(&disk)
        .status();
    assert!(mount.unwrap().success());
    let filler = disk.join("filler");
    std::fs::write(&filler, vec![1; 3 * 1024 * 1024]).unwrap();
    assert_eq!(sandbox.output(&["up", "-d", "flood", "web"]).code, 0);
    assert!(until(|| is_full(&disk).then_some(())).is_some(), "it never was full");
    let web = service(&live(&sandbox), "web").unwrap().clone();
    let answers = |web: &Value| sandbox.get(web["direct_url"].as_str().unwrap()).unwrap();
    answers(&web);
    // A new one, an old one again, the end of one: all with a full disk.
    let up = sandbox.output(&["up", "-d"]);
    println!("with a full disk: {up:?}");
    assert_eq!(up.code, 0, "{up:?}");
    answers(service(&live(&sandbox), "api").unwrap());
    assert_eq!(sandbox.output(&["down", "web"]).code, 0);
    let up = sandbox.output(&["up", "-d", "web"]);
    assert_eq!(up.code, 0, "{up:?}");
    let again = service(&live(&sandbox), "web").unwrap().clone();
    answers(&again);
    assert_eq!(again["port"], web["port"]);
    assert_eq!(live(&sandbox).len(), 3);
    sandbox.file("stop", "");
    std::fs::remove_file(&filler).unwrap();
    let told = until(|| {
        let log = sandbox.output(&["logs", "flood"]).out;
        (log.contains("are not kept: No space left") && log.contains("calm")).then_some(())
    });
    assert!(told.is_some(), "the log says what it lost, and goes on");
    assert_eq!(sandbox.output(&["down"]).code, 0);
    assert!(live(&sandbox).is_empty());
    assert_eq!(sandbox.output(&["daemon", "stop"]).code, 0);
    // It is mounted for this process and what it has started alone; its folder goes with the sandbox.
    let _ = Command::new("umount").arg("--lazy").arg(&disk).stderr(Stdio::null()).status();
}

#[test]
fn two_hundred_services_of_one_project() {
    let services: String = (0..200)
        .map(|n| {
            format!(
                "[service.s{n}]\nrun = \"echo up; exec sleep 1000\"\nready = {{ log = \"up\" }}\n"
            )
        })
        .collect();
    let sandbox = sandbox(&services);
    let begun = Instant::now();
    let mut command = sandbox.wharf(&["up", "-d", "--json"]);
    let output = command.output().unwrap();
    println!("200 services in {:?}", begun.elapsed());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(live(&sandbox).len(), 200);
    let down = sandbox.wharf(&["down"]).output().unwrap();
    assert!(down.status.success());
    assert!(live(&sandbox).is_empty());
}

#[test]
fn what_waits_to_be_made_again_does_not_rise_after_down() {
    let sandbox = fallen();
    let down = sandbox.output(&["down"]);
    assert!(down.err.contains("what was to be started again"), "{down:?}");
    assert!(until(|| (!is_awaited(&sandbox)).then_some(())).is_some(), "nobody is to start it");
    assert!(live(&sandbox).is_empty());
}

#[test]
fn what_waits_to_be_made_again_does_not_rise_after_stop() {
    let sandbox = fallen();
    assert_eq!(sandbox.output(&["stop", "nobody"]).code, 3);
    let stop = sandbox.output(&["stop", "web"]);
    assert_eq!(stop.code, 0, "{stop:?}");
    assert!(stop.err.contains("was to be started again"), "{stop:?}");
    assert!(until(|| (!is_awaited(&sandbox)).then_some(())).is_some(), "nobody is to start it");
    assert!(live(&sandbox).is_empty());
}

/// A service that was killed so often that the next life waits for seconds.
fn fallen() -> Sandbox {
    let sandbox = sandbox(&format!("[service.web]\n{SERVER}restart = \"always\"\n"));
    up(&sandbox);
    // Each kill makes the pause longer: the last is seconds.
    for _ in 0..5 {
        let web =
            until(|| service(&live(&sandbox), "web").filter(|i| i["state"] == "ready").cloned());
        signal(pid(&web.expect("it is made again"), "pilot_pid"), "KILL");
        let gone = until(|| live(&sandbox).is_empty().then_some(()));
        assert!(gone.is_some(), "it waits");
    }
    sandbox
}

/// Whether a process of this sandbox waits to make a pilot again.
fn is_awaited(sandbox: &Sandbox) -> bool {
    let folder = sandbox.dir().to_str().unwrap();
    let waits = |entry: std::fs::DirEntry| {
        let words = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).into_owned();
        words.contains("--revive") && words.contains(folder)
    };
    std::fs::read_dir("/proc").unwrap().flatten().any(waits)
}

/// A project whose `web` waits for `api`, which waits for us; and the pilot of `web`, stopped: it hears the word to
/// launch, and says nothing.
fn stopped_before_its_first_report() -> (Sandbox, sandbox::Running, u32) {
    let sandbox = sandbox(&format!(
        "[service.web]\n{SERVER}depends_on = [\"api\"]\n\
         [service.api]\nrun = \"sh -c 'until test -e go; do sleep 0.02; done; exec python3 server.py'\"\n"
    ));
    let up = sandbox.start(&["up", "-d"]);
    let web = until(|| {
        let leases = sandbox.output(&["ls", "--all", "--json"]).json()["leases"].clone();
        let lease =
            leases.as_array()?.iter().find(|lease| lease["key"]["service"] == "web")?.clone();
        Some(pid(&lease["kind"]["process"], "pid"))
    });
    let web = web.expect("it has its port and waits");
    // Its server runs once the pilot of `api` has heard the word: nobody is asked for a port any more.
    assert!(until(|| service(&live(&sandbox), "api").map(drop)).is_some(), "launched");
    signal(web, "STOP");
    sandbox.file("go", "");
    up.said("api is up");
    (sandbox, up, web)
}

#[test]
fn a_pilot_that_is_killed_before_its_first_report_is_noticed_at_once() {
    let (_sandbox, mut up, web) = stopped_before_its_first_report();
    signal(web, "KILL");
    // The timeout is five minutes.
    assert_eq!(up.code(), 1, "{}", up.err());
    up.said("the pilot of web has ended");
}

#[test]
fn ctrl_c_ends_what_was_launched_and_has_not_reported_yet() {
    let (sandbox, mut up, web) = stopped_before_its_first_report();
    up.signal("INT");
    assert_eq!(up.code(), 130, "{}", up.err());
    assert!(!sandbox::is_alive(web), "its pilot has ended");
    assert!(live(&sandbox).is_empty());
}

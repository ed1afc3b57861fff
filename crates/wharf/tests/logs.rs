//! `wharf logs`: what is kept of instances, for whoever asks later or looks on.

mod sandbox;

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use sandbox::{Sandbox, until};
use wharf_model::path_text::PathText;
use wharf_supervisor::log::{Limits, LogKeeper, now_ms, place};

/// The logs of a sandbox's project.
struct Kept<'a> {
    sandbox: &'a Sandbox,
}

impl Kept<'_> {
    fn logs(&self) -> PathBuf {
        self.sandbox.dir().join("home/.local/state/wharf/logs")
    }

    fn path_in(&self, root: &Path, service: &str, instance: u32) -> PathBuf {
        let root = PathText::new(&std::fs::canonicalize(root).unwrap());
        place::prepare(&self.logs(), &root).unwrap();
        place::path(&self.logs(), &root, service, instance)
    }

    /// The log of an instance of the project, from lines as they stand in the file.
    fn log(&self, service: &str, instance: u32, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path_in(&self.sandbox.project(), service, instance);
        std::fs::write(&path, text).unwrap();
        path
    }
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    // No worktree of git's by itself: it has to have a HEAD.
    sandbox.file(".git/HEAD", "ref: refs/heads/main\n");
    sandbox
}

#[test]
fn what_is_kept_is_shown_without_a_daemon() {
    let sandbox = sandbox();
    let kept = Kept { sandbox: &sandbox };
    let nothing = sandbox.output(&["logs"]);
    assert_eq!((nothing.code, nothing.out.as_str()), (3, ""), "{nothing:?}");
    assert!(nothing.err.contains("wharf up") && nothing.err.contains("wharf run"), "{nothing:?}");
    kept.log("web", 1, "1000 w launched\n3000 o \x1b[32mGET /\x1b[0m\n");
    kept.log("web", 2, "4000 o second\n");
    kept.log("worker", 1, "2000 o busy \n");
    let all = sandbox.output(&["logs"]);
    let wanted = "web    | wharf: launched\nworker | busy \nweb    | GET /\nweb.2  | second\n";
    assert_eq!((all.code, all.out.as_str(), all.err.as_str()), (0, wanted, ""), "{all:?}");
    let web = sandbox.output(&["logs", "web"]).out;
    assert_eq!(web, "web   | wharf: launched\nweb   | GET /\nweb.2 | second\n");
    assert_eq!(sandbox.output(&["logs", "web.2"]).out, "second\n");
    let unknown = sandbox.output(&["logs", "api"]);
    assert_eq!(unknown.code, 3);
    assert!(unknown.err.contains("web, web.2, worker"), "{unknown:?}");
    assert!(!sandbox.dir().join("run/wharf/control.sock").exists(), "no daemon was started");
    let elsewhere = sandbox.dir().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let mut other = sandbox.wharf(&["logs"]);
    other.current_dir(&elsewhere);
    assert_eq!(sandbox::answer(other).code, 3, "each checkout has its own");
}

#[test]
fn lines_are_chosen_by_time_pattern_and_number() {
    let sandbox = sandbox();
    let kept = Kept { sandbox: &sandbox };
    let now = now_ms();
    let lines: String = (0..50)
        .map(|n| format!("{} o \x1b[3{}mline {n:02}\x1b[0m\n", now - 60_000 * (50 - n), n % 7))
        .collect();
    kept.log("web", 1, lines);
    let out = |args: &[&str]| sandbox.output(&[&["logs"], args].concat()).out;
    assert_eq!(out(&["-n", "2"]), "line 48\nline 49\n");
    assert_eq!(out(&["-n", "0"]), "");
    assert_eq!(out(&["--since", "150s"]), "line 48\nline 49\n");
    assert_eq!(out(&["--since", &(now - 90_000).to_string()]), "line 49\n");
    assert_eq!(out(&["--since", "2000-01-01"]).lines().count(), 50);
    assert_eq!(out(&["--grep", "^line .7$", "-n", "2"]), "line 37\nline 47\n");
    assert_eq!(out(&["--ansi", "always", "-n", "1"]), "\x1b[30mline 49\x1b[0m\n");
    assert_eq!(out(&["--raw", "-n", "1"]), "\x1b[30mline 49\x1b[0m\n");
    for bad in [["--since", "soon"], ["--grep", "("], ["--lines", "x"]] {
        let refused = sandbox.output(&[&["logs"], &bad[..]].concat());
        assert_eq!((refused.code, refused.out.as_str()), (2, ""), "{refused:?}");
    }
}

#[test]
fn the_document_has_every_line_and_whose_it_is() {
    let sandbox = sandbox();
    let kept = Kept { sandbox: &sandbox };
    kept.log("web", 1, b"1000 w launched\n2000 o \x1b[1mready\x1b[0m \xff\n");
    let json = sandbox.output(&["logs", "--json"]).json();
    assert_eq!(json["schema"], 1);
    let project = std::fs::canonicalize(sandbox.project()).unwrap();
    let line = |time_ms: u64, from: &str, text: &str| {
        serde_json::json!({
            "time_ms": time_ms, "root": project, "service": "web", "instance": 1,
            "from": from, "text": text,
        })
    };
    let wanted = [line(1000, "wharf", "launched"), line(2000, "server", "ready \u{fffd}")];
    assert_eq!(json["lines"], serde_json::json!(wanted));
    let none = sandbox.output(&["logs", "--json", "--grep", "nothing"]).json();
    assert_eq!(none["lines"], serde_json::json!([]));
    let one = sandbox.output(&["logs", "--json", "--ansi", "always", "-n", "1"]).json();
    assert_eq!(one["lines"][0]["text"], "\u{1b}[1mready\u{1b}[0m \u{fffd}");
}

#[test]
fn a_reader_that_has_had_enough_is_no_failure() {
    let sandbox = sandbox();
    let kept = Kept { sandbox: &sandbox };
    kept.log("web", 1, "1 o a line among very many\n".repeat(100_000));
    let mut logs = sandbox.wharf(&["logs"]);
    let mut logs = logs.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::with_capacity(64, logs.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert_eq!(first, "a line among very many\n");
    let status = until(|| logs.try_wait().unwrap()).expect("it ends");
    let mut said = String::new();
    logs.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((status.code(), said.as_str()), (Some(0), ""));
}

/// What `wharf logs …` shows on a terminal.
fn on_a_terminal(sandbox: &Sandbox, args: &[&str], no_color: &str) -> String {
    let mut screen = std::fs::File::from(openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap());
    grantpt(&screen).and_then(|()| unlockpt(&screen)).unwrap();
    let name = ptsname(&screen, Vec::new()).unwrap();
    let terminal = std::fs::File::options().read(true).write(true).open(name.to_str().unwrap());
    let mut command = sandbox.wharf(&[&["logs"], args].concat());
    command.env("TERM", "xterm").env("NO_COLOR", no_color).stdout(terminal.unwrap());
    let status = command.status().unwrap();
    assert!(status.success());
    // The last to have it open for writing are gone, so that this ends.
    drop(command);
    let mut shown = Vec::new();
    let _ = screen.read_to_end(&mut shown);
    String::from_utf8(shown).unwrap().replace("\r\n", "\n")
}

#[test]
fn a_terminal_gets_colours_and_keeps_its_screen() {
    let sandbox = sandbox();
    let kept = Kept { sandbox: &sandbox };
    kept.log("web", 1, "1 o \x1b[2J\x1b[3J\x1b[H\x1b[32mVITE\x1b[39m ready\n");
    let colours = on_a_terminal(&sandbox, &[], "");
    assert_eq!(colours, "\x1b[32mVITE\x1b[39m ready\x1b[0m\n");
    for (args, no_color) in [(&[][..], "1"), (&["--no-colour"], ""), (&["--ansi", "never"], "")] {
        assert_eq!(on_a_terminal(&sandbox, args, no_color), "VITE ready\n", "{args:?}");
    }
    let raw = on_a_terminal(&sandbox, &["--raw"], "");
    assert_eq!(raw, "\x1b[2J\x1b[3J\x1b[H\x1b[32mVITE\x1b[39m ready\n");
    kept.log("api", 2, "2 o x\n");
    let named = on_a_terminal(&sandbox, &["--grep", "x"], "");
    assert!(named.starts_with("\x1b[") && named.contains("mapi.2 | \x1b[0mx\n"), "{named:?}");
}

/// `wharf logs -f …` whose output goes to a file.
struct Following {
    child: Child,
    out: PathBuf,
}

impl Following {
    fn new(sandbox: &Sandbox, name: &str, args: &[&str]) -> Following {
        let out = sandbox.dir().join(name);
        let file = std::fs::File::create(&out).unwrap();
        let mut command = sandbox.wharf(&[&["logs", "-f"], args].concat());
        let said = std::fs::File::create(out.with_extension("err")).unwrap();
        let child = command.stdout(file).stderr(said).spawn().unwrap();
        Following { child, out }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.out.with_extension("err")).unwrap_or_default()
    }

    /// Waits until it has written this.
    fn shows(&self, text: &str) -> String {
        let shown = || std::fs::read_to_string(&self.out).unwrap_or_default();
        until(|| Some(shown()).filter(|out| out.contains(text)))
            .unwrap_or_else(|| panic!("never showed `{text}`: {}\n{}", shown(), self.said()))
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn following_goes_on_through_new_logs_and_rotation() {
    let sandbox = sandbox();
    let kept = Kept { sandbox: &sandbox };
    let mut text = Following::new(&sandbox, "text", &[]);
    let json = Following::new(&sandbox, "json", &["--json", "--grep", "line 19|last"]);
    // It waits for a folder that is not there.
    for waiting in [&text, &json] {
        until(|| waiting.said().contains("as they come").then_some(())).expect("it waits");
    }
    let path = kept.path_in(&sandbox.project(), "web", 1);
    let (out, mut pipe) = std::io::pipe().unwrap();
    let limits = Limits { file_bytes: 2048, ..Limits::default() };
    let keeper = LogKeeper::start(out.into(), path, limits).unwrap();
    for round in 0..20 {
        let lines: String = (0..20).map(|n| format!("round {round} line {n:02}\n")).collect();
        pipe.write_all(lines.as_bytes()).unwrap();
        text.shows(&format!("web | round {round} line 19"));
    }
    keeper.say("the last");
    let shown = text.shows("wharf: the last");
    assert_eq!(shown.lines().filter(|line| line.contains("round")).count(), 400, "{shown}");
    let documents = json.shows("the last");
    let documents: Vec<serde_json::Value> =
        documents.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(documents.iter().all(|line| line["schema"] == 1 && line["service"] == "web"));
    assert_eq!(documents.iter().filter(|line| line["from"] == "server").count(), 20);
    drop(pipe);
    assert!(keeper.finish(sandbox::LIMIT));
    let late = Following::new(&sandbox, "late", &["-n", "1", "web"]);
    assert_eq!(late.shows("the last"), "wharf: the last\n");
    sandbox::signal(text.child.id(), "INT");
    let ended = until(|| text.child.try_wait().unwrap()).unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended), Some(2), "as Ctrl-C does");
}

#[test]
fn an_instance_of_another_checkout_is_found_by_its_name() {
    let sandbox = sandbox();
    let kept = Kept { sandbox: &sandbox };
    let mut run = sandbox.run(&["--", "python3", "-m", "http.server"]);
    run.event("ready");
    let instance = &sandbox.output(&["ls", "--json"]).json()["instances"][0];
    let service = instance["service"].as_str().unwrap();
    let elsewhere = sandbox.dir().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let logs = |args: &[&str]| {
        let mut command = sandbox.wharf(&[&["logs"], args].concat());
        command.current_dir(&elsewhere);
        sandbox::answer(command)
    };
    let none = logs(&["project"]);
    assert_eq!(none.code, 3);
    assert!(none.err.contains("its output went to that terminal"), "{none:?}");
    kept.log(service, 1, "5 o here\n");
    let found = logs(&["project"]);
    assert_eq!((found.code, found.out.as_str()), (0, "here\n"), "{found:?}");
    let unknown = logs(&["nobody"]);
    assert_eq!(unknown.code, 3, "{unknown:?}");
}

//! `wharf top` on a real terminal: what it shows, what its keys do, and that the terminal is as it was after any end.

mod sandbox;

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use sandbox::{Sandbox, is_alive, signal, until};

const LINES: usize = 24;
const COLUMNS: usize = 80;

/// As much of a terminal as wharf writes to.
struct Model {
    cells: Vec<Vec<char>>,
    at: (usize, usize),
    is_other: bool,
    has_cursor: bool,
    pending: String,
    all: String,
}

impl Model {
    fn new() -> Model {
        Model {
            cells: vec![vec![' '; 220]; 60],
            at: (0, 0),
            is_other: false,
            has_cursor: true,
            pending: String::new(),
            all: String::new(),
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        self.all.push_str(&text);
        self.pending.push_str(&text);
        while let Some(first) = self.pending.chars().next() {
            if self.pending.starts_with("\x1b]") {
                let Some(end) = self.pending.find('\x07') else { return };
                self.pending.drain(..=end);
                continue;
            }
            let length = match self.pending.strip_prefix("\x1b[") {
                Some(rest) => {
                    let Some(end) = rest.find(|c: char| ('@'..='~').contains(&c)) else { return };
                    let (words, end) = (rest[..end].to_owned(), end + 3);
                    self.obey(&words, self.pending.as_bytes()[end - 1]);
                    end
                }
                None if first == '\x1b' && self.pending.len() < 2 => return,
                None => {
                    self.put(first);
                    first.len_utf8()
                }
            };
            self.pending.drain(..length);
        }
    }

    fn obey(&mut self, words: &str, end: u8) {
        match (words, end) {
            ("?1049", b'h' | b'l') => self.is_other = end == b'h',
            ("?25", b'h' | b'l') => self.has_cursor = end == b'h',
            ("2", b'J') => self.cells.iter_mut().for_each(|line| line.fill(' ')),
            (_, b'H') => {
                let mut numbers = words.split(';').map(|n| n.parse().unwrap_or(1usize) - 1);
                self.at = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
            }
            _ => {}
        }
    }

    fn put(&mut self, letter: char) {
        if letter >= ' '
            && self.is_other
            && let Some(cell) = self.cells.get_mut(self.at.0).and_then(|l| l.get_mut(self.at.1))
        {
            *cell = letter;
            self.at.1 += 1;
        }
    }

    fn text(&self) -> String {
        let lines = self.cells.iter().map(|line| line.iter().collect::<String>());
        lines.map(|line| line.trim_end().to_owned() + "\n").collect::<String>().trim_end().into()
    }
}

struct Terminal {
    keys: File,
    shell: Child,
    model: Arc<Mutex<Model>>,
    /// Held while the terminal takes nothing.
    taking: Arc<Mutex<()>>,
}

impl Terminal {
    fn open(sandbox: &Sandbox) -> Terminal {
        let keys = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&keys).and_then(|()| unlockpt(&keys)).expect("our own terminal");
        resize(&keys, COLUMNS, LINES);
        let name = ptsname(&keys, Vec::new()).expect("it has a name");
        let name = name.to_str().expect("an ASCII name");
        let side = || {
            Stdio::from(File::options().read(true).write(true).open(name).expect("its other side"))
        };
        let mut command = sandbox.program("setsid");
        command.args(["--ctty", "--wait", "bash", "--norc", "--noprofile", "--noediting", "-i"]);
        command.env("PS1", "prompt> ").env("TERM", "xterm");
        command.env("BROWSER", sandbox.project().join("browser"));
        let shell = command.stdin(side()).stdout(side()).stderr(side()).spawn().expect("bash");
        let keys = File::from(keys);
        let model = Arc::new(Mutex::new(Model::new()));
        let (mut reader, shared) = (keys.try_clone().expect("a copy"), model.clone());
        let taking = Arc::new(Mutex::new(()));
        let gate = taking.clone();
        std::thread::spawn(move || {
            let mut buffer = [0u8; 4096];
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                let _taking = gate.lock();
                let Ok(mut model) = shared.lock() else { return };
                model.take(&buffer[..length]);
            }
        });
        Terminal { keys, shell, model, taking }
    }

    fn says(&self, text: &str, times: usize) {
        self.is(text, |model| model.all.matches(text).count() >= times);
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("the terminal takes keys");
    }

    fn shows(&self, text: &str) {
        self.is(text, |model| model.is_other && model.text().contains(text));
    }

    fn hides(&self, text: &str) {
        self.is(text, |model| model.is_other && !model.text().contains(text));
    }

    fn is(&self, what: &str, is_it: impl Fn(&Model) -> bool) {
        let done = until(|| is_it(&self.model.lock().expect("not poisoned")).then_some(()));
        let model = self.model.lock().expect("not poisoned");
        let seen = format!("{}\n{:?}", model.text(), model.all);
        drop(model);
        assert!(done.is_some(), "`{what}` never came:\n{seen}");
    }

    /// Starts it from a script, so that no shell mends the terminal, and writes the modes before and after.
    fn top(&mut self, sandbox: &Sandbox) -> (u32, u32) {
        let wharf = env!("CARGO_BIN_EXE_wharf");
        let script = format!(
            "stty -g > before; {wharf} \"top\"; echo $? > code; \
             until [ \"$(stty -g)\" = \"$(cat before)\" ]; do :; done; echo same > after; exit 0\n"
        );
        sandbox.file("script", &script);
        self.press("sh ./script\n");
        self.processes(sandbox)
    }

    /// The parent and the screen, once that is shown.
    fn processes(&self, sandbox: &Sandbox) -> (u32, u32) {
        self.shows("wharf top");
        let screen = sandbox
            .processes()
            .into_iter()
            .find(|pid| sandbox::command_of(*pid).contains("--screen-of"));
        let screen = screen.expect("the screen's process");
        let status = std::fs::read_to_string(format!("/proc/{screen}/status")).expect("it lives");
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
        (parent.and_then(|pid| pid.trim().parse().ok()).expect("its parent"), screen)
    }

    /// The terminal is as it was, and nothing of ours is left.
    fn is_as_before(&self, sandbox: &Sandbox, (parent, screen): (u32, u32), code: &str) {
        self.is("the way back", |model| !model.is_other && model.has_cursor);
        let read = |name: &str| std::fs::read_to_string(sandbox.project().join(name)).ok();
        let same = until(|| read("after").filter(|text| text == "same\n"));
        assert!(same.is_some(), "the modes are others");
        assert!(until(|| (!is_alive(parent) && !is_alive(screen)).then_some(())).is_some());
        assert_eq!(read("code").as_deref().map(str::trim), Some(code));
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

fn resize(terminal: impl std::os::fd::AsFd, columns: usize, lines: usize) {
    let size = |number: usize| u16::try_from(number).expect("a size");
    let (ws_col, ws_row) = (size(columns), size(lines));
    tcsetwinsize(terminal, Winsize { ws_row, ws_col, ws_xpixel: 0, ws_ypixel: 0 }).expect("a size");
}

/// Two services that say what they are asked.
fn two_services(sandbox: &Sandbox) -> [u64; 2] {
    sandbox.file(
        "server.py",
        "import http.server, os, sys\n\
         class H(http.server.BaseHTTPRequestHandler):\n\
         \x20   def do_GET(self):\n\
         \x20       print('asked', sys.argv[1], self.path, '\\x1b[2J', flush=True)\n\
         \x20       self.send_response(200); self.end_headers()\n\
         \x20   do_HEAD = do_GET\n\
         \x20   def log_message(self, *a): pass\n\
         http.server.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), H).serve_forever()\n",
    );
    sandbox.file(
        "wharf.toml",
        "[service.api]\nrun = \"python3 server.py one\"\n[service.web]\nrun = \"python3 server.py two\"\n",
    );
    let up = sandbox.output(&["up", "-d"]);
    assert_eq!(up.code, 0, "{}", up.err);
    let list = sandbox.output(&["ls", "--json"]).json();
    [0, 1].map(|at: usize| list["instances"][at]["port"].as_u64().expect("a port"))
}

#[test]
fn it_shows_selects_filters_stops_and_leaves_the_terminal_as_it_was() {
    let sandbox = Sandbox::new();
    let [first, second] = two_services(&sandbox);
    let mut terminal = Terminal::open(&sandbox);
    let processes = terminal.top(&sandbox);
    terminal.shows("2 running");
    terminal.shows("> api");
    terminal.press("\x1b[B");
    terminal.shows("> project");
    sandbox.get(&format!("http://127.0.0.1:{second}/news")).expect("an answer");
    terminal.shows("asked two /news");
    terminal.press("/api");
    terminal.hides("  project ");
    terminal.shows("> api");
    terminal.press("\x1b");
    terminal.shows("> api");
    terminal.shows("  project");
    terminal.press("\t");
    terminal.shows("[ports]");
    terminal.shows(&first.to_string());
    terminal.press("\t?");
    terminal.shows("any key closes this");
    terminal.press(" ");
    terminal.shows("> api");
    resize(&terminal.keys, 40, 10);
    terminal.hides("restart");
    resize(&terminal.keys, 3, 1);
    resize(&terminal.keys, 200, 50);
    terminal.press("s");
    terminal.shows("y does it");
    terminal.press("y");
    terminal.shows("1 running");
    terminal.shows("> project");
    terminal.press("q");
    terminal.is_as_before(&sandbox, processes, "0");
    sandbox.output(&["stop", "--all"]);
}

#[test]
fn no_end_of_the_screen_or_of_its_parent_changes_the_terminal() {
    for (name, is_screen, code) in [
        ("KILL", true, "1"),
        ("KILL", false, "137"),
        ("TERM", false, "143"),
        ("HUP", false, "129"),
        ("INT", false, "130"),
        ("TERM", true, "0"),
    ] {
        let sandbox = Sandbox::new();
        let mut terminal = Terminal::open(&sandbox);
        let processes = terminal.top(&sandbox);
        signal(if is_screen { processes.1 } else { processes.0 }, name);
        terminal.is_as_before(&sandbox, processes, code);
    }
}

#[test]
fn ctrl_c_leaves_and_servers_go_on() {
    let sandbox = Sandbox::new();
    two_services(&sandbox);
    let mut terminal = Terminal::open(&sandbox);
    let processes = terminal.top(&sandbox);
    terminal.shows("2 running");
    terminal.press("\x03");
    terminal.is_as_before(&sandbox, processes, "0");
    let list = sandbox.output(&["ls", "--json"]).json();
    assert_eq!(list["instances"].as_array().map(Vec::len), Some(2));
    sandbox.output(&["stop", "--all"]);
}

#[test]
fn a_key_restarts_opens_and_copies_and_what_was_said_stands_above_the_keys() {
    let sandbox = Sandbox::new();
    two_services(&sandbox);
    let browser = "#!/bin/sh\ngrep SigBlk /proc/self/status > mask; echo \"$1\" > seen.new; mv seen.new seen\n";
    sandbox::mode(&sandbox.file("browser", browser), 0o755);
    let mut terminal = Terminal::open(&sandbox);
    let processes = terminal.top(&sandbox);
    terminal.shows("> api");
    terminal.press("r");
    terminal.shows("serves again");
    terminal.shows("? help  q quit");
    terminal.press("o");
    let read = |name: &str| std::fs::read_to_string(sandbox.project().join(name)).ok();
    let seen = until(|| read("seen")).expect("a browser that was started");
    assert_eq!(seen.trim(), "http://api.project.localhost");
    let mask = read("mask").expect("its signals");
    assert_eq!(mask.trim_start_matches("SigBlk:").trim(), "0000000000000000");
    terminal.shows("opened http");
    terminal.press("c");
    // The base64 of the URL.
    terminal.says("\x1b]52;c;aHR0cDovL2FwaS5wcm9qZWN0LmxvY2FsaG9zdA==\x07", 1);
    terminal.press("\x1b[200~syq\x1b[201~j");
    terminal.shows("> project");
    terminal.shows("2 running");
    terminal.press("q");
    terminal.is_as_before(&sandbox, processes, "0");
    sandbox.output(&["stop", "--all"]);
}

#[test]
fn ctrl_z_gives_the_terminal_to_the_shell_and_only_fg_takes_it_back() {
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::open(&sandbox);
    let wharf = env!("CARGO_BIN_EXE_wharf");
    terminal.press(&format!("{wharf} \"top\"\n"));
    let (parent, screen) = terminal.processes(&sandbox);
    terminal.press("\x1a");
    terminal.is("the shell", |model| !model.is_other && model.has_cursor);
    terminal.says("Stopped", 1);
    terminal.press("bg\n");
    // The shell tells of it at the next prompt.
    let stops_again = until(|| {
        terminal.keys.write_all(b"\n").expect("the terminal takes keys");
        let model = terminal.model.lock().expect("not poisoned");
        (model.all.matches("Stopped").count() >= 2).then_some(())
    });
    assert!(stops_again.is_some(), "it has no business in the background");
    terminal.is("the shell still", |model| model.all.matches("\x1b[?1049h").count() == 1);
    terminal.press("fg\n");
    terminal.shows("wharf top");
    terminal.press("q");
    terminal.is("the shell again", |model| !model.is_other && model.has_cursor);
    terminal.press("echo code $?\n");
    terminal.says("code 0", 1);
    assert!(!is_alive(parent) && !is_alive(screen));
}

#[test]
fn a_terminal_that_takes_nothing_holds_no_end_up() {
    for (is_screen, name) in [(false, "TERM"), (true, "KILL")] {
        let sandbox = Sandbox::new();
        let mut terminal = Terminal::open(&sandbox);
        let (parent, screen) = terminal.top(&sandbox);
        let taking = terminal.taking.clone();
        let stopped = taking.lock().expect("not poisoned");
        // As much as the kernel keeps for a terminal, and more.
        let is_full = until(|| {
            terminal.keys.write_all(b"\x0c").expect("the terminal takes keys");
            let waiting = rustix::io::ioctl_fionread(&terminal.keys).expect("a number");
            (waiting >= 4095).then_some(())
        });
        assert!(is_full.is_some(), "it draws");
        for _ in 0..100 {
            terminal.press("\x0c");
        }
        signal(if is_screen { screen } else { parent }, name);
        let is_dead = || (!is_alive(parent) && !is_alive(screen)).then_some(());
        assert!(until(is_dead).is_some(), "it waits for the terminal");
        drop(stopped);
        terminal.is("the way back", |model| !model.is_other && model.has_cursor);
    }
}

#[test]
fn a_daemon_that_is_stopped_is_missed_and_not_started_and_its_successor_is_found() {
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::open(&sandbox);
    let processes = terminal.top(&sandbox);
    terminal.shows("nothing runs");
    assert_eq!(sandbox.output(&["daemon", "stop"]).code, 0);
    terminal.shows("! no daemon runs");
    assert_eq!(sandbox.output(&["daemon", "status"]).code, 7);
    assert_eq!(sandbox.output(&["daemon", "start"]).code, 0);
    terminal.hides("! no daemon runs");
    terminal.press("q");
    terminal.is_as_before(&sandbox, processes, "0");
}

#[test]
fn without_a_screen_it_says_what_else_there_is() {
    let sandbox = Sandbox::new();
    let answer = sandbox.output(&["top"]);
    assert_eq!(answer.code, 2);
    assert!(answer.err.contains("no terminal") || answer.err.contains("TERM"), "{}", answer.err);
    assert!(answer.err.contains("wharf ls"), "{}", answer.err);
}

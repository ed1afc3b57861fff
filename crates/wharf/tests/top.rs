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
        let shell = command.stdin(side()).stdout(side()).stderr(side()).spawn().expect("bash");
        let keys = File::from(keys);
        let model = Arc::new(Mutex::new(Model::new()));
        let (mut reader, shared) = (keys.try_clone().expect("a copy"), model.clone());
        std::thread::spawn(move || {
            let mut buffer = [0u8; 4096];
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                shared.lock().expect("no panic while held").take(&buffer[..length]);
            }
        });
        Terminal { keys, shell, model }
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
        assert!(done.is_some(), "`{what}` never came:\n{}\n{}", model.text(), model.all);
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

#[test]
fn it_shows_selects_filters_stops_and_leaves_the_terminal_as_it_was() {
    let sandbox = Sandbox::new();
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
    let port = |at: usize| list["instances"][at]["port"].as_u64().expect("a port");
    let (first, second) = (port(0), port(1));
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
    terminal.shows("Any key closes this.");
    terminal.press(" ");
    terminal.shows("> api");
    resize(&terminal.keys, 40, 10);
    terminal.hides("restart");
    resize(&terminal.keys, 3, 1);
    resize(&terminal.keys, 200, 50);
    terminal.press("s");
    terminal.shows("y stops it");
    terminal.press("y");
    terminal.shows("1 running");
    terminal.shows("> project");
    terminal.press("q");
    terminal.is_as_before(&sandbox, processes, "0");
    sandbox.output(&["stop", "--all"]);
}

#[test]
fn no_end_of_the_screen_or_of_its_parent_changes_the_terminal() {
    for (name, is_screen, code) in
        [("KILL", true, "1"), ("KILL", false, "137"), ("TERM", false, "143"), ("TERM", true, "0")]
    {
        let sandbox = Sandbox::new();
        let mut terminal = Terminal::open(&sandbox);
        let processes = terminal.top(&sandbox);
        signal(if is_screen { processes.1 } else { processes.0 }, name);
        terminal.is_as_before(&sandbox, processes, code);
    }
}

#[test]
fn without_a_screen_it_says_what_else_there_is() {
    let sandbox = Sandbox::new();
    let answer = sandbox.output(&["top"]);
    assert_eq!(answer.code, 2);
    assert!(answer.err.contains("no terminal") || answer.err.contains("TERM"), "{}", answer.err);
    assert!(answer.err.contains("wharf ls"), "{}", answer.err);
}

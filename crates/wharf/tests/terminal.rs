//! `wharf run` under a real terminal: keys, job control, colours, the end of the terminal.

mod sandbox;

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use sandbox::{Sandbox, is_alive, until};

/// A shell with job control on a terminal of its own.
struct Terminal {
    keys: File,
    shell: Child,
    screen: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    fn open(sandbox: &Sandbox) -> Terminal {
        let keys = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&keys).and_then(|()| unlockpt(&keys)).expect("our own terminal");
        let name = ptsname(&keys, Vec::new()).expect("it has a name");
        let name = name.to_str().expect("an ASCII name");
        let side = || {
            Stdio::from(File::options().read(true).write(true).open(name).expect("its other side"))
        };
        let mut command = sandbox.program("setsid");
        command.args(["--ctty", "--wait", "bash", "--norc", "--noprofile", "-i"]);
        command.env("PS1", "prompt> ").env("TERM", "xterm").env("COLUMNS", "80");
        let shell = command.stdin(side()).stdout(side()).stderr(side()).spawn().expect("bash");
        let keys = File::from(keys);
        let screen = Arc::new(Mutex::new(Vec::new()));
        let (mut reader, shared) = (keys.try_clone().expect("a copy"), screen.clone());
        std::thread::spawn(move || {
            let mut buffer = [0u8; 4096];
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                shared.lock().expect("no panic while held").extend_from_slice(&buffer[..length]);
            }
        });
        let terminal = Terminal { keys, shell, screen };
        terminal.shows("prompt> ");
        terminal
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("the terminal takes keys");
    }

    /// Types a line and forgets what the screen showed before.
    fn enter(&mut self, line: &str) {
        self.screen.lock().expect("no panic while held").clear();
        self.press(&format!("{line}\n"));
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().expect("no panic while held")).into_owned()
    }

    fn shows(&self, text: &str) -> String {
        until(|| Some(self.text()).filter(|screen| screen.contains(text)))
            .unwrap_or_else(|| panic!("the screen never showed `{text}`:\n{}", self.text()))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

fn wharf(args: &str) -> String {
    format!("{} {args}", env!("CARGO_BIN_EXE_wharf"))
}

fn pid_in(sandbox: &Sandbox, file: &str) -> u32 {
    let path = sandbox.project().join(file);
    until(|| std::fs::read_to_string(&path).ok()?.trim().parse().ok())
        .unwrap_or_else(|| panic!("no {file}"))
}

fn state(pid: u32) -> String {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().unwrap_or("").split(' ').next().unwrap_or("").to_owned()
}

#[test]
fn ctrl_c_ends_the_server_and_its_own_exit_code_is_passed_on() {
    let sandbox = Sandbox::new();
    sandbox.file(
        "server.py",
        "import http.server, os, sys\n\
         open('pid', 'w').write(f'{os.getpid()}\\n')\n\
         try: http.server.test(bind='127.0.0.1', port=int(os.environ['PORT']))\n\
         except BaseException: sys.exit(41)\n",
    );
    let mut terminal = Terminal::open(&sandbox);
    terminal.enter(&wharf("run -- python3 server.py; echo code=$?"));
    terminal.shows("ready in");
    let pid = pid_in(&sandbox, "pid");
    terminal.press("\x03");
    let screen = terminal.shows("code=41");
    // http.server's own `test` says this once for each SIGINT that it gets.
    assert_eq!(screen.matches("Keyboard interrupt received").count(), 1, "{screen}");
    assert!(until(|| (!is_alive(pid)).then_some(())).is_some());
}

#[test]
fn ctrl_z_stops_the_server_and_fg_continues_it() {
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::open(&sandbox);
    terminal.enter(&wharf(
        "run -- sh -c 'echo $$ > pid; exec python3 -m http.server --bind 127.0.0.1 $PORT'",
    ));
    terminal.shows("ready in");
    let pid = pid_in(&sandbox, "pid");
    terminal.press("\x1a");
    terminal.shows("Stopped");
    assert!(until(|| (state(pid) == "T").then_some(())).is_some(), "{}", state(pid));
    terminal.enter("fg");
    assert!(until(|| (state(pid) != "T").then_some(())).is_some());
    assert!(sandbox.get("http://127.0.0.1:8000/").is_ok());
    terminal.press("\x03");
    terminal.shows("prompt> ");
    assert!(until(|| (!is_alive(pid)).then_some(())).is_some());
}

#[test]
fn a_program_that_stops_itself_gives_the_terminal_back() {
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::open(&sandbox);
    terminal.enter(&wharf(
        "run -- sh -c 'echo $$ > pid; kill -TSTP $$; echo went-on; exit 5'; echo code=$?",
    ));
    terminal.shows("Stopped");
    terminal.enter("fg");
    terminal.shows("went-on");
    // The `echo` after it belongs to the line that was stopped; `fg` has the code.
    terminal.enter("echo last=$?");
    terminal.shows("last=5");
}

#[test]
fn the_server_has_the_terminal_for_colours_input_and_size() {
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::open(&sandbox);
    terminal.enter("stty rows 33 cols 77");
    terminal.enter(&wharf(
        "run -- sh -c 'test -t 0 && test -t 1 && test -t 2 && stty size && read word && echo got-$word'",
    ));
    terminal.shows("33 77");
    terminal.press("hello\n");
    terminal.shows("got-hello");
}

#[test]
fn when_the_terminal_goes_the_server_goes() {
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::open(&sandbox);
    terminal
        .enter(&wharf("run -- sh -c 'echo $$ > pid; trap \"\" HUP; while :; do sleep 1; done'"));
    let pid = pid_in(&sandbox, "pid");
    drop(terminal);
    assert!(until(|| (!is_alive(pid)).then_some(())).is_some(), "it is still there");
}

#[test]
fn when_the_terminal_goes_a_whole_project_goes() {
    let sandbox = Sandbox::new();
    sandbox.file(
        "wharf.toml",
        "[service.deaf]\nrun = \"echo $$ > deaf.pid; trap '' HUP; while :; do sleep 1; done\"\n\
         [service.web]\nrun = \"echo $$ > web.pid; exec python3 -m http.server\"\n\
         restart = \"always\"\n",
    );
    let mut terminal = Terminal::open(&sandbox);
    terminal.enter(&wharf("up"));
    terminal.shows("web is up at");
    let pids = ["deaf.pid", "web.pid"].map(|file| pid_in(&sandbox, file));
    drop(terminal);
    let gone = until(|| pids.iter().all(|pid| !is_alive(*pid)).then_some(()));
    assert!(gone.is_some(), "{pids:?}: one is still there");
    // Nothing makes it again behind everybody's back.
    let wharf = || {
        let commands = sandbox.processes().into_iter().map(sandbox::command_of);
        commands.filter(|command| !command.contains("daemon run")).collect::<Vec<_>>()
    };
    assert!(until(|| wharf().is_empty().then_some(())).is_some(), "{:?}", wharf());
    assert_eq!(sandbox.output(&["ls", "--json"]).json()["instances"], serde_json::json!([]));
}

#[test]
fn a_list_of_long_names_fits_the_terminal_and_keeps_its_urls_whole() {
    let sandbox = Sandbox::new();
    let service = "a-service-with-a-name-that-is-long-enough";
    let mut run = sandbox.run(&["--name", service, "--", "python3", "-m", "http.server"]);
    run.event("ready");
    let url = format!("http://{service}.project.localhost");
    let mut terminal = Terminal::open(&sandbox);
    for (columns, name) in [(80, format!("{service}.project")), (60, "a-service".to_owned())] {
        terminal.enter(&format!("stty rows 24 cols {columns}"));
        terminal.shows("prompt> ");
        terminal.enter(&wharf("ls; echo en''d"));
        let screen = terminal.shows("end\r\n");
        let lines: Vec<&str> = screen.lines().collect();
        let row = lines.iter().position(|line| line.starts_with(&name)).expect(&screen);
        assert!(lines[row].contains("ready") && lines[row].contains("8000"), "{screen}");
        assert_eq!(lines[row + 1].trim_end(), format!("  {url}"), "{screen}");
        assert!(lines[row].chars().count() <= columns, "{screen}");
    }
    let piped = sandbox.output(&["ls"]).out;
    assert!(piped.lines().nth(1).is_some_and(|line| line.ends_with(&url)), "{piped}");
}

#[test]
fn ctrl_c_ends_what_waits_for_a_connection() {
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::open(&sandbox);
    terminal.enter(&wharf("run --on-demand python3 -m http.server"));
    terminal.shows("starts at the first connection");
    terminal.press("\x03");
    terminal.enter("echo over-$((1+1))");
    terminal.shows("over-2");
}

#[test]
fn ctrl_c_is_no_crash() {
    let sandbox = Sandbox::new();
    // Ends with a code of its own on Ctrl-C, as many programs do.
    sandbox.file(
        "server.py",
        "import http.server, signal, os\n\
         signal.signal(signal.SIGINT, lambda *rest: os._exit(9))\n\
         address = ('127.0.0.1', int(os.environ['PORT']))\n\
         http.server.HTTPServer(address, http.server.SimpleHTTPRequestHandler).serve_forever()\n",
    );
    let mut terminal = Terminal::open(&sandbox);
    terminal.enter(&wharf("run --restart-on-crash python3 server.py"));
    terminal.shows("ready in");
    terminal.press("\x03");
    terminal.enter("echo code-$?");
    terminal.shows("code-9");
}

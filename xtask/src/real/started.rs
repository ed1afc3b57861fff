//! A copy that was started: what it says, and how it is ended.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::copy::Copy as ProjectCopy;
use super::environment::Variables;
use super::events::{self, Event};
use super::{signals, terminal, wait};

/// How many of the last lines of an output are shown.
const TAIL: usize = 40;

/// What a copy is started in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surroundings {
    /// A terminal, as a person has one.
    Terminal,
    /// Nothing: no input, and output to files, as a script or an agent has it.
    Nothing,
}

/// One started copy.
pub struct Started {
    /// The copy.
    pub copy: ProjectCopy,
    surroundings: Surroundings,
    child: Child,
    status: Option<ExitStatus>,
}

impl Started {
    /// Starts `argv` in the copy, in a process group of its own.
    pub fn start(
        copy: ProjectCopy,
        argv: &[String],
        env: &Variables,
        surroundings: Surroundings,
    ) -> Result<Started, String> {
        let (argv, input) = match surroundings {
            Surroundings::Terminal => (terminal::around(argv), Stdio::piped()),
            Surroundings::Nothing => (argv.to_vec(), Stdio::null()),
        };
        let (program, rest) = argv.split_first().ok_or("there is nothing to start")?;
        let child = Command::new(program)
            .args(rest)
            .current_dir(&copy.folder)
            .env_clear()
            .envs(env)
            .stdin(input)
            .stdout(file(&copy.stdout)?)
            .stderr(file(&copy.stderr)?)
            .process_group(0)
            .spawn()
            .map_err(|error| format!("cannot start `{}`: {error}", argv.join(" ")))?;
        Ok(Started { copy, surroundings, child, status: None })
    }

    /// Asks it to end: by Ctrl-C in a terminal, else by SIGTERM to what was started, and to it alone.
    pub fn ask_to_end(&mut self) -> Result<(), String> {
        match (self.surroundings, self.child.stdin.as_mut()) {
            (Surroundings::Terminal, Some(keys)) => keys
                .write_all(terminal::CTRL_C)
                .and_then(|()| keys.flush())
                .map_err(|error| format!("cannot press Ctrl-C: {error}")),
            _ => signals::send("TERM", &self.child.id().to_string()),
        }
    }

    /// Sends a signal to the whole group.
    pub fn signal_group(&self, name: &str) -> Result<(), String> {
        signals::send(name, &format!("-{}", self.child.id()))
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().ok().flatten();
        }
        self.status
    }

    /// The events written so far.
    pub fn events(&self) -> Result<Vec<Event>, String> {
        events::read(&self.copy.events)
    }

    /// Waits for an event. That the process ends first is an answer too, and is not waited out.
    pub fn event(&mut self, kind: &str, deadline: Instant) -> Result<Event, String> {
        let seen = wait::until(deadline, || {
            // Whether it has ended is asked first: what it wrote before that is then all there.
            let ended = self.ended();
            match self.events() {
                Err(why) => Some(Err(why)),
                Ok(events) => match events::first(&events, kind) {
                    Some(event) => Some(Ok(event.clone())),
                    None => ended.map(|how| Err(format!("it ended ({how}) and was never {kind}"))),
                },
            }
        });
        seen.unwrap_or_else(|| Err(format!("no `{kind}` event came in time")))
            .map_err(|why| format!("copy {}: {why}", self.copy.letter))
    }

    /// Waits for the end, and gives the code as a shell would say it.
    pub fn exit_code(&mut self, within: Duration) -> Result<i32, String> {
        let status = wait::until(Instant::now() + within, || self.ended());
        let status = status
            .ok_or_else(|| format!("copy {} had not ended {within:?} later", self.copy.letter))?;
        Ok(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)))
    }

    /// The lines that wharf marks as its own: of its standard error, or of the terminal's only output.
    pub fn narration(&self) -> Vec<String> {
        let file = match self.surroundings {
            Surroundings::Terminal => &self.copy.stdout,
            Surroundings::Nothing => &self.copy.stderr,
        };
        let text = fs::read(file).unwrap_or_default();
        let text = terminal::plain(&String::from_utf8_lossy(&text));
        let marks = ["wharf:", "error:", "  why:", "  help:"];
        text.lines()
            // The terminal shows the key that was pressed in front of what comes next.
            .map(|line| line.trim_start_matches("^C"))
            .filter(|line| marks.iter().any(|mark| line.starts_with(mark)))
            .map(str::to_owned)
            .collect()
    }

    /// Everything that helps to see why it went wrong.
    pub fn evidence(&mut self) -> String {
        let how = match self.ended() {
            Some(status) => status.to_string(),
            None => "still running".to_owned(),
        };
        let mut text =
            format!("  copy {}: {how}, in {}\n", self.copy.letter, self.copy.folder_text());
        let files = [
            ("events", &self.copy.events),
            ("stderr", &self.copy.stderr),
            ("stdout", &self.copy.stdout),
        ];
        for (name, file) in files {
            for line in tail(&fs::read(file).unwrap_or_default()) {
                text.push_str(&format!("    {name}| {line}\n"));
            }
        }
        text
    }
}

impl Drop for Started {
    /// A run that went wrong leaves nothing behind.
    fn drop(&mut self) {
        if self.ended().is_none() {
            let _ = self.signal_group("KILL");
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn file(path: &std::path::Path) -> Result<File, String> {
    File::create(path).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn tail(text: &[u8]) -> Vec<String> {
    let text = terminal::plain(&String::from_utf8_lossy(text));
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].iter().map(|line| (*line).to_owned()).collect()
}

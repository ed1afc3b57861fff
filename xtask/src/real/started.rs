//! A copy that was started: what it says, and how it is ended.

use std::fs::{self, File};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::copy::Copy;
use super::environment::Variables;
use super::events::{self, Event};
use super::{signals, wait};

/// How many of the last lines of an output are shown.
const TAIL: usize = 40;

/// One started copy.
pub struct Started {
    /// The copy.
    pub copy: Copy,
    child: Child,
    status: Option<ExitStatus>,
}

impl Started {
    /// Starts `argv` in the copy, in a process group of its own, as a terminal would.
    pub fn start(copy: Copy, argv: &[String], env: &Variables) -> Result<Started, String> {
        let (program, rest) = argv.split_first().ok_or("there is nothing to start")?;
        let child = Command::new(program)
            .args(rest)
            .current_dir(&copy.folder)
            .env_clear()
            .envs(env)
            .stdin(Stdio::null())
            .stdout(file(&copy.stdout)?)
            .stderr(file(&copy.stderr)?)
            .process_group(0)
            .spawn()
            .map_err(|error| format!("cannot start `{}`: {error}", argv.join(" ")))?;
        Ok(Started { copy, child, status: None })
    }

    /// The process that was started, which leads its group.
    pub fn pid(&self) -> u32 {
        self.child.id()
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

    /// Sends a signal to the process alone.
    pub fn signal(&self, name: &str) -> Result<(), String> {
        signals::send(name, &self.pid().to_string())
    }

    /// Sends a signal to the whole group, as a terminal does.
    pub fn signal_group(&self, name: &str) -> Result<(), String> {
        signals::send(name, &format!("-{}", self.pid()))
    }

    /// Waits for the end, and gives the code as a shell would say it.
    pub fn exit_code(&mut self, within: Duration) -> Result<i32, String> {
        let status = wait::until(Instant::now() + within, || self.ended());
        let status = status
            .ok_or_else(|| format!("copy {} had not ended {within:?} later", self.copy.letter))?;
        Ok(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)))
    }

    /// The lines of its standard error that wharf marks as its own.
    pub fn narration(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.copy.stderr).unwrap_or_default();
        let marks = ["wharf:", "error:", "  why:", "  help:"];
        text.lines()
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
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].iter().map(|line| (*line).to_owned()).collect()
}

//! The process that has the screen: keys, signals and what was read come in, cells that have changed go out.

use std::io::ErrorKind;
use std::process::ExitCode;
use std::time::Duration;

use tokio::io::Interest;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::watch;
use tokio::time::Instant;
use wharf_os::screen::{self, Screen};
use wharf_os::signals::{
    self, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTOU, SIGWINCH, SignalFd,
};

use super::keys::{Key, Keys};
use super::painting::Painted;
use super::state::{Act, State, Tab};
use super::{acting, awaited, reading, view};
use crate::cli::{Outcome, block_on};
use crate::report::{Code, Report};

/// After a lone escape so much time makes it the key of that name: what belongs to it comes at once.
const ESCAPE: Duration = Duration::from_millis(50);
/// It is not drawn more often: nobody reads faster, and a server may write faster than a terminal shows.
const FRAME: Duration = Duration::from_millis(33);
/// Answers of commands that are not shown yet.
const ANSWERS: usize = 16;
/// So many bytes of keys are read at once.
const TYPED: usize = 1024;
/// So many lines of output are taken before it is drawn.
const LINES: usize = 500;

/// Shows it until `q`, a signal, or the end of the parent.
pub(crate) fn run(mut terminal: Screen, parent: u32) -> Outcome {
    let wanted = [SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGWINCH];
    let signals = SignalFd::new(&wanted)
        .map_err(|error| Report::bug("signals cannot be received", &error))?;
    // When the parent has gone we may be in the background, and shall give the terminal back all the same.
    signals::ignore(SIGTTOU);
    if !screen::ends_with(parent) {
        return Ok(ExitCode::SUCCESS);
    }
    // `wharf top &`: the terminal is the shell's until `fg`.
    while !screen::is_in_foreground() {
        screen::stop_group();
    }
    terminal.enter().map_err(gone)?;
    let (tell, answers) = mpsc::channel(ANSWERS);
    let (wants_ports, wanted) = watch::channel(false);
    let mut show = Show {
        terminal,
        painted: Painted::default(),
        state: State::default(),
        keys: Keys::default(),
        output: None,
        wants_ports,
        tell,
        is_stale: true,
        is_away: false,
        is_over: false,
        next_frame: None,
    };
    let done = block_on(show.run(signals, reading::start(wanted), answers)).flatten();
    show.terminal.leave();
    done.map(|()| ExitCode::SUCCESS)
}

fn gone(error: std::io::Error) -> Report {
    Report::new(Code::Failed, "the terminal does not answer").because(&error)
}

struct Show {
    terminal: Screen,
    painted: Painted,
    state: State,
    keys: Keys,
    /// Of whom the output is read.
    output: Option<(String, Receiver<String>)>,
    wants_ports: watch::Sender<bool>,
    /// To be told what a command has said.
    tell: Sender<String>,
    /// What is drawn is not what is known.
    is_stale: bool,
    /// The shell has the terminal.
    is_away: bool,
    is_over: bool,
    /// Not to be drawn before.
    next_frame: Option<Instant>,
}

impl Show {
    async fn run(
        &mut self,
        signals: SignalFd,
        mut seen: Receiver<reading::Seen>,
        mut answers: Receiver<String>,
    ) -> Result<(), Report> {
        let typed = awaited(std::io::stdin(), Interest::READABLE)?;
        let drawn = awaited(self.terminal.output().map_err(gone)?, Interest::WRITABLE)?;
        let signals = awaited(signals, Interest::READABLE)?;
        while !self.is_over {
            self.follow();
            self.draw()?;
            let is_flushed = self.terminal.is_flushed();
            let waits = self.is_stale && is_flushed && !self.is_away;
            let frame = self.next_frame.unwrap_or_else(Instant::now);
            tokio::select! {
                ready = signals.readable() => {
                    let mut ready = ready.map_err(gone)?;
                    match signals.get_ref().next().map_err(gone)? {
                        None => ready.clear_ready(),
                        Some(received) => self.told(received.signal)?,
                    }
                }
                ready = typed.readable(), if !self.is_away => {
                    let mut ready = ready.map_err(gone)?;
                    match self.read()? {
                        None => ready.clear_ready(),
                        Some(keys) => self.press(keys)?,
                    }
                }
                () = tokio::time::sleep(ESCAPE), if self.keys.is_amid() => {
                    let key = self.keys.pause();
                    self.press(key)?;
                }
                ready = drawn.writable(), if !is_flushed => {
                    if !self.terminal.flush().map_err(gone)? {
                        ready.map_err(gone)?.clear_ready();
                    }
                }
                () = tokio::time::sleep_until(frame), if waits => {}
                Some(now) = seen.recv() => self.take(now),
                Some(answer) = answers.recv() => {
                    self.state.message = answer;
                    self.is_stale = true;
                }
                Some(line) = next(&mut self.output) => self.said(line),
            }
        }
        Ok(())
    }

    /// Draws it if anything has changed and the terminal has taken what was drawn before.
    fn draw(&mut self) -> Result<(), Report> {
        let is_early = self.next_frame.is_some_and(|at| Instant::now() < at);
        if !self.is_stale || self.is_away || is_early || !self.terminal.is_flushed() {
            return Ok(());
        }
        let (columns, lines) = self.terminal.size();
        let change = self.painted.change(view::draw(&self.state, columns, lines));
        self.is_stale = false;
        self.next_frame = Some(Instant::now() + FRAME);
        self.terminal.put(change.as_bytes());
        self.terminal.flush().map(drop).map_err(gone)
    }

    /// The keys that were typed, if any were.
    fn read(&mut self) -> Result<Option<Vec<Key>>, Report> {
        let mut bytes = [0; TYPED];
        match self.terminal.read(&mut bytes) {
            Ok(length) => {
                self.is_over |= length == 0;
                Ok(Some(self.keys.feed(&bytes[..length])))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(gone(error)),
        }
    }

    fn press(&mut self, keys: impl IntoIterator<Item = Key>) -> Result<(), Report> {
        for key in keys {
            self.is_stale = true;
            // What was typed is answered at once.
            self.next_frame = None;
            if let Some(act) = self.state.press(key) {
                self.act(act)?;
            }
        }
        self.wants_ports.send_if_modified(|wants| {
            let is = self.state.tab == Tab::Ports;
            std::mem::replace(wants, is) != is
        });
        Ok(())
    }

    fn act(&mut self, act: Act) -> Result<(), Report> {
        match act {
            Act::Quit => self.is_over = true,
            Act::Repaint => self.painted.forget(),
            Act::Suspend => self.suspend(),
            Act::Command(order) => acting::start(order, self.tell.clone()),
            Act::Copy(url) => {
                self.terminal.put(acting::to_clipboard(&url).as_bytes());
                self.terminal.flush().map_err(gone)?;
                acting::copy(url, self.tell.clone());
            }
        }
        Ok(())
    }

    fn told(&mut self, signal: i32) -> Result<(), Report> {
        self.is_stale = true;
        match signal {
            SIGWINCH => {}
            SIGTSTP => self.suspend(),
            // `bg` continues us too, and the terminal stays the shell's.
            SIGCONT if !screen::is_in_foreground() => screen::stop_group(),
            SIGCONT => {
                self.terminal.enter().map_err(gone)?;
                self.painted.forget();
                self.is_away = false;
            }
            _ => self.is_over = true,
        }
        Ok(())
    }

    /// Gives the terminal to the shell. We go on by SIGCONT, but the signals that came before it come first.
    fn suspend(&mut self) {
        if !self.is_away && wharf_os::terminal::has_job_control() {
            self.terminal.leave();
            self.is_away = true;
            screen::stop_group();
        }
    }

    fn take(&mut self, now: reading::Seen) {
        self.is_stale = true;
        match now.rows {
            Ok(rows) => {
                self.state.trouble = None;
                self.state.take(rows);
            }
            Err(trouble) => self.state.trouble = Some(trouble),
        }
        if let Some(ports) = now.ports {
            self.state.take_ports(ports);
        }
    }

    /// Reads the output of whoever is selected now.
    fn follow(&mut self) {
        let wanted = self.state.selected.as_ref();
        if self.output.as_ref().map(|(id, _)| id) != wanted {
            let row = self.state.chosen();
            self.output = row.map(|row| (row.id.clone(), reading::output(row.log.clone())));
        }
    }

    /// Takes a line of output, and what has come with it.
    fn said(&mut self, line: String) {
        self.is_stale = true;
        self.state.said(line);
        let Some((_, lines)) = &mut self.output else { return };
        for line in std::iter::from_fn(|| lines.try_recv().ok()).take(LINES) {
            self.state.said(line);
        }
    }
}

async fn next(output: &mut Option<(String, Receiver<String>)>) -> Option<String> {
    match output {
        Some((_, lines)) => lines.recv().await,
        None => None,
    }
}

//! The process that has the screen: keys, signals and what was read come in, cells that have changed go out.

use std::fmt::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Modifier;
use tokio::sync::mpsc::{self, Receiver};
use wharf_os::screen::{self, Screen};
use wharf_os::signals::{
    self, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTOU, SIGWINCH, SignalFd,
};

use super::keys::Keys;
use super::state::{Act, State, Tab};
use super::{acting, reading, view};
use crate::cli::{Outcome, block_on};
use crate::report::Report;

/// After a lone escape so much time makes it the key of that name: what belongs to it comes at once.
const ESCAPE: Duration = Duration::from_millis(50);
/// Answers of commands that are not shown yet.
const ANSWERS: usize = 16;
/// So many bytes of keys are read at once.
const TYPED: usize = 1024;
/// So many lines of output are taken before it is drawn.
const LINES: usize = 500;

/// Shows it until `q`, a signal, or the end of the parent.
pub(crate) fn run(terminal: &Screen, parent: u32) -> Outcome {
    let wanted = [SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGWINCH];
    let signals = SignalFd::new(&wanted)
        .map_err(|error| Report::bug("signals cannot be received", &error))?;
    // When the parent has gone we may be in the background, and shall give the terminal back all the same.
    signals::ignore(SIGTTOU);
    if !screen::ends_with(parent) {
        return Ok(ExitCode::SUCCESS);
    }
    let done = terminal.enter().map_err(gone);
    let done = done.and_then(|()| block_on(show(terminal, signals)).flatten());
    terminal.leave();
    done.map(|()| ExitCode::SUCCESS)
}

fn gone(error: std::io::Error) -> Report {
    Report::bug("the terminal does not answer", &error)
}

struct Shown<'a> {
    terminal: &'a Screen,
    last: Buffer,
}

impl Shown<'_> {
    /// Writes the cells that are not as they were.
    fn draw(&mut self, state: &State) -> Result<(), Report> {
        let (columns, lines) = self.terminal.size();
        let next = view::draw(state, columns, lines);
        let mut out = String::new();
        if self.last.area != next.area {
            self.last = Buffer::empty(Rect::new(0, 0, columns, lines));
            out.push_str("\x1b[0m\x1b[2J");
        }
        let mut how = Modifier::empty();
        for (x, y, cell) in self.last.diff_iter(&next).map(|(x, y, cell)| (x + 1, y + 1, cell)) {
            let _ = write!(out, "\x1b[{y};{x}H");
            if cell.modifier != how {
                how = cell.modifier;
                let bold = if how.contains(Modifier::BOLD) { ";1" } else { "" };
                let reversed = if how.contains(Modifier::REVERSED) { ";7" } else { "" };
                let _ = write!(out, "\x1b[0{bold}{reversed}m");
            }
            out.push_str(cell.symbol());
        }
        if !how.is_empty() {
            out.push_str("\x1b[0m");
        }
        self.last = next;
        self.terminal.write(out.as_bytes()).map_err(gone)
    }

    /// What is on the screen is not known any more.
    fn forget(&mut self) {
        self.last = Buffer::empty(Rect::ZERO);
    }
}

async fn show(terminal: &Screen, signals: SignalFd) -> Result<(), Report> {
    let (typed, signals) = (super::awaited(std::io::stdin())?, super::awaited(signals)?);
    let wants_ports = Arc::new(AtomicBool::new(false));
    let mut seen = reading::start(wants_ports.clone());
    let (tell, mut answers) = mpsc::channel(ANSWERS);
    let mut state = State::default();
    let mut keys = Keys::default();
    let mut output: Option<(String, Receiver<String>)> = None;
    let mut shown = Shown { terminal, last: Buffer::empty(Rect::ZERO) };
    loop {
        wants_ports.store(state.tab == Tab::Ports, Ordering::Relaxed);
        follow(&state, &mut output);
        shown.draw(&state)?;
        let mut acts = Vec::new();
        tokio::select! {
            ready = typed.readable() => {
                let mut bytes = [0; TYPED];
                let mut ready = ready.map_err(gone)?;
                let length = terminal.read(&mut bytes).map_err(gone)?;
                if length == 0 {
                    return Ok(());
                }
                if length < bytes.len() {
                    ready.clear_ready();
                }
                acts.extend(keys.feed(&bytes[..length]).into_iter().filter_map(|key| state.press(key)));
            }
            () = tokio::time::sleep(ESCAPE), if keys.is_amid() => {
                acts.extend(keys.pause().and_then(|key| state.press(key)));
            }
            ready = signals.readable() => {
                let mut ready = ready.map_err(gone)?;
                match signals.get_ref().next().map_err(gone)?.map(|received| received.signal) {
                    None => ready.clear_ready(),
                    Some(SIGWINCH) => {}
                    Some(SIGCONT) => acts.push(Act::Repaint),
                    Some(SIGTSTP) => acts.push(Act::Suspend),
                    Some(_) => return Ok(()),
                }
            }
            Some(now) = seen.recv() => take(&mut state, now),
            Some(answer) = answers.recv() => state.message = answer,
            Some(line) = next(&mut output) => {
                state.said(line);
                let more = output.as_mut().map(|(_, lines)| lines);
                more.into_iter().flat_map(|lines| std::iter::from_fn(|| lines.try_recv().ok()).take(LINES)).for_each(|line| state.said(line));
            }
        }
        for act in acts {
            match act {
                Act::Quit => return Ok(()),
                Act::Repaint => shown.forget(),
                Act::Suspend => {
                    if wharf_os::terminal::has_job_control() {
                        terminal.leave();
                        screen::stop_group();
                        terminal.enter().map_err(gone)?;
                    }
                    shown.forget();
                }
                Act::Command(command, name) => acting::start(command, name, tell.clone()),
            }
        }
    }
}

fn take(state: &mut State, now: reading::Seen) {
    match now.rows {
        Ok(rows) => {
            state.trouble = None;
            state.take(rows);
        }
        Err(trouble) => state.trouble = Some(trouble),
    }
    if let Some(ports) = now.ports {
        state.ports = ports;
    }
}

/// Reads the output of whoever is selected now.
fn follow(state: &State, output: &mut Option<(String, Receiver<String>)>) {
    let wanted = state.selected.as_ref();
    if output.as_ref().map(|(id, _)| id) != wanted {
        let row = state.chosen();
        *output = row.map(|row| (row.id.clone(), reading::output(row.log.clone())));
    }
}

async fn next(output: &mut Option<(String, Receiver<String>)>) -> Option<String> {
    match output {
        Some((_, lines)) => lines.recv().await,
        None => None,
    }
}

//! The terminal as a screen: keys as they are pressed, cells where they belong, and the way back.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Seek};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{MemfdFlags, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, Signal};
use rustix::termios::{
    OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcgetpgrp, tcgetsid, tcgetwinsize,
    tcsetattr,
};

/// The other screen, without a cursor, empty; what is pasted comes marked as such.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?2004h\x1b[?25l\x1b[2J";
/// Plain letters, the cursor, and the screen that was there before.
const LEAVE: &[u8] = b"\x1b[0m\x1b[?25h\x1b[?2004l\x1b[?1049l";
/// How long a terminal that takes no bytes is waited for on the way back.
const PATIENCE: Duration = Duration::from_millis(300);
/// No more of what a child has noted is read, in bytes.
const NOTES_MAX: u64 = 64 * 1024;

/// The terminal on standard input and output, its modes as they were found, and what is still to be written.
#[derive(Debug)]
pub struct Screen {
    before: Termios,
    raw: Termios,
    /// Opened anew, so that it can be non-blocking without the shell's being so.
    output: OwnedFd,
    queue: Vec<u8>,
    is_entered: bool,
}

impl Screen {
    /// The terminal as it is now; nothing is changed yet. `None` where input or output is none.
    pub fn find() -> Option<Screen> {
        if !io::stdout().is_terminal() {
            return None;
        }
        let before = tcgetattr(io::stdin()).ok()?;
        let raw = raw(&before);
        let output = output().or_else(|_| io::stdout().as_fd().try_clone_to_owned()).ok()?;
        Some(Screen { before, raw, output, queue: Vec::new(), is_entered: false })
    }

    /// Takes the terminal, or makes sure of it: each key at once and unseen, the other screen. The modes to go
    /// back to are those of now, unless it has been taken already.
    ///
    /// # Errors
    /// Those of `tcsetattr(3)`: the terminal has gone.
    pub fn enter(&mut self) -> io::Result<()> {
        if !self.is_entered {
            self.before = tcgetattr(io::stdin())?;
            self.raw = raw(&self.before);
        }
        tcsetattr(io::stdin(), OptionalActions::Now, &self.raw)?;
        self.is_entered = true;
        self.put(ENTER);
        Ok(())
    }

    /// Gives the terminal back if [`Screen::enter`] has taken it. Its modes only if they are still those: a
    /// shell that has taken over meanwhile has set its own.
    pub fn leave(&mut self) {
        if std::mem::take(&mut self.is_entered) {
            self.write_at_last(LEAVE);
            self.restore();
        }
    }

    /// Gives the terminal back for another process that had taken it and has died without doing so.
    pub fn give_back(&mut self) {
        if self.is_raw() {
            self.write_at_last(LEAVE);
            self.restore();
        }
    }

    fn is_raw(&self) -> bool {
        tcgetattr(io::stdin()).is_ok_and(|now| {
            now.local_modes == self.raw.local_modes
                && now.input_modes == self.raw.input_modes
                && now.output_modes == self.raw.output_modes
        })
    }

    /// Without waiting for the output to drain: a terminal that takes no bytes never drains it.
    fn restore(&self) {
        if self.is_raw() {
            let _ = tcflush(io::stdin(), QueueSelector::IFlush);
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
        }
    }

    /// Columns and lines; 80 and 24 where the terminal does not say.
    pub fn size(&self) -> (u16, u16) {
        match tcgetwinsize(io::stdout()) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col, size.ws_row),
            _ => (80, 24),
        }
    }

    /// Adds to what is to be written; [`Screen::flush`] writes it.
    pub fn put(&mut self, bytes: &[u8]) {
        self.queue.extend_from_slice(bytes);
    }

    /// Writes what the terminal takes now. Whether that was all.
    ///
    /// # Errors
    /// Those of `write(2)`: the terminal has gone.
    pub fn flush(&mut self) -> io::Result<bool> {
        while !self.queue.is_empty() {
            match rustix::io::write(&self.output, &self.queue) {
                Ok(written) => drop(self.queue.drain(..written)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    /// Whether all that was put has been written.
    pub fn is_flushed(&self) -> bool {
        self.queue.is_empty()
    }

    /// Another descriptor of the output, to be waited for.
    ///
    /// # Errors
    /// Descriptors are used up.
    pub fn output(&self) -> io::Result<OwnedFd> {
        self.output.try_clone()
    }

    /// Writes this in the place of what is still to be written. A terminal that takes nothing for a while loses
    /// what it has not taken.
    fn write_at_last(&mut self, bytes: &[u8]) {
        self.queue = bytes.to_vec();
        if !matches!(self.flush(), Ok(false)) {
            return;
        }
        let limit = Timespec::try_from(PATIENCE).ok();
        let _ =
            rustix::event::poll(&mut [PollFd::new(&self.output, PollFlags::OUT)], limit.as_ref());
        if matches!(self.flush(), Ok(false)) {
            let _ = tcflush(&self.output, QueueSelector::OFlush);
            let _ = self.flush();
        }
    }

    /// What was typed; nothing at the terminal's end. Never waits: what made the terminal readable may have been
    /// read by the shell, while it had it.
    ///
    /// # Errors
    /// `WouldBlock` if nothing was typed, and those of `read(2)`.
    pub fn read(&self, bytes: &mut [u8]) -> io::Result<usize> {
        let input = io::stdin();
        let mut typed = [PollFd::new(&input, PollFlags::IN)];
        if rustix::event::poll(&mut typed, Some(&Timespec::default()))? == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(rustix::io::read(&input, bytes)?)
    }
}

fn raw(before: &Termios) -> Termios {
    let mut raw = before.clone();
    raw.make_raw();
    raw
}

/// The terminal of standard output under a description of its own. By `/dev/tty` where it is ours, since that
/// may be opened by whoever has changed the user too.
fn output() -> io::Result<OwnedFd> {
    let session = rustix::process::getsid(None)?;
    let is_ours = tcgetsid(io::stdout()).is_ok_and(|its| its == session);
    let path = if is_ours { "/dev/tty" } else { "/proc/self/fd/1" };
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// Whether the terminal on standard input is this process group's now. One that controls nobody is no other group's.
pub fn is_in_foreground() -> bool {
    tcgetpgrp(io::stdin()).map_or(true, |group| group == rustix::process::getpgrp())
}

/// Has this process told by SIGTERM that the parent which started it has ended. False if it has already.
pub fn ends_with(parent: u32) -> bool {
    let told = rustix::process::set_parent_process_death_signal(Some(Signal::TERM)).is_ok();
    let now = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get());
    told && now == i32::try_from(parent).ok()
}

/// Stops the whole process group as Ctrl-Z would, until somebody continues it. Returns then.
pub fn stop_group() {
    let _ = rustix::process::kill_current_process_group(Signal::STOP);
}

/// Sends a signal to a child that has not been waited for, so that its number is still its own.
pub fn signal_child(child: u32, signal: i32) {
    let pid = i32::try_from(child).ok().and_then(Pid::from_raw);
    if let (Some(pid), Some(signal)) = (pid, Signal::from_named_raw(signal)) {
        let _ = rustix::process::kill_process(pid, signal);
    }
}

/// A place for what a child says while it has the screen: memory, which is never full and never waited for.
#[derive(Debug)]
pub struct Notes(File);

impl Notes {
    /// An empty one.
    ///
    /// # Errors
    /// Descriptors or memory are used up.
    pub fn new() -> io::Result<Notes> {
        Ok(Notes(rustix::fs::memfd_create("notes", MemfdFlags::CLOEXEC)?.into()))
    }

    /// To be given to the child.
    ///
    /// # Errors
    /// Descriptors are used up.
    pub fn file(&self) -> io::Result<File> {
        self.0.try_clone()
    }

    /// What is in it, 64 KiB at most.
    pub fn text(mut self) -> String {
        let mut bytes = Vec::new();
        let _ = self.0.rewind().and_then(|()| self.0.take(NOTES_MAX).read_to_end(&mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

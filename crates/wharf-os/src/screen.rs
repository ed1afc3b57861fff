//! The terminal as a screen: keys as they are pressed, cells where they belong, and the way back.

use std::io::{self, IsTerminal};

use rustix::io::Errno;
use rustix::process::{Pid, Signal};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

/// The other screen, without a cursor, empty.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[2J";
/// Plain letters, the cursor, and the screen that was there before.
const LEAVE: &[u8] = b"\x1b[0m\x1b[?25h\x1b[?1049l";

/// The terminal on standard input and output, and its modes as they were found.
#[derive(Debug)]
pub struct Screen {
    before: Termios,
    raw: Termios,
}

impl Screen {
    /// The terminal as it is now; nothing is changed yet. `None` where input or output is none.
    pub fn find() -> Option<Screen> {
        if !io::stdout().is_terminal() {
            return None;
        }
        let before = tcgetattr(io::stdin()).ok()?;
        let mut raw = before.clone();
        raw.make_raw();
        Some(Screen { before, raw })
    }

    /// Takes the terminal: each key at once and unseen, the other screen.
    ///
    /// # Errors
    /// Those of `tcsetattr(3)` and `write(2)`: the terminal has gone.
    pub fn enter(&self) -> io::Result<()> {
        tcsetattr(io::stdin(), OptionalActions::Now, &self.raw)?;
        self.write(ENTER)
    }

    /// Gives the terminal back. Its modes only if they are still those of [`Screen::enter`]: a shell that
    /// has taken over meanwhile has set its own.
    pub fn leave(&self) {
        let _ = self.write(LEAVE);
        let is_ours = tcgetattr(io::stdin()).is_ok_and(|now| {
            now.local_modes == self.raw.local_modes
                && now.input_modes == self.raw.input_modes
                && now.output_modes == self.raw.output_modes
        });
        if is_ours {
            let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.before);
        }
    }

    /// Columns and lines; 80 and 24 where the terminal does not say.
    pub fn size(&self) -> (u16, u16) {
        match tcgetwinsize(io::stdout()) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col, size.ws_row),
            _ => (80, 24),
        }
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// Those of `write(2)`.
    pub fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match rustix::io::write(io::stdout(), bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// What was typed, once the terminal is readable; nothing at its end.
    ///
    /// # Errors
    /// Those of `read(2)`.
    pub fn read(&self, bytes: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::read(io::stdin(), bytes)?)
    }
}

/// Has this process told by SIGTERM that the parent which started it has ended. False if it has already.
pub fn ends_with(parent: u32) -> bool {
    let told = rustix::process::set_parent_process_death_signal(Some(Signal::TERM)).is_ok();
    let now = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get());
    told && now == i32::try_from(parent).ok()
}

/// Stops the whole process group as Ctrl-Z would, until a shell continues it. Returns then.
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

//! The terminal: its width, and its modes as we found them.

use std::io::IsTerminal;

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetpgrp, tcgetwinsize, tcsetattr};

/// The columns of the terminal on standard output, if it is one and says.
pub fn width() -> Option<u16> {
    let size = tcgetwinsize(std::io::stdout()).ok()?;
    (size.ws_col > 0).then_some(size.ws_col)
}

/// Whether a shell can continue this process after it was stopped: there is a controlling terminal, and
/// somebody else leads the session.
pub fn has_job_control() -> bool {
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY;
    let terminal = rustix::fs::open("/dev/tty", flags, rustix::fs::Mode::empty());
    let leader = rustix::process::getsid(None);
    terminal.is_ok() && leader.is_ok_and(|leader| leader != rustix::process::getpgrp())
}

/// The modes of the terminal on standard input, to be put back after a program that was killed while
/// it had changed them.
#[derive(Debug)]
pub struct Modes(Option<Termios>);

impl Modes {
    /// The modes now; nothing where standard input is no terminal.
    pub fn save() -> Modes {
        let input = std::io::stdin();
        Modes(if input.is_terminal() { tcgetattr(input).ok() } else { None })
    }

    /// Puts them back, if this process is in the terminal's foreground: from the background the
    /// attempt would stop it.
    pub fn restore(&self) {
        let input = std::io::stdin();
        let foreground = tcgetpgrp(&input).is_ok_and(|group| group == rustix::process::getpgrp());
        if let Some(modes) = &self.0
            && foreground
        {
            let _ = tcsetattr(input, OptionalActions::Drain, modes);
        }
    }
}

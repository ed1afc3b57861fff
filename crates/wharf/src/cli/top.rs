//! `wharf top`: instances, their output and the port map, on a screen.

use super::Outcome;
use crate::report::{Code, Report};
use crate::top::{keeping, screen};

/// Watch instances, their output and the port map; open, restart and stop them.
///
/// Needs a terminal. `?` shows the keys. What runs goes on when this ends, and the terminal is then as it was
/// before, whatever has ended it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Be the screen of this process
    #[arg(long, hide = true, value_name = "PID")]
    screen_of: Option<u32>,
}

/// Shows it until it is left.
pub(crate) fn run(args: &Args) -> Outcome {
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    let terminal = wharf_os::screen::Screen::find().filter(|_| !is_dumb);
    let Some(terminal) = terminal else {
        let why = match is_dumb {
            true => "TERM says that this terminal can place no text",
            false => "standard input or output is no terminal",
        };
        return Err(Report::new(Code::Usage, "there is no screen to show it on")
            .why(why)
            .help("`wharf ls` lists instances, `wharf logs -f` their output, `wharf who --watch` the ports"));
    };
    match args.screen_of {
        Some(parent) => screen::run(terminal, parent),
        None => keeping::run(terminal),
    }
}

//! A question before something is done that cannot be undone. Asked of a person only.

use std::io::{BufRead, IsTerminal, Write};

use crate::report::{Code, Report};

/// Whether a person agrees. The question goes to stderr, and the answer comes from the terminal: `y` or `yes`.
///
/// # Errors
/// There is no person to ask: either side is no terminal. `otherwise` says what to type then.
pub(crate) fn ask(question: &str, otherwise: &str) -> Result<bool, Report> {
    let (input, mut out) = (std::io::stdin(), std::io::stderr());
    if !input.is_terminal() || !out.is_terminal() {
        return Err(Report::new(Code::Conflict, "nobody was asked, so nothing was done")
            .why("there is no terminal on which somebody could answer")
            .help(otherwise));
    }
    let _ = write!(out, "{question} [y/N] ").and_then(|()| out.flush());
    let mut line = String::new();
    // The end of input is a no.
    let _ = input.lock().read_line(&mut line);
    Ok(matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

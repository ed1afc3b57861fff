//! `wharf mcp`: the tools of wharf for agents.

use std::io::IsTerminal;
use std::process::ExitCode;

use super::Outcome;
use super::run::current_dir;
use crate::mcp;
use crate::narrate;
use crate::pilot::Caller;

/// Serves until the client has gone.
pub(crate) fn run() -> Outcome {
    let caller = Caller::now();
    if std::io::stdin().is_terminal() {
        narrate::line(
            "this is for agents, who speak the Model Context Protocol here; Ctrl-D ends it",
        );
    }
    let code = super::block_on(mcp::serve(current_dir()?, &caller))??;
    Ok(ExitCode::from(code))
}

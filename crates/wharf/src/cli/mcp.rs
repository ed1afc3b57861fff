//! `wharf mcp`: the tools of wharf for agents.

use std::process::ExitCode;

use super::Outcome;
use super::run::current_dir;
use crate::mcp;
use crate::pilot::Caller;

/// Serves until the client has gone.
pub(crate) fn run() -> Outcome {
    let caller = Caller::now();
    let code = super::block_on(mcp::serve(current_dir()?, &caller))??;
    Ok(ExitCode::from(code))
}

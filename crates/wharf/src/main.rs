//! wharf: runs any dev server on its conventional port when that is free, and on a stable, leased one
//! when it is not.
//!
//! The binary is thin: one file per command under `cli/`, answers to stdout through `render/` only,
//! everything else to stderr, errors with a reason and a way out in `report.rs`.

#![forbid(unsafe_code)]

mod agent;
mod audit;
mod authority;
mod behind;
mod checkout;
mod choice;
mod cli;
mod compose_override;
mod consent;
mod ending;
mod engine;
mod environment;
mod events;
mod exchange;
mod facts;
mod freeing;
mod ground;
mod handover;
mod health;
mod init;
mod link;
mod mcp;
mod names;
mod narrate;
mod pilot;
mod place;
mod port_map;
mod remap;
mod render;
mod report;
mod rights;
mod settings;
mod silence;
mod subject;
mod time;
mod top;
mod traces;
mod up;
mod usage;
mod version;
mod ways;
mod written;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::main() {
        Ok(code) => code,
        Err(report) => {
            narrate::report(&report);
            ExitCode::from(report.code.number())
        }
    }
}

//! `wharf init`: what a project tells agents of wharf.

use std::process::ExitCode;

use super::Outcome;
use super::run::current_dir;
use crate::init::{self, Plan};
use crate::{narrate, render};

/// Write what tells agents of wharf into this project.
///
/// A skill, `.claude/skills/wharf/SKILL.md`, and a section of AGENTS.md between markers: start servers with wharf, get
/// URLs from it, never kill by name or port. The rest of AGENTS.md stays as it is, and what is written already is not
/// written again. The changes are shown as a diff.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// For whom
    #[arg(value_name = "agents")]
    what: What,
    /// Print the texts, and write nothing
    #[arg(long, conflicts_with_all = ["dry_run", "json"])]
    print: bool,
    /// Show the changes, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum What {
    /// A skill, and a section of AGENTS.md
    Agents,
}

/// Writes it.
pub(crate) fn run(args: &Args) -> Outcome {
    let What::Agents = args.what;
    if args.print {
        render::text(&init::texts())?;
        return Ok(ExitCode::SUCCESS);
    }
    let plan = Plan::of(&current_dir()?)?;
    if !args.dry_run {
        plan.write()?;
    }
    if args.json {
        render::json(&render::init::Document::new(&plan, !args.dry_run))?;
        return Ok(ExitCode::SUCCESS);
    }
    let difference = plan.difference();
    render::text(&difference)?;
    match (difference.is_empty(), args.dry_run) {
        (true, _) => narrate::line("there is nothing to change"),
        (false, true) => narrate::line("nothing was written; without `--dry-run` it is"),
        (false, false) => narrate::line(&format!("written in {}", plan.root.display())),
    }
    narrate::line("the same as tools: `claude mcp add wharf -- wharf mcp`, or in .mcp.json:");
    narrate::line(r#"  {"mcpServers": {"wharf": {"command": "wharf", "args": ["mcp"]}}}"#);
    Ok(ExitCode::SUCCESS)
}

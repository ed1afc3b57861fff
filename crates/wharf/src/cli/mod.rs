//! The command line: what may be typed, and which file answers it.

mod alias;
mod assert;
mod audit;
mod clean;
mod completions;
mod daemon;
mod doctor;
mod down;
mod env;
mod exec;
mod explain;
mod export;
mod focus;
mod free;
mod import;
mod init;
mod logs;
pub(crate) mod ls;
mod man;
mod mcp;
mod open;
mod pilot;
mod port;
mod proxy;
mod prune;
mod release;
mod requests;
pub(crate) mod restart;
mod run;
pub(crate) mod stop;
mod tcp;
mod top;
mod trust;
mod untrust;
mod up;
mod url;
mod wait;
mod who;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::report::{Code, Report};
use crate::version;

/// What a command gives back: an exit code, or an error that says why and what to do.
pub(crate) type Outcome = Result<ExitCode, Report>;

const ABOUT: &str = "Run any dev server on its conventional port, or on a leased one of its own";

const AFTER: &str = "\
Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 conflict, 5 permission or sandbox, 6 timed out,
7 daemon or store, 8 findings, 70 a bug in wharf. `wharf run` passes on the code of the command.";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "wharf", version = version::own(), about = ABOUT, after_help = AFTER, max_term_width = 100)]
#[command(propagate_version = true, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a dev server on its conventional port, or on a leased one
    Run(run::Args),
    /// Run a whole project: every service, as many instances as wanted
    Up(up::Args),
    /// End what a project runs
    Down(down::Args),
    /// Forget checkouts that are there no more
    Prune(prune::Args),
    /// Run one instance for `wharf up`
    #[command(hide = true)]
    Pilot(pilot::Args),
    /// Lease one or more free ports, alone or for a command
    Port(port::Args),
    /// Give leased ports back
    Release(release::Args),
    /// List instances and leases
    Ls(ls::Args),
    /// Show what instances have put out
    Logs(logs::Args),
    /// Print where a service of this checkout is reached
    Url(url::Args),
    /// Open a service of this checkout in the browser
    Open(open::Args),
    /// Print the environment that a service holds
    Env(env::Args),
    /// Run a command in a service's folder, with its environment
    Exec(exec::Args),
    /// Wait until services of this checkout are up
    Wait(wait::Args),
    /// Make sure that a service's URL is answered by this checkout
    Assert(assert::Args),
    /// Find what is open, unsafe or in the way: the evidence for a security team
    Audit(audit::Args),
    /// Show who holds a port
    Who(who::Args),
    /// Watch instances, their output and the port map; open, restart and stop them
    Top(top::Args),
    /// End who listens on a port
    Free(free::Args),
    /// Launch an instance again, refusing no connection
    Restart(restart::Args),
    /// End instances that wharf runs
    Stop(stop::Args),
    /// Write what a project runs in the format of another tool
    Export(export::Args),
    /// Write a wharf.toml that runs what the project's own files say
    Import(import::Args),
    /// Explain a port, a framework, or what wharf would do here
    Explain(explain::Args),
    /// Check whether what wharf is built on works here
    Doctor(doctor::Args),
    /// Show the proxy that gives every instance its name
    Proxy(proxy::Args),
    /// Give a name to a server that wharf did not start
    Alias(alias::Args),
    /// Have a port such as localhost:3000 lead to this checkout
    Focus(focus::Args),
    /// Give a service that does not speak HTTP a port that stays the same
    Tcp(tcp::Args),
    /// Show the requests that go through the proxy
    Requests(requests::Args),
    /// Make the local CA and have browsers and programs trust it
    Trust(trust::Args),
    /// Take the local CA out of every store, and delete it
    Untrust(untrust::Args),
    /// Undo everything that wharf has changed on this machine
    Clean(clean::Args),
    /// Write what tells agents of wharf into this project
    Init(init::Args),
    /// Serve wharf's tools to an agent, over standard input and output
    ///
    /// Speaks the Model Context Protocol (<https://modelcontextprotocol.io>): `claude mcp add wharf -- wharf mcp`
    /// registers it with Claude Code. Ends with its standard input; what an agent has started with it keeps
    /// running.
    Mcp,
    /// Run, ask or stop the daemon that keeps the leases
    Daemon(daemon::Args),
    /// Print the completion script of a shell
    Completions(completions::Args),
    /// Print the manual page, or write all of them to a folder
    Man(man::Args),
}

/// Reads the command line and does what it says.
pub(crate) fn main() -> Outcome {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    match cli.command {
        Command::Run(args) => run::run(args),
        Command::Up(args) => up::run(args),
        Command::Down(args) => down::run(&args),
        Command::Prune(args) => prune::run(&args),
        Command::Pilot(args) => pilot::run(&args),
        Command::Port(args) => port::run(args),
        Command::Release(args) => release::run(args),
        Command::Ls(args) => ls::run(&args),
        Command::Logs(args) => logs::run(&args),
        Command::Url(args) => url::run(&args),
        Command::Open(args) => open::run(&args),
        Command::Env(args) => env::run(&args),
        Command::Exec(args) => exec::run(&args),
        Command::Wait(args) => wait::run(args),
        Command::Assert(args) => assert::run(&args),
        Command::Audit(args) => audit::run(&args),
        Command::Who(args) => who::run(&args),
        Command::Top(args) => top::run(&args),
        Command::Free(args) => free::run(&args),
        Command::Restart(args) => restart::run(&args),
        Command::Stop(args) => stop::run(args),
        Command::Import(args) => import::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Proxy(args) => proxy::run(&args),
        Command::Alias(args) => alias::run(&args),
        Command::Focus(args) => focus::run(&args),
        Command::Tcp(args) => tcp::run(&args),
        Command::Requests(args) => requests::run(&args),
        Command::Trust(args) => trust::run(&args),
        Command::Untrust(args) => untrust::run(&args),
        Command::Clean(args) => clean::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Mcp => mcp::run(),
        Command::Daemon(args) => daemon::run(args),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    }
}

/// The definitions, for completions and manual pages.
fn definitions() -> clap::Command {
    Cli::command()
}

/// Help and version are answers; everything else that clap says is bad usage.
fn usage(error: &clap::Error) -> Outcome {
    let code = if error.use_stderr() { Code::Usage.number() } else { 0 };
    // A closed pipe is the reader's decision, not a failure of ours.
    let _ = error.print();
    Ok(ExitCode::from(code))
}

pub(crate) use run::current_dir;

/// The runtime of a command: one thread, since every command mostly waits, and since a pilot forks.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Report> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Report::bug("the event loop does not start", &error))?;
    // A pilot's own tasks share what it has.
    Ok(tokio::task::LocalSet::new().block_on(&runtime, work))
}

//! `wharf who`: who holds which port, as far as may be seen, and honest words about the rest.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

use wharf_facts::map::Query;
use wharf_model::{Instance, Port, PortError};

use super::Outcome;
use crate::link::Link;
use crate::port_map::Joined;
use crate::render::who::{Document, Filter, Form};
use crate::report::{Code, Report};
use crate::{choice, render};

/// How often `--watch` looks. The kernel tells nobody of new listeners, so they are looked for.
const WATCH_EVERY: Duration = Duration::from_secs(1);

/// Show who holds a port, or every port.
///
/// Without a port: every listener of the machine, with its process, project and framework, and from where it
/// can be reached. With one: every process that shares the socket, with the ancestry up to the shell or the
/// service that started it. Exit code 3 when nobody holds the ports, or nothing passes the filters.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Ports, or names of instances
    #[arg(value_name = "PORT|NAME")]
    targets: Vec<String>,
    /// UDP as well
    #[arg(long)]
    udp: bool,
    /// Only what other machines may reach
    #[arg(long)]
    exposed: bool,
    /// Only this project: its name, worktree or folder
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// Only this framework, such as `vite`
    #[arg(long, value_name = "NAME")]
    framework: Option<String>,
    /// Only this user's
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// As a tree of the processes that started them
    #[arg(long, conflicts_with = "json")]
    tree: bool,
    /// Again whenever something changes, until Ctrl-C
    #[arg(long)]
    watch: bool,
    /// Print one JSON document; with --watch one a line
    #[arg(long)]
    json: bool,
}

/// Prints who holds what.
pub(crate) fn run(args: &Args) -> Outcome {
    let ports = ports(&args.targets)?;
    if args.watch {
        return watch(args, &ports);
    }
    let document = look(args, &ports)?;
    match args.json {
        true => render::json(&document)?,
        false => render::text(&document.text(form(args)))?,
    }
    let found = document.is_found();
    Ok(if found { ExitCode::SUCCESS } else { ExitCode::from(Code::NotFound.number()) })
}

fn form(args: &Args) -> Form {
    match (args.tree, args.targets.is_empty()) {
        (true, _) => Form::Tree,
        (false, true) => Form::Table,
        (false, false) => Form::Detail,
    }
}

fn look(args: &Args, ports: &BTreeSet<u16>) -> Result<Document, Report> {
    let query = Query {
        port: ports.first().copied().filter(|_| ports.len() == 1),
        udp: args.udp,
        // Whoever asks for a port also wants to know of a reservation on it.
        bound: !ports.is_empty(),
        elsewhere: true,
    };
    let filter = Filter {
        ports: ports.clone(),
        exposed: args.exposed,
        project: args.project.clone(),
        framework: args.framework.clone(),
        user: args.user.clone(),
    };
    Ok(Document::new(&Joined::look(query)?, &filter))
}

/// The ports that were named, as numbers or as instances.
fn ports(targets: &[String]) -> Result<BTreeSet<u16>, Report> {
    let mut live: Option<Vec<Instance>> = None;
    let mut ports = BTreeSet::new();
    for target in targets {
        let port = match target.parse::<Port>() {
            Ok(port) => port.get(),
            Err(PortError::NotANumber(_)) => {
                let known = match live.take() {
                    Some(known) => known,
                    None => instances()?,
                };
                let port = choice::one(&known, target)?.port;
                live = Some(known);
                port
            }
            Err(error) => return Err(Report::new(Code::Usage, error.to_string())),
        };
        ports.insert(port);
    }
    Ok(ports)
}

fn instances() -> Result<Vec<Instance>, Report> {
    let mut instances = super::block_on(Link::known())??.instances;
    instances.retain(|instance| instance.state.is_live());
    Ok(instances)
}

/// Says it again whenever it is another. Nothing of the terminal is changed, so that Ctrl-C just ends it.
fn watch(args: &Args, ports: &BTreeSet<u16>) -> Outcome {
    let mut last = None;
    loop {
        let document = look(args, ports)?;
        let essence = document.essence();
        if last.as_ref() != Some(&essence) {
            let text = match args.json {
                true => render::json_line(&document)?,
                false => render::who::screen(&document.text(form(args))),
            };
            if !render::still_read(&text)? {
                return Ok(ExitCode::SUCCESS);
            }
            last = Some(essence);
        }
        std::thread::sleep(WATCH_EVERY);
    }
}

//! `wharf who`: who holds a port, as far as may be seen, and honest words about the rest.

use std::process::ExitCode;

use wharf_model::{Exposure, Instance, Lease, Port, PortError};
use wharf_os::diag::{self, Socket, SocketState};
use wharf_os::process::Belongs;
use wharf_os::{holders, namespace, process};

use super::Outcome;
use crate::link::Link;
use crate::render::who::{Document, Elsewhere, Listener, Process};
use crate::report::{Code, Report};
use crate::{choice, facts, render};

/// Show who holds a port.
///
/// Every process that shares the socket is shown, with the ancestry up to the shell or the service
/// that started it. Exit code 3 when nobody holds the port.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A port, or the name of an instance
    #[arg(value_name = "PORT|NAME")]
    target: String,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Prints who holds it.
pub(crate) fn run(args: &Args) -> Outcome {
    let known = Known::ask();
    let port = port(&args.target, &known)?;
    let document = survey(port, &known)?;
    let found = document.is_held();
    if args.json {
        render::json(&document)?
    } else {
        render::text(&document.text())?
    }
    Ok(if found { ExitCode::SUCCESS } else { ExitCode::from(Code::NotFound.number()) })
}

/// What the daemon knows. Without one nothing is leased: it is not started for a question.
#[derive(Default)]
struct Known {
    instances: Vec<Instance>,
    leases: Vec<Lease>,
}

impl Known {
    fn ask() -> Known {
        let asked = super::block_on(async { Link::open_running().await?.snapshot().await });
        match asked {
            Ok(Ok(snapshot)) => Known { instances: snapshot.instances, leases: snapshot.leases },
            _ => Known::default(),
        }
    }
}

fn port(target: &str, known: &Known) -> Result<Port, Report> {
    match target.parse::<Port>() {
        Ok(port) => Ok(port),
        Err(PortError::NotANumber(_)) => {
            let live: Vec<Instance> =
                known.instances.iter().filter(|i| i.state.is_live()).cloned().collect();
            let instance = choice::one(&live, target)?;
            Port::try_from(instance.port)
                .map_err(|error| Report::bug("an instance without a port", &error))
        }
        Err(error) => Err(Report::new(Code::Usage, error.to_string())),
    }
}

fn survey(port: Port, known: &Known) -> Result<Document, Report> {
    let sockets = diag::holding(port.get())
        .map_err(|error| Report::bug("the kernel does not tell who holds a port", &error))?;
    let inodes: Vec<u64> = sockets.iter().map(|socket| socket.inode).collect();
    let found = holders::of_inodes(&inodes)
        .map_err(|error| Report::bug("the processes cannot be listed", &error))?;
    let listeners = sockets
        .iter()
        .map(|socket| {
            let pids = found.by_inode.get(&socket.inode).cloned().unwrap_or_default();
            listener(socket, &pids)
        })
        .collect::<Vec<_>>();
    let lease = known.leases.iter().find(|lease| lease.port == port).cloned();
    let instance = known.instances.iter().find(|i| i.state.is_live() && i.port == port.get());
    Ok(Document::new(
        port,
        listeners,
        lease,
        instance.map(choice::short_name),
        elsewhere(port),
        found.unreadable.len(),
    ))
}

fn listener(socket: &Socket, pids: &[u32]) -> Listener {
    Listener {
        port: socket.port,
        address: socket.address,
        exposure: Exposure::of(socket.address),
        listening: socket.state == SocketState::Listen,
        user: facts::user_name(socket.uid),
        processes: pids.iter().map(|pid| describe(*pid)).collect(),
    }
}

fn describe(pid: u32) -> Process {
    let facts = facts::of_process(pid);
    let argv = process::argv(pid).unwrap_or_default();
    let (unit, container) = match process::container_or_unit(pid) {
        Some(Belongs::Unit(unit)) => (Some(unit), None),
        Some(Belongs::Container { engine, id }) => (None, Some(format!("{engine} {id}"))),
        None => (None, None),
    };
    Process {
        pid,
        command: facts.command.unwrap_or_default(),
        argv: argv.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
        folder: facts.folder,
        user: process::uid(pid).ok().map(facts::user_name),
        age_s: facts.age_s,
        ancestry: ancestry(pid),
        unit,
        container,
    }
}

/// The names of the ancestors, nearest first, up to the first that is nobody's in particular.
fn ancestry(pid: u32) -> Vec<String> {
    process::ancestors(pid)
        .into_iter()
        .take_while(|stat| stat.pid > 1)
        .map(|stat| format!("{} {}", stat.comm, stat.pid))
        .collect()
}

/// Listeners on the same port in other network namespaces, of which a process may be seen.
fn elsewhere(port: Port) -> Vec<Elsewhere> {
    namespace::others()
        .into_iter()
        .filter_map(|other| {
            let sockets = diag::listeners_of(other.pid).ok()?;
            let socket = sockets.iter().find(|socket| socket.port == port.get())?;
            let inode = socket.inode;
            let pids =
                holders::of_inodes(&[inode]).ok()?.by_inode.remove(&inode).unwrap_or_default();
            Some(Elsewhere {
                namespace: other.inode,
                address: socket.address,
                processes: pids.iter().map(|pid| describe(*pid)).collect(),
            })
        })
        .collect()
}

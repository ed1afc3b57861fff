//! `wharf who`: who holds a port, as far as may be seen, and honest words about the rest.

use std::process::ExitCode;

use wharf_control::focus::FocusReport;
use wharf_model::{Exposure, Instance, Lease, Port, PortError};
use wharf_os::diag::{self, Socket, SocketState};
use wharf_os::process::Belongs;
use wharf_os::{holders, namespace, process};

use super::Outcome;
use crate::link::Link;
use crate::render::who::{Document, Elsewhere, Listener, Process};
use crate::report::{Code, Report};
use crate::{choice, facts, narrate, render};

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
    let document = match args.target.parse::<Port>() {
        Ok(port) => of_port(port)?,
        Err(PortError::NotANumber(_)) => of_name(&args.target)?,
        Err(error) => return Err(Report::new(Code::Usage, error.to_string())),
    };
    let found = document.is_held();
    if args.json {
        render::json(&document)?
    } else {
        render::text(&document.text())?
    }
    Ok(if found { ExitCode::SUCCESS } else { ExitCode::from(Code::NotFound.number()) })
}

/// What the daemon knows.
#[derive(Default)]
struct Known {
    instances: Vec<Instance>,
    leases: Vec<Lease>,
    focuses: Vec<FocusReport>,
}

impl Known {
    /// Starts the daemon if need be: what it knows is in its database.
    fn ask() -> Result<Known, Report> {
        super::block_on(async {
            let snapshot = Link::known().await?;
            let focuses = Link::focused(&snapshot.leases).await?;
            Ok(Known { instances: snapshot.instances, leases: snapshot.leases, focuses })
        })?
    }

    /// For a port the kernel's answer is enough, if the rest is said to be missing.
    fn ask_or_say() -> Known {
        Known::ask().unwrap_or_else(|report| {
            narrate::warning(&format!("wharf's own leases are not known: {}", report.what));
            Known::default()
        })
    }
}

/// The daemon and the kernel are asked at the same time.
fn of_port(port: Port) -> Result<Document, Report> {
    std::thread::scope(|scope| {
        let other = std::thread::Builder::new().name("daemon".to_owned());
        let asked = other.spawn_scoped(scope, Known::ask_or_say);
        let sight = Sight::of(port)?;
        let known = match asked.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(known)) => known,
            // There are threads enough for nobody: one after the other, then.
            _ => Known::ask_or_say(),
        };
        Ok(sight.document(&known))
    })
}

fn of_name(name: &str) -> Result<Document, Report> {
    let mut known = Known::ask()?;
    known.instances.retain(|instance| instance.state.is_live());
    let port = choice::one(&known.instances, name)?.port;
    let bug = |error| Report::bug("an instance without a port", &error);
    let port = Port::try_from(port).map_err(bug)?;
    Ok(Sight::of(port)?.document(&known))
}

/// What the kernel says of a port.
struct Sight {
    port: Port,
    listeners: Vec<Listener>,
    elsewhere: Vec<Elsewhere>,
    unreadable: usize,
}

impl Sight {
    fn of(port: Port) -> Result<Sight, Report> {
        let sockets = diag::holding(port.get())
            .map_err(|error| Report::bug("the kernel does not tell who holds a port", &error))?;
        let inodes: Vec<u64> = sockets.iter().map(|socket| socket.inode).collect();
        let found = holders::of_inodes(&inodes)
            .map_err(|error| Report::bug("the processes cannot be listed", &error))?;
        let listeners = sockets.iter().map(|socket| {
            let pids = found.by_inode.get(&socket.inode).cloned().unwrap_or_default();
            listener(socket, &pids)
        });
        Ok(Sight {
            port,
            listeners: listeners.collect(),
            // Looking into every namespace costs as much as all the rest, so only where nobody is
            // here.
            elsewhere: if sockets.is_empty() { elsewhere(port) } else { Vec::new() },
            unreadable: found.unreadable.len(),
        })
    }

    fn document(self, known: &Known) -> Document {
        let port = self.port;
        let lease = known.leases.iter().find(|lease| lease.port == port).cloned();
        let instance = known.instances.iter().find(|i| i.state.is_live() && i.port == port.get());
        let instance = instance.map(choice::short_name);
        let focus = known.focuses.iter().find(|focus| focus.port == port).cloned();
        let (elsewhere, unreadable) = (self.elsewhere, self.unreadable);
        Document::new(port, self.listeners, lease, instance, elsewhere, unreadable).with(focus)
    }
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
            let sockets = namespace::sockets(&other, diag::Transport::Tcp).ok()?;
            let listens =
                |socket: &&Socket| socket.port == port.get() && socket.state == SocketState::Listen;
            let socket = sockets.iter().find(listens)?;
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

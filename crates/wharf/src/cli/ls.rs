//! `wharf ls`: what wharf runs and which ports it keeps, as the kernel says now.

use std::collections::{BTreeSet, HashMap};
use std::process::ExitCode;

use wharf_model::{Instance, Listener, State};
use wharf_os::diag::{self, Socket};
use wharf_os::{holders, process};

use super::Outcome;
use crate::link::Link;
use crate::render::ls::Document;
use crate::report::Report;
use crate::{facts, render, usage};

/// List instances and leases.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// Also what has ended lately, and the ports that are remembered
    #[arg(long)]
    all: bool,
    /// Also what each instance uses: processors, over a fifth of a second; memory; open connections
    #[arg(long)]
    wide: bool,
}

/// Prints the list.
pub(crate) fn run(args: &Args) -> Outcome {
    let snapshot = super::block_on(Link::known())??;
    let mut instances = snapshot.instances;
    look(&mut instances)?;
    if !args.all {
        instances.retain(|instance| instance.state.is_live());
    }
    instances.sort_by(|a, b| a.key.cmp(&b.key));
    let homes = if args.all { snapshot.homes } else { Vec::new() };
    let usages = if args.wide { usage::of(&instances)? } else { HashMap::new() };
    let focuses = super::block_on(Link::focused(&snapshot.leases))??;
    let document = Document::new(instances, usages, snapshot.leases, focuses, homes);
    if args.json {
        render::json(&document)?
    } else {
        render::text(&document.text())?
    }
    Ok(ExitCode::SUCCESS)
}

/// Replaces what pilots have reported by what the kernel says.
pub(crate) fn look(instances: &mut [Instance]) -> Result<(), Report> {
    let sockets = diag::listeners()
        .map_err(|error| Report::bug("the kernel does not tell its listeners", &error))?;
    for instance in instances.iter_mut().filter(|instance| instance.state.is_live()) {
        if !process::is_alive(&facts::identity(&instance.pilot)) {
            instance.state = State::Exited;
            instance.listeners.clear();
            continue;
        }
        // Some serve nobody: a worker is ready and listens on nothing.
        let listened = !instance.listeners.is_empty();
        instance.listeners = listeners_of(instance.pilot_pid, &sockets);
        let serves = instance.listeners.iter().any(|listener| listener.port == instance.port);
        if listened && !serves {
            instance.state = instance.state.lost_listener();
        }
    }
    Ok(())
}

/// What the tree of a pilot listens on.
pub(super) fn listeners_of(pilot: u32, sockets: &[Socket]) -> Vec<Listener> {
    let inodes: Vec<u64> = sockets.iter().map(|socket| socket.inode).collect();
    let held: HashMap<u64, Vec<u32>> = holders::in_tree(&process::tree(pilot), &inodes).by_inode;
    let listeners: BTreeSet<Listener> = sockets
        .iter()
        .filter_map(|socket| {
            let pid = held.get(&socket.inode)?.first().copied();
            Some(Listener { address: socket.address, port: socket.port, pid })
        })
        .collect();
    listeners.into_iter().collect()
}

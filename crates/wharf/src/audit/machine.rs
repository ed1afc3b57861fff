//! Who listens on this machine, as the rules want to know it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use wharf_facts::map::{self, Listening, PortMap, Query};
use wharf_os::user;
use wharf_plan::audit::{Answers, Listener, Process};
use wharf_plan::project::Project;

use super::answering::{self, Askable};
use super::firewall;
use crate::report::Report;

/// The short name of what forwards a published port of Docker's.
const DOCKER_PROXY: &str = "docker-proxy";

/// Looks, and asks where that is wanted.
pub(super) fn look(answers: bool, not_looked: &mut Vec<String>) -> Result<Vec<Listener>, Report> {
    let map = map::map(Query::default())
        .map_err(|error| Report::bug("the kernel does not tell who listens", &error))?;
    if map.unreadable > 0 {
        let hide = match map.unreadable {
            1 => "1 process of another user hides its sockets".to_owned(),
            many => format!("{many} processes of other users hide their sockets"),
        };
        not_looked.push(format!("{hide}: `sudo wharf audit` sees whose listeners are theirs"));
    }
    let firewall = firewall::known();
    let mut projects = Projects::default();
    let listeners = map.listeners.iter().filter(|one| one.listening);
    let mut seen: Vec<(Listener, &Listening)> =
        listeners.map(|one| (listener(&map, one, &firewall, &mut projects), one)).collect();
    if answers {
        let askable = seen.iter_mut().map(|(listener, one)| Askable {
            listener,
            inode: one.inode,
            v6only: one.v6only,
        });
        answering::ask(askable.collect());
    }
    let listeners: Vec<Listener> = seen.into_iter().map(|(listener, _)| listener).collect();
    not_looked.extend(listeners.iter().filter_map(unasked));
    Ok(listeners)
}

fn unasked(listener: &Listener) -> Option<String> {
    let why = listener.answers.unasked.as_ref()?;
    Some(format!("the answers of `{}` on {}: {why}", listener.name(), listener.endpoint()))
}

fn listener(map: &PortMap, one: &Listening, firewall: &str, projects: &mut Projects) -> Listener {
    let processes: Vec<&map::Process> = map.processes_of(one).collect();
    let folder = processes.iter().find_map(|process| process.folder.as_deref());
    let container = processes.iter().find_map(|process| container(process));
    let is_own = one.uid == user::current_uid();
    Listener {
        address: one.address.to_canonical(),
        port: one.port,
        user: one.user(),
        is_own,
        project: folder.and_then(|folder| projects.of(folder)),
        is_wharf: is_own && processes.iter().any(|process| is_wharf(process)),
        processes: processes.into_iter().map(process).collect(),
        container,
        firewall: firewall.to_owned(),
        answers: Answers::default(),
    }
}

fn process(process: &map::Process) -> Process {
    Process {
        pid: process.id.pid,
        command: process.command.clone(),
        argv: process.argv.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
        folder: process.folder.clone(),
    }
}

/// The container of a process, or the one that a proxy of Docker's publishes.
fn container(process: &map::Process) -> Option<String> {
    if process.command == DOCKER_PROXY {
        let mut words = process.argv.iter().map(|word| word.to_string_lossy());
        let address = words.find(|word| word == "-container-ip").and_then(|_| words.next());
        let address = address.map(|address| format!(" at {address}")).unwrap_or_default();
        return Some(format!("a container{address} that Docker publishes"));
    }
    process.container.as_ref().map(|container| format!("{} {}", container.engine, container.id))
}

/// Whether it is this very program: the daemon with its proxy, or a pilot.
fn is_wharf(process: &map::Process) -> bool {
    let own = std::env::current_exe().ok();
    process.command == "wharf" || (own.is_some() && process.exe == own)
}

/// The projects of folders, each looked for once.
#[derive(Default)]
struct Projects {
    known: HashMap<PathBuf, Option<(PathBuf, String)>>,
}

impl Projects {
    fn of(&mut self, folder: &Path) -> Option<(PathBuf, String)> {
        let find = || {
            let project = Project::of(folder, user::home().as_deref());
            project.is_marked().then(|| (project.root.clone(), super::named(&project)))
        };
        self.known.entry(folder.to_path_buf()).or_insert_with(find).clone()
    }
}

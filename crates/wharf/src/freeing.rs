//! Freeing a port: who listens on it, what may be done about each of them, and doing it.
//!
//! The only place where a process is signalled that wharf did not start: named by its port, shown, agreed to, and
//! held by a pidfd from before the question to the end.

mod end;

use std::collections::BTreeMap;

use wharf_facts::map::{Listening, Process, Query};
use wharf_model::{Instance, Port, Transport};
use wharf_os::pidfd::Pidfd;
use wharf_os::process::{self, Belongs};
use wharf_os::user;

use crate::engine::Container;
use crate::port_map::{Joined, Role, editor, is_publisher};
use crate::report::{Code, Report};
use crate::{choice, facts};

pub(crate) use end::{Grace, free};

/// What is to be ended, so that the port is free.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Instances of wharf's: their pilots are asked.
    pub(crate) instances: Vec<Instance>,
    /// Containers: their engines are asked.
    pub(crate) containers: Vec<Container>,
    /// Everybody else: signalled.
    pub(crate) strangers: Vec<Stranger>,
    /// The sockets that are to go.
    pub(crate) inodes: Vec<u64>,
}

/// A process that wharf did not start.
#[derive(Debug)]
pub(crate) struct Stranger {
    /// Opened before anything was asked: whoever has its number later is not meant.
    pub(crate) handle: Pidfd,
    pub(crate) pid: u32,
    pub(crate) command: String,
    /// As it is shown to people.
    pub(crate) text: String,
}

impl Plan {
    /// Looks who listens on the port.
    ///
    /// # Errors
    /// Nobody does, or one of them is not to be ended: then nothing is.
    pub(crate) fn of(port: Port) -> Result<Plan, Report> {
        let query = Query { port: Some(port.get()), udp: false, bound: true, elsewhere: true };
        let joined = Joined::look(query)?;
        let on_port = |one: &&Listening| one.port == port.get() && one.transport == Transport::Tcp;
        let sockets: Vec<&Listening> = joined.map.listeners.iter().filter(on_port).collect();
        if sockets.is_empty() {
            return redirect(&joined, port);
        }
        let mut plan = Plan::default();
        let mut strangers = BTreeMap::new();
        for socket in &sockets {
            plan.take(&joined, socket, &mut strangers)?;
        }
        plan.inodes = sockets.iter().map(|socket| socket.inode).collect();
        plan.strangers = strangers.into_values().filter_map(stranger).collect();
        Ok(plan)
    }

    /// Whether anybody ends who is not wharf's own.
    pub(crate) fn has_foreigners(&self) -> bool {
        !self.strangers.is_empty() || !self.containers.is_empty()
    }

    /// A line for each that ends.
    pub(crate) fn lines(&self) -> Vec<String> {
        let instances = self.instances.iter().map(|instance| {
            format!("{}, which wharf runs (its pilot ends it)", choice::short_name(instance))
        });
        let containers = self.containers.iter().map(|container| {
            let Container { engine, name, image, .. } = container;
            format!("the container {name} of {image} ({engine} stops it)")
        });
        let strangers = self.strangers.iter().map(|stranger| stranger.text.clone());
        instances.chain(containers).chain(strangers).collect()
    }

    fn take<'a>(
        &mut self,
        joined: &'a Joined,
        socket: &'a Listening,
        strangers: &mut BTreeMap<u32, &'a Process>,
    ) -> Result<(), Report> {
        let port = socket.port;
        match joined.role(socket) {
            Some(Role::Instance(name) | Role::Held(name)) => return self.instance(joined, &name),
            Some(role) => return Err(wharfs_own(&role, port)),
            None => {}
        }
        let own = own_container();
        // From within a container with its engine's socket, what listens beside us is a process, not that container.
        if let Some(container) =
            joined.container(socket).filter(|one| own.as_ref() != Some(&one.id))
        {
            if !self.containers.iter().any(|known| known.id == container.id) {
                self.containers.push(container.clone());
            }
            return Ok(());
        }
        let processes: Vec<&Process> = joined.map.processes_of(socket).collect();
        if processes.is_empty() {
            return Err(unseen(socket));
        }
        for process in &processes {
            judge(process, &processes, port)?;
            if !socket.listening {
                return Err(not_listening(process, port));
            }
            strangers.insert(process.id.pid, process);
        }
        Ok(())
    }

    fn instance(&mut self, joined: &Joined, name: &str) -> Result<(), Report> {
        if self.instances.iter().any(|known| choice::short_name(known) == name) {
            return Ok(());
        }
        let mut live = joined.known.instances.iter().filter(|one| one.state.is_live());
        let found = live.find(|one| choice::short_name(one) == name);
        let found = found.ok_or_else(|| {
            Report::new(Code::NotFound, format!("{name} has just ended")).help("try again")
        })?;
        self.instances.push(found.clone());
        Ok(())
    }
}

/// The container that we are in ourselves.
fn own_container() -> Option<String> {
    match process::container_or_unit(std::process::id()) {
        Some(Belongs::Container { id, .. }) => Some(id),
        _ => None,
    }
}

/// Our own, or a worker of ours that has changed its user, as those of nginx do.
fn is_ours(process: &Process, holders: &[&Process]) -> bool {
    let own = Some(user::current_uid());
    let has_above = |pid| process.ancestry.iter().any(|above| above.pid == pid);
    // Whose it is may not be seen: the kernel decides.
    process.uid.is_none()
        || process.uid == own
        || holders.iter().any(|one| one.uid == own && has_above(one.id.pid))
}

/// Whether a process may be ended at all; the others share its socket.
fn judge(process: &Process, holders: &[&Process], port: u16) -> Result<(), Report> {
    let pid = process.id.pid;
    let shown = shown(process);
    let refused = |code, why: String| {
        Report::new(code, format!("port {port} is not freed"))
            .why(format!("{shown} holds it"))
            .why(why)
    };
    if pid == 1 {
        return Err(refused(Code::Conflict, "it is the first process of this system".to_owned()));
    }
    if !is_ours(process, holders) {
        let name = process.uid.map(facts::user_name).unwrap_or_default();
        return Err(refused(Code::Permission, format!("it is the user {name}'s"))
            .help(format!("as that user: `sudo -u {name} wharf free {port}`")));
    }
    let own = std::process::id();
    if pid == own || process::ancestors(own).iter().any(|stat| stat.pid == pid) {
        return Err(refused(Code::Conflict, "this command was started by it".to_owned())
            .help("run it from another terminal"));
    }
    if let Some(name) = editor(process) {
        return Err(refused(
            Code::Conflict,
            format!("it is an editor ({name}), which may have unsaved work"),
        )
        .help("end what holds the port from within it, or close it yourself"));
    }
    let own = own_container();
    if let Some(container) = process.container.as_ref().filter(|one| own.as_ref() != Some(&one.id))
    {
        let (engine, id) = (&container.engine, &container.id);
        return Err(refused(
            Code::Conflict,
            format!("it is in a container of {engine}, which was not to be asked"),
        )
        .help(format!("end the container: `{engine} stop {id}`")));
    }
    if is_publisher(process) {
        return Err(refused(
            Code::Conflict,
            "it passes on to a container, and no engine is to be asked".to_owned(),
        )
        .help("see `sudo docker ps`, and end that container with `sudo docker stop NAME`"));
    }
    match unit(process, holders) {
        Some(unit) => Err(refused(
            Code::Conflict,
            format!("systemd keeps it as {unit}, and may start it again"),
        )
        .help(stop_unit(&unit))),
        None => Ok(()),
    }
}

/// The service of systemd's that it is; not the one that we are a part of ourselves. Terminals and desktops are
/// services too, and a server that was typed there is below a shell: so the process that systemd itself has started
/// must be one of those that share the socket.
fn unit(process: &Process, holders: &[&Process]) -> Option<String> {
    let unit = process.unit.clone()?;
    let own = match process::container_or_unit(std::process::id()) {
        Some(Belongs::Unit(own)) => Some(own),
        _ => None,
    };
    let is_service = unit.ends_with(".service") && !unit.starts_with("user@");
    let mut line = process.ancestry.iter().filter(|above| above.name != "systemd");
    let first = line.next_back().map_or(process.id.pid, |above| above.pid);
    let is_first = holders.iter().any(|one| one.id.pid == first);
    (is_service && is_first && own.as_ref() != Some(&unit)).then_some(unit)
}

fn stop_unit(unit: &str) -> String {
    match user::current_uid() {
        0 => format!("`systemctl stop {unit}`"),
        _ => format!(
            "`systemctl --user stop {unit}`, or `sudo systemctl stop {unit}` for the system's"
        ),
    }
}

fn shown(process: &Process) -> String {
    wharf_facts::of_process(process.id.pid).to_string()
}

/// `None` where it has ended since.
fn stranger(process: &Process) -> Option<Stranger> {
    let handle = Pidfd::open(&facts::identity(&process.id)).ok().flatten()?;
    let text = shown(process);
    Some(Stranger { handle, pid: process.id.pid, command: process.command.clone(), text })
}

/// A port that leads into a container without a socket, or that nobody has.
fn redirect(joined: &Joined, port: Port) -> Result<Plan, Report> {
    let number = port.get();
    let redirected = joined.redirected().into_iter().find(|one| one.port == number);
    if let Some(one) = redirected {
        return Ok(Plan { containers: vec![one.container.clone()], ..Plan::default() });
    }
    let report = Report::new(Code::NotFound, format!("nobody listens on port {number}"));
    let elsewhere = joined.map.elsewhere.iter().flat_map(|other| &other.listeners);
    if elsewhere.into_iter().any(|one| one.port == number) {
        return Err(report
            .why("somebody does in another network namespace, which keeps nobody here from it")
            .help(format!("`wharf who {number}` tells more")));
    }
    Err(match joined.lease(number).and_then(|lease| lease.key.clone()) {
        Some(key) => report
            .why(format!("it is leased to {key}, which does not run"))
            .help(format!("`wharf release {number}` gives it back")),
        None => report,
    })
}

fn wharfs_own(role: &Role, port: u16) -> Report {
    let report = Report::new(Code::Conflict, format!("port {port} is not freed"));
    match role {
        Role::Leads(what) => report
            .why(format!("{what} holds it"))
            .help("`wharf focus --off` or `wharf tcp --remove NAME` gives it back"),
        _ => report
            .why("wharf's own proxy holds it, for the names of everything that runs")
            .help("`wharf daemon stop` ends it; `proxy = \"off\"` in settings.toml keeps it away"),
    }
}

fn unseen(socket: &Listening) -> Report {
    let port = socket.port;
    Report::new(Code::Permission, format!("port {port} is not freed"))
        .why(format!("a process of the user {} holds it, which may not be seen", socket.user()))
        .help(format!("`sudo wharf who {port}` shows it"))
}

fn not_listening(process: &Process, port: u16) -> Report {
    Report::new(Code::Conflict, format!("port {port} is not freed"))
        .why(format!("{} is bound to it without listening", shown(process)))
        .help("only who listens is ended; end it yourself if you know what it is for")
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use wharf_facts::map::{self, Ancestor};

    use super::*;

    fn seen(pid: u32, above: &[(&str, u32)]) -> Process {
        let _open = TcpListener::bind("127.0.0.1:0").unwrap();
        let map = map::map(Query::default()).unwrap();
        let mut process = map.processes[&std::process::id()].clone();
        process.id.pid = pid;
        let ancestor = |(name, pid): &(&str, u32)| Ancestor {
            name: (*name).to_owned(),
            pid: *pid,
            argv: Vec::new(),
            folder: None,
        };
        process.ancestry = above.iter().map(ancestor).collect();
        process.unit = Some("some-unit-of-a-test.service".to_owned());
        process
    }

    #[test]
    fn a_unit_is_known_by_the_process_that_systemd_started() {
        let (master, worker) = (seen(70, &[]), seen(71, &[("nginx", 70)]));
        let by_user = seen(72, &[("systemd", 60)]);
        let typed = seen(73, &[("bash", 65), ("konsole", 64), ("systemd", 60)]);
        for (process, holders, kept) in [
            (&master, vec![&master, &worker], true),
            (&worker, vec![&master, &worker], true),
            (&by_user, vec![&by_user], true),
            (&typed, vec![&typed], false),
        ] {
            assert_eq!(unit(process, &holders).is_some(), kept, "{process:?}");
        }
    }

    #[test]
    fn workers_that_have_changed_their_user_are_their_masters() {
        let master = seen(70, &[]);
        let mut worker = seen(71, &[("nginx", 70)]);
        worker.uid = Some(4_000_000);
        assert!(is_ours(&worker, &[&master, &worker]));
        assert!(!is_ours(&worker, &[&worker]));
        let mut other = seen(72, &[]);
        other.uid = worker.uid;
        assert!(!is_ours(&other, &[&master, &other]));
    }
}

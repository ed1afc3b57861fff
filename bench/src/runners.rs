//! Programs that run several servers at once: wharf, and those that people use for it. All of them are given the
//! same servers with the same ports.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::Failure;
use crate::world::{PATIENCE, Running, World};

/// The pause between two looks at servers that are about to answer.
const BETWEEN_LOOKS: Duration = Duration::from_millis(2);
/// How long a server may take to answer that has taken the connection.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// A terminal for the one that draws its servers.
const TERMINAL: &str = "stty rows 40 cols 120; exec ";

/// Who runs the servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runner {
    Wharf,
    Honcho,
    Concurrently,
    Mprocs,
}

/// All of them, in the order of the tables' rows.
pub(crate) const ALL: [Runner; 4] =
    [Runner::Wharf, Runner::Honcho, Runner::Concurrently, Runner::Mprocs];

/// Servers to be run together.
#[derive(Debug)]
pub(crate) struct Servers {
    folder: PathBuf,
    commands: Vec<String>,
    ports: Vec<u16>,
}

impl Servers {
    /// A folder whose Procfile has the commands, each with its port in front.
    pub(crate) fn new(
        world: &World,
        name: &str,
        first_port: u16,
        commands: Vec<String>,
    ) -> Result<Servers, Failure> {
        let folder = world.path(name);
        std::fs::create_dir_all(folder.join(".git"))?;
        std::fs::write(folder.join(".git/HEAD"), "ref: refs/heads/main\n")?;
        let ports: Vec<u16> = (first_port..).take(commands.len()).collect();
        let with_port = |(port, command): (&u16, String)| format!("PORT={port} {command}");
        let commands: Vec<String> = ports.iter().zip(commands).map(with_port).collect();
        let mut procfile = String::new();
        for (number, command) in commands.iter().enumerate() {
            procfile.push_str(&format!("s{number}: {command}\n"));
        }
        std::fs::write(folder.join("Procfile"), procfile)?;
        Ok(Servers { folder, commands, ports })
    }

    /// Waits until every one has answered a request over HTTP.
    pub(crate) fn answer(&self) -> Result<(), Failure> {
        let end = Instant::now() + PATIENCE * 3;
        let mut open = self.ports.clone();
        while Instant::now() < end {
            open.retain(|port| !answers(*port));
            if open.is_empty() {
                return Ok(());
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
        Err(format!("these ports answer nothing: {open:?}").into())
    }
}

fn answers(port: u16) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        stream.set_read_timeout(Some(ANSWER_LIMIT))?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut begin = [0; 5];
        stream.read_exact(&mut begin)?;
        Ok(&begin == b"HTTP/")
    };
    ask().unwrap_or(false)
}

impl Runner {
    /// How its rows are called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Runner::Wharf => "`wharf up`",
            Runner::Honcho => "`honcho start`",
            Runner::Concurrently => "`concurrently`",
            Runner::Mprocs => "`mprocs`",
        }
    }

    /// Starts the servers; `None` where it is not installed.
    pub(crate) fn start(
        self,
        world: &World,
        servers: &Servers,
    ) -> Result<Option<Running>, Failure> {
        let Some(mut command) = self.command(world, servers) else { return Ok(None) };
        Running::start(command.current_dir(&servers.folder)).map(Some)
    }

    fn command(self, world: &World, servers: &Servers) -> Option<Command> {
        Some(match self {
            Runner::Wharf => world.wharf(&["up"]),
            Runner::Honcho => {
                let mut command = world.command(world.peer("honcho/bin/honcho")?);
                command.arg("start");
                command
            }
            Runner::Concurrently => {
                let script = "node_modules/concurrently/dist/bin/concurrently.js";
                let mut command = world.command("node");
                command.arg(world.peer(script)?).args(&servers.commands);
                command
            }
            Runner::Mprocs => {
                let program = "node_modules/mprocs/mprocs-0.9.6-linux-x86_64-musl/mprocs";
                let mut text = format!("{TERMINAL}{}", world.peer(program)?.display());
                for command in &servers.commands {
                    text.push_str(&format!(" '{command}'"));
                }
                let mut command = world.command("script");
                command.args(["--quiet", "--command", &text, "/dev/null"]);
                command.env("TERM", "xterm-256color");
                command
            }
        })
    }
}

/// Everything in this process namespace but the bench, the shell around it, and the servers. A part of these is
/// what a runner is; `before` were there before it.
pub(crate) fn beside(world: &World, before: &BTreeSet<u32>) -> Result<Vec<u32>, Failure> {
    let is_server = |pid: u32| {
        let program = std::fs::read_link(format!("/proc/{pid}/exe"));
        program.is_ok_and(|program| program == world.own_binary())
    };
    let new = processes()?.into_iter().filter(|pid| !before.contains(pid) && !is_server(*pid));
    Ok(new.collect())
}

/// Every process that is there.
pub(crate) fn processes() -> Result<BTreeSet<u32>, Failure> {
    let entries = std::fs::read_dir("/proc")?.flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Ok(pids.filter(|pid| lives(*pid)).collect())
}

/// What has ended has no program any more.
fn lives(pid: u32) -> bool {
    std::fs::read_link(Path::new("/proc").join(pid.to_string()).join("exe")).is_ok()
}

/// Ends it, and waits until nothing is left that was not there before.
pub(crate) fn end(runner: Runner, running: Running, before: &BTreeSet<u32>) -> Result<(), Failure> {
    if runner != Runner::Wharf {
        // Honcho that is told to end while it starts leaves its servers: that is not what is measured.
        for pid in processes()?.difference(before) {
            if let Some(pid) = i32::try_from(*pid).ok().and_then(Pid::from_raw) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
    drop(running);
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if processes()?.is_subset(before) {
            return Ok(());
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
    let command = |pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/cmdline"));
    let left: Vec<String> = processes()?
        .difference(before)
        .map(|pid| command(pid).unwrap_or_default().replace('\0', " "))
        .collect();
    Err(format!("{} has left behind: {}", runner.name(), left.join(", ")).into())
}

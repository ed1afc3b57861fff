//! The world of a run: folders of its own, an environment of its own, and the programs in it.

use std::ffi::OsStr;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::Failure;

/// How long anything that is started may take: a machine that needs more gives no figures.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// How often a process is asked whether it has ended, where its end is not what is measured.
const ASK_AGAIN: Duration = Duration::from_millis(2);

/// Where everything is.
#[derive(Debug)]
pub(crate) struct World {
    wharf: PathBuf,
    own: PathBuf,
    peers: PathBuf,
    portless: Option<PathBuf>,
    folder: PathBuf,
}

impl World {
    /// Makes the folders: `folder` exists, is empty, and is removed by whoever made it.
    pub(crate) fn new(wharf: &Path, peers: &Path, folder: &Path) -> Result<World, Failure> {
        let world = World {
            wharf: wharf.canonicalize()?,
            own: std::env::current_exe()?,
            peers: peers.to_owned(),
            portless: peers.join("node_modules/portless/dist/cli.js").canonicalize().ok(),
            folder: folder.canonicalize()?,
        };
        let mut private = DirBuilder::new();
        private.mode(0o700).recursive(true);
        for name in ["home", "run", "state", "config", "data", "cache", "project/.git"] {
            private.create(world.folder.join(name))?;
        }
        std::fs::write(world.path("project/.git/HEAD"), "ref: refs/heads/main\n")?;
        let manifest = r#"{ "name": "shop", "scripts": { "dev": "vite" } }"#;
        std::fs::write(world.path("project/package.json"), manifest)?;
        Ok(world)
    }

    /// A path in the run's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The release binary.
    pub(crate) fn wharf_binary(&self) -> &Path {
        &self.wharf
    }

    /// The control socket of the run's daemon.
    pub(crate) fn socket(&self) -> PathBuf {
        self.path("run/wharf/control.sock")
    }

    /// Any program, in the project's folder, with the run's environment and without a voice.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.path("project"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path("home"))
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .env("XDG_STATE_HOME", self.path("state"))
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("XDG_DATA_HOME", self.path("data"))
            .env("XDG_CACHE_HOME", self.path("cache"))
            // Neither certificates nor /etc/hosts are this run's to change.
            .env("PORTLESS_STATE_DIR", self.path("home/.portless"))
            .env("PORTLESS_SYNC_HOSTS", "0")
            .env("PORTLESS_HTTPS", "0")
            .env("PORTLESS_PORT", "1355");
        command
    }

    /// wharf.
    pub(crate) fn wharf(&self, args: &[&str]) -> Command {
        let mut command = self.command(&self.wharf);
        command.args(args);
        command
    }

    /// A file of the peers, if it is installed.
    pub(crate) fn peer(&self, file: &str) -> Option<PathBuf> {
        self.peers.join(file).canonicalize().ok()
    }

    /// This binary.
    pub(crate) fn own_binary(&self) -> &Path {
        &self.own
    }

    /// The peer `portless`, if it is installed.
    pub(crate) fn portless(&self, args: &[&str]) -> Option<Command> {
        let mut command = self.command("node");
        command.arg(self.portless.as_ref()?).args(args);
        Some(command)
    }

    /// The peer's package, if it is installed.
    pub(crate) fn portless_package(&self) -> Option<&Path> {
        self.portless.as_ref()?.parent()?.parent()
    }

    /// The words that make this binary play a role, for the end of another command.
    pub(crate) fn role<'a>(&'a self, role: &'a str) -> [&'a OsStr; 3] {
        [self.own.as_os_str(), "role".as_ref(), role.as_ref()]
    }

    /// This binary in a role, bare.
    pub(crate) fn actor(&self, role: &str) -> Command {
        let mut command = self.command(&self.own);
        command.args(["role", role]);
        command
    }

    /// Starts the daemon, unless it runs.
    pub(crate) fn start_daemon(&self) -> Result<(), Failure> {
        match finish(self.wharf(&["daemon", "start"]).spawn()?)?.success() {
            true => Ok(()),
            false => Err("`wharf daemon start` failed".into()),
        }
    }

    /// Ends the daemon, if one runs; returns when it has gone.
    pub(crate) fn stop_daemon(&self) {
        if let Ok(child) = self.wharf(&["daemon", "stop"]).spawn() {
            let _ = finish(child);
        }
    }

    /// Ends the peer's proxy, if one runs.
    pub(crate) fn stop_portless(&self) {
        if let Some(Ok(child)) = self.portless(&["proxy", "stop"]).map(|mut c| c.spawn()) {
            let _ = finish(child);
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop_daemon();
        self.stop_portless();
    }
}

/// Waits for the end of a process, but not for ever.
pub(crate) fn finish(mut child: Child) -> Result<ExitStatus, Failure> {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if Instant::now() > end {
            child.kill()?;
            child.wait()?;
            return Err(format!("a process did not end within {} s", PATIENCE.as_secs()).into());
        }
        std::thread::sleep(ASK_AGAIN);
    }
}

/// A process that is asked to end when its part is over.
#[derive(Debug)]
pub(crate) struct Running(Option<Child>);

impl Running {
    /// Starts it.
    pub(crate) fn start(command: &mut Command) -> Result<Running, Failure> {
        Ok(Running(Some(command.spawn()?)))
    }

    /// Its number.
    pub(crate) fn pid(&self) -> u32 {
        self.0.as_ref().map_or(0, Child::id)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(child) = self.0.take() else { return };
        if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
            // It may have ended by itself.
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = finish(child);
    }
}

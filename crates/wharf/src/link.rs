//! The link to the daemon: there when it is needed, mended when it breaks, and never waited for
//! without end.

mod names;
mod summon;

use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use wharf_control::api::{
    LeaseBatch, LeaseReply, LeaseRequest, ProxyStatus, ReleaseRequest, Released, Snapshot, Status,
};
use wharf_control::{
    CallError, Client, Code as Refusal, Environment, ErrorBody, EventStream, Paths,
};
use wharf_model::{Instance, Lease, Port, ProcessId, ServiceKey};
use wharf_os::{peer, private_dir, process, user};

use crate::report::{Code, Report};

pub(crate) use summon::{ALREADY_RUNS, NOT_FOR_OTHERS, READY, own_program};
use summon::{ProgramStarter, Summoner, is_older, replace};

/// How long a command waits for the daemon in all, its start and its death included.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one call may take: less than all, so that a daemon which hangs is said to hang.
const CALL: Duration = Duration::from_secs(4);
/// What is said where none runs and none was to be started.
pub(crate) const NO_DAEMON: &str = "no daemon runs";
/// What the kernel says of a bind that is forbidden.
const EACCES: i32 = 13;
/// The pause before a call that found no daemon is made again.
const PAUSE: Duration = Duration::from_millis(20);

/// A daemon that answered a moment ago, and the way to the next one if it dies.
#[derive(Debug)]
pub(crate) struct Link {
    client: Client,
    summoner: Summoner<ProgramStarter>,
}

impl Link {
    /// Connects, starting the daemon if none runs and replacing one that is older than this program.
    ///
    /// # Errors
    /// There is no daemon and none can be started, or it does not answer.
    pub(crate) async fn open() -> Result<Link, Report> {
        let summoner = Summoner::new(paths()?, ProgramStarter::new()?);
        let client = summoner.summon(Instant::now() + PATIENCE).await?;
        Ok(Link { client, summoner })
    }

    /// Connects to the daemon that runs, whatever its version; starts none.
    ///
    /// # Errors
    /// None runs.
    pub(crate) async fn open_running() -> Result<Link, Report> {
        let summoner = Summoner::new(paths()?, ProgramStarter::new()?);
        match summoner.running().await {
            Ok((client, _)) => Ok(Link { client, summoner }),
            Err(error) => Err(failure(error, &summoner.client())),
        }
    }

    /// Everything that the daemon knows, as after [`Link::open`]: in one question where it runs.
    pub(crate) async fn known() -> Result<Snapshot, Report> {
        let summoner = Summoner::new(paths()?, ProgramStarter::new()?);
        let client = summoner.client();
        match client.snapshot().await {
            Ok(snapshot) if snapshot.version.as_deref().is_some_and(|v| !is_older(v)) => {
                Ok(snapshot)
            }
            Err(error @ CallError::Timeout { .. }) => Err(failure(error, &client)),
            _ => Link::open().await?.snapshot().await,
        }
    }

    /// Asks for ports.
    pub(crate) async fn lease(&self, request: &LeaseRequest) -> Result<LeaseReply, Report> {
        let reply = self.call(async |client| client.lease(request).await).await?;
        for warning in &reply.warnings {
            crate::narrate::warning(warning);
        }
        Ok(reply)
    }

    /// Asks for the ports of a whole project: all of them, or none.
    pub(crate) async fn lease_all(
        &self,
        requests: Vec<LeaseRequest>,
    ) -> Result<Vec<LeaseReply>, Report> {
        let batch = LeaseBatch { requests };
        let replies = self.call(async |client| client.lease_all(&batch).await).await?;
        let warnings: BTreeSet<&String> =
            replies.iter().flat_map(|reply| &reply.warnings).collect();
        warnings.into_iter().for_each(|warning| crate::narrate::warning(warning));
        Ok(replies)
    }

    /// Gives leases back; says which they were.
    pub(crate) async fn release(&self, request: &ReleaseRequest) -> Result<Vec<Lease>, Report> {
        self.call(async |client| client.release(request).await).await
    }

    /// Has an instance that has ended forgotten.
    pub(crate) async fn forget(&self, id: &str) -> Result<(), Report> {
        self.call(async |client| client.delete_instance(id).await).await
    }

    /// Everything that the daemon knows.
    pub(crate) async fn snapshot(&self) -> Result<Snapshot, Report> {
        self.call(async |client| client.snapshot().await).await
    }

    /// Gives up a lease that turned out not to be used: this daemon, without a second try.
    pub(crate) async fn give_up(&self, key: ServiceKey, by: ProcessId) -> Result<(), Report> {
        let request = ReleaseRequest { release: Released::Unused(key), by: Some(by) };
        self.client.release(&request).await.map(drop).map_err(report)
    }

    /// Everything that the daemon knows: this one, without a second try.
    pub(crate) async fn snapshot_now(&self) -> Result<Snapshot, Report> {
        self.client.snapshot().await.map_err(report)
    }

    /// What happens at the daemon from now on: this one, without a second try.
    pub(crate) async fn events(&self) -> Result<EventStream, Report> {
        self.client.events().await.map_err(report)
    }

    /// How the daemon is: this one, without a second try.
    pub(crate) async fn status(&self) -> Result<Status, Report> {
        self.client.status().await.map_err(|error| failure(error, &self.client))
    }

    /// Makes sure that there is a daemon, after one has died.
    pub(crate) async fn revive(&self) -> Result<(), Report> {
        self.summoner.summon(Instant::now() + PATIENCE).await.map(drop)
    }

    /// Has the daemon that runs look for the local CA anew.
    pub(crate) async fn trust(&self) -> Result<(), Report> {
        self.client.trust().await.map(drop).map_err(report)
    }

    /// How the proxy is.
    pub(crate) async fn proxy(&self) -> Result<ProxyStatus, Report> {
        self.call(Client::proxy).await
    }

    /// How the proxy is: this daemon, without a second try.
    pub(crate) async fn proxy_now(&self) -> Result<ProxyStatus, Report> {
        self.client.proxy().await.map_err(report)
    }

    /// Replaces the daemon by a new one of this program, without a connection to a name being refused.
    pub(crate) async fn replace_daemon(&self) -> Result<(), Report> {
        replace(&self.client).await;
        self.revive().await
    }

    /// Asks the daemon to end; gives its process number.
    pub(crate) async fn stop(&self) -> Result<u32, Report> {
        let stopping = self.client.stop().await;
        Ok(stopping.map_err(|error| failure(error, &self.client))?.pid)
    }

    /// Tells the daemon how an instance is: once, and only a daemon that runs. Whoever stopped it
    /// does not want it back because a server became ready.
    pub(crate) async fn report(&self, instance: &Instance) -> Result<(), Report> {
        self.client.put_instance(instance).await.map_err(report)
    }

    /// Every call of this wire may be repeated, so one that met a dying daemon is made again at the
    /// next one, until patience ends.
    async fn call<T>(
        &self,
        operation: impl AsyncFn(&Client) -> Result<T, CallError>,
    ) -> Result<T, Report> {
        let deadline = Instant::now() + PATIENCE;
        let mut client = self.client.clone();
        loop {
            match operation(&client).await {
                Ok(answer) => return Ok(answer),
                Err(error) if error.is_passing() && Instant::now() < deadline => {
                    tokio::time::sleep(PAUSE).await;
                    client = self.summoner.summon(deadline).await?;
                }
                Err(error) => return Err(failure(error, &client)),
            }
        }
    }
}

/// Where this user's daemon is.
pub(crate) fn paths() -> Result<Paths, Report> {
    Paths::new(&Environment::of_process(user::home())).map_err(|error| {
        Report::new(Code::Daemon, "there is no place for wharf's files")
            .because(&error)
            .help("set HOME, or XDG_RUNTIME_DIR and XDG_STATE_HOME, to folders of your own")
    })
}

/// A name for one request that no other request has.
pub(crate) fn request_id() -> String {
    // Each `RandomState` is seeded anew from the system's randomness.
    let random = || RandomState::new().build_hasher().finish();
    format!("{}-{:016x}{:016x}", std::process::id(), random(), random())
}

/// The private folder for the files of one instance.
pub(crate) fn derived_folder(id: &str) -> Result<PathBuf, Report> {
    let folder = paths()?.state_dir.join("instances").join(id);
    match private_dir::ensure(&folder) {
        Ok(()) => Ok(folder),
        Err(error) => {
            let what = "the folder for derived files cannot be made";
            Err(Report::new(Code::Failed, what).because(&error))
        }
    }
}

/// Where an instance says that it is ready: in the folder of the control socket, which is this user's alone.
pub(crate) fn notify_socket(id: &str) -> Result<PathBuf, Report> {
    let folder = paths()?.runtime_dir.clone();
    private_dir::ensure(&folder).map_err(|error| {
        Report::new(Code::Failed, "the runtime folder cannot be made").because(&error)
    })?;
    Ok(folder.join(format!("notify-{id}")))
}

/// What a person should know of a call that failed.
pub(crate) fn report(error: CallError) -> Report {
    let error = match error {
        CallError::Refused(body) => return refusal(*body),
        error => error,
    };
    let daemon = Report::new(Code::Daemon, "the daemon cannot be reached").because(&error);
    match &error {
        CallError::NoDaemon { .. } => Report::new(Code::Daemon, NO_DAEMON)
            .because(&error)
            .help("`wharf daemon start` starts it"),
        CallError::Connect { source, .. }
            if source.kind() == std::io::ErrorKind::PermissionDenied =>
        {
            Report { code: Code::Permission, ..daemon }
        }
        CallError::Lost(_) => {
            daemon.help("see `daemon.log` in wharf's state folder for its last words")
        }
        _ => daemon.help("`wharf daemon status` tells more"),
    }
}

/// What a person should know of a call that failed at this client.
fn failure(error: CallError, client: &Client) -> Report {
    match error {
        error @ CallError::Timeout { .. } => hanging(error, client),
        error => report(error),
    }
}

/// A daemon that took the connection and says nothing.
fn hanging(error: CallError, client: &Client) -> Report {
    let pid = std::os::unix::net::UnixStream::connect(client.socket())
        .and_then(|stream| peer::credentials(&stream))
        .ok()
        .and_then(|peer| peer.pid);
    let Some(pid) = pid else { return report(error) };
    let report = Report::new(Code::TimedOut, format!("the daemon (pid {pid}) does not answer"));
    match process::stat(pid).map(|stat| stat.state) {
        Ok('T' | 't') => report
            .why("it is stopped, by SIGSTOP or a debugger")
            .help(format!("let it go on: `kill -CONT {pid}`")),
        _ => report.because(&error).help(format!(
            "if it stays so, end it with `kill -9 {pid}`: nothing that it keeps is lost"
        )),
    }
}

fn refusal(body: ErrorBody) -> Report {
    if let (Refusal::PortTaken, Some(port), Some(holder)) =
        (body.code, body.port.and_then(Port::new), &body.holder)
    {
        return crate::place::taken(port, holder);
    }
    if let (Refusal::PermissionDenied, Some(port)) = (body.code, body.port.and_then(Port::new)) {
        return crate::place::denied(port, &std::io::Error::from_raw_os_error(EACCES));
    }
    let code = match body.code.exit_code() {
        3 => Code::NotFound,
        4 => Code::Conflict,
        5 => Code::Permission,
        6 => Code::TimedOut,
        70 => Code::Bug,
        _ => Code::Daemon,
    };
    let report = Report::new(code, body.message);
    match (body.help, body.code) {
        (Some(help), _) => report.help(help),
        (None, Refusal::InstanceRunning) => {
            report.help("leave out `--instance` to run one more, or end it with `wharf stop`")
        }
        (None, _) => report,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_differ() {
        let ids: std::collections::BTreeSet<String> = (0..1000).map(|_| request_id()).collect();
        assert_eq!(ids.len(), 1000);
    }

    #[test]
    fn refusals_keep_their_exit_codes() {
        for (code, number) in [
            (Refusal::NotFound, 3),
            (Refusal::LeaseHeld, 4),
            (Refusal::PermissionDenied, 5),
            (Refusal::Timeout, 6),
            (Refusal::Internal, 7),
        ] {
            let body = ErrorBody::new(code, "text");
            assert_eq!(report(CallError::Refused(Box::new(body))).code.number(), number);
        }
    }
}

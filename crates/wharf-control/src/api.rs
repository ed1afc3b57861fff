//! What is asked and answered, one type per body.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};
use wharf_model::{
    Agent, Holder, Instance, Lease, LeaseKind, PathText, Port, PortRequest, ProcessId, ServiceKey,
};

/// The version of every document on this wire.
pub const SCHEMA: u32 = wharf_model::event::SCHEMA;
/// The largest body that the daemon accepts, in bytes.
pub const MAX_REQUEST_BODY: usize = 1024 * 1024;
/// The largest body that a client accepts, in bytes.
pub const MAX_REPLY_BODY: usize = 16 * 1024 * 1024;

/// `GET`: [`ProxyStatus`].
pub const PROXY: &str = "/v1/proxy";
/// `POST`, once the local CA has changed: [`ProxyStatus`].
pub const TRUST: &str = "/v1/trust";
/// `GET`: [`Status`].
pub const STATUS: &str = "/v1/status";
/// `POST` [`LeaseRequest`]: [`LeaseReply`].
pub const LEASES: &str = "/v1/leases";
/// `POST` [`LeaseBatch`]: [`LeaseBatchReply`].
pub const LEASE_BATCH: &str = "/v1/leases/batch";
/// `POST` [`ReleaseRequest`]: [`ReleaseReply`].
pub const RELEASE: &str = "/v1/release";
/// With an id after it: `PUT` [`Instance`], `DELETE`: [`Done`].
pub const INSTANCES: &str = "/v1/instances/";
/// `GET`: [`Snapshot`].
pub const SNAPSHOT: &str = "/v1/snapshot";
/// `POST`: [`Stopping`]. As [`STOP`], for a successor: it gets the proxy's listeners, and what is under way
/// is carried to its end.
pub const HAND_OVER: &str = "/v1/hand-over";
/// `POST`: [`Stopping`].
pub const STOP: &str = "/v1/stop";
/// `GET`: a stream of [`Notice`], one JSON document per line.
pub const EVENTS: &str = "/v1/events";

/// How the daemon is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The daemon's process number.
    pub pid: u32,
    /// The daemon's version.
    pub version: String,
    /// The socket that it answers on.
    pub socket: String,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// Where and how it keeps what it knows.
    pub store: StoreReport,
    /// How many leases are held.
    pub leases: usize,
    /// How many instances are alive.
    pub instances: usize,
}

/// The state of the database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreReport {
    /// The file.
    pub path: String,
    /// Whether the file holds what the daemon knows; if not, leases live in memory only.
    pub writable: bool,
    /// What the user should know, each a sentence.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// A service, and perhaps which instance of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRequest {
    /// The root of the project's main checkout.
    pub project: PathText,
    /// The linked worktree's name; empty for the main checkout.
    pub worktree: String,
    /// The service.
    pub service: String,
    /// The instance, from 1; absent for the lowest that does not run.
    #[serde(default)]
    pub instance: Option<u32>,
}

/// A port that the caller found busy although it was granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusyPort {
    /// The port.
    pub port: Port,
    /// Who holds it, where the caller could tell.
    #[serde(default)]
    pub holder: Option<Holder>,
}

/// A request for ports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseRequest {
    /// A random name for this request. Asked again with the same name, it gets the same leases, so
    /// that a caller which lost the answer may simply ask again.
    pub request_id: String,
    /// Whose the ports shall be; absent for an anonymous lease.
    #[serde(default)]
    pub key: Option<KeyRequest>,
    /// Which port is wanted.
    pub request: PortRequest,
    /// How many ports; the further ones are named `SERVICE/port2` and so on.
    #[serde(default = "one")]
    pub slots: u16,
    /// How the leases end.
    pub owner: LeaseKind,
    /// What the caller found busy. A lease that this owner holds on such a port is given up.
    #[serde(default)]
    pub busy: Vec<BusyPort>,
    /// The agent that asks; absent where a person does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Agent>,
}

fn one() -> u16 {
    1
}

/// Which ports the proxy is to have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProxyWish {
    /// 80 and 443 where this user may have them, else 4080 and 4443, else the next free ones.
    #[default]
    Auto,
    /// This one for `http`, else the next free one.
    Port(u16),
    /// None: names are for programs that look them up, and there is no proxy.
    Off,
}

/// Where the proxy is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProxyPorts {
    /// The port of `http`, where there is one.
    #[serde(default)]
    pub http: Option<u16>,
    /// The port of `https`, where there is one.
    #[serde(default)]
    pub https: Option<u16>,
}

/// One listener of the proxy's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProxyListener {
    /// `http`, `https` or `tcp`.
    pub scheme: String,
    /// The address.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
}

/// One route of the proxy's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteReport {
    /// The host.
    pub host: String,
    /// The beginning of the path.
    pub path: String,
    /// What people call the upstream.
    pub upstream: String,
    /// Where it is dialled.
    pub addresses: Vec<SocketAddr>,
    /// `up`, `starting`, `dormant` or `ended`.
    pub condition: String,
    /// Whether it is served beyond this machine.
    pub lan: bool,
    /// Whether it leads to what wharf did not start.
    #[serde(default)]
    pub alias: bool,
}

/// How a note of [`ProxyStatus`] begins that says why a name is not served beyond this machine.
pub const NO_LAN: &str = "no LAN: ";

/// How the proxy is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProxyStatus {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Where it listens.
    pub listeners: Vec<ProxyListener>,
    /// By host and path.
    pub routes: Vec<RouteReport>,
    /// How many connections of clients are open.
    pub connections: usize,
    /// What the user should know, each a sentence: why a port is not the usual one, what does not listen.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// The granted leases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseReply {
    /// [`SCHEMA`].
    pub schema: u32,
    /// One per slot, in their order.
    pub leases: Vec<Lease>,
    /// The host label of the project whose they are; absent for nobody's.
    #[serde(default)]
    pub label: Option<String>,
    /// What the user should know of the store, each a sentence.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// Where the proxy is reached; absent from daemons that have none.
    #[serde(default)]
    pub proxy: ProxyPorts,
}

/// Several requests that are granted together or not at all: those of a whole project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseBatch {
    /// The requests; later ones see what earlier ones were given.
    pub requests: Vec<LeaseRequest>,
}

/// What several requests were granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseBatchReply {
    /// [`SCHEMA`].
    pub schema: u32,
    /// One for each request, in their order.
    pub replies: Vec<LeaseReply>,
}

/// Which leases to release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Released {
    /// Those on these ports.
    Ports(Vec<Port>),
    /// Those of this instance, its further ports included.
    Key(ServiceKey),
    /// Those with these numbers.
    Leases(Vec<i64>),
    /// Every lease with a time to live.
    AllTtl,
    /// That of a service which turned out not to use its port: it is not remembered either.
    Unused(ServiceKey),
    /// None, but the remembered ports of these, as far as they are not held now.
    Homes(Vec<ServiceKey>),
}

/// A request to release leases, all of the selected or none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseRequest {
    /// Which.
    pub release: Released,
    /// Who asks: a lease of a living process is released for that process alone.
    #[serde(default)]
    pub by: Option<ProcessId>,
}

/// What was released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseReply {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The leases that are no more.
    pub leases: Vec<Lease>,
}

/// Done, and there is no more to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// [`SCHEMA`].
    pub schema: u32,
}

/// A remembered port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HomeReport {
    /// Whose.
    #[serde(flatten)]
    pub key: ServiceKey,
    /// The port.
    pub port: Port,
    /// When it was last in use: seconds since the Unix epoch.
    pub last_use: u64,
}

/// Everything that the daemon knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The daemon's version, so that one question is enough. Absent from the first daemons.
    #[serde(default)]
    pub version: Option<String>,
    /// By port.
    pub leases: Vec<Lease>,
    /// By key, those that have ended included as long as they are remembered.
    pub instances: Vec<Instance>,
    /// By port.
    pub homes: Vec<HomeReport>,
    /// The network namespace in which the daemon looks after instances, by its inode: it tells by
    /// [`NoticeKind::LookAgain`] of what happens to one without its own pilot being told. Absent where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looks_after: Option<u64>,
}

/// The daemon is about to end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopping {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The process that ends.
    pub pid: u32,
}

/// One line of the event stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Milliseconds since the Unix epoch, for display only.
    pub time_ms: u64,
    /// What happened.
    #[serde(flatten)]
    pub kind: NoticeKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum NoticeKind {
    /// The stream has begun: everything from now on is told.
    Subscribed,
    /// A lease was granted.
    LeaseGranted {
        /// The lease.
        lease: Box<Lease>,
    },
    /// A lease has ended.
    LeaseReleased {
        /// The lease as it was.
        lease: Box<Lease>,
    },
    /// An instance is as told.
    Instance {
        /// The instance.
        instance: Box<Instance>,
    },
    /// An instance was forgotten.
    InstanceForgotten {
        /// Its id.
        id: String,
    },
    /// Something has changed of which pilots are not told: a listener was closed by a process that lives on, another
    /// one came to its port, or a checkout is missing. Their pilots look for themselves.
    LookAgain {
        /// The instances that it may matter to.
        ids: Vec<String>,
    },
    /// Something happened to the store.
    Store {
        /// A sentence.
        message: String,
    },
    /// The reader was too slow; the stream ends here and a new one begins with a snapshot.
    Lagged {
        /// How many events it missed.
        missed: u64,
    },
    /// The daemon ends.
    Stopping,
    /// Something that this program does not know of: the daemon is newer.
    #[serde(other)]
    Unknown,
}

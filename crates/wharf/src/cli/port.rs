//! `wharf port`: a free port that stays free, for a script or a command.

use std::ffi::OsString;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use wharf_control::api::{KeyRequest, LeaseReply, LeaseRequest};
use wharf_model::plan::{Arg, Hint, LaunchPlan};
use wharf_model::request::PortArgument;
use wharf_model::{Access, LeaseKind, PathText, Port, PortRequest, Probe};
use wharf_plan::project::Project;
use wharf_supervisor::Keeping;

use super::Outcome;
use super::run::{current_dir, link_or_say, refuse_blocked, service_name};
use crate::events::Sink;
use crate::link::{self, Link};
use crate::pilot::{Caller, Kind, Orders, Run};
use crate::place::{Keep, Place, Wanted};
use crate::render;
use crate::report::{Code, Report};
use crate::settings::Bind;

/// Where the search begins when nobody says: the conventional port of most web servers.
const NEAR: u16 = 8000;

/// Seconds that a lease without a command lasts.
const TTL_S: u64 = 60;

/// How long a command's tree has between the first signal and SIGKILL.
const GRACE: Duration = Duration::from_secs(5);

/// The largest number of ports in one request; what a project needs, and far from exhausting the range.
const COUNT_MAX: i64 = 64;

/// Lease one or more free ports, alone or for a command.
///
/// Without a command the ports are printed, one a line, and leased for a while: no other wharf gives
/// them away. With a command they are held until it ends, and `{port}`, `{port2}`, … in its arguments
/// and PORT, PORT2, … in its environment are the ports. A program that speaks portpicker's protocol leases
/// for itself: `export PORTSERVER_ADDRESS="$(wharf port --server)"`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Take this port or the next free one above it
    #[arg(long, value_name = "P")]
    near: Option<Port>,
    /// How many ports
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=COUNT_MAX))]
    count: u16,
    /// Remember the ports for this service of the project: the same ones every time
    #[arg(long, value_name = "NAME", value_parser = service_name)]
    service: Option<String>,
    /// Seconds that the lease lasts without a command
    #[arg(long, value_name = "SECONDS", default_value_t = TTL_S, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    ttl: u64,
    /// Print the address of the port server, for PORTSERVER_ADDRESS
    #[arg(long, conflicts_with_all = ["near", "count", "service", "ttl", "command"])]
    server: bool,
    /// Print one JSON document
    #[arg(long, conflicts_with = "command")]
    json: bool,
    /// The command that the ports are for
    #[arg(last = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// Leases the ports and prints them, or runs the command on them.
pub(crate) fn run(args: Args) -> Outcome {
    if args.server {
        return super::block_on(print_server(args.json))?;
    }
    refuse_blocked(args.near.map(PortArgument::AtLeast), "--near")?;
    let dir = current_dir()?;
    let key = args.service.as_ref().map(|service| {
        let project = project(&dir);
        KeyRequest {
            project: PathText::new(&project.path),
            worktree: project.worktree,
            service: service.clone(),
            instance: None,
        }
    });
    if args.command.is_empty() {
        super::block_on(print_ports(&args, key))?
    } else {
        super::block_on(hold_for_command(&args, key, dir))?
    }
}

fn project(dir: &Path) -> Project {
    // A path that cannot be resolved is taken as it is: it only names the service.
    let dir = std::fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    Project::of(&dir, wharf_os::user::home().as_deref())
}

/// A remembered service goes home; without a memory the search begins where it was said to.
fn request(args: &Args) -> PortRequest {
    let near = args.near.or(Port::new(NEAR)).expect("8000 is not 0");
    PortRequest::Remembered(near)
}

async fn print_ports(args: &Args, key: Option<KeyRequest>) -> Outcome {
    let link = Link::open().await?;
    // Two `wharf port --service db` at once ask for the same thing and get the same ports.
    let key = key.map(|key| KeyRequest { instance: Some(1), ..key });
    let LeaseReply { leases, .. } = link
        .lease(&LeaseRequest {
            request_id: link::request_id(),
            key,
            request: request(args),
            slots: args.count,
            owner: LeaseKind::Ttl(args.ttl),
            busy: Vec::new(),
            agent: crate::agent::of_caller(),
        })
        .await?;
    if args.json {
        render::port::json(&leases)?;
    } else {
        render::port::text(&leases)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The address where the daemon leases to whoever speaks portpicker's protocol. It is started if need be.
async fn print_server(as_json: bool) -> Outcome {
    // A daemon that runs may be older than the protocol; opening replaces it.
    let _link = Link::open().await?;
    let address = link::paths()?.port_server;
    if let Err(error) = UnixStream::connect(&address) {
        let address = address.display();
        let report = Report::new(Code::Daemon, format!("nobody serves ports on {address}"));
        let help = "`wharf daemon stop` and try again; the daemon's log says why";
        return Err(report.why(error.to_string()).help(help));
    }
    render::port::server(&address, as_json)?;
    Ok(ExitCode::SUCCESS)
}

async fn hold_for_command(args: &Args, key: Option<KeyRequest>, dir: PathBuf) -> Outcome {
    let args = &Args { count: count(args), ..args.clone() };
    let caller = Caller::now();
    let orders = Orders::take(&caller)?;
    let link = link_or_say(Link::open().await);
    let anonymous = key.is_none();
    let wanted =
        Wanted { key, request: request(args), count: usize::from(args.count), keep: Keep::Shared };
    let place = Place::take(link.as_ref(), &wanted).await?;
    let run = Run {
        plan: plan(args, &dir),
        place,
        // An anonymous command is nobody's service, so it is not listed as one; its lease is.
        link: link.filter(|_| !anonymous),
        caller,
        orders,
        events: Sink::default(),
        begun: Instant::now(),
        grace: GRACE,
        loopback_only: false,
        bind: Bind::AskTheFramework,
        true_names: true,
        watch: Vec::new(),
        kind: Kind::Command,
        access: Access::default(),
        mode: None,
        keeping: Keeping::default(),
        declared: None,
    };
    Ok(ExitCode::from(run.until_the_end().await?))
}

/// At least as many ports as the command's words name.
fn count(args: &Args) -> u16 {
    let is_named = |slot: u16| {
        let name = format!("{{port{slot}}}");
        args.command.iter().any(|word| word.to_string_lossy().contains(&name))
    };
    let most = u16::try_from(COUNT_MAX).unwrap_or(u16::MAX);
    let named = (2..=most).rev().find(|slot| is_named(*slot)).unwrap_or(1);
    args.count.max(named)
}

/// The command as it is, with the placeholders in its words and the ports in its environment.
fn plan(args: &Args, dir: &Path) -> LaunchPlan {
    let project = project(dir);
    let word = |word: &OsString| match word.to_str() {
        Some(text) if text.contains("{port") => Arg::Template(text.to_owned()),
        _ => Arg::Given(word.clone()),
    };
    let mut env = vec![("PORT".to_owned(), "{port}".to_owned())];
    env.extend((2..=args.count).map(|slot| (format!("PORT{slot}"), format!("{{port{slot}}}"))));
    LaunchPlan {
        project: PathText::new(&project.path),
        worktree: project.worktree,
        root: project.root,
        dir: dir.to_owned(),
        service: args.service.clone().unwrap_or_else(|| "port".to_owned()),
        primary: false,
        framework: None,
        request: request(args),
        extra_ports: usize::from(args.count - 1),
        argv: args.command.iter().map(word).collect(),
        env,
        files: Vec::new(),
        hint: Hint::Convention,
        // It may be a test suite that counts its requests: it is asked nothing.
        probe: Probe::Listen,
        hands_host: false,
        programs: Vec::new(),
        trace: Vec::new(),
    }
}

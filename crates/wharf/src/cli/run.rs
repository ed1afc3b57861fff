//! `wharf run`: a dev server in the foreground, on a port that nobody had to choose.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use wharf_control::api::KeyRequest;
use wharf_model::plan::Arg;
use wharf_model::request::PortArgument;
use wharf_model::{LaunchPlan, Restart};
use wharf_os::guard::SpawnError;
use wharf_os::remap::Mode;
use wharf_supervisor::Keeping;

use super::Outcome;
use crate::events::Sink;
use crate::pilot::{self, Caller, Kind, Orders};
use crate::place::{Keep, Place, Wanted};
use crate::remap::Wish;
use crate::report::{Code, Report};
use crate::settings::Settings;
use crate::ways::{Asked, Ways};
use crate::{link, narrate, time};

/// How long a tree has between the first signal and SIGKILL, unless `--grace` says otherwise.
const GRACE: Duration = Duration::from_secs(5);

/// How long a server on demand may be without a connection, unless `--idle` says otherwise.
const IDLE: Duration = Duration::from_secs(15 * 60);

/// Run a dev server on its conventional port, or on a leased one.
///
/// Without a command, wharf looks for what the project runs: a `dev`, `start` or `serve` script of
/// package.json, manage.py, a FastAPI or Flask module, a Spring Boot build, Cargo.toml, go.mod.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The port: N exactly, N+ for N or the next free one, or `auto` to set aside a port in the command
    #[arg(long, value_name = "N|N+|auto")]
    port: Option<PortArgument>,
    /// The name of the service, in its URL and for its remembered port
    #[arg(long, value_name = "SERVICE", value_parser = service_name)]
    name: Option<String>,
    /// Which instance of the service this is, from 1 [default: the lowest that does not run]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=999))]
    instance: Option<u32>,
    /// End the server rather than let it be reached from other machines
    #[arg(long)]
    loopback: bool,
    /// Let other machines of the local network reach it too, at http://NAME.local
    #[arg(long, conflicts_with_all = ["no_daemon", "loopback"])]
    lan: bool,
    /// Do without the daemon: the port is neither remembered nor listed
    #[arg(long)]
    no_daemon: bool,
    /// Do not hold the port with a socket of wharf's own, for programs that bind without SO_REUSEADDR
    #[arg(long)]
    no_reserve: bool,
    /// Listen on the port from the start, so that connections wait for the server instead of being refused
    #[arg(long)]
    hold: bool,
    /// Start the server at the first connection, and end it when it is idle; holds the port as well
    #[arg(long)]
    on_demand: bool,
    /// Give the listening socket to the program, as systemd would: descriptor 3, LISTEN_FDS; holds the port as well
    #[arg(long)]
    socket: bool,
    /// How long a server on demand may be without a connection: seconds, or `15m`, `2h` [default: 15m]
    #[arg(long, value_name = "TIME", requires = "on_demand", value_parser = time::duration)]
    idle: Option<Duration>,
    /// Start the server again when it ends with a failure
    #[arg(long)]
    restart_on_crash: bool,
    /// Start the server again when a file changes whose path fits, such as `src/**/*.py`
    #[arg(long, value_name = "GLOB")]
    watch: Vec<String>,
    /// How a port that the program names itself is remapped [default: auto]
    #[arg(long, value_name = "MODE", value_enum)]
    remap: Option<Wish>,
    /// Whether the program sees the port that it really has; `off`: the one that it named
    #[arg(long, value_name = "on|off", default_value = "on", action = clap::ArgAction::Set, value_parser = on_off)]
    true_names: bool,
    /// Write wharf's events as one JSON document a line to a file, or to an open descriptor by number
    #[arg(long, value_name = "FILE|FD")]
    events: Option<PathBuf>,
    /// Seconds between the first signal and SIGKILL when the server has to end
    #[arg(long, value_name = "SECONDS", default_value_t = GRACE.as_secs(), value_parser = clap::value_parser!(u64).range(0..=3600))]
    grace: u64,
    /// The command and its arguments
    #[arg(trailing_var_arg = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// A service's name is a label of its URL.
pub(super) fn service_name(text: &str) -> Result<String, String> {
    let slug = wharf_model::name::slug(text);
    if text.is_empty() {
        Err("a name needs at least one letter or digit".into())
    } else if slug == text {
        Ok(slug)
    } else {
        Err(format!("use lower-case letters, digits and hyphens, such as `{slug}`"))
    }
}

/// Runs the server to its end and passes its exit code on.
pub(crate) fn run(args: Args) -> Outcome {
    let begun = Instant::now();
    let caller = Caller::now();
    let events = Sink::open(args.events.as_deref())?;
    let dir = current_dir()?;
    let plan = plan(&args, &dir)?;
    refuse_blocked(args.port, "--port")?;
    find_program(&plan)?;
    let settings = Settings::load(&plan.root)?;
    let asked = Asked {
        remap: args.remap,
        loopback: args.loopback,
        lan: args.lan,
        no_daemon: args.no_daemon,
        holds: args.hold || args.on_demand || args.socket,
        passes: args.socket,
    };
    let ways = Ways::choose(&plan, &settings, asked)?;
    let code = super::block_on(go(&args, plan, ways, caller, events, begun))??;
    Ok(ExitCode::from(code))
}

async fn go(
    args: &Args,
    plan: LaunchPlan,
    ways: Ways,
    caller: Caller,
    events: Sink,
    begun: Instant,
) -> Result<u8, Report> {
    // From here on Ctrl-C is ours to handle: before the launch there is only a lease to lose.
    let orders = Orders::take(&caller)?;
    let Ways { mode, wish, bind, loopback_only, access, passes } = ways;
    let (link, place) = match outer_place(args, &plan) {
        Some(place) => (None, place),
        None => tokio::select! {
            biased;
            code = orders.ended_by() => return Ok(code),
            taken = take_place(args, &plan, (mode, wish), passes) => taken?,
        },
    };
    let run = pilot::Run {
        plan,
        place,
        link,
        caller,
        orders,
        events,
        begun,
        grace: Duration::from_secs(args.grace),
        loopback_only,
        bind,
        true_names: args.true_names,
        watch: args.watch.clone(),
        kind: Kind::Server,
        access,
        mode,
        keeping: keeping(args, passes),
        declared: None,
    };
    run.until_the_end().await
}

/// When the server is launched, and launched again.
fn keeping(args: &Args, passes: bool) -> Keeping {
    Keeping {
        hold: args.hold,
        pass: passes,
        idle: args.on_demand.then(|| args.idle.unwrap_or(IDLE)),
        restart: if args.restart_on_crash { Restart::OnFailure } else { Restart::No },
        adopt: args.restart_on_crash || !args.watch.is_empty(),
    }
}

/// `on` or `off`.
fn on_off(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("use `on` or `off`".into()),
    }
}

async fn take_place(
    args: &Args,
    plan: &LaunchPlan,
    (mode, wish): (Option<Mode>, Wish),
    passes: bool,
) -> Result<(Option<link::Link>, Place), Report> {
    let link = match args.no_daemon {
        true => None,
        false => link_or_say(link::Link::open().await),
    };
    let key = KeyRequest {
        project: plan.project.clone(),
        worktree: plan.worktree.clone(),
        service: plan.service.clone(),
        instance: args.instance,
    };
    let count = 1 + plan.extra_ports;
    if wish == Wish::Address {
        let port = plan.request.wanted();
        let place = Place::at_address(link.as_ref(), &key, port, count).await?;
        return Ok((link, place));
    }
    let wanted = Wanted {
        key: Some(key),
        request: plan.request,
        count,
        keep: match (args.no_reserve, mode) {
            (true, _) => Keep::Not,
            (false, None) if !passes => Keep::Shared,
            // Nobody but wharf binds the port.
            (false, _) => Keep::Alone,
        },
    };
    let place = Place::take(link.as_ref(), &wanted).await?;
    Ok((link, place))
}

/// Inside another wharf of the same checkout (`wharf run npm run dev`, whose script says `wharf run`)
/// the outer one has leased and watches the port: this one hands it on. Where a port, a name or an
/// instance is asked for, something else is meant.
fn outer_place(args: &Args, plan: &LaunchPlan) -> Option<Place> {
    let asks = args.port.is_some() || args.name.is_some() || args.instance.is_some();
    let root = std::env::var_os("WHARF_ROOT")?;
    let same_service = std::env::var("WHARF_SERVICE").is_ok_and(|name| name == plan.service);
    if asks || !same_service || plan.root != Path::new(&root) || plan.extra_ports > 0 {
        return None;
    }
    let port = std::env::var("WHARF_PORT").ok()?.parse().ok()?;
    let instance = std::env::var("WHARF_INSTANCE").ok()?.parse().ok()?;
    let id = std::env::var("WHARF_ID").ok()?;
    narrate::line(&format!("inside another wharf: this runs on its port {port}"));
    let url = std::env::var("WHARF_URL").unwrap_or_default();
    let label = wharf_model::name::label_in(&url).map(str::to_owned);
    Some(Place::of_outer(port, instance, id, label))
}

/// A pilot without a daemon still runs its server, and says what is missing.
pub(super) fn link_or_say(link: Result<link::Link, Report>) -> Option<link::Link> {
    match link {
        Ok(link) => Some(link),
        Err(report) => {
            narrate::warning(&format!("runs without the daemon: {}", report.what));
            for why in &report.why {
                narrate::line(&format!("  why: {why}"));
            }
            narrate::line("  the port is neither remembered nor listed, but held all the same");
            None
        }
    }
}

/// The folder that commands start from.
pub(crate) fn current_dir() -> Result<PathBuf, Report> {
    std::env::current_dir().map_err(|error| {
        Report::new(Code::Failed, "the current folder cannot be read")
            .because(&error)
            .help("it may have been deleted or moved: `cd` to a folder that exists")
    })
}

fn plan(args: &Args, dir: &Path) -> Result<LaunchPlan, Report> {
    let home = wharf_os::user::home();
    let request = wharf_plan::Request {
        dir,
        command: (!args.command.is_empty()).then_some(args.command.as_slice()),
        port: args.port,
        service: args.name.as_deref(),
        env: &|name| std::env::var_os(name),
        home: home.as_deref(),
    };
    wharf_plan::plan(&request).map_err(Report::from)
}

/// A command that does not exist takes no port, and no home that others would have to avoid.
fn find_program(plan: &LaunchPlan) -> Result<(), Report> {
    if let Some(Arg::Given(name)) = plan.argv.first() {
        let path = std::env::var_os("PATH");
        wharf_os::program::find(name, path.as_deref(), &plan.dir)
            .map_err(|error| Report::from(SpawnError::from(error)))?;
    }
    Ok(())
}

/// A browser would refuse the URL that wharf prints, so the number cannot be what was meant. A blocked
/// port that stands in the command itself is the user's business; `Place::story` warns of it.
pub(super) fn refuse_blocked(port: Option<PortArgument>, option: &str) -> Result<(), Report> {
    let Some(PortArgument::Exactly(port) | PortArgument::AtLeast(port)) = port else {
        return Ok(());
    };
    if !port.is_browser_blocked() {
        return Ok(());
    }
    let other =
        wharf_model::policy::fallback_ports(port, wharf_model::PortRange::LINUX_EPHEMERAL).next();
    let other = other.map_or_else(|| "8000".to_owned(), |port| port.to_string());
    Err(Report::new(Code::Usage, format!("port {port} cannot be opened in a browser"))
        .why("it is on the Fetch standard's list of blocked ports, so every browser refuses it")
        .help(format!("choose another, such as `{option} {other}`")))
}

//! `wharf focus`: a port that leads to the checkout of the user's choice.

use std::process::ExitCode;

use wharf_control::focus::{FocusList, FocusReport, FocusRequest};
use wharf_model::event::SCHEMA;
use wharf_model::{Instance, PathText, Port, Remap, name};
use wharf_plan::project::Project;

use super::Outcome;
use super::run::current_dir;
use crate::link::Link;
use crate::report::{Code, Report};
use crate::up::crew::called;
use crate::{choice, narrate, render};

/// Have `localhost:3000` lead to this checkout.
///
/// An OAuth provider or a webhook knows one address, `http://localhost:3000`, whichever of five worktrees
/// is meant. `wharf focus` in one of them holds that port and forwards it to the service that runs there,
/// until `wharf focus` is said in another. The next request of an open browser connection goes to the new
/// one; requests, streams and WebSockets under way go on where they began. Prints the URL.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A service of this checkout, or a name as `wharf ls` shows it
    #[arg(value_name = "SERVICE", conflicts_with_all = ["list", "off"])]
    service: Option<String>,
    /// The port to hold; by default the one that the service wants
    #[arg(long, value_name = "N", conflicts_with = "list")]
    port: Option<Port>,
    /// Pass on bytes that need not be HTTP; connections that are open stay where they lead
    #[arg(long, conflicts_with_all = ["list", "off"])]
    tcp: bool,
    /// Show the ports that are held in this way, and where they lead
    #[arg(long)]
    list: bool,
    /// Give the port back
    #[arg(long, conflicts_with = "list")]
    off: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Does what was asked.
pub(crate) fn run(args: &Args) -> Outcome {
    let done = super::block_on(done(args))??;
    match (args.json, done) {
        (true, Did::Listed(list) | Did::Gave(list) | Did::Led(list, _)) => render::json(&list)?,
        (true, Did::Nothing(_)) => {
            render::json(&FocusList { schema: SCHEMA, focuses: Vec::new() })?;
        }
        (false, Did::Listed(list)) => render::text(&render::focus::text(&list))?,
        (false, Did::Gave(list)) => {
            for focus in &list.focuses {
                narrate::line(&format!("localhost:{} is given back", focus.port));
            }
        }
        (false, Did::Led(list, before)) => {
            tell(&list, before.as_ref());
            let all = list.focuses.iter().map(|focus| address(focus.port, focus.tcp));
            render::text(&all.collect::<String>())?;
        }
        (false, Did::Nothing(port)) => render::text(&address(port, args.tcp))?,
    }
    Ok(ExitCode::SUCCESS)
}

enum Did {
    Listed(FocusList),
    Gave(FocusList),
    /// With where the port led before.
    Led(FocusList, Option<FocusReport>),
    /// The port is the service's own.
    Nothing(Port),
}

async fn done(args: &Args) -> Result<Did, Report> {
    if args.list {
        return Ok(Did::Listed(Link::open().await?.focuses().await?));
    }
    if args.off {
        let known = Link::open().await?.focuses().await?.focuses;
        let port = match args.port {
            Some(port) => port,
            None => the_one(&known)?,
        };
        return Ok(Did::Gave(Link::open().await?.delete_focus(port).await?));
    }
    let link = Link::open().await?;
    let all = link.snapshot().await?.instances;
    let live: Vec<Instance> = all.into_iter().filter(|one| one.state.is_live()).collect();
    let chosen = chosen(&live, args.service.as_deref())?;
    let wanted = args.port.or_else(|| Port::new(chosen.requested_port)).ok_or_else(|| {
        Report::new(Code::Usage, "the service wants no port").help("name one: `--port 3000`")
    })?;
    if has(chosen, wanted) {
        narrate::line(&format!(
            "localhost:{wanted} is {} itself: there is nothing to do",
            choice::short_name(chosen)
        ));
        return Ok(Did::Nothing(wanted));
    }
    let mut before = link.focuses().await?.focuses;
    before.retain(|focus| focus.port == wanted);
    let request =
        FocusRequest { key: chosen.key.clone(), tcp: args.tcp, agent: crate::agent::of_caller() };
    match link.put_focus(wanted, request).await {
        Ok(list) => Ok(Did::Led(list, before.pop())),
        Err(report) if report.code == Code::Conflict => Err(taken(report, wanted, &live)),
        Err(report) => Err(report),
    }
}

/// Whether an instance has the port of this machine's `localhost` itself.
fn has(instance: &Instance, port: Port) -> bool {
    let own = instance.port == port.get() && instance.remap != Remap::Address;
    own || instance.listeners.iter().any(|listener| {
        let address = listener.address;
        let is_usual = ["127.0.0.1", "::1"].iter().any(|usual| address.to_string() == *usual);
        listener.port == port.get() && (address.is_unspecified() || is_usual)
    })
}

/// The port is another's: how it may be had.
fn taken(report: Report, port: Port, live: &[Instance]) -> Report {
    let holder = live.iter().find(|instance| has(instance, port));
    let help = match holder {
        Some(holder) => {
            let name = choice::short_name(holder);
            format!(
                "`wharf stop {name}` frees it; started again after `wharf focus`, it gets another port"
            )
        }
        None => format!("`wharf who {port}` tells more about it"),
    };
    let report = Report { help: vec![help], ..report };
    report.help("or hold another port: `wharf focus --port N`")
}

/// The instance that is meant from the current folder.
fn chosen<'a>(live: &'a [Instance], service: Option<&str>) -> Result<&'a Instance, Report> {
    let dir = current_dir()?;
    let dir = std::fs::canonicalize(&dir).unwrap_or(dir);
    let project = Project::of(&dir, wharf_os::user::home().as_deref());
    let root = PathText::new(&project.root);
    let here: Vec<&Instance> = live.iter().filter(|instance| instance.root == root).collect();
    if let Some(wanted) = service {
        let is_meant = |instance: &&&Instance| {
            let key = &instance.key;
            called(&key.service, key.instance) == wanted
        };
        return match here.iter().find(is_meant) {
            Some(instance) => Ok(instance),
            None => choice::one(live, wanted),
        };
    }
    match here[..] {
        [] => {
            let what = format!("nothing runs in {}", project.root.display());
            Err(Report::new(Code::NotFound, what)
                .help("start it first, with `wharf run` or `wharf up`")
                .help("or name what runs elsewhere: `wharf focus NAME`, as in `wharf ls`"))
        }
        [instance] => Ok(instance),
        _ => primary(&here),
    }
}

/// The service that has the checkout's own name.
fn primary<'a>(here: &[&'a Instance]) -> Result<&'a Instance, Report> {
    let is_primary = |instance: &&&Instance| {
        let label = name::label_in(&instance.url).unwrap_or_default();
        let own = match instance.key.worktree.as_str() {
            "" => label.to_owned(),
            worktree => format!("{}.{label}", name::slug(worktree)),
        };
        choice::short_name(instance) == own
    };
    here.iter().find(is_primary).copied().ok_or_else(|| {
        let all: Vec<String> =
            here.iter().map(|one| called(&one.key.service, one.key.instance)).collect();
        Report::new(Code::Usage, "several services run here")
            .help(format!("say which: `wharf focus {}`", all.join("`, `wharf focus ")))
    })
}

/// The only port that is held.
fn the_one(known: &[FocusReport]) -> Result<Port, Report> {
    match known {
        [focus] => Ok(focus.port),
        [] => Err(Report::new(Code::NotFound, "`wharf focus` holds no port")),
        _ => {
            let all: Vec<String> = known.iter().map(|focus| focus.port.to_string()).collect();
            Err(Report::new(Code::Usage, "`wharf focus` holds several ports")
                .help(format!("say which by `--port`: {}", all.join(", "))))
        }
    }
}

fn tell(list: &FocusList, before: Option<&FocusReport>) {
    for focus in &list.focuses {
        if let Some(note) = &focus.note {
            narrate::warning(note);
        }
        let moved = before.filter(|before| before.key != focus.key);
        let before = moved.map(|before| format!(", and no longer to {}", before.key));
        narrate::line(&format!(
            "localhost:{} leads to {}{}",
            focus.port,
            focus.key,
            before.unwrap_or_default()
        ));
    }
}

fn address(port: Port, tcp: bool) -> String {
    match tcp {
        true => format!("localhost:{port}\n"),
        false => format!("http://localhost:{port}\n"),
    }
}

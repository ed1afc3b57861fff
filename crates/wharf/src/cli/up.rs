//! `wharf up`: a whole project.

use std::process::ExitCode;
use std::time::Duration;

use super::Outcome;
use super::run::current_dir;
use crate::link::Link;
use crate::pilot::Caller;
use crate::report::{Code, Report};
use crate::settings::{Aliases, INSTANCES_MAX};
use crate::up::aliases;
use crate::up::project::Wanted;
use crate::up::running::{Running, Wishes};
use crate::up::template;
use crate::{narrate, remap, time};

/// How long `-d` waits until everything is ready, unless `--timeout` says otherwise.
const TIMEOUT: Duration = Duration::from_secs(300);

/// Run a whole project: every service, as many instances as wanted.
///
/// What the project runs is read from `wharf.toml`, else from its Procfile, its package.json and workspaces,
/// its pyproject.toml, or the folders in it. All ports are leased together, services start when what they
/// depend on is ready, and one Ctrl-C ends all of them. What runs already and has not changed is left alone.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Services to run, with what they depend on; all of them where none is named
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
    /// Return once everything is ready, and leave it running
    #[arg(short, long)]
    detach: bool,
    /// How many instances of a service to run, such as `web=3`
    #[arg(long, value_name = "SERVICE=N", value_parser = scale, value_delimiter = ',')]
    scale: Vec<(String, u32)>,
    /// How long to wait until everything is ready: seconds, or `90s`, `5m`. In the foreground everything ends then
    /// [default: 5m with `-d`, else without end]
    #[arg(long, value_name = "TIME", value_parser = time::duration)]
    timeout: Option<Duration>,
    /// Print one JSON document once everything is ready, and no log
    #[arg(long)]
    json: bool,
}

/// A project that runs nothing, and has names for what runs already.
fn names_alone(root: &wharf_model::PathText, declared: &Aliases) -> Outcome {
    super::block_on(async { aliases::give(&Link::open().await?, root, declared).await })??;
    narrate::line("this project runs nothing; `wharf down` takes its aliases away");
    Ok(ExitCode::SUCCESS)
}

fn scale(text: &str) -> Result<(String, u32), String> {
    let bad = || format!("use a service and a number from 1 to {INSTANCES_MAX}, such as `web=3`");
    let (name, number) = text.split_once('=').ok_or_else(bad)?;
    let number = number.parse().ok().filter(|number| (1..=INSTANCES_MAX).contains(number));
    Ok((name.to_owned(), number.ok_or_else(bad)?))
}

/// Brings the project up.
pub(crate) fn run(args: Args) -> Outcome {
    let caller = Caller::now();
    let mut wanted = Wanted::read(&current_dir()?)?;
    let chosen: Vec<String> =
        wanted.chosen(&args.services)?.iter().map(|service| service.name.clone()).collect();
    for (name, number) in &args.scale {
        wanted.named(name)?;
        if !chosen.contains(name) {
            let what = format!("`{name}` is scaled, and not among the services that are to run");
            return Err(Report::new(Code::Usage, what)
                .help(format!("name it too: `wharf up {} {name}`", args.services.join(" "))));
        }
        let service = wanted.services.iter_mut().find(|service| service.name == *name);
        if let Some(service) = service {
            if service.is_step() {
                let what = format!("`{name}` is a step that ends: it runs once");
                return Err(Report::new(Code::Usage, what).help("leave it out of `--scale`"));
            }
            service.instances = *number;
        }
    }
    template::check(&wanted.services, &wanted.external)?;
    // Once here, so that the pilots find the answer; and before there is a runtime, since it forks.
    remap::choose(wanted.settings.remap.unwrap_or_default())?;
    let wishes = Wishes {
        services: args.services,
        scaled: args.scale.into_iter().map(|(name, _)| name).collect(),
        detach: args.detach,
        json: args.json,
        is_limited: args.detach || args.timeout.is_some(),
        timeout: args.timeout.unwrap_or(TIMEOUT),
    };
    let (root, declared, detach) = (wanted.root(), wanted.settings.alias.clone(), wishes.detach);
    if wanted.services.is_empty() && !declared.is_empty() {
        return names_alone(&root, &declared);
    }
    super::block_on(async {
        let code = Running::begin(wanted, wishes, caller).await;
        // What stays up keeps them. A daemon that is gone by now leaves them to the next `wharf down`.
        if !detach {
            let _ = aliases::take_away(&root).await;
        }
        code.map(ExitCode::from)
    })?
}

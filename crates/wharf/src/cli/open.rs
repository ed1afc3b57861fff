//! `wharf open`: a service in the browser.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::rc::Rc;
use std::time::Duration;

use wharf_model::Instance;
use wharf_os::program;

use super::Outcome;
use crate::checkout::Checkout;
use crate::link::Link;
use crate::report::{Code, Report};
use crate::up::crew::called;
use crate::up::session::is_up;
use crate::up::states;
use crate::{narrate, render};

/// How long a server that starts is waited for.
const READY: Duration = Duration::from_secs(15);

/// What opens a URL where nobody says otherwise.
const OPENERS: [&str; 3] = ["xdg-open", "wslview", "open"];

/// Without any of these there is no screen to open anything on.
const SCREENS: [&str; 3] = ["DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"];

/// Open a service of this checkout in the browser.
///
/// By `$BROWSER`, else by what the system has for it. A server that starts is waited for a while; one that is
/// not ready is never opened. Without a screen the URL is printed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A service (`web`), an instance (`web.2`), or a name as `wharf ls` shows it [default: the primary one]
    #[arg(value_name = "SERVICE")]
    service: Option<String>,
    /// Print the URL once it is ready, and open nothing
    #[arg(long)]
    print: bool,
}

/// Opens it.
pub(crate) fn run(args: &Args) -> Outcome {
    let instance = super::block_on(ready(args.service.as_deref()))??;
    let url = &instance.url;
    if args.print {
        render::text(&format!("{url}\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    match opener() {
        Some(words) => {
            start(&words, url)?;
            narrate::line(&format!("opened {url}"));
        }
        None => {
            narrate::line("there is nothing to open it with, so here is the URL");
            render::text(&format!("{url}\n"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The instance, once it serves.
async fn ready(name: Option<&str>) -> Result<Instance, Report> {
    let checkout = Checkout::here().await?;
    let instance = checkout.one(name)?.clone();
    if is_up(&instance) || instance.held {
        return Ok(instance);
    }
    let name = called(&instance.key.service, instance.key.instance);
    narrate::line(&format!("{name} is {}; waiting until it is ready", instance.state));
    let mut states = states::follow(Rc::new(Link::open().await?), instance.root.clone());
    let its_next = async {
        while let Some(next) = states.recv().await {
            if next.id == instance.id && (is_up(&next) || !next.state.is_live()) {
                return Some(next);
            }
        }
        None
    };
    match tokio::time::timeout(READY, its_next).await {
        Ok(Some(next)) if next.state.is_live() => Ok(next),
        Ok(_) => Err(Report::new(Code::Failed, format!("{name} has ended"))
            .help(format!("`wharf logs {name}` shows what it said"))),
        Err(_) => Err(Report::new(Code::TimedOut, format!("{name} is not ready"))
            .why(format!("{} s have passed", READY.as_secs()))
            .help(format!("`wharf wait {name}` waits longer; `wharf url {name}` prints the URL"))),
    }
}

/// The words of the command that opens a URL; `%s` in them stands for it.
fn opener() -> Option<Vec<OsString>> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(browsers) = set("BROWSER") {
        return browsers.to_string_lossy().split(':').map(words).find(|words| is_there(words));
    }
    SCREENS.iter().find_map(|name| set(name))?;
    OPENERS.into_iter().map(words).find(|words| is_there(words))
}

fn words(command: &str) -> Vec<OsString> {
    command.split_whitespace().map(OsString::from).collect()
}

fn is_there(words: &[OsString]) -> bool {
    let path = std::env::var_os("PATH");
    let is_there =
        |name: &OsString| program::find(name, path.as_deref(), OsStr::new(".").as_ref()).is_ok();
    words.first().is_some_and(is_there)
}

/// Starts it for itself: nobody waits for a browser, and no Ctrl-C here ends it.
fn start(words: &[OsString], url: &str) -> Result<(), Report> {
    let Some((name, rest)) = words.split_first() else { return Ok(()) };
    let mut command = Command::new(name);
    let mut is_named = false;
    for word in rest {
        let filled = word.to_string_lossy().replace("%s", url);
        is_named |= *word != *filled;
        command.arg(filled);
    }
    if !is_named {
        command.arg(url);
    }
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.process_group(0).spawn().map(drop).map_err(|error| {
        Report::new(Code::Failed, format!("`{}` cannot be started", name.display()))
            .because(&error)
            .help("`wharf open --print` prints the URL")
    })
}

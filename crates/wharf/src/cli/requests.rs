//! `wharf requests`: what went through the proxy.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use wharf_control::requests::{RequestList, RequestNoticeKind, RequestReport};

use super::Outcome;
use super::alias::name_of;
use crate::link::Link;
use crate::report::{Code, Report};
use crate::{narrate, render};

/// How long a daemon that has ended may take to be followed by the next one.
const GAP: Duration = Duration::from_secs(10);
/// The pause between two looks for it.
const PAUSE: Duration = Duration::from_millis(50);

/// Show the requests that go through the proxy.
///
/// Nothing is kept of them unless somebody looks, with `-f`, or they are inspected, with `--inspect on`.
/// Then the last 500 of each name are, in the daemon's memory: no fields, no bodies, and no values of
/// queries.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only those of this name and of the names below it
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Only the last so many
    #[arg(short = 'n', long, value_name = "REQUESTS", conflicts_with_all = ["follow", "inspect"])]
    last: Option<usize>,
    /// Go on with each as it is answered, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// Keep requests although nobody looks, until the daemon ends; or no longer
    #[arg(long, value_name = "on|off", conflicts_with_all = ["name", "follow"])]
    inspect: Option<Inspect>,
    /// Print one JSON document; with `-f` one a line
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Inspect {
    /// From now on, until the daemon ends
    On,
    /// No longer; what was kept is forgotten
    Off,
}

/// Does what was asked.
pub(crate) fn run(args: &Args) -> Outcome {
    let name = args.name.as_deref().map(|name| name_of(name, "wharf requests shop")).transpose()?;
    super::block_on(async {
        match args.inspect {
            Some(inspect) => set(matches!(inspect, Inspect::On), args.json).await,
            None if args.follow => follow(name.as_deref(), args.json).await,
            None => list(name.as_deref(), args).await,
        }
    })?
}

async fn set(inspect: bool, json: bool) -> Outcome {
    let inspecting = Link::open().await?.inspect(inspect).await?;
    match json {
        true => render::json(&inspecting)?,
        false if inspect => narrate::line("requests are kept from now on, until the daemon ends"),
        false => narrate::line("requests are no longer kept, and those that were are gone"),
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(name: Option<&str>, args: &Args) -> Outcome {
    let link = Link::open().await?;
    let mut list = link.kept_requests().await?;
    if let Some(name) = name {
        list.requests.retain(|request| is_of(request, name));
        if list.requests.is_empty() && !is_known(&link, name).await? {
            return Err(unknown(name));
        }
    }
    let surplus = args.last.map_or(0, |last| list.requests.len().saturating_sub(last));
    list.requests.drain(..surplus);
    if args.json {
        render::json(&list)?;
        return Ok(ExitCode::SUCCESS);
    }
    if list.requests.is_empty() {
        narrate::line(why_none(&list));
    } else {
        render::text(&render::requests::text(&list.requests))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Why there is nothing to show, and what to do about it.
fn why_none(list: &RequestList) -> &'static str {
    match list.inspecting || list.followed {
        true => "no request has come since requests are kept",
        false => {
            "no requests are kept: `wharf requests -f` shows them as they come, \
             `wharf requests --inspect on` keeps them from now on"
        }
    }
}

async fn follow(name: Option<&str>, json: bool) -> Outcome {
    let mut link = Link::open().await?;
    if let Some(name) = name
        && !is_known(&link, name).await?
    {
        narrate::line(&format!("nothing is named {name}.localhost yet"));
    }
    if !json && !render::still_read(&render::requests::head())? {
        return Ok(ExitCode::SUCCESS);
    }
    loop {
        let mut stream = link.requests().await?;
        // How a stream has ended matters less than what comes after it.
        while let Ok(Some(notice)) = stream.next().await {
            let of_others = match &notice.kind {
                RequestNoticeKind::Request { request } => name.is_some_and(|n| !is_of(request, n)),
                _ => false,
            };
            if of_others {
                continue;
            }
            let line = match json {
                true => render::json_line(&notice)?,
                false => render::requests::line(&notice.kind),
            };
            if !render::still_read(&line)? {
                return Ok(ExitCode::SUCCESS);
            }
        }
        link = next_daemon().await?;
        narrate::line("another daemon goes on; what came in between is not shown");
    }
}

/// The daemon that comes after the one that has ended. None is started: whoever ended it does not want it
/// back because somebody watched.
async fn next_daemon() -> Result<Link, Report> {
    let deadline = Instant::now() + GAP;
    loop {
        match Link::open_running().await {
            Ok(link) => return Ok(link),
            Err(report) if Instant::now() >= deadline => {
                return Err(Report { what: "the daemon has ended".to_owned(), ..report });
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Whether a request was for this name, or for one below it.
fn is_of(request: &RequestReport, name: &str) -> bool {
    is_at(&request.host, name) || request.upstream.as_deref() == Some(name)
}

fn is_at(host: &str, name: &str) -> bool {
    let short = host.strip_suffix(".localhost");
    short
        .and_then(|short| short.strip_suffix(name))
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

async fn is_known(link: &Link, name: &str) -> Result<bool, Report> {
    let routes = link.proxy().await?.routes;
    Ok(routes.iter().any(|route| is_at(&route.host, name) || route.upstream == name))
}

fn unknown(name: &str) -> Report {
    Report::new(Code::NotFound, format!("nothing is named {name}.localhost"))
        .help("`wharf proxy status` lists the names")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_itself_and_what_is_below_it() {
        assert!(is_at("shop.localhost", "shop") && is_at("api.shop.localhost", "shop"));
        assert!(!is_at("myshop.localhost", "shop") && !is_at("shop.example", "shop"));
        assert!(!is_at("shop.localhost", "api.shop"));
    }
}

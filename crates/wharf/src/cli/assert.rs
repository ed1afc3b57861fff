//! `wharf assert`: makes sure that it is this checkout that answers.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use wharf_control::api::ProxyListener;
use wharf_model::{Instance, Remap, name};
use wharf_os::diag::{self, Socket};

use super::Outcome;
use super::ls::listeners_of;
use crate::checkout::Checkout;
use crate::exchange::{self, Bounds, Exchange};
use crate::link::Link;
use crate::render::assert::{Found, Verdict};
use crate::report::{Code, Report};
use crate::silence::Silence;
use crate::up::crew::called;
use crate::{choice, facts, render};

/// How long an answer may take in all, and the longest head of one.
const ANSWER: Bounds = Bounds { within: Duration::from_secs(20), bytes: 64 * 1024 };

/// The field by which the proxy says which instance has answered.
const FIELD: &str = "x-wharf-instance";

/// Make sure that a service's URL is answered by this checkout.
///
/// Asks the URL by name who has answered, and the kernel who listens on the port. Fails where that is not the
/// instance of this checkout, and says who it is instead: for tests that must not run against another worktree.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Services (`web`) or instances (`web.2`); everything that runs in this checkout where none is named
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Looks, and says what was found.
pub(crate) fn run(args: &Args) -> Outcome {
    let (checkout, listeners) = super::block_on(known())??;
    let live = checkout.live();
    let chosen: Vec<&Instance> = match args.services.is_empty() {
        true if live.is_empty() => vec![checkout.one(None)?],
        // Who listens on nothing is asked by nobody.
        true => live.into_iter().filter(|i| !i.listeners.is_empty() || i.held).collect(),
        false => {
            let named = |name: &String| {
                crate::checkout::named(&live, name).ok_or_else(|| checkout.not_running(name))
            };
            args.services.iter().map(named).collect::<Result<_, _>>()?
        }
    };
    let sockets = diag::listeners()
        .map_err(|error| Report::bug("the kernel does not tell its listeners", &error))?;
    let proxy = listeners.iter().find(|one| one.scheme == "http" && one.address.is_loopback());
    let all = &checkout.snapshot.instances;
    let verdicts = chosen.iter().map(|instance| Verdict {
        name: called(&instance.key.service, instance.key.instance),
        instance,
        by_name: proxy.and_then(|proxy| by_name(instance, proxy, all)),
        direct: direct(instance, &sockets),
    });
    let verdicts: Vec<Verdict<'_>> = verdicts.collect();
    if args.json {
        render::assert::json(&verdicts)?;
        return Ok(ExitCode::from(u8::from(!verdicts.iter().all(Verdict::is_good))));
    }
    render::assert::text(&verdicts)?;
    match verdicts.iter().filter(|verdict| !verdict.is_good()).collect::<Vec<_>>()[..] {
        [] => Ok(ExitCode::SUCCESS),
        ref bad => Err(failure(bad)),
    }
}

async fn known() -> Result<(Checkout, Vec<ProxyListener>), Report> {
    let checkout = Checkout::here().await?;
    let listeners = Link::open().await?.proxy().await?.listeners;
    Ok((checkout, listeners))
}

fn failure(bad: &[&Verdict<'_>]) -> Report {
    let names: Vec<&str> = bad.iter().map(|verdict| verdict.name.as_str()).collect();
    let what = format!("this checkout does not answer for {}", names.join(", "));
    let mut report = Report::new(Code::Failed, what);
    for verdict in bad {
        for (url, found) in verdict.all().filter(|(_, found)| !found.is_own) {
            report = report.why(format!("{url}: {}", found.who));
        }
    }
    report.help("`wharf ls` shows what runs where, `wharf who PORT` who holds a port")
}

/// Who answers by name; `None` where its URL is no name of the proxy's.
fn by_name(instance: &Instance, proxy: &ProxyListener, all: &[Instance]) -> Option<Found> {
    let short = name::short_host(&instance.url).filter(|_| instance.remap != Remap::Address)?;
    let host = name::url("", &format!("{short}.{}", name::TLD), proxy.port);
    let host = host.trim_start_matches("://");
    let host = host.strip_suffix(":80").unwrap_or(host);
    let _silence = Silence::begin(format!("waits for an answer at {}", instance.url));
    Some(match ask(SocketAddr::new(proxy.address, proxy.port), host) {
        Ok(head) => match signature(&head) {
            Some(id) if id == instance.id => Found::own(),
            Some(id) => Found::other(match all.iter().find(|other| other.id == id) {
                Some(other) => {
                    format!("answered by {} ({})", choice::short_name(other), other.root)
                }
                None => format!("answered by an instance that nobody knows (id {id})"),
            }),
            None => Found::other(format!(
                "answered by no instance ({})",
                head.lines().next().unwrap_or_default().trim_start_matches("HTTP/1.1 ")
            )),
        },
        Err(error) => Found::other(format!("no answer: {error}")),
    })
}

/// The last one is the proxy's own, whatever a server says.
fn signature(head: &str) -> Option<&str> {
    let mut fields = head.lines().rev().filter_map(|line| line.split_once(':'));
    let own = fields.find(|(name, _)| name.eq_ignore_ascii_case(FIELD));
    own.map(|(_, value)| value.trim())
}

/// The head of an answer.
fn ask(at: SocketAddr, host: &str) -> std::io::Result<String> {
    let mut exchange = Exchange::open(at, ANSWER)?;
    let request = format!("HEAD / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let head = exchange.ask(request.as_bytes(), exchange::has_head)?;
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// Who listens on the port, by what the kernel says.
fn direct(instance: &Instance, sockets: &[Socket]) -> Found {
    let here = |socket: &&Socket| socket.port == instance.port;
    let own = listeners_of(instance.pilot_pid, sockets);
    let is_own = |socket: &Socket| {
        own.iter().any(|one| one.port == socket.port && one.address == socket.address)
    };
    let on_port: Vec<Socket> = sockets.iter().filter(here).cloned().collect();
    let strangers: Vec<Socket> = on_port.iter().filter(|s| !is_own(s)).cloned().collect();
    // Each with an address of its own may have the same port.
    if instance.remap == Remap::Address && on_port.iter().any(is_own) {
        return Found::own();
    }
    match (on_port.is_empty(), strangers.is_empty()) {
        (true, _) => Found::other("nobody listens".to_owned()),
        (false, true) => Found::own(),
        (false, false) => Found::other(format!("{} listens", facts::holder(&strangers))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_signature_counts() {
        let head = "HTTP/1.1 200 OK\r\nX-Wharf-Instance: forged\r\nx-wharf-instance: own\r\n\r\n";
        assert_eq!(signature(head), Some("own"));
        assert_eq!(signature("HTTP/1.1 421 Misdirected\r\n\r\n"), None);
    }
}

//! `wharf tcp`: a stable port for a service that does not speak HTTP.

use std::process::ExitCode;

use wharf_control::names::{TcpList, TcpRequest};
use wharf_model::{Instance, Port};

use super::Outcome;
use super::alias::name_of;
use crate::agent::of_caller;
use crate::link::Link;
use crate::report::{Code, Report};
use crate::{choice, narrate, render};

/// Give a service that does not speak HTTP a port that stays the same.
///
/// `wharf tcp db 5432` prints an address such as `127.0.0.1:15432`, which leads to port 5432 of this
/// machine. Without a port NAME is that of an instance, whatever port it has at the moment; of a name that
/// was given already the address is printed. Without a name the services are listed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The name of the service, or of an instance
    #[arg(value_name = "NAME", conflicts_with = "remove")]
    name: Option<String>,
    /// The port that it has now
    #[arg(value_name = "PORT", requires = "name")]
    port: Option<Port>,
    /// Take this name away; connections that are open stay
    #[arg(long, value_name = "NAME")]
    remove: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Does what was asked.
pub(crate) fn run(args: &Args) -> Outcome {
    let list = super::block_on(done(args))??;
    match (args.json, &args.remove, &args.name) {
        (true, ..) => render::json(&list)?,
        (false, Some(_), _) => {
            for service in &list.services {
                narrate::line(&format!("{} is no longer a TCP service", service.name));
            }
        }
        (false, None, Some(_)) => {
            for note in list.services.iter().filter_map(|service| service.note.as_ref()) {
                narrate::warning(note);
            }
            render::text(&render::tcp::address(&list))?;
        }
        (false, None, None) => render::text(&render::tcp::text(&list))?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn done(args: &Args) -> Result<TcpList, Report> {
    if let Some(name) = &args.remove {
        let name = name_of(name, "wharf tcp --remove db")?;
        return Link::open().await?.delete_tcp_name(&name).await;
    }
    let link = Link::open().await?;
    let Some(name) = &args.name else { return link.tcp_names().await };
    let name = name_of(name, "wharf tcp db 5432")?;
    if args.port.is_some() {
        return link.put_tcp_name(&name, TcpRequest { to: args.port, agent: of_caller() }).await;
    }
    let mut known = link.tcp_names().await?;
    known.services.retain(|service| service.name == name);
    if !known.services.is_empty() {
        return Ok(known);
    }
    // A service or a project may be meant, which is followed by the name that is its alone.
    let all = link.snapshot().await?.instances;
    let live: Vec<Instance> = all.iter().filter(|one| one.state.is_live()).cloned().collect();
    // One that has ended lately will have a port again.
    let found = choice::one(&live, &name).or_else(|_| choice::one(&all, &name));
    let instance = found.map_err(|report| match report.code {
        Code::NotFound => report.help(format!("name its port: `wharf tcp {name} PORT`")),
        _ => report,
    })?;
    link.put_tcp_name(&choice::short_name(instance), TcpRequest { to: None, agent: of_caller() })
        .await
}

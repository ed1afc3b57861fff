//! `wharf alias`: names for what wharf did not start.

use std::process::ExitCode;

use wharf_control::names::AliasList;
use wharf_model::Target;
use wharf_model::alias::parse_name;

use super::Outcome;
use crate::link::Link;
use crate::report::{Code, Report};
use crate::{narrate, render};

/// Give a name to a server that wharf did not start.
///
/// `wharf alias db-admin 5000` makes `http://db-admin.localhost` lead to port 5000 of this machine. The
/// name is kept until it is removed; it works whenever wharf's daemon runs. Without a target the aliases
/// are listed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// One label or more, such as `db-admin` or `api.shop`; `.localhost` may be left out
    #[arg(value_name = "NAME", conflicts_with = "remove")]
    name: Option<String>,
    /// A port, or `http://` or `https://` with a loopback address and a port
    #[arg(value_name = "PORT|URL", requires = "name")]
    target: Option<String>,
    /// Take this alias away
    #[arg(long, value_name = "NAME")]
    remove: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Does what was asked.
pub(crate) fn run(args: &Args) -> Outcome {
    let list = super::block_on(done(args))??;
    match (args.json, &args.remove, &args.target) {
        (true, ..) => render::json(&list)?,
        (false, Some(_), _) => {
            for alias in &list.aliases {
                narrate::line(&format!("{} no longer leads to {}", alias.name, alias.target));
            }
        }
        (false, None, Some(_)) => {
            if list.aliases.iter().any(|alias| alias.url.is_none()) {
                narrate::warning("no proxy listens: the name leads nowhere until one does");
            }
            render::text(&render::alias::address(&list))?;
        }
        (false, None, None) => render::text(&render::alias::text(&list))?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn done(args: &Args) -> Result<AliasList, Report> {
    if let Some(name) = &args.remove {
        let name = name_of(name, "wharf alias --remove db-admin")?;
        return Link::open().await?.delete_alias(&name).await;
    }
    let name = args.name.as_deref().map(|name| name_of(name, "wharf alias db-admin 5000"));
    match (name.transpose()?, &args.target) {
        (None, _) => Link::open().await?.aliases().await,
        (Some(name), None) => {
            let mut list = Link::open().await?.aliases().await?;
            list.aliases.retain(|alias| alias.name == name);
            match list.aliases.is_empty() {
                true => Err(Report::new(Code::NotFound, format!("there is no alias `{name}`"))
                    .help(format!("`wharf alias {name} PORT` makes it one"))),
                false => Ok(list),
            }
        }
        (Some(name), Some(target)) => put(&name, target).await,
    }
}

async fn put(name: &str, text: &str) -> Result<AliasList, Report> {
    let target = Target::parse(text).map_err(|error| {
        Report::new(Code::Usage, format!("`{}` is no target", render::printable(text)))
            .because(&error)
            .help("name a port, such as 5000, or a URL such as `https://127.0.0.1:8443`")
    })?;
    let link = Link::open().await?;
    let before = link.aliases().await?.aliases.into_iter().find(|alias| alias.name == name);
    let list = link.put_alias(name, target.to_string(), None).await?;
    if let Some(before) = before.filter(|before| before.target != target.to_string()) {
        narrate::line(&format!("{name} led to {} before", before.target));
    }
    Ok(list)
}

/// The name that a text means.
///
/// # Errors
/// It is none.
pub(super) fn name_of(text: &str, example: &str) -> Result<String, Report> {
    parse_name(text).map_err(|error| {
        Report::new(Code::Usage, format!("`{}` is no name", render::printable(text)))
            .because(&error)
            .help(format!("such as in `{example}`"))
    })
}

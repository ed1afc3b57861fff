//! The names that a project declares for what wharf does not start: there from `wharf up` to `wharf down`.

use std::time::Duration;

use wharf_control::names::AliasReport;
use wharf_model::PathText;

use crate::link::Link;
use crate::narrate;
use crate::report::Report;
use crate::settings::Aliases;

use super::turn;

/// How long another `wharf up` is waited for: what it starts keeps the names.
const PATIENCE: Duration = Duration::from_secs(60);

/// Gives all of them, and takes away what the checkout declares no longer. What cannot be given is said: what the
/// project runs does not depend on it, and names that a person or another checkout gave are not its own to change.
///
/// # Errors
/// There is no daemon.
pub(crate) async fn give(link: &Link, root: &PathText, aliases: &Aliases) -> Result<(), Report> {
    let known = link.aliases().await?.aliases;
    for (name, target) in aliases.iter() {
        let target = target.to_string();
        let before = known.iter().find(|alias| alias.name == name);
        if before.is_some_and(|before| before.target == target) {
            continue;
        }
        match link.put_alias(name, target.clone(), Some(root.clone())).await {
            Err(report) => {
                narrate::warning(&format!("the alias `{name}` is not given: {}", report.what));
            }
            Ok(_) => narrate::line(&match before {
                Some(before) => format!("{name} leads to {target}; it led to {}", before.target),
                None => format!("{name} leads to {target}"),
            }),
        }
    }
    let is_declared = |name: &str| aliases.iter().any(|(declared, _)| declared == name);
    for alias in known.iter().filter(|alias| alias.checkout.as_ref() == Some(root)) {
        if !is_declared(&alias.name) {
            take(link, alias).await?;
        }
    }
    Ok(())
}

/// Takes away what the checkout has given, where nothing of it runs any more.
///
/// # Errors
/// There is no daemon, or another `wharf up` of the checkout does not come to its end.
pub(crate) async fn take_away(root: &PathText) -> Result<(), Report> {
    let _turn = turn::of_up(root, PATIENCE).await?;
    let link = Link::open().await?;
    let instances = link.snapshot().await?.instances;
    if instances.iter().any(|i| i.state.is_live() && i.root == *root) {
        return Ok(());
    }
    let known = link.aliases().await?.aliases;
    for alias in known.iter().filter(|alias| alias.checkout.as_ref() == Some(root)) {
        take(&link, alias).await?;
    }
    Ok(())
}

async fn take(link: &Link, alias: &AliasReport) -> Result<(), Report> {
    link.delete_alias(&alias.name).await?;
    narrate::line(&format!("{} no longer leads to {}", alias.name, alias.target));
    Ok(())
}

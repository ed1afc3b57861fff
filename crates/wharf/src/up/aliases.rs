//! The names that a project declares for what wharf does not start: there from `wharf up` to `wharf down`.

use wharf_model::PathText;

use crate::link::Link;
use crate::narrate;
use crate::report::Report;
use crate::settings::Aliases;

/// Gives all of them. What cannot be given is said: what the project runs does not depend on it.
///
/// # Errors
/// There is no daemon.
pub(crate) async fn give(link: &Link, aliases: &Aliases) -> Result<(), Report> {
    if aliases.is_empty() {
        return Ok(());
    }
    let known = link.aliases().await?.aliases;
    for (name, target) in aliases.iter() {
        let target = target.to_string();
        let before = known.iter().find(|alias| alias.name == name);
        if before.is_some_and(|before| before.target == target) {
            continue;
        }
        match link.put_alias(name, target.clone()).await {
            Err(report) => {
                narrate::warning(&format!("the alias `{name}` is not given: {}", report.what));
            }
            Ok(_) => narrate::line(&match before {
                Some(before) => format!("{name} leads to {target}; it led to {}", before.target),
                None => format!("{name} leads to {target}"),
            }),
        }
    }
    Ok(())
}

/// Takes them away where nothing of the checkout runs any more. One that leads elsewhere by now is somebody else's.
///
/// # Errors
/// There is no daemon.
pub(crate) async fn take_away(root: &PathText, aliases: &Aliases) -> Result<(), Report> {
    if aliases.is_empty() {
        return Ok(());
    }
    let link = Link::open().await?;
    let instances = link.snapshot().await?.instances;
    if instances.iter().any(|i| i.state.is_live() && i.root == *root) {
        return Ok(());
    }
    let known = link.aliases().await?.aliases;
    for (name, target) in aliases.iter() {
        let target = target.to_string();
        if known.iter().any(|alias| alias.name == name && alias.target == target) {
            link.delete_alias(name).await?;
            narrate::line(&format!("{name} no longer leads to {target}"));
        }
    }
    Ok(())
}

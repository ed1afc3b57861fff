//! The answers of `wharf alias`.

use wharf_control::names::{AliasList, AliasReport};

use super::table::{Give, table};

/// All of them.
pub(crate) fn text(list: &AliasList) -> String {
    if list.aliases.is_empty() {
        return "there are no aliases\n".to_owned();
    }
    let give = Give { last_below: true, shortened: 0 };
    table(&["NAME", "LEADS TO", "URL"], list.aliases.iter().map(row), give)
}

fn row(alias: &AliasReport) -> Vec<String> {
    let url = match (&alias.url, alias.shadowed) {
        (_, true) => "(an instance has the name)".to_owned(),
        (Some(url), false) => url.clone(),
        (None, false) => "(no proxy listens)".to_owned(),
    };
    vec![alias.name.clone(), alias.target.clone(), url]
}

/// The bare URL of the one that was given; its host where no proxy listens.
pub(crate) fn address(list: &AliasList) -> String {
    let url = |alias: &AliasReport| {
        alias.url.clone().unwrap_or_else(|| format!("{}.localhost", alias.name))
    };
    list.aliases.iter().map(|alias| format!("{}\n", url(alias))).collect()
}

//! Names for what wharf did not start: their routes, and what may be one.

use std::sync::Arc;

use wharf_control::api::ProxyPorts;
use wharf_control::names::AliasReport;
use wharf_model::{Alias, Condition, Instance, Owner, Route, Upstream, name};

use crate::names;

/// Where the requests for an alias go.
pub(crate) fn route(alias: &Alias) -> Route {
    let project = alias.name.rsplit('.').next().unwrap_or(&alias.name);
    Route {
        host: host(alias),
        path: "/".to_owned(),
        site: format!("{project}.{}", name::TLD),
        origins: Vec::new(),
        guarded: true,
        origin_form: Default::default(),
        lan: false,
        upstream: Upstream {
            name: Arc::from(alias.name.as_str()),
            instance: None,
            addresses: alias.target.addresses(),
            protocol: alias.target.protocol(),
            owner: Owner::User,
            condition: Condition::Up,
        },
    }
}

fn host(alias: &Alias) -> String {
    format!("{}.{}", alias.name, name::TLD)
}

/// The instance that lives and has this name.
pub(crate) fn shadow<'a>(
    name: &str,
    mut instances: impl Iterator<Item = &'a Instance>,
) -> Option<&'a Instance> {
    let wanted = format!("{name}.{}", name::TLD);
    instances.find(|instance| {
        instance.state.is_live() && names::host(instance).as_ref() == Some(&wanted)
    })
}

/// As the URL of an instance: `https` where that is spoken.
fn url(host: &str, ports: ProxyPorts) -> Option<String> {
    let https = ports.https.map(|port| name::url("https", host, port));
    https.or_else(|| ports.http.map(|port| name::url("http", host, port)))
}

/// An alias for whoever asks.
pub(crate) fn report<'a>(
    alias: &Alias,
    ports: ProxyPorts,
    instances: impl Iterator<Item = &'a Instance>,
) -> AliasReport {
    AliasReport {
        name: alias.name.clone(),
        url: url(&host(alias), ports),
        target: alias.target.to_string(),
        shadowed: shadow(&alias.name, instances).is_some(),
        since: alias.since,
        checkout: alias.checkout.clone(),
    }
}

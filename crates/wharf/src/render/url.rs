//! The answer of `wharf url`.

use serde::Serialize;
use wharf_model::event::SCHEMA;
use wharf_model::{Instance, State};

use crate::report::Report;

#[derive(Debug, Serialize)]
struct Document<'a> {
    schema: u32,
    urls: Vec<Url<'a>>,
}

#[derive(Debug, Serialize)]
struct Url<'a> {
    service: &'a str,
    instance: u32,
    state: State,
    url: &'a str,
    direct_url: &'a str,
}

/// The bare URLs, one a line.
pub(crate) fn text(instances: &[&Instance], direct: bool) -> Result<(), Report> {
    let url = |instance: &&Instance| match direct {
        true => format!("{}\n", instance.direct_url),
        false => format!("{}\n", instance.url),
    };
    super::text(&instances.iter().map(url).collect::<String>())
}

/// One JSON document.
pub(crate) fn json(instances: &[&Instance]) -> Result<(), Report> {
    fn url(instance: &Instance) -> Url<'_> {
        Url {
            service: &instance.key.service,
            instance: instance.key.instance,
            state: instance.state,
            url: &instance.url,
            direct_url: &instance.direct_url,
        }
    }
    let urls = instances.iter().map(|instance| url(instance)).collect();
    super::json(&Document { schema: SCHEMA, urls })
}

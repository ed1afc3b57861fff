//! What another program starts of a project, in JSON documents.

use serde::Serialize;
use wharf_model::{External, Publication};

#[derive(Debug, Serialize)]
pub(crate) struct Outside {
    name: String,
    by: String,
    what: String,
    /// The ports of this machine by TCP.
    ports: Vec<u16>,
    published: Vec<Port>,
    source: String,
}

/// A port that is published.
#[derive(Debug, Serialize)]
struct Port {
    /// Null is every address.
    host_ip: Option<String>,
    /// `8080`, a range of which one is taken (`8000-8010`), or null: any that is free.
    published: Option<String>,
    target: u16,
    protocol: String,
}

impl Outside {
    pub(crate) fn of(external: &External) -> Outside {
        let External { name, by, what, published, source, .. } = external.clone();
        let published = published.iter().map(port).collect();
        Outside { name, by, what, ports: external.ports(), published, source }
    }
}

fn port(one: &Publication) -> Port {
    Port {
        host_ip: one.address.map(|address| address.to_string()),
        published: Some(one.host_text()).filter(|text| !text.is_empty()),
        target: one.target,
        protocol: one.protocol.clone(),
    }
}

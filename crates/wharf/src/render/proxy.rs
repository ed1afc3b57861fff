//! The answer of `wharf proxy status`.

use std::net::SocketAddr;

use wharf_control::api::{ProxyStatus, RouteReport};

use super::printable;
use super::table::{Give, table};

/// For people.
pub(crate) fn text(status: &ProxyStatus) -> String {
    let mut parts = Vec::new();
    if status.listeners.is_empty() {
        parts.push("no proxy listens: names lead to the servers' own ports\n".to_owned());
    } else {
        let rows = status.listeners.iter().map(|listener| {
            let address = SocketAddr::from((listener.address, listener.port));
            vec![listener.scheme.clone(), address.to_string()]
        });
        parts.push(table(
            &["SCHEME", "LISTENS ON"],
            rows,
            Give { last_below: false, shortened: 1 },
        ));
    }
    let notes: String =
        status.notes.iter().map(|note| format!("note: {}\n", printable(note))).collect();
    if !notes.is_empty() {
        parts.push(notes);
    }
    if !status.routes.is_empty() {
        let give = Give { last_below: true, shortened: 0 };
        parts.push(table(&["NAME", "IS", "LEADS TO"], status.routes.iter().map(row), give));
    }
    parts.join("\n")
}

fn row(route: &RouteReport) -> Vec<String> {
    let path = if route.path == "/" { "" } else { &route.path };
    let lan = if route.lan { ", LAN!" } else { "" };
    let is = if route.alias { "alias" } else { &route.condition };
    let addresses: Vec<String> = route.addresses.iter().map(ToString::to_string).collect();
    vec![printable(&format!("{}{path}", route.host)), format!("{is}{lan}"), addresses.join(" ")]
}

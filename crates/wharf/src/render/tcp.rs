//! The answers of `wharf tcp`.

use wharf_control::names::{TcpList, TcpReport};

use super::table::{Give, table};

/// All of them.
pub(crate) fn text(list: &TcpList) -> String {
    if list.services.is_empty() {
        return "there are no TCP services\n".to_owned();
    }
    let give = Give { last_below: true, shortened: 0 };
    let mut text = table(&["NAME", "ADDRESS", "LEADS TO"], list.services.iter().map(row), give);
    for service in &list.services {
        if let Some(note) = &service.note {
            text.push_str(&super::table::wrapped(&format!("note: {}: ", service.name), note));
        }
    }
    text
}

fn row(service: &TcpReport) -> Vec<String> {
    let address = service.listeners.first().map_or_else(|| "-".to_owned(), ToString::to_string);
    let to = match (service.to, service.addresses.first()) {
        (Some(port), _) => format!("port {port}"),
        (None, Some(address)) => format!("the instance, {address} now"),
        (None, None) => "the instance, which does not run".to_owned(),
    };
    vec![service.name.clone(), address, to]
}

/// The bare address of the one that was given: what goes into a client's settings.
pub(crate) fn address(list: &TcpList) -> String {
    let first = list.services.iter().filter_map(|service| service.listeners.first());
    first.map(|address| format!("{address}\n")).collect()
}

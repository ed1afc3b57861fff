//! The answers of `wharf focus`.

use wharf_control::focus::{FocusList, FocusReport};

use super::table::{Give, table};

/// All of them.
pub(crate) fn text(list: &FocusList) -> String {
    if list.focuses.is_empty() {
        return "`wharf focus` holds no port\n".to_owned();
    }
    let give = Give { last_below: true, shortened: 1 };
    let head = ["PORT", "LEADS TO", "NOW", "URL"];
    let mut text = table(&head, list.focuses.iter().map(row), give);
    for focus in &list.focuses {
        if let Some(note) = &focus.note {
            text.push_str(&super::table::wrapped(&format!("note: {}: ", focus.port), note));
        }
    }
    text
}

fn row(focus: &FocusReport) -> Vec<String> {
    let now = match (focus.live, focus.addresses.first()) {
        (true, Some(address)) => address.to_string(),
        (true, None) => "starting".to_owned(),
        (false, _) => "not running".to_owned(),
    };
    let url = focus.url.clone().unwrap_or_else(|| "-".to_owned());
    let tcp = if focus.tcp { " (tcp)" } else { "" };
    vec![format!("{}{tcp}", focus.port), focus.key.to_string(), now, url]
}

/// Where the port of a lease leads, for whoever lists leases.
pub(super) fn led_to(focuses: &[FocusReport], port: u16) -> Option<String> {
    let focus = focuses.iter().find(|focus| focus.port.get() == port)?;
    let idle = if focus.live { "" } else { ", which does not run" };
    Some(format!("`wharf focus`, leads to {}{idle}", focus.key))
}

//! The rules, one file each.

mod compose_publishes_all;
mod exposed_listener;
mod host_not_checked;
#[cfg(test)]
mod made;
mod port_scanned;

use super::rule::Rule;

const ALL: &[&Rule] = &[
    &compose_publishes_all::RULE,
    &exposed_listener::RULE,
    &host_not_checked::RULE,
    &port_scanned::RULE,
];

/// All of them, by name.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    ALL.iter().copied()
}

/// The rule of a name.
pub fn by_id(id: &str) -> Option<&'static Rule> {
    all().find(|rule| rule.id == id)
}

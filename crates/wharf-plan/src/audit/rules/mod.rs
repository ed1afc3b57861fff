//! The rules, one file each.

mod code_binds_all;
mod command_binds_all;
mod compose_publishes_all;
mod config_binds_all;
mod container_published;
mod cors_any_origin;
mod debug_in_production;
mod directory_listing;
mod django_debug;
mod docker_api_open;
mod elasticsearch_open;
mod exposed_listener;
mod hard_coded_port;
mod host_not_checked;
mod hosts_unchecked;
mod jdwp_open;
mod jupyter_without_token;
#[cfg(test)]
mod made;
mod missing_security_headers;
mod mongo_without_password;
mod next_advisory;
mod node_inspector;
mod port_browser_blocked;
mod port_ephemeral;
mod port_in_several_files;
mod port_privileged;
mod port_scanned;
mod port_system_service;
mod postgres_trust;
mod redis_without_password;
mod secrets_served;
mod source_maps_served;
mod vite_advisory;
mod webpack_dev_server_advisory;
mod werkzeug_debugger;

use super::rule::Rule;

const ALL: &[&Rule] = &[
    &code_binds_all::RULE,
    &command_binds_all::RULE,
    &compose_publishes_all::RULE,
    &config_binds_all::RULE,
    &container_published::RULE,
    &cors_any_origin::RULE,
    &debug_in_production::RULE,
    &directory_listing::RULE,
    &django_debug::RULE,
    &docker_api_open::RULE,
    &elasticsearch_open::RULE,
    &exposed_listener::RULE,
    &hard_coded_port::RULE,
    &host_not_checked::RULE,
    &hosts_unchecked::RULE,
    &jdwp_open::RULE,
    &jupyter_without_token::RULE,
    &missing_security_headers::RULE,
    &mongo_without_password::RULE,
    &next_advisory::RULE,
    &node_inspector::RULE,
    &port_browser_blocked::RULE,
    &port_ephemeral::RULE,
    &port_in_several_files::RULE,
    &port_privileged::RULE,
    &port_scanned::RULE,
    &port_system_service::RULE,
    &postgres_trust::RULE,
    &redis_without_password::RULE,
    &secrets_served::RULE,
    &source_maps_served::RULE,
    &vite_advisory::RULE,
    &webpack_dev_server_advisory::RULE,
    &werkzeug_debugger::RULE,
];

/// All of them, by name.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    ALL.iter().copied()
}

/// The rule of a name.
pub fn by_id(id: &str) -> Option<&'static Rule> {
    all().find(|rule| rule.id == id)
}

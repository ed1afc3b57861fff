//! Which agent asks: by what it has published in the environment, else by the processes that wharf descends from.

use wharf_facts::agent;
use wharf_model::Agent;

use crate::port_map;

/// The agent that this command works for; none for a person, and none where `WHARF_AGENT` is set to nothing.
pub(crate) fn of_caller() -> Option<Agent> {
    if std::env::var_os(agent::AGENT).is_some_and(|name| name.is_empty()) {
        return None;
    }
    agent::of_environment(&|name| std::env::var_os(name)).or_else(of_ancestry)
}

/// An agent that has published nothing is known by its process, which is as good as a session.
fn of_ancestry() -> Option<Agent> {
    let (name, pid) = port_map::agent_above(std::process::id())?;
    Agent::of_text(name, Some(&format!("pid {pid}")))
}

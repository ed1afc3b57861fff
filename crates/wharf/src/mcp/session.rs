//! Who asks: the client's name and one name for all that it does.

use rmcp::RoleServer;
use rmcp::service::RequestContext;
use wharf_model::Agent;

use crate::facts;
use wharf_facts::agent;

/// What is told of the client to the commands that work for it.
pub(super) struct Session {
    /// What is published of the agent that has started the server.
    published: Option<Agent>,
    /// Told where no session is published.
    own: String,
}

impl Session {
    pub(super) fn new() -> Session {
        let server = facts::own_process();
        Session {
            published: agent::of_environment(&|name| std::env::var_os(name)),
            own: format!("mcp-{}-{:x}", server.pid, server.start_ticks),
        }
    }

    /// The variables that tell a command whose it is. What somebody has set for the server stands; else the
    /// client's own word for itself is nearer to the truth than what it was started from.
    pub(super) fn variables(
        &self,
        context: &RequestContext<RoleServer>,
    ) -> Vec<(&'static str, String)> {
        let session = self.published.as_ref().and_then(Agent::session).unwrap_or(&self.own);
        let client = context.client_info();
        let client = client.and_then(|client| Agent::of_text(&client.name, Some(session)));
        let set = std::env::var(agent::AGENT).ok().filter(|name| !name.is_empty());
        let set = set.and_then(|name| Agent::of_text(&name, Some(session)));
        let Some(told) = set.or(client).or_else(|| self.published.clone()) else {
            return Vec::new();
        };
        vec![
            (agent::AGENT, told.name().to_owned()),
            (agent::SESSION, told.session().unwrap_or(session).to_owned()),
        ]
    }
}

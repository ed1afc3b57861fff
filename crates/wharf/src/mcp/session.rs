//! Who asks: the client's name and one name for all that it does.

use rmcp::RoleServer;
use rmcp::service::RequestContext;

/// What is told of the client to the commands that work for it.
pub(super) struct Session {
    /// Told where nobody has published one.
    own: String,
}

impl Session {
    pub(super) fn new() -> Session {
        Session { own: format!("mcp-{}", crate::link::request_id()) }
    }

    /// The variables that tell a command whose it is.
    pub(super) fn variables(
        &self,
        _context: &RequestContext<RoleServer>,
    ) -> Vec<(&'static str, String)> {
        let _ = &self.own;
        Vec::new()
    }
}

//! A port that stays the same while the checkout behind it changes.

use crate::agent::Agent;
use crate::key::ServiceKey;
use crate::path_text::PathText;
use crate::port::Port;

/// The project of the leases that focuses have: no path, so it is nobody's.
const PROJECT: &str = "focus";

/// A port of this machine that leads to one instance, until it is made to lead to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Focus {
    /// The port.
    pub port: Port,
    /// Whose instance it leads to, whichever execution that is at the moment.
    pub key: ServiceKey,
    /// Whether it passes on bytes that need not be HTTP.
    pub tcp: bool,
    /// When it was led there: seconds since the Unix epoch, for display only.
    pub since: u64,
    /// The agent that led it there; `None` where a person did.
    pub agent: Option<Agent>,
}

/// Whose the lease on the port of a focus is.
pub fn lease_key(port: Port) -> ServiceKey {
    ServiceKey {
        project: PathText::from_text(PROJECT.to_owned()),
        worktree: String::new(),
        service: host(port.get()),
        instance: 1,
    }
}

/// Whether a lease is a focus's.
pub fn is_focus(project: &PathText) -> bool {
    project.as_str() == PROJECT
}

/// The host of its route, which no request can name: its hosts have no port.
pub fn host(port: u16) -> String {
    format!("localhost:{port}")
}

/// The origins of the pages that are loaded from this port of this machine.
pub fn origins(port: u16) -> [String; 3] {
    ["localhost", "127.0.0.1", "[::1]"].map(|host| match port {
        80 => format!("http://{host}"),
        _ => format!("http://{host}:{port}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_do() {
        assert_eq!(origins(3000)[0], "http://localhost:3000");
        assert_eq!(origins(3000)[2], "http://[::1]:3000");
        assert_eq!(origins(80)[1], "http://127.0.0.1");
    }

    #[test]
    fn a_lease_says_whose_it_is() {
        let key = lease_key(Port::new(3000).unwrap());
        assert!(is_focus(&key.project));
        assert_eq!(key.to_string(), "`wharf focus`");
    }
}

//! Which agent something was made by, and in which of its sessions.

use serde::{Deserialize, Serialize};

/// The longest name, in characters.
pub const NAME_MAX: usize = 64;
/// The longest name of a session, in characters.
pub const SESSION_MAX: usize = 128;

/// A program that writes code by itself, as it is told of or found. It is what somebody said, and no proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Told")]
pub struct Agent {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
}

/// As it comes over the wire, or out of the store.
#[derive(Deserialize)]
struct Told {
    name: String,
    #[serde(default)]
    session: Option<String>,
}

/// Why a text names no agent and no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgentError {
    /// The name.
    #[error("the name of an agent has 1 to 64 characters, none of them a control character")]
    Name,
    /// The session.
    #[error("the session of an agent has 1 to 128 characters, none of them a control character")]
    Session,
}

impl Agent {
    /// An agent, and its session where that is known.
    ///
    /// # Errors
    /// A text is empty, too long, or has control characters.
    pub fn new(name: String, session: Option<String>) -> Result<Agent, AgentError> {
        if !is_word(&name, NAME_MAX) {
            return Err(AgentError::Name);
        }
        if session.as_ref().is_some_and(|session| !is_word(session, SESSION_MAX)) {
            return Err(AgentError::Session);
        }
        Ok(Agent { name, session })
    }

    /// The nearest to what somebody else has named: without what may not be in it, and cut.
    pub fn of_text(name: &str, session: Option<&str>) -> Option<Agent> {
        let session = session.and_then(|session| cut(session, SESSION_MAX));
        Some(Agent { name: cut(name, NAME_MAX)?, session })
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The session.
    pub fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }
}

impl TryFrom<Told> for Agent {
    type Error = AgentError;

    fn try_from(told: Told) -> Result<Agent, AgentError> {
        Agent::new(told.name, told.session)
    }
}

impl std::fmt::Display for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.session {
            Some(session) => write!(f, "{}, session {session}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

fn is_word(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.chars().count())
        && !text.trim().is_empty()
        && !text.chars().any(char::is_control)
}

fn cut(text: &str, longest: usize) -> Option<String> {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    let text: String = text.trim().chars().take(longest).collect();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_bounded_and_have_no_control_characters() {
        for bad in ["", "  ", "a\u{1b}[2J", "a\nb", &"x".repeat(65)] {
            assert_eq!(Agent::new(bad.to_owned(), None), Err(AgentError::Name), "{bad:?}");
        }
        let long = Agent::new("a".to_owned(), Some("s".repeat(129)));
        assert_eq!(long, Err(AgentError::Session));
        assert!(Agent::new("é".repeat(64), Some("s".repeat(128))).is_ok());
    }

    #[test]
    fn what_somebody_else_has_named_is_made_to_fit() {
        let agent = Agent::of_text("a\u{7}gent ", Some(&"s".repeat(500))).unwrap();
        assert_eq!((agent.name(), agent.session().unwrap().len()), ("agent", 128));
        assert_eq!(Agent::of_text(" \n", None), None);
        assert_eq!(Agent::of_text("a", Some("")).unwrap().session(), None);
    }
}

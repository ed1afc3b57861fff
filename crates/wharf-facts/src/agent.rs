//! Which agent a process works for, by what that agent has published in its environment.

use std::ffi::OsString;

use wharf_model::Agent;
use wharf_os::process;

/// The name of the agent: what anybody may set, and what `wharf mcp` sets for its commands.
pub const AGENT: &str = "WHARF_AGENT";
/// The session of the agent that `WHARF_AGENT` names.
pub const SESSION: &str = "WHARF_SESSION";

/// A variable that an agent sets for its commands, what people call that agent, and where its session stands.
const PUBLISHED: &[(&str, &str, Option<&str>)] = &[
    ("CLAUDECODE", "Claude Code", Some("CLAUDE_CODE_SESSION_ID")),
    ("CODEX_THREAD_ID", "Codex", Some("CODEX_THREAD_ID")),
    ("CODEX_SANDBOX", "Codex", None),
    ("CODEX_CI", "Codex", None),
    ("CURSOR_AGENT", "Cursor agent", None),
    ("GEMINI_CLI", "Gemini CLI", None),
    ("OPENCODE", "opencode", None),
    ("CLINE_ACTIVE", "Cline", None),
    ("AUGMENT_AGENT", "Augment", None),
    ("ANTIGRAVITY_AGENT", "Antigravity", None),
];

/// What agents that wharf does not know name themselves by, such as `goose` or `devin@1`.
const GENERIC: &str = "AI_AGENT";

/// What an environment tells; nothing where `WHARF_AGENT` is set to nothing.
pub fn of_environment(variable: &dyn Fn(&str) -> Option<OsString>) -> Option<Agent> {
    if variable(AGENT).is_some_and(|name| name.is_empty()) {
        return None;
    }
    let text = |name: &str| {
        let value = variable(name)?.to_string_lossy().into_owned();
        (!value.is_empty()).then_some(value)
    };
    let session = text(SESSION);
    if let Some(agent) = text(AGENT).and_then(|name| Agent::of_text(&name, session.as_deref())) {
        return Some(agent);
    }
    let published = PUBLISHED.iter().find(|(name, ..)| text(name).is_some());
    if let Some((_, name, own)) = published {
        let session = session.or_else(|| text((*own)?));
        return Agent::of_text(name, session.as_deref());
    }
    Agent::of_text(&text(GENERIC)?, session.as_deref())
}

/// What the environment tells that a process was started with; nothing where that may not be read.
pub fn of_process(pid: u32) -> Option<Agent> {
    of_environment(&|name| process::environment_value(pid, name).ok().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(variables: &[(&str, &str)]) -> Option<String> {
        let value = |name: &str| {
            let (_, value) = variables.iter().find(|(known, _)| *known == name)?;
            Some(OsString::from(value))
        };
        of_environment(&value).map(|agent| agent.to_string())
    }

    #[test]
    fn agents_are_known_by_what_they_publish() {
        for (variables, expected) in [
            (
                &[("CLAUDECODE", "1"), ("CLAUDE_CODE_SESSION_ID", "4721")][..],
                "Claude Code, session 4721",
            ),
            (&[("CLAUDECODE", "1")], "Claude Code"),
            (&[("CODEX_THREAD_ID", "t-1"), ("AI_AGENT", "x")], "Codex, session t-1"),
            (&[("GEMINI_CLI", "1"), ("WHARF_SESSION", "mine")], "Gemini CLI, session mine"),
            (&[("AI_AGENT", "devin@1")], "devin@1"),
            (&[("WHARF_AGENT", "me"), ("CLAUDECODE", "1"), ("CLAUDE_CODE_SESSION_ID", "9")], "me"),
        ] {
            assert_eq!(told(variables).as_deref(), Some(expected), "{variables:?}");
        }
        assert_eq!(told(&[("CLAUDECODE", ""), ("WHARF_SESSION", "alone")]), None);
        assert_eq!(told(&[("WHARF_AGENT", ""), ("CLAUDECODE", "1")]), None);
    }
}

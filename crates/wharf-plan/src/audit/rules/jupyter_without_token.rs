//! Jupyter without a token.

use super::super::answers::Question;
use super::super::finding::Hit;
use super::super::level::Level;
use super::super::listener::Listener;
use super::super::rule::{Check, Rule};

pub(super) const RULE: Rule = Rule {
    id: "jupyter-without-token",
    level: Level::High,
    title: "Jupyter lets anybody in",
    why: "a notebook runs any code as this user. Without a token whoever reaches the port runs it: other \
          users of this machine, and with a foreign name in Host a page of the browser",
    fix: "leave the token on (the default), or set a password: `jupyter server password`",
    sources: &["https://jupyter-server.readthedocs.io/en/latest/operators/security.html"],
    page: include_str!("../../../../../docs/audit/jupyter-without-token.md"),
    check: Check::Answers(check),
};

fn check(listener: &Listener) -> Option<Hit> {
    let status = listener.answers.to(Question::JupyterStatus)?;
    if !status.is_good() || !status.body.contains("\"kernels\"") {
        return None;
    }
    let level = if listener.is_open() { Level::Critical } else { RULE.level };
    let what = format!("Jupyter on {} asks for no token", listener.endpoint());
    let hit = Hit::new(level, what, RULE.fix).all_seen(listener.facts());
    Some(hit.seen(format!(
        "GET {} without a token got {}: the number of kernels",
        Question::JupyterStatus.path(),
        status.status
    )))
}

#[cfg(test)]
mod tests {
    use super::super::made;
    use super::*;

    #[test]
    fn only_an_answer_without_a_token_is_told() {
        let level = |address, status, body| {
            let mut listener = made::running(address, 8888, "python -m jupyter-lab");
            made::answer(&mut listener, Question::JupyterStatus, status, &[], body);
            check(&listener).map(|hit| hit.level)
        };
        let body = "{\"connections\": 0, \"kernels\": 0, \"started\": \"x\"}";
        assert_eq!(level("127.0.0.1", 200, body), Some(Level::High));
        assert_eq!(level("0.0.0.0", 200, body), Some(Level::Critical));
        assert_eq!(level("0.0.0.0", 403, "{\"message\": \"Forbidden\"}"), None);
    }
}

//! Node's inspector: whoever reaches it runs programs.

use super::super::answers::Question;
use super::super::finding::Hit;
use super::super::level::Level;
use super::super::listener::Listener;
use super::super::rule::{Check, Rule};

pub(super) const RULE: Rule = Rule {
    id: "node-inspector",
    level: Level::Low,
    title: "Node's inspector listens",
    why: "who speaks to the inspector runs any code in the process, as this user. Node itself refuses names \
          that are no addresses, so that pages of the browser do not reach it; other programs and other \
          users of this machine do, and on every interface everybody",
    fix: "start without --inspect where nobody debugs; never with --inspect=0.0.0.0: an SSH tunnel or \
          `docker exec` reaches 127.0.0.1",
    sources: &["https://nodejs.org/en/learn/getting-started/debugging#security-implications"],
    page: include_str!("../../../../../docs/audit/node-inspector.md"),
    check: Check::Answers(check),
};

fn check(listener: &Listener) -> Option<Hit> {
    let said = listener.answers.to(Question::Inspector)?;
    if !said.is_good() || !said.body.contains("Protocol-Version") {
        return None;
    }
    let level = if listener.is_open() { Level::Critical } else { RULE.level };
    let what = format!("Node's inspector answers on {}", listener.endpoint());
    let hit = Hit::new(level, what, RULE.fix).all_seen(listener.facts());
    let version = said.body.lines().find(|line| line.contains("Browser")).unwrap_or_default();
    Some(hit.seen(format!("GET {} got {}", Question::Inspector.path(), version.trim())))
}

#[cfg(test)]
mod tests {
    use super::super::made;
    use super::*;

    #[test]
    fn the_inspectors_own_words_are_the_evidence() {
        let level = |address, body| {
            let mut listener = made::running(address, 9229, "node --inspect server.js");
            made::answer(&mut listener, Question::Inspector, 200, &[], body);
            check(&listener).map(|hit| hit.level)
        };
        let said = "{\n  \"Browser\": \"node.js/v20.20.2\",\n  \"Protocol-Version\": \"1.1\"\n}";
        assert_eq!(level("127.0.0.1", said), Some(Level::Low));
        assert_eq!(level("0.0.0.0", said), Some(Level::Critical));
        assert_eq!(level("0.0.0.0", "{}"), None);
    }
}

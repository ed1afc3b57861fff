//! Werkzeug's debugger: a Python prompt in every page of an error.

use super::super::answers::Question;
use super::super::finding::Hit;
use super::super::level::Level;
use super::super::listener::Listener;
use super::super::rule::{Check, Rule};

pub(super) const RULE: Rule = Rule {
    id: "werkzeug-debugger",
    level: Level::High,
    title: "Werkzeug's debugger answers",
    why: "on the page of an error the debugger has a Python prompt, which runs any program as this user. A \
          PIN is asked for; it is made of facts about the machine that whoever reads files of it can work \
          out, and the debugger was left on in production more than once (Patreon, 2015)",
    fix: "start without --debug and without debug=True; keep a server with the debugger on 127.0.0.1",
    sources: &[
        "https://werkzeug.palletsprojects.com/en/stable/debug/",
        "https://github.com/advisories/GHSA-2g68-c3qc-8985 (CVE-2024-34069)",
    ],
    page: include_str!("../../../../../docs/audit/werkzeug-debugger.md"),
    check: Check::Answers(check),
};

fn check(listener: &Listener) -> Option<Hit> {
    let file = listener.answers.to(Question::DebuggerFile)?;
    if !file.is_good() || !file.body.contains("__debugger__") {
        return None;
    }
    let level = if listener.is_open() { Level::Critical } else { Level::Medium };
    let what =
        format!("`{}` on {} has Werkzeug's debugger on", listener.name(), listener.endpoint());
    let hit = Hit::new(level, what, RULE.fix).all_seen(listener.facts());
    Some(hit.seen(format!("GET {} got debugger.js of Werkzeug", Question::DebuggerFile.path())))
}

#[cfg(test)]
mod tests {
    use super::super::made;
    use super::*;

    #[test]
    fn the_debuggers_own_file_is_the_evidence() {
        let level = |address, status, body| {
            let mut listener = made::listener(address, 5000);
            made::answer(&mut listener, Question::DebuggerFile, status, &[], body);
            check(&listener).map(|hit| hit.level)
        };
        assert_eq!(
            level("127.0.0.1", 200, "params.set('__debugger__', 'yes')"),
            Some(Level::Medium)
        );
        assert_eq!(
            level("0.0.0.0", 200, "params.set('__debugger__', 'yes')"),
            Some(Level::Critical)
        );
        assert_eq!(level("0.0.0.0", 200, "<h1>a page for any path</h1>"), None);
        assert_eq!(level("0.0.0.0", 404, "__debugger__"), None);
    }
}

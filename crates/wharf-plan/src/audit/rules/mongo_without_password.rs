//! MongoDB without access control.

use super::super::finding::Hit;
use super::super::level::Level;
use super::super::listener::Listener;
use super::super::rule::{Check, Rule};

pub(super) const RULE: Rule = Rule {
    id: "mongo-without-password",
    level: Level::Low,
    title: "MongoDB lets anybody in",
    why: "without access control whoever connects reads and drops every database; servers of that kind on \
          the internet were emptied for ransom in 2017, and are still",
    fix: "bind 127.0.0.1 (the default), and turn access control on: security.authorization: enabled",
    sources: &["https://www.mongodb.com/docs/manual/administration/security-checklist/"],
    page: include_str!("../../../../../docs/audit/mongo-without-password.md"),
    check: Check::Answers(check),
};

fn check(listener: &Listener) -> Option<Hit> {
    if !listener.answers.mongo.as_ref()?.lists_databases {
        return None;
    }
    let level = if listener.is_open() { Level::Critical } else { RULE.level };
    let what = format!("MongoDB on {} asks for no password", listener.endpoint());
    let hit = Hit::new(level, what, RULE.fix).all_seen(listener.facts());
    Some(hit.seen("listDatabases without a password was answered"))
}

#[cfg(test)]
mod tests {
    use super::super::super::answers::Mongo;
    use super::super::made;
    use super::*;

    #[test]
    fn names_of_databases_are_the_evidence() {
        let level = |address, lists_databases| {
            let mut listener = made::running(address, 27017, "mongod");
            listener.answers.mongo = Some(Mongo { lists_databases });
            check(&listener).map(|hit| hit.level)
        };
        assert_eq!(level("0.0.0.0", true), Some(Level::Critical));
        assert_eq!(level("127.0.0.1", true), Some(Level::Low));
        assert_eq!(level("0.0.0.0", false), None);
    }
}
